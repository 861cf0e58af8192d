"""What a profile keeps for churn risk, beside its stage: where it is, and the changes of band that were published."""

from typing import Literal

import msgspec

from journey_stream.churn.summary import Summary
from journey_stream.engine.packing import array_header
from journey_stream.engine.touches import LONG_AGO, NEVER

NO_BAND = -1
RiskCause = Literal["touchpoint", "timer", "model"]


class RiskState(msgspec.Struct, array_like=True, gc=False):
    """The summary of all touchpoints folded so far that concern risk; instants in ms.

    Nobody without a purchase has a band or a `summary`; signals seen until then wait in `early`. `first_id`, `last_id`
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


class RiskHead(msgspec.Struct, array_like=True, gc=False):
    """Churn risk in the head: `state` is a packed RiskState, which only touchpoints that concern risk need unpacked.

    `quiet_until` is a copy of the state's, for the timer. `history` is the run of the `changes` changes of band since
    the checkpoint, all of them published; `revision` counts the messages about them.
    """

    quiet_until: int = NEVER
    revision: int = 0
    changes: int = 0
    history: bytes = b""
    state: bytes = b""


_decode_state = msgspec.msgpack.Decoder(RiskState).decode
_decode_changes = msgspec.msgpack.Decoder(list[RiskChange]).decode


def unpack_risk_changes(count: int, run: bytes) -> list[RiskChange]:
    """The changes of a run of `count` packed ones."""
    return _decode_changes(array_header(count) + run)


def unpack_state(packed: bytes) -> RiskState:
    """The state, for work; that of somebody new if there is none yet."""
    return _decode_state(packed) if packed else RiskState()
