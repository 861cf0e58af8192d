import pytest

from journey_stream.cli.printing import plain
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "--reason", "bad_luck"), "'bad_luck' is no reason; expected one of conflicting_duplicate, "),
        (("replay", "--stage", "roter"), "'roter' is no stage; expected router or task"),
        (("list", "--since", "yesterday"), "'yesterday' is no instant"),
        (("show", "17"), "'17' is no position; expected PARTITION:OFFSET"),
        (("show", "a:b"), "'a:b' is no position"),
    ],
)
def test_what_nothing_can_fit_is_refused_before_any_broker_is_asked(
    run: Run, arguments: tuple[str, ...], expected: str
) -> None:
    ran = run("dead-letters", *arguments)

    assert 1 == ran.code
    assert ran.err.startswith(f"journey-stream: {expected}")


def test_what_a_producer_sent_cannot_steer_the_terminal() -> None:
    assert "caf\u00e9 \\x1b[2J\\n" == plain("caf\u00e9 \x1b[2J\n")
