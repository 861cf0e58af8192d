"""Public data sets as touchpoints, read from the Python packages that carry them; nothing is copied."""

from journey_stream.history.datasets.registry import DATASETS, Dataset, dataset

__all__ = ["DATASETS", "Dataset", "dataset"]
