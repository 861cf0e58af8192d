"""Logistic regression with a ridge penalty: small, and the same on every run."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from journey_stream.churn.panel import Floats


class Regression:
    """Log-odds = given + intercept + matrix · weights."""

    __slots__ = ("intercept", "weights")

    def __init__(
        self, matrix: Floats, outcome: npt.NDArray[np.bool_] | Floats, ridge: float, given: Floats | float = 0.0
    ) -> None:
        """Fit to (rows, columns) and (rows,). `ridge` weighs the squares of standardised weights in the mean loss.

        `given` are log-odds per row to which those of the regression are added. An outcome may be a probability.
        """
        centre, scale = matrix.mean(axis=0), matrix.std(axis=0)
        scale[scale == 0.0] = 1.0
        standard = (matrix - centre) / scale
        y = outcome.astype(np.float64)

        def loss(point: Floats) -> tuple[float, Floats]:
            line = given + point[0] + standard @ point[1:]
            miss = (expit(line) - y) / len(y)
            value = float(np.mean(np.logaddexp(0.0, line) - y * line)) + ridge * float(np.sum(point[1:] ** 2))
            return value, np.concatenate(([miss.sum()], standard.T @ miss + 2.0 * ridge * point[1:]))

        start = np.zeros(matrix.shape[1] + 1)
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-9}
        )
        self.weights: Floats = found.x[1:] / scale
        self.intercept = float(found.x[0] - self.weights @ centre)
