"""What a profile keeps for churn risk, beside its stage: where it is, and the changes of band that were published."""

from typing import Final, Literal

import msgspec

from journey_stream.churn.summary import Summary
from journey_stream.engine.packing import array_header, encode
from journey_stream.engine.touches import LONG_AGO, NEVER

NO_BAND: Final = -1
RiskCause = Literal["touchpoint", "timer", "model"]


class RiskState(msgspec.Struct, array_like=True, gc=False):
    """The summary of all touchpoints folded so far that concern risk; instants in ms.

    Nobody without a purchase has a `summary`, or a band, unless it is left from before churn risk was switched off and
    on again; signals seen until then wait in `early`. `first_id`, `last_id`
    and `signal_ids` are the event ids of what the summary speaks of: the evidence of a score. `band` was entered at
    `since` with `probability`. Silence changes nothing before `quiet_until`, a lower bound that is made exact when it
    is reached. `silent_at` is the instant of the last change in silence: an earlier touchpoint cannot simply be
    stepped. Until `resume_at` touchpoints are only counted, because what was published up to there was scored with
    other parameters.
    """

    quiet_until: int = NEVER
    silent_at: int = LONG_AGO
    resume_at: int = LONG_AGO
    band: int = NO_BAND
    since: int = LONG_AGO
    probability: float = 0.0
    summary: Summary | None = None
    first_id: str = ""
    last_id: str = ""
    early: dict[str, int] | None = None
    signal_ids: dict[str, str] | None = None

    def canonical(self) -> list[object]:
        """What depends on nothing but touchpoints and clock."""
        evidence = [self.first_id, self.last_id, sorted((self.signal_ids or {}).items())]
        summary = self.summary
        if summary is None:
            return [self.band, sorted((self.early or {}).items()), evidence]
        counts = [summary.first, summary.last, summary.repeats, summary.spent, sorted((summary.signals or {}).items())]
        return [self.band, self.since, self.probability, counts, evidence]


class RiskChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One move from band to band (indices; -1 = none yet), with all that states the same score and reasons again.

    `trigger` is the event id of the touchpoint that brought it; empty for a change in silence or by new parameters.
    """

    at: int
    before: int
    after: int
    cause: RiskCause
    trigger: str
    summary: Summary
    first_id: str
    last_id: str
    signal_ids: dict[str, str] | None = None


_NIL: Final = msgspec.Raw(msgspec.msgpack.encode(None))
_decode_checkpoint = msgspec.msgpack.Decoder(RiskState | None).decode


class Risk(msgspec.Struct, array_like=True, gc=False):
    """A profile's state record of churn risk.

    `history` is the run of the `changes` changes of band since the checkpoint, all of them published; `revision` counts
    the messages about them. `checkpoint` is the state up to where the timeline begins; it stays packed, because it is
    seldom asked for. That of somebody new is nil.
    """

    revision: int = 0
    changes: int = 0
    history: bytes = b""
    state: RiskState = msgspec.field(default_factory=RiskState)
    checkpoint: msgspec.Raw = _NIL

    def unpack_checkpoint(self) -> RiskState:
        """The checkpoint, to be altered."""
        return _decode_checkpoint(self.checkpoint) or RiskState()

    def set_checkpoint(self, state: RiskState) -> None:
        """Keep what `state` is now."""
        self.checkpoint = msgspec.Raw(encode(state))


unpack_risk = msgspec.msgpack.Decoder(Risk).decode
"""Raises msgspec.MsgspecError for other bytes."""

_decode_changes = msgspec.msgpack.Decoder(list[RiskChange]).decode


def unpack_risk_changes(count: int, run: bytes) -> list[RiskChange]:
    """The changes of a run of `count` packed ones."""
    return _decode_changes(array_header(count) + run)
