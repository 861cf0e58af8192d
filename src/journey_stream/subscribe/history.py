"""A customer's current history, from the messages of journey.stage-changes.

Two rules make it right, whatever is delivered twice:

- a message whose `revision` is not higher than the last one of its profile was applied before;
- `entered` adds the change that `change_id` names, `retracted` takes it out. The same change may be entered again, so
  dropping a repeated `change_id` would be wrong: its highest revision wins.
"""

from collections.abc import Iterable

from journey_stream.events.outputs import StageChange


class StageHistory:
    """The changes of one profile that stand, as of the last message applied."""

    def __init__(self, messages: Iterable[StageChange] = ()) -> None:
        self.revision = 0
        self._standing: dict[str, StageChange] = {}
        for message in messages:
            self.apply(message)

    def apply(self, message: StageChange) -> bool:
        """Apply one message; False if it is a repeat and changed nothing."""
        if message.revision <= self.revision:
            return False
        self.revision = message.revision
        if message.kind == "entered":
            self._standing[message.change_id] = message
        else:
            self._standing.pop(message.change_id, None)
        return True

    @property
    def changes(self) -> list[StageChange]:
        """The changes that stand, oldest first."""
        return sorted(self._standing.values(), key=lambda change: (change.entered_at, change.revision))

    @property
    def stage(self) -> str | None:
        """The stage that the history ends in."""
        changes = self.changes
        return changes[-1].to_stage if changes else None
