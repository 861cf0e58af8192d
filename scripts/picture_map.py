"""Take the pictures of the README from a running map: the demo's, once its year is through.

    python scripts/picture_map.py http://127.0.0.1:8600 [--customer household-105] [--out docs/pictures]

Needs Playwright's Python package and a Chromium of the system.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SIZE = {"width": 1280, "height": 1000}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]


def main() -> None:
    """Write map-light.png, map-dark.png and map-customer.png."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README from a running map.")
    parser.add_argument("address")
    parser.add_argument("--customer", default="household-105")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    address = options.address.rstrip("/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for scheme in ("light", "dark"):
            _take(browser, f"{address}/", "#credits li", options.out / f"map-{scheme}.png", scheme)
        _take(browser, f"{address}/?customer={options.customer}", ".moment", options.out / "map-customer.png", "light")
        browser.close()


def _take(browser: Browser, address: str, ready: str, path: Path, scheme: str) -> None:
    page = browser.new_page(viewport=SIZE, color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address)
    page.wait_for_selector(ready)
    page.wait_for_selector("#live[data-state=live]")
    page.screenshot(path=path)
    page.close()


if __name__ == "__main__":
    main()
