"""What goes wrong behind the page is said on it, and it recovers by itself."""

from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, Route, expect

from deploy.servers.valkey import ValkeyServer
from tests.browser.complaints import Complaints
from tests.browser.pages import (
    ROWS,
    OpenPage,
    banner,
    exact_price,
    is_live,
    look_again,
    market_ready,
    open_prices,
    refreshed,
)
from tests.e2e.faults import fault, heal
from tests.e2e.processes import Running, Stack
from tests.waiting import until

RECOVERY_SECONDS = 20
REFRESH = "[data-action=refresh]"
RESULT = "[data-result=refresh]"


async def started_again(stack: Stack, gone: Running) -> Running:
    """Another API process at the address of one that has ended."""
    running = await Running.fork(
        "api-again",
        "-m",
        "api",
        folder=stack.folder,
        env={**stack.env, "API_PORT": str(urlsplit(gone.url).port)},
        url=gone.url,
    )
    stack.processes.append(running)
    return await running.ready("/health/live")


async def started(stack: Stack) -> tuple[Running, Running]:
    """The API and its worker."""
    await stack.simulator()
    stack.env["PRICE_SCHEDULE"] = stack.env["RANKING_SCHEDULE"] = "1h"
    api = await stack.api()
    worker = await stack.worker(WORKER_ROLES="pricing,ranking")
    await market_ready(api, priced=20)
    return api, worker


async def has_banner(page: Page, kind: str) -> None:
    """Returns when the page says it, to a visitor who keeps coming back to it."""

    async def is_said() -> bool:
        await look_again(page)
        return await banner(page, kind).is_visible()

    await until(is_said, seconds=RECOVERY_SECONDS, what=f"the banner {kind}")


async def has_no_banner(page: Page, kind: str) -> None:
    """Returns when the page has taken it back, by itself."""
    await expect(banner(page, kind)).to_be_hidden(timeout=RECOVERY_SECONDS * 1000)


async def test_the_api_goes_and_comes_back(
    own_stack: Stack, open_page: OpenPage, complaints: Complaints, http: aiohttp.ClientSession
) -> None:
    complaints.expect("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "WebSocket", "status of 503")
    api, _ = await started(own_stack)
    page = await open_page(api.url)
    await open_prices(page)
    shown = await exact_price(page, 1).get_attribute("value")

    assert await api.stop() == 0
    await expect(page.locator("#connection")).to_have_attribute("data-state", "offline")
    await has_banner(page, "offline")
    await expect(exact_price(page, 1)).to_have_attribute("value", shown or "")
    await page.get_by_role("searchbox").fill("no-such-currency")
    await expect(page.locator("#view .elsewhere [role=alert]")).to_be_visible()

    again = await started_again(own_stack, api)
    missed = await refreshed(http, again, 1)
    await is_live(page)
    await has_no_banner(page, "offline")
    await expect(page.locator("#view .elsewhere .empty")).to_be_visible()
    await page.get_by_role("searchbox").fill("")
    await expect(exact_price(page, 1)).to_have_attribute("value", missed["price_usd"])
    fresh = await refreshed(http, again, 1)
    await expect(exact_price(page, 1)).to_have_attribute("value", fresh["price_usd"])


async def test_redis_goes_and_comes_back(
    own_stack: Stack,
    own_valkey: ValkeyServer,
    open_page: OpenPage,
    complaints: Complaints,
    http: aiohttp.ClientSession,
) -> None:
    complaints.expect("status of 503")
    api, _ = await started(own_stack)
    page = await open_page(api.url)
    await page.goto("/#currency/1")
    await is_live(page)

    own_valkey.kill()
    await has_banner(page, "queue")
    await page.click(REFRESH)
    await expect(page.locator(f"{RESULT} [role=alert]")).to_be_visible()

    own_valkey.start()
    await has_no_banner(page, "queue")
    await page.goto("/#prices")
    await expect(page.locator(ROWS).first).to_be_visible()

    async def can_refresh() -> bool:
        async with http.get(f"{api.url}/api/latestrate/1/") as response:
            return response.status == 200

    await until(can_refresh, seconds=RECOVERY_SECONDS, what="a refresh")
    fresh = await refreshed(http, api, 1)
    await expect(exact_price(page, 1)).to_have_attribute("value", fresh["price_usd"])


async def test_the_worker_dies_and_another_comes(
    own_stack: Stack, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("status of 503")
    api, worker = await started(own_stack)
    page = await open_page(api.url)
    await page.goto("/#currency/1")
    await is_live(page)

    await worker.kill()
    await has_banner(page, "workers")
    await page.click(REFRESH)
    await expect(page.locator(f"{RESULT} [role=alert]")).to_contain_text("worker")

    await own_stack.worker(WORKER_ROLES="pricing,ranking")
    await has_no_banner(page, "workers")
    await page.click(REFRESH)
    await expect(page.locator(f"{RESULT} [data-outcome=fresh]")).to_be_visible()


async def test_stale_and_simulated_rates_are_called_so(
    own_stack: Stack, open_page: OpenPage, http: aiohttp.ClientSession
) -> None:
    await own_stack.simulator()
    running = await own_stack.standalone(
        SOURCES="simulator",
        SIMULATOR_URL=own_stack.simulator_url,
        PRICE_SCHEDULE="1s",
        RANKING_SCHEDULE="1s",
        STALE_AFTER_SECONDS="3",
    )
    await market_ready(running, priced=20)
    page = await open_page(running.url)
    await open_prices(page)
    await expect(banner(page, "simulated")).to_be_visible()
    await expect(banner(page, "stale")).to_be_hidden()

    await fault(http, own_stack, kind="status", code=500)
    await has_banner(page, "stale")
    await heal(http, own_stack)
    await has_no_banner(page, "stale")
    await expect(banner(page, "simulated")).to_be_visible()


async def test_a_view_whose_file_did_not_come_is_loaded_anew_by_itself(
    site: Running, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("ERR_FAILED")
    page = await open_page(site.url)
    loads: list[Page] = []
    page.on("domcontentloaded", lambda loaded: loads.append(loaded))  # noqa: PLW0108 - Playwright marks what it is given

    asked: list[Route] = []

    async def lose(route: Route) -> None:
        asked.append(route)
        await (route.abort() if len(asked) == 1 else route.continue_())

    await page.route("**/convert.js", lose)
    await page.goto("/#convert")
    await expect(page.locator("h1")).to_have_text("Convert")
    assert len(loads) == 2


@pytest.mark.parametrize("fragment", ["#currency/999999", "#compare?ids=999999"])
async def test_what_does_not_exist_is_said_in_words(
    page: Page, complaints: Complaints, fragment: str
) -> None:
    complaints.expect("status of 404")
    await page.goto(f"/{fragment}")
    await expect(page.locator("#view")).to_contain_text("999999")
