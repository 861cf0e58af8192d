"""What can be chosen on the page of the live journey map: each choice stands in the address and changes the numbers."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_core_python")

from playwright.async_api import Browser, Page

from tests.support.map_page import Visit, answer, is_drawn, text_of, visiting
from tests.support.map_words import count, decimal, plural, words

FIELDS = ("from", "to", "channel", "campaign", "segment")
RANGE = {"from": "2026-03-01", "to": "2026-06-01"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def everything(base: str) -> dict[str, str]:
    """A filter of every kind together that somebody fits."""
    options = answer(base, "/api/map")["options"]
    for campaign, segment in product(options["campaigns"], options["segments"]):
        asked = {**RANGE, "channel": "email", "campaign": campaign, "segment": segment}
        if answer(base, "/api/map", **asked)["totals"]["customers"]:
            return asked
    raise AssertionError("nobody fits everything at once, so that this test shows nothing")


async def totals(page: Page) -> list[str]:
    return [await one.inner_text() for one in await page.locator("#totals dd").all()][:4]


def totals_of(found: Any) -> list[str]:
    return [count(found["totals"][name]) for name in ("customers", "touchpoints", "changes", "corrections")]


def address(page: Page) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(page.url).query))


async def chosen(page: Page) -> dict[str, str]:
    """What the fields of the filter say."""
    return {name: value for name in FIELDS if (value := await page.input_value(f"#filter-{name}"))}


async def listed(page: Page) -> list[str]:
    return [await one.inner_text() for one in await page.locator("#found tbody th").all()]


async def credited(page: Page) -> list[list[str]]:
    rows = await page.locator("#credits li").all()
    return [[await row.locator("> span").first.inner_text(), await row.locator("b").inner_text()] for row in rows]


def credits_of(found: Any, model: str = "linear") -> list[list[str]]:
    """Channels with their credits, the most first, as far as the page lists them."""
    keys = [(key, given) for key, given in zip(found["keys"], found["models"][model], strict=True)]
    counted = [at for at in range(len(keys)) if any(given[at] > 0 for given in found["models"].values())]
    best_first = sorted((keys[at] for at in counted), key=lambda one: -one[1])
    return [[words(key), decimal(given)] for key, given in best_first[:12]]


async def test_a_campaign_can_be_chosen(base: str, visit: Visit) -> None:
    page = visit.page
    everybody = answer(base, "/api/map")
    campaigns = everybody["options"]["campaigns"]
    offered = await page.locator("#filter-campaign option").evaluate_all("all => all.map((one) => one.value)")

    for campaign in campaigns:
        await page.select_option("#filter-campaign", campaign)
        await is_drawn(page)

        expected = totals_of(answer(base, "/api/map", campaign=campaign))
        assert expected == await totals(page)
        assert expected != totals_of(everybody)
        assert {"campaign": campaign} == address(page) == await chosen(page)
    await page.select_option("#filter-campaign", "")
    await is_drawn(page)

    assert ["", *campaigns] == offered
    assert len(campaigns) > 1
    assert totals_of(everybody) == await totals(page)
    assert {} == address(page)


async def test_everything_that_is_chosen_counts_together(base: str, visit: Visit) -> None:
    page, asked = visit.page, everything(base)
    for name, value in asked.items():
        field = page.locator(f"#filter-{name}")
        await (field.fill(value) if name in RANGE else field.select_option(value))
        await is_drawn(page)

    found = answer(base, "/api/map", **asked)
    assert totals_of(found) == await totals(page)
    assert asked == address(page) == await chosen(page)
    assert "own" == await page.input_value("#filter-span")


@pytest.mark.parametrize("days", [30, 90, 365])
async def test_a_stretch_of_time_can_be_chosen_by_its_length(base: str, visit: Visit, days: int) -> None:
    page, everybody = visit.page, answer(base, "/api/map")
    start = (date.fromisoformat(everybody["now"][:10]) - timedelta(days)).isoformat()
    await page.fill("#filter-to", "2026-06-01")
    await is_drawn(page)

    await page.select_option("#filter-span", str(days))
    await is_drawn(page)

    assert totals_of(answer(base, "/api/map", **{"from": start})) == await totals(page)
    assert {"from": start} == address(page) == await chosen(page)
    assert str(days) == await page.input_value("#filter-span")
    await page.reload()
    await is_drawn(page)
    await page.wait_for_function(f"document.getElementById('filter-span').value === '{days}'")
    await page.select_option("#filter-span", "")
    await is_drawn(page)
    assert totals_of(everybody) == await totals(page)
    assert {} == address(page)


async def test_the_end_of_a_stretch_of_time_is_excluded(base: str, visit: Visit) -> None:
    page = visit.page
    await page.fill("#filter-to", RANGE["to"])
    await is_drawn(page)

    expected = totals_of(answer(base, "/api/map", to=f"{RANGE['to']}T00:00:00Z"))
    assert expected == await totals(page)
    assert expected != totals_of(answer(base, "/api/map"))


async def test_reset_takes_the_filter_away_and_nothing_else(browser: Browser, base: str) -> None:
    everybody, asked = answer(base, "/api/map"), everything(base)
    query = "&".join(f"{name}={value}" for name, value in (asked | {"by": "channel", "band": "high"}).items())
    async with visiting(browser, base, f"/?{query}") as visit:
        page = visit.page
        before, could = await chosen(page), await page.is_enabled("#filter-reset")

        await page.click("#filter-reset")
        await is_drawn(page)

        assert (asked, True) == (before, could)
        assert {} == await chosen(page)
        assert {"by": "channel", "band": "high"} == address(page)
        assert totals_of(everybody) == await totals(page)
        assert not await page.is_enabled("#filter-reset")
        assert "" == await page.input_value("#filter-span")


async def test_the_goal_of_contribution_can_be_chosen(browser: Browser, base: str) -> None:
    stages = [one["id"] for one in answer(base, "/api/model")["stages"]]
    async with visiting(browser, base, "/?by=channel") as visit:
        page = visit.page
        offered = await page.locator("#credit-goal option").evaluate_all("all => all.map((one) => one.value)")
        usual = await page.input_value("#credit-goal")
        for goal in stages:
            await page.select_option("#credit-goal", goal)
            await is_drawn(page)

            found = answer(base, "/api/attribution", by="channel", goal=goal)
            lead = await text_of(page, "#contribution-lead")
            assert lead.startswith(f"Credit for {plural(found['conversions'], 'entry', 'entries')} to {words(goal)}")
            assert credits_of(found) == await credited(page)
            assert {"by": "channel"} | ({"goal": goal} if goal != "purchase" else {}) == address(page)

        assert (stages, "purchase") == (offered, usual)


async def test_the_look_back_of_contribution_can_be_chosen(browser: Browser, base: str) -> None:
    shown = []
    async with visiting(browser, base, "/?by=channel") as visit:
        page = visit.page
        for days in ("7", "90", "365", "30"):
            await page.select_option("#credit-days", days)
            await is_drawn(page)

            found = answer(base, "/api/attribution", by="channel", look_back_days=days)
            shown.append(await credited(page))
            assert credits_of(found) == shown[-1]
            assert {"by": "channel"} | ({"look_back_days": days} if days != "30" else {}) == address(page)
    assert shown[0] != shown[1]


async def test_customers_can_be_searched_by_stage_and_band(base: str, visit: Visit) -> None:
    page, bands = visit.page, ["low", "medium", "high", "critical", "unscored"]
    stages = [one["id"] for one in answer(base, "/api/model")["stages"]]
    offered = [
        await page.locator(f"#search-{name} option").evaluate_all("all => all.map((one) => one.value)")
        for name in ("stage", "band")
    ]
    found_of = dict[str, int]()
    for search in (
        *({"stage": stage} for stage in stages),
        *({"band": band} for band in bands),
        {"stage": "purchase", "band": "low"},
        {},
    ):
        await page.select_option("#search-stage", search.get("stage", ""))
        await page.select_option("#search-band", search.get("band", ""))
        await is_drawn(page)

        expected = [one["profile_id"] for one in answer(base, "/api/customers", **search, limit="25")["customers"]]
        assert expected == await listed(page), search
        assert search == address(page)
        found_of[str(search)] = len(expected)

    assert [["", *stages], ["", *bands]] == offered
    assert sum(number > 0 for number in found_of.values()) > len(stages)


async def test_a_station_of_a_filter_leads_to_as_many_as_it_says(browser: Browser, base: str) -> None:
    followed = 0
    for asked in (
        {**RANGE, "channel": "store"},
        {"campaign": "spring-sale"},
        {"channel": "survey", "to": "2026-05-01"},
    ):
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        async with visiting(browser, base, f"/?{query}") as visit:
            page = visit.page
            for stage in answer(base, "/api/map", **asked)["stages"]:
                number = int(await page.inner_text(f"[data-key=now-{stage['id']}]"))
                await page.click(f"[data-key=now-{stage['id']}]")
                await page.wait_for_url(f"**stage={stage['id']}#customers")
                await is_drawn(page)

                assert stage["customers_now"] == number
                assert min(25, number) == len(await listed(page))
                if 0 < number <= 25:
                    followed += 1
                    assert plural(number, "customer") == await text_of(page, "#found .more-row")
    assert followed > 4
