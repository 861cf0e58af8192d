"""The calibration of a score as a picture."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from journey_stream.churn.evaluate import Evaluation


def draw(evaluation: Evaluation, title: str, path: Path) -> None:
    """Write a PNG: predicted against observed share in ten groups, for the score and for plain BG/NBD."""
    figure = Figure(figsize=(6.4, 6.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="perfect")
    for name, judged, colour, style in (
        ("BG/NBD alone", evaluation.bgnbd, "#b0623a", "s:"),
        ("score", evaluation.score, "#1f5fa8", "o-"),
    ):
        label = (
            f"{name}: AUC {judged.auc:.3f}, Brier {judged.brier:.3f}, worst group {judged.calibration_error:.3f} off"
        )
        predicted, observed = [one.predicted for one in judged.groups], [one.observed for one in judged.groups]
        axes.plot(predicted, observed, style, color=colour, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title)
    axes.set_xlabel("predicted probability of staying away")
    axes.set_ylabel("share that stayed away")
    axes.grid(color="0.92")
    axes.legend(loc="upper left", fontsize="small")
    figure.savefig(path, format="png")
