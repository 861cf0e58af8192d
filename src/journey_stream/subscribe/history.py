"""A customer's current history, from the messages of journey.stage-changes or of journey.churn-risk.

Two rules make it right, whatever is delivered twice:

- a message whose `revision` is not higher than the last one of its profile was applied before;
- `entered` adds the change that its id names, `retracted` takes it out. The same change may be entered again, so
  dropping a repeated id would be wrong: its highest revision wins.

A null value says that the profile was erased: `forget`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, TypeVar

from journey_stream.events.outputs import ChurnRiskChange, StageChange

Message = TypeVar("Message", StageChange, ChurnRiskChange)


class _History(ABC, Generic[Message]):
    """The changes of one profile that stand, as of the last message applied."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.revision = 0
        self._standing: dict[str, Message] = {}
        for message in messages:
            self.apply(message)

    def apply(self, message: Message) -> bool:
        """Apply one message; False if it is a repeat and changed nothing."""
        if message.revision <= self.revision:
            return False
        self.revision = message.revision
        if message.kind == "entered":
            self._standing[self._id_of(message)] = message
        else:
            self._standing.pop(self._id_of(message), None)
        return True

    def forget(self) -> None:
        """The profile was erased (a null value): what comes now is of a new customer, from revision 1 on."""
        self.revision = 0
        self._standing.clear()

    @property
    def changes(self) -> list[Message]:
        """The changes that stand, oldest first."""
        return sorted(self._standing.values(), key=lambda change: (change.entered_at, change.revision))

    @staticmethod
    @abstractmethod
    def _id_of(message: Message) -> str:
        """What names the change."""


class StageHistory(_History[StageChange]):
    """The changes of stage of one profile that stand, as of the last message applied."""

    @property
    def stage(self) -> str | None:
        """The stage that the history ends in."""
        changes = self.changes
        return changes[-1].to_stage if changes else None

    @staticmethod
    def _id_of(message: StageChange) -> str:
        return message.change_id


class RiskHistory(_History[ChurnRiskChange]):
    """The changes of churn risk of one profile that stand, as of the last message applied."""

    @property
    def band(self) -> str | None:
        """The band that the history ends in."""
        changes = self.changes
        return changes[-1].band if changes else None

    @staticmethod
    def _id_of(message: ChurnRiskChange) -> str:
        return message.risk_id
