"""Touchpoints of a history as observations for fitting and judging churn parameters."""

from collections.abc import Callable, Iterable, Iterator

from journey_stream.churn.panel import Observation, Panel
from journey_stream.churn.parameters import Parameters
from journey_stream.engine.predicates import facts_of, holds_all
from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.log import Source, TouchpointRecord, decode, encode_touchpoint
from journey_stream.history.record import HistoryRecord
from journey_stream.journey.model import Pattern

Matches = Callable[[TouchpointRecord], bool]


def read_panel(records: Iterable[HistoryRecord], parameters: Parameters, until: int | None) -> Panel:
    """The history before `until` (ms); what happened later is not even looked at."""
    observations = _observations(records, parameters, until)
    return Panel(observations, unit_ms=parameters.unit_ms, occasion_ms=parameters.occasion_ms)


def _observations(records: Iterable[HistoryRecord], parameters: Parameters, until: int | None) -> Iterator[Observation]:
    matchers = {kind.id: [_matcher(pattern) for pattern in kind.patterns] for kind in parameters.kinds}
    wanted = [(signal.id, matchers[signal.kind]) for signal in parameters.signals]
    event = matchers[parameters.event]
    seen: set[tuple[str, int]] = set()
    for record in records:
        touchpoint = _read(record)
        if touchpoint is None or (until is not None and touchpoint.occurred_at >= until):
            continue
        key = touchpoint.event_id, touchpoint.occurred_at
        if key in seen:
            continue
        seen.add(key)
        is_event = any(matches(touchpoint) for matches in event)
        signals = tuple(name for name, kind in wanted if any(matches(touchpoint) for matches in kind))
        if is_event or signals:
            value = touchpoint.value or 0.0
            yield Observation(touchpoint.profile_id, touchpoint.occurred_at, is_event, value, signals)


def _read(record: HistoryRecord) -> TouchpointRecord | None:
    """As the engine sees it; None for what is no touchpoint. What the router refuses has been reported already."""
    admitted = read_touchpoint(record.value)
    if not isinstance(admitted, Admitted):
        return None
    source = Source(record.origin, 0, record.position)
    logged = decode(admitted.profile_id.encode(), admitted.occurred_at, encode_touchpoint(admitted, source, None))
    return logged if isinstance(logged, TouchpointRecord) else None


def _matcher(pattern: Pattern) -> Matches:
    holds = holds_all(pattern.where)
    fields = {where.field for where in pattern.where}

    def matches(record: TouchpointRecord) -> bool:
        if pattern.channels is not None and record.channel not in pattern.channels:
            return False
        if pattern.types is not None and record.type not in pattern.types:
            return False
        return holds is None or holds(facts_of(record, fields))

    return matches
