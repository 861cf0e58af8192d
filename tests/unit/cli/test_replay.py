import pytest

from journey_stream.cli.replay import TOLD_EVERY_SECONDS, Patience
from journey_stream.worker.positions import Reading


def test_a_long_wait_says_what_it_waits_for_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    patience = Patience("shop", lambda: clock[0])
    reading = Reading(sent=7, routed=5, logged=4, applied=1)

    for clock[0] in (1, TOLD_EVERY_SECONDS, TOLD_EVERY_SECONDS + 1, 2 * TOLD_EVERY_SECONDS):
        patience.told(reading)

    said = (
        "waiting until a worker is through: 2 records for the router, 3 for the tasks. "
        "Is one running with application_id shop?"
    )
    assert [said, said] == capsys.readouterr().err.splitlines()
