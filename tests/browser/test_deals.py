"""Deals on the page: a file goes up with its progress, and what became of it is said; sums are exact."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Route, expect

from tests.browser.complaints import Complaints
from tests.browser.dealing import HEAD, SPENDERS, file_of, outcome, spenders_in, upload
from tests.browser.pages import OpenPage, look_again, market_ready
from tests.e2e.processes import Running, Stack

DATA = Path(__file__).parents[1] / "data" / "deals"
KEY = "0123456789abcdefghijklmnop"
MOST_BYTES = 1_000_000
LATEST = "#uploads tbody tr >> nth=0"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A service of its own, for the deals of one are those of all. It takes files from who has the key."""
    stack = Stack(
        tmp_path_factory.mktemp("shop"), {"TRACKED_TOP": "5", "PRICE_SCHEDULE": "1h"}, are_forked=True
    )
    try:
        await stack.simulator()
        running = await stack.standalone(API_KEYS=KEY, DEALS_MAX_BYTES=str(MOST_BYTES))
        await market_ready(running, priced=5)
        yield running
    finally:
        await stack.close()


@pytest_asyncio.fixture(loop_scope="session")
async def deals(open_page: OpenPage, shop: Running) -> Page:
    """The view, with the key typed in."""
    page = await open_page(shop.url)
    await page.goto("/#deals")
    await page.fill("#deals-key", KEY)
    return page


async def test_a_file_goes_up_and_its_customers_come_out(deals: Page) -> None:
    await upload(deals, DATA / "full.csv")
    await expect(outcome(deals, "ok")).to_have_text("OK. full.csv is loaded: 767 deals.")
    expected = json.loads((DATA / "expected.json").read_text())["full.csv"]["response"]
    assert await spenders_in(deals) == [one | {"spent_money": str(one["spent_money"])} for one in expected]
    await expect(deals.locator(LATEST)).to_contain_text("full.csv")
    await expect(deals.locator(LATEST)).to_have_attribute("data-state", "current")
    assert (await Axe().run(deals)).violations_count == 0

    await deals.fill("#deals-top", "3")
    await deals.press("#deals-top", "Enter")
    await expect(deals.locator(SPENDERS)).to_have_count(3)
    await expect(deals).to_have_url(re.compile(r"#deals\?top=3$"))


async def test_sums_keep_all_their_digits(deals: Page) -> None:
    await upload(
        deals, file_of("rich,ruby,12345678901234567890.12,1,2020-01-01", "poor,ruby,0.10,1,2020-01-01")
    )
    await expect(outcome(deals, "ok")).to_be_visible()
    assert [one["spent_money"] for one in await spenders_in(deals)] == ["12345678901234567890.12", "0.1"]
    await expect(deals.locator(f"{SPENDERS} data")).to_have_text(["12,345,678,901,234,567,890.12", "0.10"])
    await expect(deals.locator("#spenders thead")).to_contain_text("Spent, USD")


async def test_every_wrong_line_is_named_and_nothing_changes(deals: Page, complaints: Complaints) -> None:
    complaints.expect("status of 400")
    await upload(deals, file_of("before,ruby,1,1,2020-01-01"))
    await expect(outcome(deals, "ok")).to_be_visible()

    await upload(deals, file_of("a,b,12x,1,2020-01-01", 'a,b,"1,5",-1,2020-02-30', name="wrong.csv"))
    refused = outcome(deals, "refused")
    await expect(refused).to_contain_text("The deals are as they were")
    assert await refused.locator("li").all_inner_texts() == [
        "line 2: total is not a number: '12x'",
        "line 3: total is not a number: '1,5'",
        "line 3: quantity must not be negative: '-1'",
        "line 3: date is not a day of the calendar: '2020-02-30'",
    ]
    assert [one["username"] for one in await spenders_in(deals)] == ["before"]
    await expect(deals.locator(LATEST)).to_have_attribute("data-state", "refused")
    assert (await Axe().run(deals)).violations_count == 0


