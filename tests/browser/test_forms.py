"""Refresh now, the converter, and choosing a currency by typing: as exact as the API, and clear about what went wrong."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from marshmallow import ValidationError
from playwright.async_api import Page, Route, expect

from api.deals.charsets import codec_of
from api.fields import Amount
from tests.browser.complaints import Complaints
from tests.browser.pages import LoadModule, OpenPage, is_live, market_ready, refreshed
from tests.e2e.faults import fault, heal
from tests.e2e.processes import Running, Stack

REFRESH = "[data-action=refresh]"
REFRESHED = "[data-result=refresh]"
QUOTE = "[data-result=quote]"
AMOUNTS = (
    "0",
    "1.5",
    "007.50",
    "9" * 30,
    "9" * 31,
    "9" * 10 + "." + "9" * 30,
    "9" * 11 + "." + "9" * 30,
    "1." + "9" * 31,
    "",
    ".5",
    "5.",
    "1,5",
    "-1",
    "+1",
    "1e3",
    "1 000",
    "٣",
    "1\n",
)


async def quoted(http: aiohttp.ClientSession, site: Running, amount: str, one: int, other: int) -> str:
    """The price by the API, all digits of it."""
    query = f"amount={amount}&id={one}&convert_id={other}"
    async with http.get(f"{site.url}/api/quotes/?{query}") as response:
        price: str = (await response.json())["results"][0]["quotes"][0]["price"]
        return price


def is_taken(amount: str) -> bool:
    try:
        Amount().deserialize(amount)
    except ValidationError:
        return False
    return True


async def test_the_converter_says_what_the_api_says(
    page: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await page.goto("/#convert?amount=0.25&from=1&to=2790")
    price = await quoted(http, site, "0.25", 1, 2790)
    await expect(page.locator("[data-exact=EUR]")).to_have_text(price)
    await expect(page.locator(".quote-path li")).to_have_count(2)
    await expect(page.locator(".quote-path li").last).to_contain_text("USD/EUR")
    await expect(page.locator(".quote-path li").last).to_contain_text(re.compile(r"from \w+, fetched .+ ago"))

    await page.click("[data-action=swap]")
    price = await quoted(http, site, "0.25", 2790, 1)
    await expect(page.locator("[data-exact=BTC]")).to_have_text(price)
    await expect(page).to_have_url(re.compile(r"#convert\?amount=0\.25&from=2790&to=1$"))
    await expect(page.get_by_role("combobox", name="From")).to_have_value("EUR · Euro")


async def test_the_converter_moves_with_the_rates(
    page: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await page.goto("/#convert?amount=3&from=1&to=2781")
    await is_live(page)
    await expect(page.locator(QUOTE)).to_be_visible()
    await refreshed(http, site, 1)
    price = await quoted(http, site, "3", 1, 2781)
    await expect(page.locator(QUOTE)).to_have_attribute("data-price", price)


async def test_a_currency_is_chosen_by_typing(page: Page) -> None:
    await page.goto("/#convert?amount=2")
    field = page.get_by_role("combobox", name="To")
    await expect(field).to_have_value("USD · United States Dollar")
    await field.fill("eth")
    await expect(page.get_by_role("option").first).to_contain_text("Ethereum")
    assert (await Axe().run(page)).violations_count == 0
    await field.press("ArrowDown")
    await field.press("ArrowUp")
    await field.press("Enter")
    await expect(field).to_have_value("ETH · Ethereum")
    await expect(field).to_have_attribute("aria-expanded", "false")
    await expect(page.locator("[data-exact=ETH]")).to_be_visible()
    await expect(page).to_have_url(re.compile("to=1027"))

    await field.fill("x")
    await expect(page.get_by_role("option").first).to_contain_text("XRP")
    await field.fill("xmr")
    await field.press("Enter")
    await expect(field).to_have_value("XMR · Monero")
    await expect(page).to_have_url(re.compile("to=328$"))

    await field.fill("no such currency")
    await expect(page.get_by_role("listbox")).to_contain_text("No currency")
    await field.press("Escape")
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await page.locator("#convert-amount").focus()
    await expect(field).to_have_value("XMR · Monero")


async def test_what_is_picked_outlives_a_late_answer(page: Page) -> None:
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await page.route("**/api/currencies/2781/", hold)
    await page.goto("/#convert?amount=2&from=1&to=2781")
    field = page.get_by_role("combobox", name="To")
    await field.fill("eth")
    await field.press("Enter")
    await expect(field).to_have_value("ETH · Ethereum")
    async with page.expect_response("**/api/currencies/2781/"):
        released.set()
    await field.focus()
    await page.locator("#convert-amount").focus()
    await expect(field).to_have_value("ETH · Ethereum")


async def test_what_is_no_amount_is_said_before_it_is_asked(page: Page) -> None:
    await page.goto("/#convert?amount=1&from=1&to=2790")
    await expect(page.locator(QUOTE)).to_be_visible()
    await page.fill("#convert-amount", "1,5")
    await expect(page.locator("#convert-amount")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#convert-advice")).to_contain_text("1.5")
    await expect(page.locator(QUOTE)).to_be_hidden()
    assert (await Axe().run(page)).violations_count == 0
    await page.fill("#convert-amount", "1.5")
    await expect(page.locator(QUOTE)).to_be_visible()
    await expect(page.locator("#convert-advice")).to_be_hidden()


@pytest.mark.parametrize("sides", ["from=999999&to=1", "from=1&to=999999"])
async def test_an_unknown_currency_is_said(page: Page, complaints: Complaints, sides: str) -> None:
    complaints.expect("status of 40[04]")
    await page.goto(f"/#convert?{sides}")
    await expect(page.locator("#view [role=alert]")).to_contain_text("999999")


@pytest.mark.parametrize("amount", AMOUNTS)
async def test_the_page_and_the_api_take_the_same_amounts(load_module: LoadModule, amount: str) -> None:
    module = await load_module("amount.js")
    assert await module.evaluate("(module, text) => module.isAmount(text)", amount) is is_taken(amount)


async def test_numbers_in_json_keep_their_digits(load_module: LoadModule) -> None:
    module = await load_module("amount.js")
    json = r'{"name":"\"spent_money\":7","spent_money":12345678901234567890.120,"other":1,"in":[{"spent_money":null}]}'
    parsed = await module.evaluate("(module, text) => module.parseAmounts(text, 'spent_money')", json)
    assert parsed == {
        "name": '"spent_money":7',
        "spent_money": "12345678901234567890.120",
        "other": 1,
        "in": [{"spent_money": None}],
    }


async def test_the_page_offers_charsets_that_the_api_knows(load_module: LoadModule) -> None:
    module = await load_module("charsets.js")
    offered = await module.evaluate("module => module.CHARSETS")
    assert offered[0] == "UTF-8"
    assert len({codec_of(name) for name in offered}) == len(offered)
    codecs = [codec_of(name) for name in offered]
    assert await module.evaluate("(module, codecs) => codecs.map(module.charsetName)", codecs) == offered


async def test_refresh_now_brings_what_the_source_says_now(
    page: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await page.goto("/#currency/1027")
    await expect(page.locator(".head-price data")).to_be_visible()
    await expect(page.locator(".stage")).to_be_visible()
    places = [await page.locator(one).bounding_box() for one in (REFRESH, ".stage")]
    await page.click(REFRESH)
    fresh = page.locator(f"{REFRESHED} [data-outcome=fresh]")
    await expect(fresh).to_contain_text(re.compile(r"From \w+.* It took [0-9.]+ s\."))
    async with http.get(f"{site.url}/api/lastrate/1027/") as response:
        rate = await response.json()
    await expect(fresh.locator("data")).to_have_attribute("value", rate["price_usd"])
    await expect(page.locator(REFRESH)).to_be_enabled()
    assert [await page.locator(one).bounding_box() for one in (REFRESH, ".stage")] == places


@pytest_asyncio.fixture(loop_scope="session")
async def frugal(tmp_path: Path) -> AsyncIterator[Stack]:
    """A service that lets a client refresh twice a minute. Its last process is API and worker."""
    stack = Stack(
        tmp_path, {"REFRESHES_PER_MINUTE": "2", "TRACKED_TOP": "5", "PRICE_SCHEDULE": "1h"}, are_forked=True
    )
    try:
        await stack.simulator()
        await market_ready(await stack.standalone(), priced=5)
        yield stack
    finally:
        await stack.close()


async def test_a_refresh_shows_its_progress_and_why_it_failed(
    frugal: Stack, open_page: OpenPage, http: aiohttp.ClientSession, complaints: Complaints
) -> None:
    complaints.expect("status of 502", "status of 429")
    page = await open_page(frugal.processes[-1].url)
    await page.goto("/#currency/1")
    await is_live(page)

    await fault(http, frugal, kind="latency", ms=400)
    await fault(http, frugal, kind="status", code=500)
    await page.click(REFRESH)
    await expect(page.locator(REFRESH)).to_be_disabled()
    await expect(page.locator(".refresh progress")).to_be_visible()
    await expect(page.locator(".stopwatch-text")).to_contain_text("of at most 10 s")
    failed = page.locator(f"{REFRESHED} [data-outcome=failed]")
    await expect(failed).to_contain_text("The source failed")
    await expect(failed).to_contain_text(re.compile(r"The last known rate of BTC: [0-9,.]+ USD"))
    assert (await Axe().run(page)).violations_count == 0

    await heal(http, frugal)
    await page.click(REFRESH)
    await expect(page.locator(f"{REFRESHED} [data-outcome=fresh]")).to_be_visible()
    await expect(failed).to_be_hidden()

    await page.click(REFRESH)
    await expect(failed).to_contain_text("Too many requests")
    countdown = page.locator(f"{REFRESHED} .countdown")
    await expect(countdown).to_have_text(re.compile(r"Try again in [0-9]+ s\."))
    shown = await countdown.inner_text()
    await expect(countdown).not_to_have_text(shown)
