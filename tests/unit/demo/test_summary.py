from io import StringIO

from rich.console import Console

from journey_stream.demo.board import Board
from journey_stream.demo.summary import Outcome, summary
from tests.unit.demo.helpers import board, view


def text_of(shown: Board) -> str:
    output = StringIO()
    outcome = Outcome(touchpoints=3, seconds=1.0, bootstrap="b", metrics="m", config="c", map_address="a")
    Console(file=output, width=120).print(summary(shown, outcome))
    return output.getvalue()


def test_the_summary_counts_the_segments_the_largest_first():
    shown = board()
    for customer, segment in (("c1", "loyal"), ("c2", "loyal"), ("c3", "new")):
        shown.profile_changed(view(customer, "purchase", segment=segment))

    assert "Segments loyal 2   new 1" in text_of(shown)


def test_without_segments_there_is_no_line_about_them():
    assert "Segments" not in text_of(board())
