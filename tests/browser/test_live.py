"""Prices move on the screen the moment they are stored."""

import statistics
from datetime import datetime

import aiohttp
from playwright.async_api import CDPSession, Page, WebSocket, expect

from tests.browser.pages import (
    ROWS,
    WAIT_SECONDS,
    OpenPage,
    exact_price,
    look_again,
    market_ready,
    open_prices,
    refreshed,
)
from tests.e2e.processes import Running, Stack
from tests.waiting import BUSY, until

ON_SCREEN_SECONDS = 0.2
"""From the commit of a rate until it is seen."""
RATES = 50
HOUR_OF_ROUNDS = 72
"""Of 50 rates each, one for every row that is seen: 3600 rates."""
HEAP_GROWTH = 4_000_000
"""Bytes: the heap of a page breathes by so much, and a page that kept each of 3600 rates would pass it."""
NODES_GROWTH = 500
WATCH = """
() => {
  window.seen = {};
  const cell = document.querySelector('#prices tr[data-currency="1"] [data-cell=price]');
  const note = () => {
    const { value } = cell.querySelector("data");
    // After the frame that shows it.
    requestAnimationFrame(() => setTimeout(() => (window.seen[value] ??= performance.timeOrigin + performance.now())));
  };
  new MutationObserver(note).observe(cell, { attributes: true, childList: true, characterData: true, subtree: true });
}
"""

NOTE_STATES = """
() => {
  window.states = [];
  const place = document.getElementById("connection");
  new MutationObserver(() => window.states.push(place.dataset.state)).observe(place, { attributes: true });
}
"""
LATER = """
() => {
  const { now } = Date;
  Date.now = () => now() + 61_000;
}
"""
"""A minute in which nothing was told."""


async def test_every_price_moves_with_a_poll(own_stack: Stack, open_page: OpenPage) -> None:
    await own_stack.simulator()
    api = await own_stack.api()
    await own_stack.worker(PRICE_SCHEDULE="1s", WORKER_ROLES="pricing,ranking")
    await market_ready(api, priced=20)
    page = await open_page(api.url)
    await open_prices(page)
    before = await prices(page)

    async def have_moved() -> bool:
        after = await prices(page)
        return sum(after[one] != price for one, price in before.items()) >= 20

    await until(have_moved, seconds=WAIT_SECONDS, what="20 prices that moved")


async def prices(page: Page) -> dict[str, str]:
    """The exact price of each row that has one."""
    found: dict[str, str] = await page.eval_on_selector_all(
        f"{ROWS}:has([data-cell=price] data)",
        "rows => Object.fromEntries(rows.map(row => [row.dataset.currency, row.querySelector('[data-cell=price] data').value]))",
    )
    return found


async def test_a_stored_rate_is_on_the_screen_at_once(
    page: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await open_prices(page)
    await page.evaluate(WATCH)
    stored: dict[str, float] = {}
    for _ in range(RATES):
        rate = await refreshed(http, site, 1)
        stored[rate["price_usd"]] = datetime.fromisoformat(rate["date_added"]).timestamp()
        await expect(exact_price(page, 1)).to_have_attribute("value", rate["price_usd"])
    await page.wait_for_function("count => Object.keys(window.seen).length >= count", arg=len(stored))
    seen: dict[str, float] = await page.evaluate("window.seen")
    lags = [seen[price] / 1000 - moment for price, moment in stored.items()]
    assert statistics.median(lags) < ON_SCREEN_SECONDS + BUSY


async def test_a_quiet_connection_is_tried_and_kept(page: Page) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks what it is given
    await open_prices(page)
    await page.evaluate(NOTE_STATES)
    async with sockets[0].expect_event("framereceived"):
        await page.evaluate(LATER)
        await look_again(page)
    assert await page.evaluate("window.states") == []
    assert len(sockets) == 1


async def test_an_hour_of_rates_does_not_grow_the_page(
    page: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await open_prices(page)
    ids = await page.eval_on_selector_all(ROWS, "rows => rows.map(row => row.dataset.currency)")
    probe = await page.context.new_cdp_session(page)
    await pour(page, site, http, ids, rounds=5)
    heap, nodes = await size(probe)
    await pour(page, site, http, ids, rounds=HOUR_OF_ROUNDS)
    heap_after, nodes_after = await size(probe)
    assert heap_after - heap < HEAP_GROWTH
    assert nodes_after - nodes < NODES_GROWTH


async def pour(
    page: Page, site: Running, http: aiohttp.ClientSession, ids: list[str], *, rounds: int
) -> None:
    """Renews all rows that are seen, so many times, and returns when the last is on the screen."""
    for _ in range(rounds):
        async with http.get(f"{site.url}/api/quotes/?id={','.join(ids)}&max_age=0") as response:
            assert response.status == 200, await response.text()
    last = await refreshed(http, site, 1)
    await expect(exact_price(page, 1)).to_have_attribute("value", last["price_usd"])


async def size(probe: CDPSession) -> tuple[int, int]:
    """Bytes of the heap and nodes of the document, after everything that is forgotten is gone."""
    await probe.send("HeapProfiler.collectGarbage")
    heap = await probe.send("Runtime.getHeapUsage")
    counters = await probe.send("Memory.getDOMCounters")
    return int(heap["usedSize"]), int(counters["nodes"])