async def test_a_key_is_asked_for_and_kept_nowhere(
    open_page: OpenPage, shop: Running, complaints: Complaints
) -> None:
    complaints.expect("status of 401")
    page = await open_page(shop.url)
    await page.goto("/#deals")
    await upload(page, file_of("keeper,ruby,1,1,2020-01-01"))
    await expect(outcome(page, "key")).to_contain_text("Ask whoever runs it")
    await expect(page.locator("#deals-key")).to_be_focused()
    assert (await Axe().run(page)).violations_count == 0

    await page.fill("#deals-key", KEY[::-1])
    await page.click("[data-action=upload]")
    await expect(page.locator("#deals-key")).to_have_attribute("aria-invalid", "true")
    await page.fill("#deals-key", KEY)
    await page.click("[data-action=upload]")
    await expect(outcome(page, "ok")).to_be_visible()

    kept = await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie, location.href]")
    assert kept == [0, 0, "", f"{shop.url}/#deals"]
    await page.reload()
    await expect(page.locator("#deals-key")).to_have_value("")


async def test_what_is_too_large_is_said_before_it_is_sent(deals: Page) -> None:
    await expect(deals.locator(".drop-zone")).to_contain_text("up to 1\xa0MB")
    await upload(deals, {"name": "large.csv", "mimeType": "text/csv", "buffer": b"x" * (MOST_BYTES + 1)})
    await expect(outcome(deals, "failed")).to_contain_text("1,000,000 bytes, DEALS_MAX_BYTES")


async def test_an_upload_goes_on_when_its_view_is_left(deals: Page) -> None:
    let_go = asyncio.Event()

    async def hold(route: Route) -> None:
        if route.request.method == "POST":
            await let_go.wait()
        await route.continue_()

    await deals.route("**/api/deals/**", hold)
    may_close = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    await upload(deals, file_of("goes on,ruby,1,1,2020-01-01", name="slow.csv"))
    await expect(deals.locator("[data-action=cancel]")).to_be_visible()
    await deals.click("nav [data-view=convert]")
    assert await deals.evaluate(may_close) is False
    await deals.click("nav [data-view=deals]")
    await expect(deals.locator("[data-result=upload]")).to_contain_text("slow.csv")
    await expect(deals.locator("[data-action=upload]")).to_be_disabled()

    await deals.click("nav [data-view=convert]")
    async with deals.expect_request_finished(lambda request: request.method == "POST"):
        let_go.set()
    await deals.click("nav [data-view=deals]")
    await expect(outcome(deals, "ok")).to_have_text("OK. slow.csv is loaded: 1 deal.")
    assert [one["username"] for one in await spenders_in(deals)] == ["goes on"]
    assert await deals.evaluate(may_close) is True


async def test_what_failed_is_asked_again_when_the_server_is_back(
    open_page: OpenPage, shop: Running, complaints: Complaints
) -> None:
    complaints.expect("ERR_CONNECTION_REFUSED")
    page = await open_page(shop.url)
    await page.route("**/api/deals/**", lambda route: route.abort("connectionrefused"))
    await page.goto("/#deals")
    await expect(page.locator("#view [role=alert]", has_text="No connection")).to_have_count(2)
    await page.unroute_all()
    await look_again(page)
    await expect(page.locator("#view [role=alert]:not(:empty)")).to_have_count(0)
    await expect(page.locator(".uploads .empty, #uploads")).to_be_visible()


async def test_an_upload_can_be_cancelled(deals: Page) -> None:
    await upload(deals, file_of("stays,ruby,1,1,2020-01-01"))
    await expect(outcome(deals, "ok")).to_be_visible()
    session = await deals.context.new_cdp_session(deals)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    await session.send("Network.emulateNetworkConditions", slow)

    await upload(deals, file_of(*["late,ruby,1,1,2020-01-01"] * 30_000))
    progress = deals.locator("[data-progress=text]")
    await expect(progress).to_have_text(re.compile(r"^[1-9][0-9.]*\skB of 7[0-9]+\skB, [0-9]+ %$"))
    await expect(deals.locator("[data-action=upload]")).to_be_disabled()
    assert (await Axe().run(deals)).violations_count == 0
    await deals.click("[data-action=cancel]")
    await expect(outcome(deals, "cancelled")).to_contain_text("The deals are as they were")
    await expect(progress).to_be_hidden()
    await expect(deals.locator("[data-action=upload]")).to_be_focused()
    assert [one["username"] for one in await spenders_in(deals)] == ["stays"]


