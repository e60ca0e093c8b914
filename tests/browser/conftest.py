"""Real Chromium on real processes: one browser, and one service that all may share, per test process.

All tests of this folder run in one event loop, for a browser lives longer than a test. A test gets pages of its own, each
in a context of its own (cookies, storage, cache), and fails where one of them complains: see `Complaints`.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, JSHandle, Page, Route, async_playwright, expect

from deploy.servers.valkey import ValkeyServer
from tests.browser import chromium
from tests.browser.complaints import Complaints
from tests.browser.history import record_history
from tests.browser.pages import WAIT_SECONDS, LoadModule, OpenPage, market_ready
from tests.e2e.processes import Running, Stack

FOLDER = Path(__file__).parent
ASSETS = Path(__file__).parents[2] / "api" / "dashboard" / "assets"
NOWHERE = "http://modules.test"
"""Serves the assets alone, and only to pages of these tests."""
DESKTOP = {"width": 1280, "height": 900}
NO_BUDGETS = dict.fromkeys(
    ("REFRESHES_PER_MINUTE", "COINMARKETCAP_CALLS_PER_MINUTE", "COINMARKETCAP_CREDITS_PER_MONTH"), "0"
)
ASKED_ONLY = {"PRICE_SCHEDULE": "1h", "RANKING_SCHEDULE": "1h"}
"""After the first polls prices move only when they are asked for."""

collect_ignore = (
    []
    if chromium.found() or chromium.is_required()
    else [file.name for file in FOLDER.glob("test_*.py") if file.name != "test_chromium.py"]
)
expect.set_options(timeout=WAIT_SECONDS * 1000)


async def new_context(browser: Browser, url: str, **options: Any) -> BrowserContext:
    options = {"viewport": DESKTOP, "locale": "en-US"} | options
    context = await browser.new_context(base_url=url, **options)
    context.set_default_timeout(WAIT_SECONDS * 1000)
    return context


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FOLDER) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The one browser of this test process."""
    path = chromium.found()
    assert path, chromium.MISSING
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """API and worker in one process on SQLite, with 200 priced currencies, of which four have a history. For all
    tests that disturb nobody: they may refresh rates, but stop nothing. Prices move only when they are asked for."""
    folder = tmp_path_factory.mktemp("site")
    record_history(folder / "freshrate.db")
    stack = Stack(folder, NO_BUDGETS | ASKED_ONLY, are_forked=True)
    try:
        await stack.simulator()
        running = await stack.standalone()
        await market_ready(running, priced=200)
        yield running
    finally:
        await stack.close()


@pytest_asyncio.fixture(loop_scope="session")
async def own_stack(tmp_path: Path, postgresql_url: str, own_valkey: ValkeyServer) -> AsyncIterator[Stack]:
    """For tests that stop processes, or set them otherwise. Starts nothing by itself; ends whatever the test started."""
    env = {"DATABASE_URL": postgresql_url, "REDIS_URL": own_valkey.url, "TRACKED_TOP": "20"}
    stack = Stack(tmp_path, env | NO_BUDGETS, are_forked=True)
    yield stack
    await stack.close()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server that the test may kill, pause and start again."""
    server = ValkeyServer(tmp_path / "valkey")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Of the test's pages. What the test brings about itself it says: `complaints.expect(...)`."""
    noted = Complaints()
    yield noted
    noted.leave()
    assert noted.left() == []


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, complaints: Complaints) -> AsyncIterator[OpenPage]:
    """Makes pages whose relative addresses are those of a service, each in a context of its own, with nothing in its cache:
    `await open_page(running.url, color_scheme="dark")`."""
    contexts: list[BrowserContext] = []

    async def opened(url: str, **options: Any) -> Page:
        context = await new_context(browser, url, **options)
        contexts.append(context)
        return complaints.watch(await context.new_page(), url)

    yield opened
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def visitor(browser: Browser, site: Running) -> BrowserContext:
    """Who has visited the shared service before, so that the browser has its files."""
    return await new_context(browser, site.url)


@pytest_asyncio.fixture(loop_scope="session")
async def page(visitor: BrowserContext, complaints: Complaints, site: Running) -> AsyncIterator[Page]:
    """A page for the shared service, empty so far: `await page.goto("/#currency/1")`."""
    opened = complaints.watch(await visitor.new_page(), site.url)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_page(visitor: BrowserContext) -> Page:
    return await visitor.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def charts(shared_page: Page, complaints: Complaints, site: Running) -> AsyncIterator[Page]:
    """A page for the shared service that is left open between tests, so that it need not load the library of charts, which
    takes a second: `await charts.goto("/#currency/1")` changes nothing but the view."""
    yield complaints.watch(shared_page, site.url)
    await shared_page.goto("/#prices")
    await shared_page.emulate_media(color_scheme="light")


@pytest_asyncio.fixture(loop_scope="session")
async def load_module(open_page: OpenPage) -> LoadModule:
    """Gives one of the page's modules by itself, without any service behind it:

    format = await load_module("format.js")
    assert await format.evaluate("(module, text) => module.price(text)", "0.000000063") == ...
    """
    page = await open_page(NOWHERE)

    async def serve(route: Route) -> None:
        name = urlsplit(route.request.url).path.strip("/")
        if name:
            await route.fulfill(path=ASSETS / name)
        else:
            await route.fulfill(body="<!DOCTYPE html><title>Modules</title>", content_type="text/html")

    await page.route(f"{NOWHERE}/**", serve)
    await page.goto("/")

    async def loaded(name: str) -> JSHandle:
        return await page.evaluate_handle("name => import(name)", f"/{name}")

    return loaded
