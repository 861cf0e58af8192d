"""What the tests of the live journey map share: a shop that is served, and a browser.

Tests that only read take `base`, an address: that of a made-up shop, or of any map that `JOURNEY_TEST_MAP` names.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.support.map_page import ShopServer, Visit

CUSTOMERS = 220


def _pages() -> Any:
    """`tests.support.map_page`, which is there only with a driver for browsers."""
    pytest.importorskip("playwright")
    pytest.importorskip("axe_core_python")
    return importlib.import_module("tests.support.map_page")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pages = _pages()
    named = os.environ.get("JOURNEY_TEST_MAP")
    if named:
        yield named.rstrip("/")
        return
    pages.system_browser()
    server = pages.ShopServer(tmp_path_factory.mktemp("map") / "shop.duckdb", CUSTOMERS)
    yield server.url
    server.stop()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopServer]:
    """One that a test may change and stop."""
    pages = _pages()
    pages.system_browser()
    server = pages.ShopServer(tmp_path / "shop.duckdb", 12)
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with _pages().opened_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, base: str) -> AsyncIterator[Visit]:
    async with _pages().visiting(browser, base) as visit:
        yield visit