async def test_charset_and_missing_header_are_told_to_the_api(deals: Page) -> None:
    await deals.select_option("#deals-charset", "windows-1251")
    await deals.uncheck("#deals-header")
    content = "Борис,Рубин,10,1,2020-01-01\n".encode("windows-1251")
    await upload(deals, {"name": "old.csv", "mimeType": "text/csv", "buffer": content})
    await expect(outcome(deals, "ok")).to_be_visible()
    assert [one["username"] for one in await spenders_in(deals)] == ["Борис"]
    await expect(deals.locator(LATEST)).to_contain_text("windows-1251")


async def test_sums_in_another_currency_or_why_there_is_none(
    deals: Page, shop: Running, http: aiohttp.ClientSession, complaints: Complaints
) -> None:
    now = datetime.now(UTC).isoformat()
    await upload(
        deals, file_of(f"today,ruby,1000,1,{now}", "once,ruby,1,1,2011-05-06", "once,ruby,1,1,2011-05-07")
    )
    await expect(outcome(deals, "ok")).to_be_visible()
    await deals.fill("#deals-convert", "btc")
    await deals.press("#deals-convert", "Enter")
    await expect(deals.locator("#spenders thead")).to_contain_text("BTC")
    async with http.get(f"{shop.url}/api/deals/?convert=BTC") as response:
        exact = re.findall(r'"spent_money":([0-9.]+)', await response.text())
    assert [one["spent_money"] for one in await spenders_in(deals)] == [*exact, None]
    assert len(exact) == 1
    await expect(deals.locator(".no-sum")).to_contain_text(
        "2 deals have no rate of their date: 2011-05-06 to 2011-05-07"
    )

    complaints.expect("status of 400")
    await deals.fill("#deals-convert", "nowhere")
    await deals.press("#deals-convert", "Enter")
    await expect(deals.locator("#spenders-advice")).to_have_text("There is no currency nowhere.")
    await expect(deals.locator("#deals-convert")).to_have_attribute("aria-invalid", "true")
    assert (await Axe().run(deals)).violations_count == 0


async def test_a_dropped_file_is_taken_like_a_chosen_one(deals: Page) -> None:
    dropped = await deals.evaluate_handle(
        """text => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
            return transfer;
        }""",
        HEAD + "dropper,ruby,1,1,2020-01-01\n",
    )
    stays = """(dropped, kind) => !document.body.dispatchEvent(
        new DragEvent(kind, { dataTransfer: dropped, bubbles: true, cancelable: true }))"""
    assert await dropped.evaluate(stays, "dragover")
    assert await dropped.evaluate(stays, "drop"), "beside the card it would open in place of the page"
    await expect(deals.locator(".drop-zone")).not_to_contain_text("dropped.csv")
    await deals.dispatch_event(".drop-zone", "drop", {"dataTransfer": dropped})
    await expect(deals.locator(".drop-zone")).to_contain_text("dropped.csv")
    await deals.click("[data-action=upload]")
    await expect(outcome(deals, "ok")).to_contain_text("dropped.csv is loaded")
    assert [one["username"] for one in await spenders_in(deals)] == ["dropper"]


async def test_before_the_first_file_the_page_says_what_one_needs(page: Page) -> None:
    await page.goto("/#deals")
    await expect(page.locator("[data-result=deals]")).to_contain_text("No deals yet")
    await expect(page.locator(".guide[open]")).to_contain_text("customer,item,total,quantity,date")
    await expect(page.locator("#deals-key")).to_be_hidden()
    await page.click("[data-action=upload]")
    await expect(page.locator("[data-result=upload]")).to_contain_text("Choose a file first")
