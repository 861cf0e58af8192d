"""Every number that the page of the live journey map shows, against what the API says, formatted independently.

That the API says what is true is the matter of `tests/integration/test_map_numbers.py`. The shop's touchpoints come
late now and then, and visitors become known, so that there are corrections and merges.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_core_python")

from playwright.async_api import Browser, Page

from tests.support.map_page import Visit, answer, is_drawn, visiting
from tests.support.map_words import (
    capital,
    count,
    date,
    decimal,
    duration,
    moment,
    month,
    plural,
    rounded,
    share,
    touch,
    words,
)

Json = dict[str, Any]

FILTERS: list[dict[str, str]] = [{}, {"from": "2026-03-01", "to": "2026-06-01", "channel": "email"}]
BANDS = ("low", "medium", "high", "critical", "unscored")
MODELS = {
    "first": "First",
    "last": "Last",
    "linear": "Linear",
    "position": "Position",
    "time_decay": "Time decay",
    "markov": "Markov",
    "shapley": "Shapley",
}
NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
GONE, NOTHING = "one that counts no more", "nothing since entering"
READER = """
const text = (one) => one.textContent.replace(/\\s+/g, ' ').trim();
const all = (root, selector) => [...root.querySelectorAll(selector)];
const texts = (root, selector) => all(root, selector).map(text);
const pairs = (root, selector) => all(root, selector).map((one) => texts(one, 'dt, dd'));
const table = (selector) => all(document, `${selector} tr`).map((row) => [...row.cells].map(text));
const percent = (one, name) => parseFloat(one.style[name] || '0');
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def look(page: Page, expression: str) -> Any:
    """What an expression over the functions of the reader says."""
    return await page.evaluate(f"() => {{ {READER} return {expression}; }}")


def address(asked: dict[str, str]) -> str:
    return "/?" + "&".join(f"{name}={value}" for name, value in asked.items())


