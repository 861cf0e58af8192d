import re
from io import StringIO

import pytest
from rich.console import Console

from journey_stream.cli import explain_read
from journey_stream.cli.explain_read import Found
from journey_stream.cli.explain_view import print_timeline
from journey_stream.events.pseudonyms import Pseudonyms
from journey_stream.testing import JourneyDriver
from journey_stream.worker.config import Settings
from tests.unit.cli.conftest import Run

VIEW = {"channel": "web", "type": "product_view", "customer_id": "c1"}
PURCHASE = {"channel": "store", "type": "purchase", "customer_id": "c1"}


def shown(driver: JourneyDriver, since_revision: int = 1) -> str:
    messages = [change for change in driver.stage_changes if change.revision >= since_revision]
    return printed("c1", Found(messages, driver.profile("c1")))


def printed(profile: str, found: Found) -> str:
    output = StringIO()
    print_timeline(profile, found, Console(file=output, width=200, highlight=False))
    return output.getvalue()


def found_of(driver: JourneyDriver, profile: str) -> Found:
    """What the topics of the driver say of a profile."""
    try:
        view = driver.profile(profile)
    except KeyError:
        view = None
    return Found(
        [change for change in driver.stage_changes if change.profile_id == profile],
        view,
        [change for change in driver.risk_changes if change.profile_id == profile],
        [change for change in driver.identity_changes if change.profile_id == profile],
        [change for change in driver.identity_changes if change.parent == profile],
    )


def rows(text: str) -> list[list[str]]:
    """The first words of each row that starts with a revision."""
    return [line.split()[:2] + line.split()[3:4] for line in text.splitlines() if re.match(r"\d+ +\d{4}-", line)]


@pytest.fixture
def driver() -> JourneyDriver:
    return JourneyDriver(start="2026-03-10T12:00:00Z")


def test_what_a_producer_sent_cannot_steer_the_terminal(driver: JourneyDriver) -> None:
    steering = "\x1b]0;mine\x07\x1b[2J[bold]"
    driver.touchpoint(VIEW | {"event_id": f"e{steering}", "identifiers": {"email": f"{steering}@x.org"}})

    text = printed("c1", found_of(driver, "c1"))

    assert r"evidence: e\x1b]0;mine\x07\x1b[2J[bold]" in text
    assert r"email:\x1b]0;mine\x07\x1b[2j[bold]@x.org" in text
    assert all(one.isprintable() for one in text.replace("\n", ""))


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


BY_DEVICE = {"channel": "web", "type": "product_view", "identifiers": {"device_id": "d7"}}
LOG_IN = BY_DEVICE | {"customer_id": "c1", "event_id": "logged-in"}
UNLINK = {
    "channel": "identity",
    "type": "unlink",
    "customer_id": "c1",
    "identifiers": {"device_id": "d7"},
    "properties": {"who": "kim", "why": "sold the tablet"},
}


def test_the_identifiers_of_a_customer_are_shown_with_since_when_and_why(driver: JourneyDriver) -> None:
    driver.touchpoint(BY_DEVICE)
    driver.advance(days=1)
    driver.touchpoint(LOG_IN)

    text = printed("c1", found_of(driver, "c1"))

    row = next(line for line in text.splitlines() if line.startswith("device_id:d7"))
    assert ["device_id:d7", "1", "2026-03-11", "12:00:00", "linked", "to", "c1"] == row.split()[:7]
    assert "device_id:d7 was seen together with c1" in row
    assert "evidence: logged-in" in text


def test_an_identifier_that_has_become_known_says_whom_it_belongs_to(driver: JourneyDriver) -> None:
    driver.touchpoint(BY_DEVICE)
    driver.advance(days=1)
    driver.touchpoint(LOG_IN)

    found = found_of(driver, "device_id:d7")
    text = printed("device_id:d7", found)

    assert "c1" == found.merged_into == found.to_document()["merged_into"]
    assert text.startswith(
        "device_id:d7 belongs to c1: nothing is left that is its own. See: journey-stream explain c1"
    )
    assert "1 message(s) came because it became known, or was taken back, who somebody is." in text
    assert "because of who somebody is" in text


