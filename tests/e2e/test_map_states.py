"""What the page of the live journey map shows where figures cannot be shown, or are not the newest."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_core_python")

from playwright.async_api import Browser, Page, Route

from tests.support.map_page import (
    ShopServer,
    answer,
    is_drawn,
    is_live,
    new_visit,
    shows_total,
    text_of,
    violations,
    visiting,
)

MAP, STREAM, EVERYTHING = "**/api/map*", "**/api/stream", "**/api/**"
FIGURES = re.compile("/api/(map|cohorts|attribution|customers)")
PARTS = {"cohorts": "#cohort-panel", "attribution": "#credits", "customers": "#found"}
SENTENCE = "Something is not as it should be."

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def held(page: Page, pattern: str | re.Pattern[str]) -> AsyncIterator[list[str]]:
    """Within, requests wait; they are listed, and go on afterwards."""
    gate, waiting = asyncio.Event(), list[str]()

    async def hold(route: Route) -> None:
        waiting.append(route.request.url)
        await gate.wait()
        await route.continue_()

    await page.route(pattern, hold)
    yield waiting
    gate.set()


@asynccontextmanager
async def refused(page: Page, pattern: str | re.Pattern[str], status: int, **headers: str) -> AsyncIterator[list[str]]:
    """Within, requests are answered with this status; they are listed."""
    asked, is_over = list[str](), False

    async def refuse(route: Route) -> None:
        if is_over:
            await route.continue_()
            return
        asked.append(route.request.url)
        await route.fulfill(
            status=status,
            headers={"content-type": "application/json", **headers},
            body=json.dumps({"error": SENTENCE}),
        )

    await page.route(pattern, refuse)
    yield asked
    is_over = True


async def no_failure_is_seen(page: Page) -> None:
    await page.wait_for_function(
        "() => ![...document.querySelectorAll('.failed')].some((one) => one.checkVisibility())"
    )


async def test_bones_stand_where_figures_will_until_these_are_read(browser: Browser, base: str) -> None:
    async with new_visit(browser) as visit:
        page = visit.page
        async with held(page, FIGURES):
            await page.goto(base)
            await is_live(page)
            await page.wait_for_selector("#stations[aria-busy=true] .bone.tall")
            for place in ("#flow-picture", "#stalls", "#drop-offs", *PARTS.values()):
                await page.wait_for_selector(f"{place}[aria-busy=true] .bones .bone")
            said = [await page.is_visible(place) for place in ("#nothing", "#notice")]
            problems = await violations(page)
        await is_drawn(page)

        assert ([False, False], []) == (said, problems)
        assert 0 == await page.locator(".bone").count()
        assert len(answer(base, "/api/map")["stages"]) == await page.locator(".station").count()
        assert [] == visit.complaints


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("status", [400, 500])
async def test_a_part_that_fails_says_so_and_is_read_on_demand(
    browser: Browser, base: str, part: str, status: int
) -> None:
    async with new_visit(browser) as visit:
        page, place = visit.page, PARTS[part]
        async with refused(page, f"**/api/{part}*", status, **{"retry-after": "600"}) as asked:
            await page.goto(base)
            await is_drawn(page)
            told = await text_of(page, place)
            problems = await violations(page)
        await page.click(f"{place} >> text=Try again")
        await page.wait_for_selector(f"{place} table, {place} .credits")

        by_itself = "" if status == 400 else " The page asks again by itself."
        assert f"This could not be read {SENTENCE}{by_itself} Try again" == told
        assert 1 == len(asked)
        assert [] == problems
        assert 0 == await page.locator(f"{place} .failed").count()
        assert await page.is_visible(".station")


async def test_before_the_store_is_read_the_page_waits_for_the_map(browser: Browser, base: str) -> None:
    async with new_visit(browser) as visit:
        page = visit.page
        async with refused(page, EVERYTHING, 503, **{"retry-after": "1"}) as asked:
            await page.goto(base)
            await page.wait_for_selector("#nothing .failed")
            told, figures = await text_of(page, "#nothing"), await page.is_visible("#figures")
            asked.clear()
            async with page.expect_request(MAP):
                pass
        await page.wait_for_selector(".station")
        await is_live(page)
        await no_failure_is_seen(page)
        await is_drawn(page)

        assert (f"This could not be read {SENTENCE} The page asks again by itself. Try again", False) == (told, figures)
        assert not await page.is_visible("#nothing")
        # Of the model, too, which was asked for first.
        assert len(answer(base, "/api/map")["stages"]) == await page.locator("#credit-goal option").count()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failure_that_passes_leaves_the_map_and_the_page_recovers_by_itself(
    browser: Browser, shop: ShopServer, status: int
) -> None:
    customers = answer(shop.url, "/api/map")["totals"]["customers"]
    async with visiting(browser, shop.url) as visit:
        page = visit.page
        places = ("#stations", "#flow-picture", *PARTS.values())
        async with refused(page, FIGURES, status):
            shop.order("buy 1")
            await page.wait_for_selector("#notice:visible")
            await is_drawn(page)
            told = await text_of(page, "#notice")
            kept = [await text_of(page, place) for place in places]
            total, failed = await text_of(page, "#totals dd"), await page.locator(".failed").count()
            problems = await violations(page)
        # Nothing is told any more: that it is asked again is up to the page.
        await shows_total(page, customers + 1)

        assert told.startswith("The service could not answer; this is the map as of ")
        assert told.endswith(f". The page asks again by itself. {SENTENCE}")
        assert (str(customers), 0, []) == (total, failed, problems)
        assert all(kept)
        assert not await page.is_visible("#notice")


async def test_the_page_asks_again_no_sooner_than_it_was_told(browser: Browser, base: str) -> None:
    async with new_visit(browser) as visit:
        page = visit.page
        await page.clock.install()
        await page.goto(base)
        await is_live(page)
        await is_drawn(page)
        async with refused(page, MAP, 429, **{"retry-after": "40"}) as asked:
            await page.select_option("#filter-channel", "email")
            await page.wait_for_selector("#nothing .failed")
            await page.clock.fast_forward(30_000)
            await page.evaluate("document.title")
            soon = len(asked)
            async with page.expect_request(MAP):
                await page.clock.fast_forward(11_000)

        assert 1 == soon


async def test_the_figures_of_another_filter_are_not_shown_for_those_that_failed(browser: Browser, base: str) -> None:
    channel = answer(base, "/api/map")["options"]["channels"][-1]
    filtered = answer(base, "/api/map", channel=channel)["totals"]["customers"]
    async with visiting(browser, base) as visit:
        page = visit.page
        async with refused(page, FIGURES, 503):
            await page.select_option("#filter-channel", channel)
            await page.wait_for_selector("#nothing .failed")
            shown = await page.is_visible("#figures")
        await shows_total(page, filtered)

        assert not shown
        assert await page.is_visible("#figures")
        assert not await page.is_visible("#nothing")


async def test_an_answer_that_takes_longer_than_versions_last_is_shown(browser: Browser, shop: ShopServer) -> None:
    before = answer(shop.url, "/api/map", channel="web")["totals"]["customers"]
    async with visiting(browser, shop.url, "/?channel=email") as visit:
        page, given_up = visit.page, list[str]()
        page.on("requestfailed", lambda request: given_up.append(request.url))
        async with held(page, "**/api/map?channel=web") as waiting:
            await page.select_option("#filter-channel", "web")
            await page.wait_for_selector("#stations[aria-busy=true]")
            for _ in range(3):
                # What the versions are heard by is asked for while the map is still waited for.
                async with page.expect_response("**/api/cohorts*"):
                    shop.order("buy 1")
            questions = len(waiting)
        await shows_total(page, before + 3)
        await is_drawn(page)

        assert (1, []) == (questions, given_up)


async def test_a_stream_that_ended_is_said_to_be_taken_up_again(browser: Browser, base: str) -> None:
    known = answer(base, "/api/map")
    news = json.dumps({name: known[name] for name in ("version", "now", "totals")})
    async with new_visit(browser) as visit:
        page = visit.page

        async def end(route: Route) -> None:
            await route.fulfill(content_type="text/event-stream", body=f"event: version\ndata: {news}\n\n")

        async with held(page, STREAM):
            await page.route(STREAM, end, times=1)
            await page.goto(base)
            await is_live(page, "reconnecting")
            await is_drawn(page)
            badge, notice = await text_of(page, "#live"), await page.is_visible("#notice")
            stations, problems = await page.locator(".station").count(), await violations(page)
        await is_live(page)

        assert ("Reconnecting", False, []) == (badge, notice, problems)
        assert len(known["stages"]) == stations
        assert "Live" == await text_of(page, "#live")


async def test_a_time_without_changes_says_so_in_every_part(browser: Browser, base: str) -> None:
    async with visiting(browser, base, "/?from=2040-01-01") as visit:
        page = visit.page

        assert "No changes of stage in this time." == await text_of(page, "#flow-picture")
        assert "" == await text_of(page, "#flow-reading")
        assert 0 == await page.locator("#flows-table tbody tr").count()
        assert "Nobody has fallen back because of silence." == await text_of(page, "#drop-offs")
        assert (await text_of(page, "#stalls")).startswith("Too few have left awareness, ")
        assert "Nobody has entered purchase in this time" in await text_of(page, "#credits")
        assert [] == await violations(page)
        assert [] == visit.complaints


async def test_a_customer_stays_to_be_seen_through_a_failure(browser: Browser, shop: ShopServer) -> None:
    someone = answer(shop.url, "/api/customers", limit="1")["customers"][0]["profile_id"]
    async with visiting(browser, shop.url, f"/?customer={someone}") as visit:
        page = visit.page
        async with refused(page, "**/api/customers/*", 503), page.expect_response("**/api/customers/*"):
            shop.order("buy 1")
        async with page.expect_response("**/api/customers/*") as response:
            pass

        assert (await response.value).ok
        assert someone == await text_of(page, "#customer-view h1")
        assert 0 == await page.locator(".failed").count()
