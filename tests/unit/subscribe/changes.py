from datetime import UTC, datetime, timedelta
from typing import Literal

from journey_stream.events.outputs import Because, ModelRef, StageChange

START = datetime(2026, 1, 1, tzinfo=UTC)


def change(
    revision: int,
    change_id: str = "x",
    kind: Literal["entered", "retracted"] = "entered",
    *,
    current: bool = True,
    day: int = 0,
    to_stage: str = "decision",
) -> StageChange:
    """A message about profile c1."""
    return StageChange(
        change_id=change_id,
        kind=kind,
        profile_id="c1",
        revision=revision,
        from_stage=None,
        to_stage=to_stage,
        entered_at=START + timedelta(days=day),
        seconds_in_previous=None,
        current=current and kind == "entered",
        cause="touchpoint",
        because=Because(rule="r", text="Because", evidence=["e1"]),
        model=ModelRef(name="m", version=1),
    )
