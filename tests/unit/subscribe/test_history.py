from hypothesis import given
from hypothesis import strategies as st

from journey_stream.subscribe import RiskHistory, StageHistory
from journey_stream.testing import JourneyDriver
from tests.unit.subscribe.changes import change


def test_changes_that_were_retracted_are_not_in_the_history() -> None:
    history = StageHistory([change(1, "x"), change(2, "x", "retracted"), change(3, "y", day=1)])

    assert [one.change_id for one in history.changes] == ["y"]
    assert history.revision == 3


def test_the_history_is_in_order_of_entry_not_of_publication() -> None:
    history = StageHistory([change(1, "late", day=5, to_stage="purchase"), change(2, "early", day=1)])

    assert [one.change_id for one in history.changes] == ["early", "late"]
    assert history.stage == "purchase"


def test_a_change_entered_again_stands_again() -> None:
    history = StageHistory([change(1, "x"), change(2, "x", "retracted"), change(3, "x")])

    assert [one.revision for one in history.changes] == [3]


def test_nobody_starts_in_a_stage() -> None:
    assert StageHistory().stage is None


@given(st.lists(st.sampled_from("xyz"), max_size=10), st.data())
def test_repeats_change_nothing(ids: list[str], data: st.DataObject) -> None:
    kinds: dict[str, bool] = {}
    messages = []
    for revision, change_id in enumerate(ids, 1):
        kinds[change_id] = not kinds.get(change_id, False)
        messages.append(change(revision, change_id, "entered" if kinds[change_id] else "retracted", day=revision))
    once = StageHistory(messages)

    again = StageHistory()
    for index, message in enumerate(messages):
        assert again.apply(message)
        for repeat in messages[data.draw(st.integers(0, index)) : index + 1]:
            assert not again.apply(repeat)

    assert again.changes == once.changes


def test_a_history_of_churn_risk_follows_the_same_rules():
    driver = JourneyDriver()
    driver.touchpoint({"channel": "store", "type": "purchase", "customer_id": "c1"})
    driver.advance(days=20)
    driver.touchpoint(
        {"channel": "store", "type": "purchase", "customer_id": "c1", "occurred_at": "2026-01-02T00:00:00Z"}
    )
    messages = list(driver.risk_changes)

    history = RiskHistory([*messages, *messages[:2]])

    assert any(message.kind == "retracted" for message in messages)
    assert history.changes == driver.risk_history("c1")
    assert history.band == driver.profile("c1").risk.band
    assert history.revision == len(messages)


def test_an_erased_profile_begins_anew() -> None:
    history = StageHistory([change(1), change(2, "two")])

    history.forget()

    assert history.changes == []
    assert history.apply(change(1))
