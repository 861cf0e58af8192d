"""Identifiers that know of one another, where bounds are reached and where something else changes as well."""

import pytest

from journey_stream.engine import profile
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Decision, ProfileChanged, ProfileGone
from journey_stream.events.times import DAY_MS
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from tests.unit.engine.test_erasure import Log, link, touch

DEVICE = "device_id:d"


def with_segment() -> Model:
    """A look at something enters no stage, but three make a segment."""
    return parse_model(
        """
model: looking
version: 1
stages: [{id: customer, meaning: bought}]
touchpoints:
  view: {meaning: looked, match: [{type: view}]}
  buy: {meaning: bought, match: [{type: buy}]}
rules: [{id: bought, to: customer, when: buy}]
segments: [{id: often, meaning: looks often, when: {touchpoint: view, at_least: 3}}]
""",
        "looking.yaml",
    )


def to_and_fro() -> Model:
    return parse_model(
        """
model: two
version: 1
stages: [{id: low, meaning: low}, {id: high, meaning: high}]
touchpoints:
  up: {meaning: up, match: [{type: up}]}
  down: {meaning: down, match: [{type: down}]}
rules: [{id: rise, to: high, when: up}, {id: fall, to: low, when: down}]
moves: {back: any}
""",
        "two.yaml",
    )


def last_view(decisions: list[Decision], who: str) -> ProfileChanged | None:
    found = [one for one in decisions if isinstance(one, ProfileChanged | ProfileGone) and one.profile_id == who]
    return found[-1] if found and isinstance(found[-1], ProfileChanged) else None


@pytest.mark.parametrize("views", [14, 15], ids=["all of its own is folded", "one of its own is held"])
def test_a_profile_of_which_only_folded_touchpoints_are_left_keeps_its_view(views: int) -> None:
    log = Log(with_segment())
    log.write(*[touch(f"v{n:02}", DEVICE, 1 + n / 100) for n in range(views)], touch("b", DEVICE, 80, type_="buy"))

    told = log.write(link(DEVICE, "c", 80.5))

    view = last_view(told, DEVICE)
    assert view is not None
    assert (view.stage, view.segment) == (None, "often")


def test_a_view_without_a_stage_names_who_is_linked_as_well() -> None:
    log = Log(with_segment())
    log.write(*[touch(f"v{n}", "c", 1 + n / 100) for n in range(3)])

    told = log.write(link(DEVICE, "c", 2))

    view = last_view(told, "c")
    assert view is not None
    assert (view.segment, view.identifiers) == ("often", (DEVICE,))


def test_a_history_that_outgrows_its_record_because_others_pass_on_theirs_overflows() -> None:
    log = Log(to_and_fro())
    log.machine = Partition(log.model, Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS))
    for number in range(3):
        device = f"device_id:{number}"
        for each in range(300):
            kind = ["up", "down"][each % 2]
            log.write(touch(f"{number}-{each:0250}", device, 1 + (number + each * 3) / 1_500, type_=kind))
        log.write(link(device, "c", 2))

    assert len(log.store[b"hc"]) < profile.HISTORY_BYTES_MAX + 16 * 1024
    assert log.machine.counters.overflows == 1