def test_what_stays_an_identifiers_own_is_not_called_somebody_elses(driver: JourneyDriver) -> None:
    driver.touchpoint(BY_DEVICE)
    driver.advance(days=60)
    driver.touchpoint(LOG_IN)

    found = found_of(driver, "device_id:d7")

    assert found.merged_into is None
    assert printed("device_id:d7", found).startswith("device_id:d7 is in ")
    assert "linked to c1" in printed("device_id:d7", found)


def test_an_unlinked_identifier_belongs_to_nobody_else_and_both_sides_say_why(driver: JourneyDriver) -> None:
    driver.touchpoint(LOG_IN)
    driver.advance(days=1)
    driver.touchpoint(UNLINK)

    merged = [found_of(driver, "device_id:d7").merged_into]
    texts = [printed(profile, found_of(driver, profile)) for profile in ("device_id:d7", "c1")]

    assert [None] == merged
    for text in texts:
        assert "unlinked from c1" in text
        assert "device_id:d7 was unlinked from c1 by hand, by kim: sold the tablet" in text


def test_a_linked_identifier_whose_message_is_past_the_retention_is_shown_all_the_same(driver: JourneyDriver) -> None:
    driver.touchpoint(LOG_IN)

    text = printed("c1", found_of(driver, "c1")._replace(linked=()))

    assert re.search(r"device_id:d7 +linked +its messages are past the topic's retention", text)


def test_who_has_no_other_identifier_has_no_table_of_them(driver: JourneyDriver) -> None:
    driver.touchpoint(VIEW)

    assert "identifier" not in shown(driver)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The profile ids that were looked for on a broker that knows nobody."""
    profiles: list[str] = []

    async def read_profile(_: Settings, profile_id: str) -> Found:
        profiles.append(profile_id)
        return Found([], None)

    monkeypatch.setattr(explain_read, "read_profile", read_profile)
    return profiles


@pytest.mark.parametrize(
    ("written", "profile_id"),
    [
        ("c42", "c42"),
        (" c42 ", "c42"),
        ("customer_id:c42", "c42"),
        ("customer_id:email:x", "customer_id:email:x"),
        ("shop:c42", "shop:c42"),
        ("email: Ann@X.org", "email:ann@x.org"),
        ("phone:+49 (0)30 7654321", "phone:+49307654321"),
    ],
)
def test_what_somebody_writes_is_normalised_as_the_model_says(
    run: Run, asked: list[str], written: str, profile_id: str
) -> None:
    ran = run("explain", written)

    assert [profile_id] == asked
    assert (1, True) == (ran.code, f"nothing is known of {profile_id!r}" in ran.err)


@pytest.mark.parametrize("written", ["email:null", "phone:12", " "])
def test_what_names_nobody_is_not_looked_for(run: Run, asked: list[str], written: str) -> None:
    ran = run("explain", written)

    assert [] == asked
    assert (1, True) == (ran.code, f"{written!r} names nobody" in ran.err)


def test_an_address_is_found_under_its_pseudonym(run: Run, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_PSEUDONYMISE", "email")
    pseudonym = "email:hmac-0123456789abcdef0123456789abcdef"

    without_key = run("explain", "email:ann@x.org")
    by_pseudonym = run("explain", pseudonym)
    monkeypatch.setenv("JOURNEY_PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef")
    run("explain", "email:ann@x.org")

    assert "write the pseudonym, email:hmac-…" in without_key.err
    assert f"nothing is known of {pseudonym!r}" in by_pseudonym.err
    expected = Pseudonyms(b"0123456789abcdef0123456789abcdef", ["email"]).of("email", "ann@x.org")
    assert [pseudonym, f"email:{expected}"] == asked
