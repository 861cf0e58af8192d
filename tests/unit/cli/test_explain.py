import re
from io import StringIO

import pytest
from rich.console import Console

from journey_stream.cli.explain_read import Found
from journey_stream.cli.explain_view import print_timeline
from journey_stream.testing import JourneyDriver

VIEW = {"channel": "web", "type": "product_view", "customer_id": "c1"}
PURCHASE = {"channel": "store", "type": "purchase", "customer_id": "c1"}


def shown(driver: JourneyDriver, since_revision: int = 1) -> str:
    messages = [change for change in driver.stage_changes if change.revision >= since_revision]
    output = StringIO()
    print_timeline("c1", Found(messages, driver.profile("c1")), Console(file=output, width=200, highlight=False))
    return output.getvalue()


def rows(text: str) -> list[list[str]]:
    """The first words of each row that starts with a revision."""
    return [line.split()[:2] + line.split()[3:4] for line in text.splitlines() if re.match(r"\d+ +\d{4}-", line)]


@pytest.fixture
def driver() -> JourneyDriver:
    return JourneyDriver(start="2026-03-10T12:00:00Z")


def test_the_headline_says_where_the_customer_is_and_since_when(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE)

    assert shown(driver).startswith("c1 is in purchase since 2026-03-10 12:00:00, last touchpoint 2026-03-10 12:00:00")


def test_each_change_is_a_row_with_its_reason_and_evidence(driver: JourneyDriver) -> None:
    driver.touchpoint(VIEW | {"event_id": "looked"})
    driver.advance(days=2)
    driver.touchpoint(PURCHASE | {"event_id": "paid"})

    text = shown(driver)

    assert rows(text) == [["1", "2026-03-10", "→"], ["2", "2026-03-12", "→"]]
    assert "awareness → purchase" in text
    assert "2 d" in text
    assert "Bought (bought)" in text
    assert "evidence: paid" in text


def test_a_silence_says_since_when_and_how_long(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE)
    driver.advance(days=100)

    assert "silent since 2026-03-10 12:00:00, 90 d long" in shown(driver)


def test_what_was_retracted_is_marked_and_counted(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE)
    driver.touchpoint(VIEW | {"occurred_at": "2026-03-09T12:00:00Z"})

    text = shown(driver)

    assert [row[2] for row in rows(text)] == ["→", "✗", "→", "→"]
    assert "1 change(s) were retracted after late news" in text


def test_messages_past_the_retention_of_the_topic_are_missed(driver: JourneyDriver) -> None:
    driver.touchpoint(VIEW)
    driver.advance(days=1)
    driver.touchpoint(PURCHASE)

    assert "The first 1 messages are past the topic's retention." in shown(driver, since_revision=2)


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    driver = JourneyDriver()
    driver.touchpoint(VIEW | {"event_id": "[bold]e[/bold]"})

    assert "evidence: [bold]e[/bold]" in shown(driver)


def test_much_evidence_is_counted_not_listed(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE)
    for number in range(12):
        driver.advance(days=1)
        driver.touchpoint({"channel": "store", "type": "coupon_redeemed", "customer_id": "c1"})
        driver.touchpoint(PURCHASE | {"event_id": f"paid-{number}"})

    text = shown(driver)

    assert driver.profile("c1").stage == "advocacy"
    assert " more" in text


def test_the_churn_risk_is_shown_with_what_weighs_most(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE | {"event_id": "paid"})
    driver.advance(days=120)
    output = StringIO()

    found = Found(list(driver.stage_changes), driver.profile("c1"), list(driver.risk_changes))
    print_timeline("c1", found, Console(file=output, width=200, highlight=False))

    text = output.getvalue()
    assert "Churn risk is critical since 2026-" in text
    assert "(parameters completejourney version 1)" in text
    assert "medium → high" in text
    assert "silent for" in text
    assert "(quiet)" in text
    assert "evidence: paid" in text


def test_the_document_holds_the_history_of_churn_risk(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE)
    driver.advance(days=120)

    document = Found([], driver.profile("c1"), list(driver.risk_changes)).to_document()

    assert [one["band"] for one in document["risk_history"]] == ["low", "medium", "high", "critical"]
    assert len(document["risk_messages"]) == 4
    assert document["profile"]["risk"]["band"] == "critical"


def test_the_segment_and_the_scores_are_shown(driver: JourneyDriver) -> None:
    driver.touchpoint(PURCHASE | {"value": 30})

    assert "Segment new; RFM recency 5, frequency 1, monetary 1 of 5 as of 2026-03-10 12:00:00" in shown(driver)


def test_who_has_neither_segment_nor_scores_has_no_line_for_them(driver: JourneyDriver) -> None:
    driver.touchpoint({"channel": "email", "type": "sent", "customer_id": "c1"})

    assert "Segment" not in shown(driver)
    assert "RFM" not in shown(driver)
