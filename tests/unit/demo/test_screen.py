import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from journey_stream.demo.board import Board
from journey_stream.demo.screen import Gauges, bar, picture, sparkline, stage_style
from journey_stream.demo.summary import Outcome, how_to_go_on, summary
from tests.unit.demo.helpers import STAGES, board, change, risk, view

OUTCOME = Outcome(
    164_539, 60.0, "127.0.0.1:4711", "http://127.0.0.1:1/metrics", "/tmp/x/journey.yaml", "http://127.0.0.1:8600/"
)
GAUGES = Gauges("a year of 2,469 real households", 12_345.6, 4_000, 0.3, 131, "127.0.0.1:45123")


def busy_board() -> Board:
    shown = board()
    before: str | None = None
    for day, stage in enumerate(STAGES * 5):
        for customer in range(40):
            name = f"household-{customer}"
            shown.stage_changed(change(name, before, stage, day=day, text="A customer did nothing for 90 days"))
            shown.profile_changed(view(name, stage if customer % 3 else "purchase", day=day, band="high"))
            shown.risk_changed(risk(name, "low", "high", day=day))
        before = stage
    return shown


def drawn(renderable, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False)
    console.print(renderable, end="")
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50), (60, 20)])
@pytest.mark.parametrize("shown", [board(), busy_board()], ids=["empty", "busy"])
def test_the_picture_fills_the_terminal_exactly(width, height, shown):
    latest, risks = list(shown.latest)[::-1], list(shown.latest_risks)[::-1]
    lines = drawn(picture(shown, GAUGES, latest, width, height, risks=risks), width, height)

    assert height == len(lines)
    assert max(cell_len(line) for line in lines) <= width


def test_the_picture_names_stages_flows_changes_reasons_and_lag():
    shown = busy_board()

    latest, risks = list(shown.latest)[::-1], list(shown.latest_risks)[::-1]
    text = "\n".join(drawn(picture(shown, GAUGES, latest, 100, 34, risks=risks), 100, 34))

    for expected in (
        *STAGES,
        "retention → advocacy",
        "household-39",
        "did nothing for 90 days",
        "high 40",
        "low → high       61%  no purchase for 23 days; silent for 23 days",
        "4,000 waiting (0.3 s)",
    ):
        assert expected in text


def test_a_journey_of_other_stages_is_drawn_too():
    shown = Board(("visitor", "a-stage-with-a-very-long-name-indeed"), 0, 1_000)

    lines = drawn(picture(shown, GAUGES, [], 80, 24), 80, 24)

    assert 24 == len(lines)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, ""), (0.001, "▏"), (0.5, "██"), (0.53, "██▏"), (1.0, "████"), (7.0, "████")],
)
def test_a_bar_is_exact_to_an_eighth_and_never_hides_something(fraction, expected):
    assert expected == bar(fraction, 4)


def test_a_sparkline_scales_to_its_highest_and_is_blank_where_nothing_was():
    assert " ▁▄█" == sparkline([0, 1, 4, 8])
    assert "  " == sparkline([0, 0])
    assert "" == sparkline([])


def test_first_and_last_stage_differ_in_colour_and_no_stage_is_grey():
    assert stage_style(STAGES, STAGES[0]) != stage_style(STAGES, STAGES[-1])
    assert stage_style(STAGES, None) == stage_style(STAGES, "gone")


def test_the_summary_tells_numbers_flows_and_one_journey_with_its_reasons():
    shown = busy_board()
    for day, stage in enumerate(STAGES):
        shown.stage_changed(change("household-x", None, stage, day=day, text=f"Reason of {stage}"))

    text = "\n".join(drawn(summary(shown, OUTCOME), 140, 60))

    assert "164,539 touchpoints of 40 households in 60 s (2,742/s)" in text
    assert "For example household-x" in text
    assert "Reason of advocacy (2 touchpoints cited)" in text
    assert "Churn risk rose 1,200 times and fell 0 times. Now: low 0   medium 0   high 40   critical 0" in text


def test_the_way_on_names_broker_configuration_metrics_and_somebody_to_explain():
    shown = board()
    shown.stage_changed(change("household-7", None, "purchase"))

    text = "\n".join(drawn(how_to_go_on(shown, OUTCOME), 200, 60))

    for expected in ("127.0.0.1:4711", "JOURNEY_CONFIG=/tmp/x/journey.yaml", "explain household-7", "/metrics"):
        assert expected in text
