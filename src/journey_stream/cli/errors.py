"""What a command that failed says: one message on stderr, no traceback."""

import errno
import os
import sys


class CommandError(Exception):
    """A command cannot do what it was asked to. The message says what is wrong and what to do."""


def exit_code_of(error: Exception) -> int:
    """Tell the error on stderr and return the exit code."""
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone (`… | head`). Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    print(f"journey-stream: {_message(error)}", file=sys.stderr)
    return 1


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        hint = "; free some space" if error.errno == errno.ENOSPC else ""
        return f"{place}{error.strerror}{hint}"
    if isinstance(error, _meant_for_people()):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{error}; install the optional parts with: pip install 'journey-stream[churn,demo,parquet,serve]'"
    return (
        f"unexpected {type(error).__name__}: {error} (this is a mistake of ours; `journey-stream --debug …` shows it)"
    )


def _meant_for_people() -> tuple[type[Exception], ...]:
    """The errors whose text is written for the person at the terminal. Imported only once something failed."""
    from journey_stream.churn.errors import FitError  # noqa: PLC0415
    from journey_stream.history.record import HistoryError  # noqa: PLC0415
    from journey_stream.journey.errors import ModelError  # noqa: PLC0415
    from journey_stream.serve.store.errors import StoreError  # noqa: PLC0415
    from journey_stream.worker.broker_errors import BrokerError  # noqa: PLC0415
    from journey_stream.worker.config_file import ConfigError  # noqa: PLC0415
    from journey_stream.worker.errors import WorkerError  # noqa: PLC0415

    return CommandError, FitError, HistoryError, ModelError, BrokerError, ConfigError, StoreError, WorkerError
