"""The output topics as files: one message per line, in the wire format of its topic."""

import contextlib
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec

from journey_stream.events.decisions import IdentityChanged, ProfileChanged, RiskChanged, StageChanged
from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason
from journey_stream.events.wire import encode_identity_change, encode_profile, encode_risk_change, encode_stage_change
from journey_stream.history.record import HistoryError

STAGE_CHANGES, CHURN_RISK, IDENTITY_CHANGES = "stage-changes.jsonl", "churn-risk.jsonl", "identity-changes.jsonl"
PROFILES, DEAD_LETTERS = "profiles.jsonl", "dead-letters.jsonl"
NAMES = (STAGE_CHANGES, CHURN_RISK, IDENTITY_CHANGES, PROFILES, DEAD_LETTERS)
_REMEDY = "free some space, or name another directory"
_BUFFER_BYTES = 1024 * 1024
_encode = msgspec.json.Encoder().encode


class OutputFiles:
    """Writes into a directory, which is made when it is not there. Raises HistoryError when that fails.

    The files get their names when all is written: a run that fails, or is interrupted, leaves those of an earlier one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._closing = ExitStack()
        self._unfinished = {name: directory / f".{name}.{os.getpid()}" for name in NAMES}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._stage_changes, self._churn_risk, self._identity_changes, self._profiles, self._dead_letters = (
                self._closing.enter_context(path.open("wb", buffering=_BUFFER_BYTES))
                for path in self._unfinished.values()
            )
        except OSError as error:
            self._give_up()
            raise self._unwritable(error, "name another directory") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._give_up()
            return
        try:
            self._finish()
        except OSError as failure:
            self._give_up()
            raise self._unwritable(failure, _REMEDY) from failure

    def _finish(self) -> None:
        self._closing.close()
        for name, path in self._unfinished.items():
            path.replace(self._directory / name)

    def _give_up(self) -> None:
        # What a full disk did not take is lost with the rest.
        with contextlib.suppress(OSError):
            self._closing.close()
        for path in self._unfinished.values():
            with contextlib.suppress(OSError):
                path.unlink()

    def _write(self, file: BinaryIO, line: bytes) -> None:
        try:
            file.write(line + b"\n")
        except OSError as error:
            raise self._unwritable(error, _REMEDY) from error

    def _unwritable(self, error: OSError, remedy: str) -> HistoryError:
        return HistoryError(f"{self._directory}: cannot be written: {error.strerror}; {remedy}")

    def stage_change(self, change: StageChanged) -> None:
        """One message of journey.stage-changes."""
        self._write(self._stage_changes, encode_stage_change(change))

    def risk_change(self, change: RiskChanged) -> None:
        """One message of journey.churn-risk."""
        self._write(self._churn_risk, encode_risk_change(change))

    def identity_change(self, change: IdentityChanged) -> None:
        """One message of journey.identity-changes."""
        self._write(self._identity_changes, encode_identity_change(change))

    def profile(self, view: ProfileChanged) -> None:
        """The last message of a profile on journey.profiles."""
        self._write(self._profiles, encode_profile(view))

    def dead_letter(self, source: Source, value: bytes, reason: Reason, detail: str) -> None:
        """One message of journey.dead-letters: what its headers say, and its value, which need not be JSON."""
        line: dict[str, Any] = {
            "reason": reason.value,
            "detail": detail,
            "source": {"topic": source.topic, "partition": source.partition, "offset": source.offset},
        }
        try:
            line["value"] = value.decode()
        except UnicodeDecodeError:
            line["value_base64"] = value  # msgspec writes bytes in base64
        self._write(self._dead_letters, _encode(line))
