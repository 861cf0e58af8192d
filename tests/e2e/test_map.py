"""The page of the live journey map in a real browser, over the real application."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_core_python")

from playwright.async_api import Browser, Page

from tests.support.map_page import (
    ShopServer,
    Visit,
    answer,
    grouped,
    is_drawn,
    is_live,
    system_browser,
    text_of,
    violations,
    visiting,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def refusal(base: str, path: str) -> str:
    return str(httpx.get(f"{base}{path}", timeout=30).json()["error"])


def corrected_customer(base: str) -> dict[str, Any]:
    """One of whose changes a message has retracted for good."""
    for row in answer(base, "/api/customers", limit="500")["customers"]:
        person = answer(base, f"/api/customers/{row['profile_id']}")
        standing = {one["change_id"] for one in person["changes"] if one["standing"]}
        gone = [one for one in person["changes"] if one["kind"] == "retracted" and one["change_id"] not in standing]
        if gone and person["risks"]:
            return person
    raise AssertionError("nobody was corrected, so that this test shows nothing")


async def show_all(page: Page) -> None:
    """Of a long history, what waits behind a button too."""
    while await page.locator("[data-key=more]").count():
        await page.click("[data-key=more]")


def standing(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in changes if one["standing"]]


async def test_every_stage_is_a_station_with_the_numbers_of_the_api(base: str, visit: Visit) -> None:
    stages = answer(base, "/api/map")["stages"]

    shown = [
        (
            (await station.locator(".station-name").inner_text()).lower(),
            await station.locator(".now a").inner_text(),
            await station.locator(".facts dd").nth(0).inner_text(),
            await station.locator(".facts dd").nth(1).inner_text(),
        )
        for station in await visit.page.locator(".station").all()
    ]

    expected = [
        (one["id"], grouped(one["customers_now"]), grouped(one["entered"]), grouped(one["left"])) for one in stages
    ]
    assert expected == shown


async def test_every_flow_is_in_the_picture_and_in_its_table(base: str, visit: Visit) -> None:
    flows = answer(base, "/api/map")["flows"]

    await visit.page.click("#flows-table summary")
    rows = [await row.inner_text() for row in await visit.page.locator("#flows-table tbody tr").all()]

    assert len(flows) == await visit.page.locator("#flow-picture path.flow").count()
    expected = [(one["from"] or "new customers", one["to"], grouped(one["count"])) for one in flows]
    assert expected == [tuple(row.split("\t")[:3]) for row in rows]


async def test_a_flow_runs_clear_of_the_stages_that_it_skips_and_the_picture_fits(visit: Visit) -> None:
    laid = await visit.page.evaluate(
        """async () => {
            const { layOut } = await import("/js/flow_layout.js");
            const flows = [];
            for (const from of [0, 1, 2, 3, 4]) for (const to of [0, 1, 2, 3, 4]) {
                if (from !== to) flows.push({ from, to, count: 1 + ((from * 37 + to * 101) % 90) });
            }
            return layOut({ size: 5, flows, length: 900, depth: 400, gap: 50, margin: 60, thickness: 150 });
        }"""
    )

    passed = [
        ribbon["lane"] - ribbon["width"] / 2 - side["nodes"][between]["end"]
        for side in (laid["above"], laid["below"])
        for ribbon in side["ribbons"]
        if ribbon["span"] > 1
        for between in range(ribbon["a"] + 1, ribbon["b"])
    ]
    assert min(passed) > 0
    assert 10 + 10 == sum(len(side["ribbons"]) for side in (laid["above"], laid["below"]))
    assert laid["above"]["extent"] + laid["below"]["extent"] <= 400


async def test_a_flow_that_is_pointed_at_is_told_in_words(base: str, visit: Visit) -> None:
    back = next(one for one in answer(base, "/api/map")["drop_offs"])

    await visit.page.locator("#flow-picture path.flow.back").first.dispatch_event("pointerenter")

    expected = f"{back['from'].capitalize()} → {back['to']}: {grouped(back['count'])} change"
    assert expected in await text_of(visit.page, "#flow-reading")


async def test_losses_are_ranked_as_the_api_ranks_them(base: str, visit: Visit) -> None:
    found = answer(base, "/api/map")

    stalls = [(await one.inner_text()).lower() for one in await visit.page.locator("#stalls .what").all()]
    drops = [(await one.inner_text()).lower() for one in await visit.page.locator("#drop-offs .what").all()]

    assert [one["stage"] for one in found["stalls"] if one["count"]] == stalls
    assert [f"{one['from']} → {one['to']}" for one in found["drop_offs"]] == drops


async def test_cohorts_have_a_cell_for_every_month_that_has_begun(base: str, visit: Visit) -> None:
    cohorts = answer(base, "/api/cohorts")["cohorts"]

    titles = [await one.get_attribute("title") for one in await visit.page.locator("#cohort-panel .cell").all()]

    assert [f"{grouped(kept)} of {grouped(one['size'])}" for one in cohorts for kept in one["retained"]] == titles


async def test_another_model_of_contribution_shows_its_own_credits(base: str, visit: Visit) -> None:
    found = answer(base, "/api/attribution", by="channel")
    await visit.page.select_option("#credit-by", "channel")
    await is_drawn(visit.page)
    await visit.page.click("label[for=credit-shapley]")

    shown = [await one.inner_text() for one in await visit.page.locator("#credits .how-many b").all()]

    credited = [k for k in range(len(found["keys"])) if any(model[k] > 0 for model in found["models"].values())]
    best_first = sorted((found["models"]["shapley"][k] for k in credited), reverse=True)
    assert [f"{credit:,.1f}" for credit in best_first][:12] == shown
    assert "by=channel&credit=shapley" in visit.page.url


async def test_a_filter_changes_the_numbers_and_stays_in_the_address(base: str, visit: Visit) -> None:
    channel = answer(base, "/api/map")["options"]["channels"][-1]
    filtered = answer(base, "/api/map", channel=channel)["totals"]["customers"]

    await visit.page.select_option("#filter-channel", channel)
    await visit.page.wait_for_function(
        "(expected) => document.querySelector('#totals dd').textContent === expected", arg=grouped(filtered)
    )
    await visit.page.reload()
    await is_live(visit.page)
    await is_drawn(visit.page)

    assert f"channel={channel}" == urlsplit(visit.page.url).query
    assert grouped(filtered) == await text_of(visit.page, "#totals dd")
    assert channel == await visit.page.input_value("#filter-channel")


async def test_going_back_takes_a_filter_away_again(base: str, visit: Visit) -> None:
    everybody = grouped(answer(base, "/api/map")["totals"]["customers"])
    await visit.page.fill("#filter-from", "2017-02-01")
    await visit.page.wait_for_url("**/?from=2017-02-01")
    await visit.page.select_option("#filter-segment", index=1)
    await is_drawn(visit.page)

    await visit.page.go_back()
    await visit.page.go_back()
    await is_drawn(visit.page)

    assert "" == urlsplit(visit.page.url).query
    assert everybody == await text_of(visit.page, "#totals dd")
    assert "" == await visit.page.input_value("#filter-segment")


async def test_a_filter_that_nobody_fits_says_so_and_can_be_taken_away(browser: Browser, base: str) -> None:
    async with visiting(browser, base, "/?from=1990-01-01&to=1990-02-01&channel=nowhere") as visit:
        assert "Nobody fits this filter" in await text_of(visit.page, "#nothing")

        await visit.page.click("text=Show everybody")
        await visit.page.wait_for_selector(".station")

        assert "" == urlsplit(visit.page.url).query


async def test_a_wrong_address_shows_the_sentence_of_the_api(browser: Browser, base: str) -> None:
    sentence = refusal(base, "/api/map?from=yesterday")

    async with visiting(browser, base, "/?from=yesterday") as visit:
        assert sentence in await text_of(visit.page, "#nothing")


async def test_a_customer_is_found_by_a_part_of_an_identifier(base: str, visit: Visit) -> None:
    wanted = answer(base, "/api/customers", limit="50")["customers"][-1]["profile_id"]

    await visit.page.fill("#search-q", wanted[1:])
    await visit.page.wait_for_url("**/?q=*")
    await is_drawn(visit.page)
    await visit.page.locator("#found a", has_text=wanted).first.click()
    await is_drawn(visit.page)

    assert wanted == await text_of(visit.page, "#customer-view h1")
    assert wanted == await visit.page.evaluate("document.activeElement.textContent")


async def test_a_station_leads_to_the_customers_who_are_there(base: str, visit: Visit) -> None:
    stage = next(one for one in answer(base, "/api/map")["stages"] if one["customers_now"])["id"]

    await visit.page.click(f"[data-key=now-{stage}]")
    await is_drawn(visit.page)

    stages = {await one.inner_text() for one in await visit.page.locator("#found tbody td:nth-child(2)").all()}
    assert {stage} == stages


async def test_a_customer_is_shown_with_the_reason_of_every_change(browser: Browser, base: str) -> None:
    person = corrected_customer(base)

    async with visiting(browser, base, f"/?customer={person['profile_id']}") as visit:
        page = visit.page
        await show_all(page)
        shown = [
            (await one.locator(".moment-title").inner_text()).lower().replace("new: ", "").split("→")[-1].strip()
            for one in await page.locator(".moment.stage:not(.corrected)").all()
        ]
        reasons = [await one.inner_text() for one in await page.locator(".moment.stage:not(.corrected) .why").all()]

    expected = standing(person["changes"])
    assert sorted(one["to_stage"] for one in expected) == sorted(shown)
    assert sorted(f"{one['text'].rstrip('.')}." for one in expected) == sorted(reasons)


async def test_what_was_corrected_is_marked_as_such(browser: Browser, base: str) -> None:
    person = corrected_customer(base)
    ids = {one["change_id"] for one in person["changes"]}
    stand = {one["change_id"] for one in standing(person["changes"])}

    async with visiting(browser, base, f"/?customer={person['profile_id']}") as visit:
        await show_all(visit.page)
        marked = visit.page.locator(".moment.stage.corrected .tag.correction")

        assert len(ids - stand) == await marked.count()
        assert "Corrected" == await marked.first.inner_text()


async def test_a_customer_shows_risk_with_contributions_identifiers_and_touchpoints(
    browser: Browser, base: str
) -> None:
    person = corrected_customer(base)
    risk = standing(person["risks"])[0]

    async with visiting(browser, base, f"/?customer={person['profile_id']}") as visit:
        page = visit.page
        contributions = await page.locator(".weights li > span:first-child").all_inner_texts()
        names = await text_of(page, ".names")
        number = await text_of(page, "label:has([data-key=kind-touch])")

    assert [one["text"].lower() for one in risk["contributions"]] == [one.lower() for one in contributions]
    assert all(name in names for name in person["view"]["identifiers"])
    assert f"Touchpoints ({len(person['touchpoints'])})" == number


async def test_an_unknown_customer_gets_the_sentence_of_the_api(browser: Browser, base: str) -> None:
    sentence = refusal(base, "/api/customers/nobody")

    async with visiting(browser, base, "/?customer=nobody") as visit:
        assert sentence in await text_of(visit.page, "#customer-view")


async def test_nothing_is_complained_of_and_nothing_asked_elsewhere(browser: Browser, base: str) -> None:
    someone = answer(base, "/api/customers", limit="1")["customers"][0]["profile_id"]

    async with visiting(browser, base) as visit:
        for details in await visit.page.locator("details").all():
            await details.locator("summary").click()
        await visit.page.goto(f"{base}/?customer={someone}")
        await is_drawn(visit.page)

        assert [] == visit.complaints
        assert {urlsplit(base).netloc} == visit.hosts


@pytest.mark.parametrize("width", [360, 768])
async def test_nothing_sticks_out_at_the_side(browser: Browser, base: str, width: int) -> None:
    someone = answer(base, "/api/customers", limit="1")["customers"][0]["profile_id"]

    async with visiting(browser, base, width=width, height=740) as visit:
        for path in ("/", f"/?customer={someone}", "/?channel=nowhere"):
            await visit.page.goto(base + path)
            await is_drawn(visit.page)
            await visit.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")

            assert width == await visit.page.evaluate("document.documentElement.scrollWidth"), path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_no_serious_problem(browser: Browser, base: str, dark: bool) -> None:
    person = corrected_customer(base)["profile_id"]

    async with visiting(browser, base, dark=dark) as visit:
        for path in ("/", f"/?customer={person}", "/?channel=nowhere", "/?customer=nobody"):
            await visit.page.goto(base + path)
            await is_live(visit.page)
            await is_drawn(visit.page)
            await visit.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")

            assert [] == await violations(visit.page), path


async def test_the_keyboard_reaches_the_content_and_shows_where_it_is(visit: Visit) -> None:
    page = visit.page
    await page.keyboard.press("Tab")
    first = await page.evaluate("document.activeElement.textContent")
    await page.keyboard.press("Enter")
    at = await page.evaluate("document.activeElement.id")
    await page.keyboard.press("Tab")

    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    assert ("Skip to the content", "content", "solid") == (first, at, outline)


async def test_news_show_without_loading_the_page_again(browser: Browser, shop: ShopServer) -> None:
    customers = answer(shop.url, "/api/map")["totals"]["customers"]
    async with visiting(browser, shop.url) as visit:
        await visit.page.evaluate("window.sameDocument = true")
        await visit.page.focus("#search-q")

        shop.order("buy 3")

        await visit.page.wait_for_function(
            "(expected) => document.querySelector('#totals dd').textContent === expected", arg=grouped(customers + 3)
        )
        assert await visit.page.evaluate("window.sameDocument")
        assert "search-q" == await visit.page.evaluate("document.activeElement.id")
        assert "changed" in (await visit.page.locator("#totals dd").first.get_attribute("class") or "")


async def test_the_page_comes_back_by_itself_after_the_service_was_away(browser: Browser, shop: ShopServer) -> None:
    async with visiting(browser, shop.url) as visit:
        customers = await text_of(visit.page, "#totals dd")

        shop.stop()
        await is_live(visit.page, "disconnected")
        told, kept = await text_of(visit.page, "#notice"), await text_of(visit.page, "#totals dd")
        shop.start()
        await is_live(visit.page)
        shop.order("buy 2")

        expected = grouped(int(customers.replace(",", "")) + 2)
        await visit.page.wait_for_function(
            "(expected) => document.querySelector('#totals dd').textContent === expected", arg=expected
        )
        assert "There is no connection to the service" in told
        assert customers == kept
        assert not await visit.page.is_visible("#notice")


async def test_an_empty_map_says_what_to_do_and_fills_by_itself(browser: Browser, tmp_path: Path) -> None:
    system_browser()
    server = ShopServer(tmp_path / "empty.duckdb", 0)
    try:
        async with visiting(browser, server.url) as visit:
            assert "No customer yet" in await text_of(visit.page, "#nothing")
            assert [] == await violations(visit.page)

            server.order("buy 1")

            await visit.page.wait_for_selector(".station")
            assert "1" == await text_of(visit.page, "#totals dd")
            assert [] == visit.complaints
    finally:
        server.stop()


async def test_what_touchpoints_say_does_not_become_part_of_the_page(browser: Browser, shop: ShopServer) -> None:
    markup = "<img src=x onerror='window.broken=1'><b>bold</b>"
    touchpoint = {
        "event_id": "m",
        "channel": "web",
        "type": markup[:60],
        "campaign": markup,
        "customer_id": f"c{markup}",
    }

    async with visiting(browser, shop.url) as visit:
        shop.order(f"touch {json.dumps(touchpoint)}")
        link = visit.page.locator("#found a", has_text="<b>bold</b>")
        await link.click()
        await is_drawn(visit.page)

        assert f"c{markup}" == await text_of(visit.page, "#customer-view h1")
        assert markup in await text_of(visit.page, ".moments")
        assert 0 == await visit.page.locator("main img, main h1 b").count()
        assert [] == visit.complaints


async def test_a_protected_map_asks_for_its_token(browser: Browser, tmp_path: Path) -> None:
    system_browser()
    server = ShopServer(tmp_path / "shop.duckdb", 12, "--token", "open sesame")
    try:
        async with visiting(browser, server.url, state="disconnected") as visit:
            page = visit.page
            await page.fill("#token", "wrong")
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#token-wrong:visible")
            await page.fill("#token", "open sesame")
            await page.keyboard.press("Enter")
            await is_live(page)

            await page.wait_for_selector(".station")
    finally:
        server.stop()
