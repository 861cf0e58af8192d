"""Takes the pictures of the live journey map for the README, of whatever map is at an address.

    python scripts/picture_map.py http://127.0.0.1:8600

It needs Playwright for Python and a Chromium of the system (or of JOURNEY_TEST_BROWSER).
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from playwright.async_api import Browser, async_playwright

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
BYTES_MAX = 300_000
WIDTH, HEIGHT, CUSTOMER_HEIGHT = 1280, 1620, 1180
LOOKED_THROUGH = 300


@dataclass(frozen=True)
class Picture:
    """What is at `path`, for somebody who likes it dark or not."""

    name: str
    path: str
    dark: bool = False
    height: int = HEIGHT


def main() -> int:
    """0, or 1 with a sentence on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="where `journey-stream serve` is, such as http://127.0.0.1:8600")
    parser.add_argument("--customer", metavar="PROFILE_ID", help="whom to show; else somebody with a lot to tell")
    given = parser.parse_args()
    base = given.address.rstrip("/")
    chromium = os.environ.get("JOURNEY_TEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.stderr.write("There is no Chromium. Install it, or name it in JOURNEY_TEST_BROWSER.\n")
        return 1
    customer = given.customer or most_telling(base)
    pictures = [
        Picture("map-light", "/"),
        Picture("map-dark", "/", dark=True),
        Picture("map-customer", f"/?customer={quote(customer, safe='')}", height=CUSTOMER_HEIGHT),
    ]
    too_large = asyncio.run(take(base, pictures, chromium))
    for path in too_large:
        sys.stderr.write(f"{path} is larger than {BYTES_MAX:,} bytes.\n")
    return 1 if too_large else 0


def most_telling(base: str) -> str:
    """The customer whose history has the most different things in it."""

    def read(path: str) -> Any:
        with urlopen(base + path, timeout=60) as answer:  # noqa: S310 - the address is the caller's own
            return json.load(answer)

    def wealth(person: dict[str, Any]) -> tuple[int, int]:
        changes = person["changes"]
        standing = [one for one in changes if one["standing"]]
        kinds = {one["to_stage"] for one in standing} | {one["band"] for one in person["risks"]}
        was_corrected = any(one["kind"] == "retracted" for one in changes)
        fell = any(one["silent_since"] for one in standing)
        return 3 * was_corrected + 2 * fell + 2 * bool(person["identities"]) + len(kinds), -len(person["touchpoints"])

    rows = read(f"/api/customers?limit={LOOKED_THROUGH}")["customers"]
    people = [read(f"/api/customers/{quote(row['profile_id'], safe='')}") for row in rows]
    return str(max(people, key=wealth)["profile_id"])


async def take(base: str, pictures: list[Picture], chromium: str) -> list[Path]:
    """Write the pictures; returns those that are too large for a README."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"]
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        paths = [await _take(browser, base, picture) for picture in pictures]
        await browser.close()
    return [path for path in paths if path.stat().st_size > BYTES_MAX]


async def _take(browser: Browser, base: str, picture: Picture) -> Path:
    context = await browser.new_context(
        viewport={"width": WIDTH, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(base + picture.path)
    await page.wait_for_selector("#live[data-state=live]")
    await page.wait_for_function(
        "() => ![...document.querySelectorAll('[aria-busy]')].some((one) => one.checkVisibility())"
    )
    path = PICTURES / f"{picture.name}.png"
    await page.screenshot(path=path)
    await context.close()
    print(f"{path.relative_to(PICTURES.parent.parent)}  {path.stat().st_size:,} bytes")
    return path


if __name__ == "__main__":
    sys.exit(main())
