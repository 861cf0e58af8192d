"""The output topics as files: one message per line, in the wire format of its topic."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from journey_stream.events.decisions import IdentityChanged, ProfileChanged, RiskChanged, StageChanged
from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason
from journey_stream.events.wire import encode_identity_change, encode_profile, encode_risk_change, encode_stage_change
from journey_stream.history.record import HistoryError

STAGE_CHANGES, CHURN_RISK, IDENTITY_CHANGES = "stage-changes.jsonl", "churn-risk.jsonl", "identity-changes.jsonl"
PROFILES, DEAD_LETTERS = "profiles.jsonl", "dead-letters.jsonl"
NAMES = (STAGE_CHANGES, CHURN_RISK, IDENTITY_CHANGES, PROFILES, DEAD_LETTERS)
_BUFFER_BYTES = 1024 * 1024
_encode = msgspec.json.Encoder().encode


class OutputFiles:
    """Writes into a directory, which is made when it is not there. Raises HistoryError when that fails."""

    def __init__(self, directory: Path) -> None:
        self._closing = ExitStack()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._stage_changes, self._churn_risk, self._identity_changes, self._profiles, self._dead_letters = (
                self._closing.enter_context((directory / name).open("wb", buffering=_BUFFER_BYTES)) for name in NAMES
            )
        except OSError as error:
            self._closing.close()
            raise HistoryError(f"{directory}: cannot be written: {error.strerror}; name another directory") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def stage_change(self, change: StageChanged) -> None:
        """One message of journey.stage-changes."""
        self._stage_changes.write(encode_stage_change(change) + b"\n")

    def risk_change(self, change: RiskChanged) -> None:
        """One message of journey.churn-risk."""
        self._churn_risk.write(encode_risk_change(change) + b"\n")

    def identity_change(self, change: IdentityChanged) -> None:
        """One message of journey.identity-changes."""
        self._identity_changes.write(encode_identity_change(change) + b"\n")

    def profile(self, view: ProfileChanged) -> None:
        """The last message of a profile on journey.profiles."""
        self._profiles.write(encode_profile(view) + b"\n")

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
        self._dead_letters.write(_encode(line) + b"\n")
