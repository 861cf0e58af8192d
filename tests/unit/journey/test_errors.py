from journey_stream.journey.errors import SHOWN_MAX, Mistakes, did_you_mean, quote


def test_mistakes_are_told_in_the_order_of_the_file_those_of_the_whole_file_first() -> None:
    mistakes = Mistakes("m.yaml")
    for line in (7, None, 3, 7):
        mistakes.add(line, "a", found="x", expected="y")

    assert [one.line for one in mistakes.error().mistakes] == [None, 3, 7, 7]


def test_a_mistake_without_line_field_or_hint_names_the_file() -> None:
    mistakes = Mistakes("m.yaml")
    mistakes.add(None, "", found="an empty file", expected="a journey model")

    assert str(mistakes.error()) == "m.yaml: found an empty file; expected a journey model"


def test_thousands_of_mistakes_are_kept_but_not_all_shown() -> None:
    mistakes = Mistakes("m.yaml")
    for line in range(1, 2_001):
        mistakes.add(line, "a", found="x", expected="y")

    error = mistakes.error()

    assert len(error.mistakes) == 2_000
    assert str(error).splitlines()[SHOWN_MAX:] == ["and 1900 more"]


def test_a_hint_looks_past_case_and_underscores() -> None:
    assert did_you_mean("Post_Purchase", ["awareness", "post-purchase"]) == "did you mean 'post-purchase'?"
    assert did_you_mean("zzz", ["awareness"]) == ""


def test_a_quoted_value_stays_short_and_on_one_line() -> None:
    shown = quote("a\nb" * 100)

    assert len(shown) == 60
    assert "\n" not in shown
