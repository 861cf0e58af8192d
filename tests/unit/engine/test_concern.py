from journey_stream.engine.concern import concern_of
from tests.support.risks import nervous_scorer

SCORER = nervous_scorer()


def test_a_touchpoint_that_no_score_depends_on_concerns_nobody():
    assert concern_of(SCORER, "web", "view") is None
    assert concern_of(SCORER, "store", "cart") is None


def test_the_event_is_read_with_its_value():
    concern = concern_of(SCORER, "store", "buy")

    assert concern is not None
    assert concern.is_event
    assert concern.event is None
    assert {"value"} == concern.fields


def test_one_touchpoint_may_be_the_event_and_a_signal_of_some_condition():
    concern = concern_of(SCORER, "store", "buy")

    assert concern is not None
    [(name, holds)] = concern.signals
    assert "luxury" == name
    assert holds is not None
    assert [False, True] == [holds({"value": value}) for value in (10, 50)]


def test_a_signal_alone_needs_no_value():
    concern = concern_of(SCORER, "crm", "note")

    assert concern is not None
    assert (False, frozenset(), (("anger", None),)) == (concern.is_event, concern.fields, concern.signals)
