"""Which touchpoints concern churn risk: the parameters' kinds, compiled per channel and type."""

from journey_stream.churn.score import Scorer
from journey_stream.engine.predicates import Holds, any_of, holds_all, left_open, may_match
from journey_stream.engine.touches import Facts
from journey_stream.journey.model import Pattern


class Concern:
    """What a touchpoint of one channel and type may be to the score: the event itself, and signals by id.

    `fields` are those that have to be kept of it; `event` is the condition under which it counts as the event.
    """

    __slots__ = ("event", "fields", "is_event", "signals")

    def __init__(
        self, fields: frozenset[str], is_event: bool, event: Holds | None, signals: tuple[tuple[str, Holds | None], ...]
    ) -> None:
        self.fields = fields
        self.is_event = is_event
        self.event = event
        self.signals = signals

    def is_met(self, facts: Facts | None) -> bool:
        """Whether a touchpoint with these facts is any of it."""
        if self.is_event and (self.event is None or self.event(facts)):
            return True
        for _, holds in self.signals:  # noqa: SIM110 -- a comprehension would be an object
            if holds is None or holds(facts):
                return True
        return False


def concern_of(scorer: Scorer, channel: str, type_: str) -> Concern | None:
    """None for touchpoints that no score depends on."""
    parameters = scorer.parameters
    patterns: dict[str, list[Pattern]] = {}
    for kind in parameters.kinds:
        found = [pattern for pattern in kind.patterns if may_match(pattern, channel, type_)]
        if found:
            patterns[kind.id] = found
    signals = [signal for signal in parameters.signals if signal.kind in patterns]
    is_event = parameters.event in patterns
    if not is_event and not signals:
        return None
    read = {signal.kind for signal in signals}
    fields: set[str] = set()
    if is_event:
        read.add(parameters.event)
        fields.add("value")
    for name in read:
        for pattern in patterns[name]:
            fields.update([where.field for where in left_open(pattern.where)])
    return Concern(
        frozenset(fields),
        is_event,
        _holds(patterns[parameters.event]) if is_event else None,
        tuple([(signal.id, _holds(patterns[signal.kind])) for signal in signals]),
    )


def _holds(patterns: list[Pattern]) -> Holds | None:
    return any_of([holds_all(left_open(pattern.where)) for pattern in patterns])