@pytest.fixture(params=FILTERS, ids=["everybody", "a filter"])
def asked(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = request.param
    return found


def close(percents: list[float]) -> Any:
    """The page rounds lengths to two places."""
    return pytest.approx(percents, abs=0.0051)


async def test_the_shop_has_everything_that_a_number_could_go_wrong_over(base: str) -> None:
    found = answer(base, "/api/map")
    known = answer(base, "/api/customers", limit="500")["customers"]
    merged = [one for one in known[:60] if answer(base, f"/api/customers/{one['profile_id']}")["view"]["identifiers"]]

    assert found["totals"]["corrections"] > 0
    assert found["totals"]["dead_letters"] > 0
    assert merged
    assert all(len(stage["brought_by"]) > 0 for stage in found["stages"])
    assert any(one["count"] for one in found["stalls"])
    assert found["drop_offs"]


async def test_totals_and_what_stands_at_the_edges(browser: Browser, base: str, asked: dict[str, str]) -> None:
    found, model = answer(base, "/api/map", **asked), answer(base, "/api/model")
    totals = found["totals"]
    async with visiting(browser, base, address(asked)) as visit:
        shown = await look(visit.page, "pairs(document, '#totals > div')")
        edges = await look(visit.page, "['#model', '#as-of'].map((one) => text(document.querySelector(one)))")

    assert [
        ["Customers", count(totals["customers"])],
        ["Touchpoints", count(totals["touchpoints"])],
        ["Stage changes", count(totals["changes"])],
        ["Corrections", count(totals["corrections"])],
        ["Dead letters", count(totals["dead_letters"])],
        ["Newest touchpoint", moment(totals["newest_touchpoint_at"])],
    ] == shown
    assert [
        f"{words(model['name'])}, version {model['version']}",
        f"The map is as of {moment(found['now'])}, version {found['version']}.",
    ] == edges


def ways(counted: list[Json], unnamed: str, none: str) -> list[list[str]]:
    total = sum(one["count"] for one in counted)
    named = [[touch(one["channel"], one["type"], unnamed), share(one["count"] / total)] for one in counted[:3]]
    return named or [[none]]


async def test_stations(browser: Browser, base: str, asked: dict[str, str]) -> None:
    found = answer(base, "/api/map", **asked)
    bands = {one["stage"]: one for one in found["bands"]}
    customers = found["totals"]["customers"]
    async with visiting(browser, base, address(asked)) as visit:
        shown = await look(
            visit.page,
            """all(document, '.station').map((one) => ({
                name: texts(one, '.station-name, .station-meaning, .now a, .now span, .bands-said'),
                label: one.querySelector('.now a').getAttribute('aria-label'),
                bands: one.querySelector('.bands').getAttribute('aria-label'),
                parts: all(one, '.bands .band').map((part) => percent(part, 'width')),
                facts: pairs(one, '.facts > div'),
                ways: all(one, '.ways').map((way) => [text(way.querySelector('h4')),
                    all(way, 'li').map((one) => one.matches('.none') ? [text(one)]
                        : texts(one, ':scope > span:not(.bar)'))]),
                bars: all(one, '.ways .bar-fill').map((part) => percent(part, 'width')),
            }))""",
        )

    assert len(found["stages"]) == len(shown)
    for stage, station in zip(found["stages"], shown, strict=True):
        name, now, of = words(stage["id"]), stage["customers_now"], bands[stage["id"]]
        at_risk = of["high"] + of["critical"]
        there = [(band, of[band]) for band in BANDS if of[band]]
        brought = ways(stage["brought_by"], GONE, "Nothing but silence" if stage["entered"] else "Nobody yet")
        lost = ways(stage["left_after"], NOTHING, "Nobody")
        said = f"{count(at_risk)} at high or critical risk" if at_risk else "nobody at high risk"
        all_ways = [
            one["count"] / sum(o["count"] for o in way)
            for way in (stage["brought_by"], stage["left_after"])
            for one in way[:3]
        ]
        assert {
            "name": [
                name,
                stage["meaning"],
                count(now),
                f"now, {share(now / customers if customers else None)} of all",
                said,
            ],
            "label": f"{plural(now, 'customer')} in {name} now: show them",
            "bands": f"Churn risk: {', '.join(f'{count(number)} {band}' for band, number in there) or 'nobody'}",
            "parts": close([number / now * 100 for _, number in there]),
            "facts": [
                ["Entered", count(stage["entered"])],
                ["Left", count(stage["left"])],
                ["Median stay", duration(stage["median_seconds"])],
            ],
            "ways": [["Brought in by", brought], ["Left in silence after", lost]],
            "bars": close([part * 100 for part in all_ways]),
        } == station


async def test_the_journey_as_a_table(browser: Browser, base: str, asked: dict[str, str]) -> None:
    found = answer(base, "/api/map", **asked)
    bands = {one["stage"]: one for one in found["bands"]}
    async with visiting(browser, base, address(asked)) as visit:
        shown = await look(visit.page, "table('#stations-table')")

    def counted(found: list[Json], unnamed: str) -> str:
        return "; ".join(f"{touch(o['channel'], o['type'], unnamed)} {count(o['count'])}" for o in found) or NONE

    risks = [f"Risk {band}" for band in BANDS]
    assert [
        ["Stage", "Now", "Entered", "Left", "Median stay", *risks, "Brought in by", "Left in silence after"],
        *(
            [
                words(one["id"]),
                *(count(one[name]) for name in ("customers_now", "entered", "left")),
                duration(one["median_seconds"]),
                *(count(bands[one["id"]][band]) for band in BANDS),
                counted(one["brought_by"], GONE),
                counted(one["left_after"], NOTHING),
            ]
            for one in found["stages"]
        ),
    ] == shown


async def test_flows(browser: Browser, base: str, asked: dict[str, str]) -> None:
    found = answer(base, "/api/map", **asked)
    async with visiting(browser, base, address(asked)) as visit:
        rows = await look(visit.page, "table('#flows-table')")
        titles = await look(visit.page, "texts(document, '#flow-picture path.flow title')")
        names = await look(visit.page, "texts(document, '#flow-picture .flow-name')")
        sides = await look(visit.page, "texts(document, '#flow-picture .flow-side')")
        reading = await look(visit.page, "text(document.querySelector('#flow-reading'))")

    def source(flow: Json) -> str:
        return "new customers" if flow["from"] is None else words(flow["from"])

    def sentence(flow: Json) -> str:
        stay = f", after a median of {duration(flow['median_seconds'])}" if flow["median_seconds"] is not None else ""
        return f"{capital(source(flow))} → {words(flow['to'])}: {plural(flow['count'], 'change')}{stay}"

    assert [
        ["From", "To", "Changes", "Median time before"],
        *([source(f), words(f["to"]), count(f["count"]), duration(f["median_seconds"])] for f in found["flows"]),
    ] == rows
    assert sorted(map(sentence, found["flows"])) == sorted(titles)
    assert ["New", *(capital(words(one["id"])) for one in found["stages"])] == names
    assert ["customers", *(f"{count(one['customers_now'])} now" for one in found["stages"])] == sides
    busiest = next(flow for flow in found["flows"] if flow["from"] is not None)
    assert f"Busiest: {sentence(busiest)}." == reading


async def test_losses(browser: Browser, base: str, asked: dict[str, str]) -> None:
    found = answer(base, "/api/map", **asked)
    stalls = [one for one in found["stalls"] if one["count"]]
    stalled = "{} of those who are in it, there for more than {}"
    unsure = [words(one["stage"]) for one in found["stalls"] if one["count"] is None]
    async with visiting(browser, base, address(asked)) as visit:

        async def read(place: str) -> Any:
            return await look(
                visit.page,
                f"""all(document.querySelector('{place}'), 'li').map((one) => [
                    ...texts(one, '.what, .how-many, .more'),
                    one.querySelector('.how-many').getAttribute('aria-label')])""",
            )

        shown = {place: await read(place) for place in ("#stalls", "#drop-offs")}
        widths = await look(visit.page, "all(document, '.ranked .bar-fill').map((one) => percent(one, 'width'))")
        notes = await look(visit.page, "texts(document, '#stalls > .hint, #stalls > .note')")

    assert {
        "#stalls": [
            [
                words(one["stage"]),
                count(one["count"]),
                stalled.format(share(one["share"]), duration(one["threshold_seconds"])),
                plural(one["count"], "customer"),
            ]
            for one in stalls
        ],
        "#drop-offs": [
            [
                f"{words(one['from'])} → {words(one['to'])}",
                count(one["count"]),
                f"{share(one['share'])} of all who left {words(one['from'])}",
                plural(one["count"], "change"),
            ]
            for one in found["drop_offs"]
        ],
    } == shown
    assert (
        close([one["count"] / many[0]["count"] * 100 for many in (stalls, found["drop_offs"]) for one in many])
        == widths
    )
    too_few = f"Too few have left {', '.join(unsure)} to say what long is."
    assert ([too_few] if unsure else []) == notes


async def test_cohorts(browser: Browser, base: str, asked: dict[str, str]) -> None:
    cohorts = answer(base, "/api/cohorts", **asked)["cohorts"]
    months = max(len(one["retained"]) for one in cohorts)
    async with visiting(browser, base, address(asked)) as visit:
        shown = await look(visit.page, "table('#cohort-panel')")
        titles = await look(visit.page, "all(document, '#cohort-panel .cell').map((one) => one.title)")

    assert [
        ["Began in", "Customers", "at once", *(f"+{k}" for k in range(1, months))],
        *(
            [
                month(one["month"]),
                count(one["size"]),
                *(share(kept / one["size"]) for kept in one["retained"]),
                *[""] * (months - len(one["retained"])),
            ]
            for one in cohorts
        ),
    ] == shown
    assert [f"{count(kept)} of {count(one['size'])}" for one in cohorts for kept in one["retained"]] == titles


@pytest.mark.parametrize("by", ["type", "channel", "campaign"])
async def test_contribution(browser: Browser, base: str, asked: dict[str, str], by: str) -> None:
    found = answer(base, "/api/attribution", **asked, by=by, look_back_days="90")
    rows = [
        (key, {model: given[at] for model, given in found["models"].items()})
        for at, key in enumerate(found["keys"])
        if any(given[at] > 0 for given in found["models"].values())
    ]
    most = max(credit for _, given in rows for credit in given.values())
    shared_out = max(1, found["conversions"] - found["unattributed"])

    def name(key: str | None) -> str:
        if key is None:
            return "no campaign"
        channel, _, kind = key.partition(" ")
        return f"{words(channel)}: {words(kind)}" if by == "type" else words(key)

    async with visiting(browser, base, f"{address(asked)}&by={by}&look_back_days=90") as visit:
        page = visit.page
        lead = await look(page, "text(document.querySelector('#contribution-lead'))")
        for model in MODELS:
            await page.click(f"label[for=credit-{model}]")
            shown = await look(
                page, "all(document, '#credits li').map((one) => texts(one, ':scope > span:first-child, b, b + span'))"
            )
            tracks = await look(
                page,
                """all(document, '#credits li').map((one) => [percent(one.querySelector('.bar-fill'), 'width'),
                    percent(one.querySelector('.range'), 'left'), percent(one.querySelector('.range'), 'width')])""",
            )
            table = await look(page, "table('#credits-table')")
            said = await look(page, "text(document.querySelector('#credits .range-said'))")

            ranked = sorted(rows, key=lambda row: -row[1][model])  # those with the same credit as the API has them
            assert [
                [name(key), decimal(given[model]), share(given[model] / shared_out)] for key, given in ranked[:12]
            ] == shown
            assert [
                close([part / most * 100 for part in (c[model], min(c.values()), max(c.values()) - min(c.values()))])
                for _, c in ranked[:12]
            ] == tracks
            assert [
                [{"type": "Touchpoint", "channel": "Channel", "campaign": "Campaign"}[by], *MODELS.values()],
                *([name(key), *(decimal(given[one]) for one in MODELS)] for key, given in ranked),
            ] == table
            more = f"{len(ranked) - 12} more are in the table." if len(ranked) > 12 else ""
            assert said.endswith(more or "any of the seven gives.")

    lost = found["unattributed"]
    nothing = f"; before {count(lost)} of them there was nothing to credit within 90 days." if lost else "."
    assert f"Credit for {plural(found['conversions'], 'entry', 'entries')} to {words(found['goal'])}{nothing}" == lead


def pill(band: str | None, probability: float | None) -> str:
    return "unscored" if band is None else f"{band}, {share(probability)}"


async def test_the_list_of_customers(browser: Browser, base: str, asked: dict[str, str]) -> None:
    customers = answer(base, "/api/customers", **asked, limit="500")["customers"]
    async with visiting(browser, base, address(asked)) as visit:
        shown = await look(visit.page, "table('#found')")
        told = await look(visit.page, "text(document.querySelector('#found .more-row'))")

    assert [
        ["Customer", "Stage", "Since", "Churn risk", "Segment", "Last touchpoint"],
        *(
            [
                one["profile_id"],
                words(one["stage"] or "none yet"),
                date(one["entered_at"]),
                pill(one["band"], one["probability"]),
                words(one["segment"] or NONE),
                moment(one["last_touchpoint_at"]),
            ]
            for one in customers[:25]
        ),
    ] == shown
    more = "The 25 with the latest touchpoint. Type more of an identifier to find others."
    assert (more if len(customers) > 25 else plural(len(customers), "customer")) == told


async def test_a_customer(visit: Visit, base: str) -> None:
    known = answer(base, "/api/customers", limit="500")["customers"]
    people = [answer(base, f"/api/customers/{one['profile_id']}") for one in known[:40]]
    corrected = [one for one in people if any(change["kind"] == "retracted" for change in one["changes"])]
    scored = [one for one in people if one["view"]["band"] is not None]
    unscored = [one for one in people if one["view"]["band"] is None]

    for person in (*corrected[:2], *scored[:2], *unscored[:1]):
        await visit.page.goto(f"{base}/?customer={person['profile_id']}")
        await visit.page.wait_for_selector("#customer-view .moments")
        await is_drawn(visit.page)
        assert expected_of(person) == await look(
            visit.page,
            """({
                heading: text(document.querySelector('#customer-view h1')),
                said: text(document.querySelector('.person-said b')),
                traits: pairs(document, '.traits > div'),
                kinds: texts(document, '.moment-kinds label'),
                gauge: texts(document, '.gauge'),
                weights: all(document, '.weights li').map((one) => [
                    ...texts(one, ':scope > span:not(.balance)'), percent(one.querySelector('i'), 'width')]),
                names: texts(document, '.names li'),
                dots: all(document, '.path-dot').length,
                ticks: all(document, '.path-tick').length,
            })""",
        )
    assert corrected
    assert scored
    assert unscored


def expected_of(person: Json) -> Json:
    view = person["view"]
    scores = [(name, view[f"rfm_{name}"]) for name in ("recency", "frequency", "monetary")]
    rfm = ", ".join(f"{name} {score}" for name, score in scores if score is not None)
    risk = next((one for one in person["risks"] if one["standing"]), None)
    weights = risk["contributions"] if risk else []
    most = max([0.01, *(abs(one["log_odds"]) for one in weights)])
    numbers = {
        "Stage changes": len({one["change_id"] for one in person["changes"]}),
        "Churn risk": len({one["risk_id"] for one in person["risks"]}),
        "Identity": len(person["identities"]),
        "Touchpoints": len(person["touchpoints"]),
    }
    return {
        "heading": person["profile_id"],
        "said": words(view["stage"]),
        "traits": [
            ["Churn risk", pill(view["band"], view["probability"])],
            ["Segment", words(view["segment"] or "none")],
            *([["RFM, 1 to 5", rfm]] if rfm else []),
            ["Last touchpoint", moment(view["last_touchpoint_at"])],
            ["Before that", words(view["previous_stage"] or "no stage")],
        ],
        "kinds": [f"{name} ({number})" for name, number in numbers.items()],
        "gauge": [share(risk["probability"])] if risk else [],
        "weights": [
            [
                capital(one["text"]),
                f"{'+' if one['log_odds'] > 0 else MINUS}{rounded(abs(one['log_odds']), 2)}",
                pytest.approx(abs(one["log_odds"]) / most * 50, abs=0.051),
            ]
            for one in weights
        ],
        "names": [f"this profile{person['profile_id']}", *(f"belongs to it{one}" for one in view["identifiers"])],
        "dots": sum(one["standing"] for one in person["changes"]),
        "ticks": len(person["touchpoints"]),
    }
