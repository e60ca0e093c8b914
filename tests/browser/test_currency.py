"""The page of one currency: its chart is drawn, moves, and is told in words; a refresh shows what came of it."""

import csv
import re
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.complaints import Complaints
from tests.browser.pages import is_live, pixels_of, refreshed
from tests.e2e.processes import Running

CHART = "#chart[data-drawn]"
LINE_PIXELS = 300
"""A line over the whole width, of two pixels, has some thousands; what frames a chart has none of its colour."""
CANDLE_PIXELS = 40
EURO = 2790
SELDOM = 8281
"""Golden Goose (GOLD), which nobody polls."""
RANGES = ("1h", "24h", "7d", "30d", "1y", "all")


async def open_chart(page: Page, fragment: str) -> Locator:
    await page.goto(f"/{fragment}")
    chart = page.locator(CHART)
    await expect(chart).to_be_visible()
    await expect(page.locator(".stage")).to_have_attribute("data-state", "ready")
    return chart


def close(page: Page) -> Locator:
    """The exact last price of the chart."""
    return page.locator(".readout data[value]").last


def choice(page: Page, value: str) -> Locator:
    return page.locator(f"[data-value='{value}']")


async def test_the_price_is_drawn_as_a_line(charts: Page) -> None:
    chart = await open_chart(charts, "#currency/1?range=7d")
    assert await pixels_of(chart, "--accent") > LINE_PIXELS
    await charts.emulate_media(color_scheme="dark")
    await charts.wait_for_function(
        "() => document.querySelector('#chart').layout.paper_bgcolor === '#161a22'"
    )
    assert await pixels_of(chart, "--accent") > LINE_PIXELS


async def test_or_as_candles(charts: Page) -> None:
    chart = await open_chart(charts, "#currency/1?range=7d")
    await choice(charts, "candles").click()
    await charts.wait_for_function("() => document.querySelector('#chart').data[0].type === 'candlestick'")
    assert await pixels_of(chart, "--up") > CANDLE_PIXELS
    assert await pixels_of(chart, "--down") > CANDLE_PIXELS
    assert charts.url.endswith("#currency/1?range=7d&chart=candles")


async def test_every_range_is_drawn_and_kept_in_the_link(charts: Page) -> None:
    chart = await open_chart(charts, "#currency/1")
    for name in RANGES:
        await choice(charts, name).click()
        await expect(choice(charts, name)).to_have_attribute("aria-pressed", "true")
        await expect(charts.locator(".stage")).to_have_attribute("aria-busy", "false")
        assert re.search(rf"[?&]range={name}\b", charts.url)
        assert await pixels_of(chart, "--accent") > LINE_PIXELS


async def test_a_gap_is_a_gap_and_is_told(charts: Page) -> None:
    """The service was away for three hours of the last day."""
    await open_chart(charts, "#currency/1?range=24h")
    await expect(charts.locator("#chart-summary")).to_contain_text("one gap without rates")
    # The line is broken there, and ends.
    breaks = "Array.from(document.querySelector('#chart').data[0].y).filter((one) => one === null || isNaN(one)).length"
    assert await charts.evaluate(breaks) == 2


async def test_the_last_point_moves_with_the_rates(
    charts: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await open_chart(charts, "#currency/1?range=1h")
    await is_live(charts)
    # A menu takes the release of the right button: that is no drag, during which a chart stands still.
    await charts.locator(CHART).dispatch_event("pointerdown", {"button": 2})
    rate = await refreshed(http, site, 1)
    await expect(charts.locator(".head-price data")).to_have_attribute("value", rate["price_usd"])
    await expect(close(charts)).to_have_attribute("value", rate["price_usd"])
    await charts.wait_for_function(
        "price => document.querySelector('#chart').data[0].y.filter(one => one !== null).at(-1) === Number(price)",
        arg=rate["price_usd"],
    )


async def test_dragging_zooms_and_a_button_leads_back(charts: Page) -> None:
    chart = await open_chart(charts, "#currency/1?range=30d")
    whole = await span(charts)
    box = await chart.bounding_box()
    assert box is not None
    await charts.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    await charts.mouse.down()
    await charts.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100, steps=4)
    await charts.mouse.up()
    await charts.wait_for_function(
        "whole => { const [a, b] = document.querySelector('#chart').layout.xaxis.range; return b - a < whole / 3; }",
        arg=whole,
    )
    # Plotly tells of it a moment after it has drawn it.
    await expect(charts).to_have_url(re.compile(r"[?&]from=.+&to="))
    await charts.get_by_role("button", name="Reset the zoom").click()
    await charts.wait_for_function(
        "whole => { const [a, b] = document.querySelector('#chart').layout.xaxis.range; return b - a > whole * 0.9; }",
        arg=whole,
    )
    assert await span(charts) == pytest.approx(whole, rel=0.01)


async def test_a_link_leads_to_what_was_zoomed_to(charts: Page) -> None:
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    since = until - timedelta(days=1)
    window = f"from={since:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    await open_chart(charts, f"#currency/1?range=7d&{window}")
    await charts.wait_for_function(
        "start => document.querySelector('#chart').layout.xaxis.range[0] === start",
        arg=since.timestamp() * 1000,
    )
    assert await span(charts) == timedelta(days=1) / timedelta(milliseconds=1)
    assert charts.url.endswith(window)
    await charts.get_by_role("button", name="Zoom out").click()
    wider = re.compile(rf"range=7d&from={since - timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}&to=")
    await expect(charts).to_have_url(wider)
    await charts.get_by_role("button", name="Reset the zoom").click()
    await expect(charts).to_have_url(re.compile(r"#currency/1\?range=7d$"))


async def test_a_zoom_that_lies_before_the_range_is_shown_in_a_longer_one(charts: Page) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=20)
    window = f"from={long_ago:%Y-%m-%dT%H:%M:%SZ}&to={long_ago + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    await open_chart(charts, f"#currency/1?range=1h&{window}")
    await expect(choice(charts, "30d")).to_have_attribute("aria-pressed", "true")
    await expect(charts).to_have_url(re.compile(rf"#currency/1\?range=30d&{window}$"))
    assert await span(charts) == timedelta(days=2) / timedelta(milliseconds=1)
    await charts.get_by_role("button", name="Reset the zoom").click()
    await expect(charts).to_have_url(re.compile(r"#currency/1\?range=30d$"))


async def span(page: Page) -> float:
    """Milliseconds that the chart covers."""
    start, end = await page.evaluate("document.querySelector('#chart').layout.xaxis.range")
    return float(end) - float(start)


async def test_the_candles_are_a_table_and_a_file_too(
    charts: Page, http: aiohttp.ClientSession, site: Running
) -> None:
    await open_chart(charts, "#currency/1?range=24h")
    await charts.locator(".candle-table summary").click()
    rows = charts.locator(".candle-table tbody tr")
    await expect(rows.first).to_be_visible()
    newest = await rows.first.locator("td").all_inner_texts()
    address = await charts.get_by_role("link", name="CSV").get_attribute("href")
    async with http.get(f"{site.url}{address}") as response:
        table = [*csv.DictReader((await response.text()).splitlines())]
    first = next(row for row in table if row["Count"] != "0")
    assert newest == [first["Open"], first["High"], first["Low"], first["Close"], first["Count"]]


async def test_refresh_now_shows_what_came(charts: Page) -> None:
    await open_chart(charts, "#currency/1")
    before = await charts.locator(".head-price data").get_attribute("value")
    await charts.get_by_role("button", name="Refresh now").click()
    result = charts.locator("[data-result=refresh] [data-outcome=fresh]")
    await expect(result).to_contain_text("coinmarketcap")
    after = await result.locator("data.price").get_attribute("value")
    assert after != before
    await expect(charts.locator(".head-price data")).to_have_attribute("value", after or "")


async def test_a_chart_that_failed_is_drawn_when_the_server_is_back(
    charts: Page, complaints: Complaints
) -> None:
    complaints.expect("ERR_CONNECTION_REFUSED")
    await charts.route("**/api/candles/**", lambda route: route.abort("connectionrefused"))
    await charts.goto("/#currency/1?range=7d")
    await expect(charts.locator(".stage")).to_have_attribute("data-state", "problem")
    await charts.unroute_all()
    await expect(charts.locator(CHART)).to_be_visible()
    await expect(charts.locator(".stage")).to_have_attribute("data-state", "ready")


async def test_the_age_is_that_of_the_observation(
    charts: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    """The euro is fetched just now, and was set on the last working day."""
    observed_at = datetime.fromisoformat((await refreshed(http, site, EURO))["actual_date"])
    await charts.goto(f"/#currency/{EURO}")
    hours = (datetime.now(UTC) - observed_at) / timedelta(hours=1)
    unit = "d" if hours >= 48 else "h" if hours >= 1 else "min|s"
    await expect(charts.locator(".head-origin [data-cell=age]")).to_have_text(
        re.compile(rf"^[0-9]+\s({unit})$")
    )


async def test_where_nothing_is_known_nothing_is_offered(charts: Page) -> None:
    await charts.goto(f"/#currency/{SELDOM}")
    await expect(charts.locator(".stage")).to_have_attribute("data-state", "empty")
    await expect(charts.locator(".stage")).to_contain_text("There are no rates of GOLD yet")
    await expect(charts.locator(".candle-table")).to_be_hidden()
    await expect(charts.get_by_role("link", name="CSV")).to_be_disabled()
    await expect(charts.get_by_role("button", name="Show all time")).to_have_count(0)


async def test_where_a_range_is_empty_all_time_is_offered(charts: Page) -> None:
    await charts.route(
        re.compile(r"/api/candles/.*[?&]from="),
        lambda route: route.fulfill(json={"next": None, "previous": None, "sources": [], "results": []}),
    )
    await charts.goto("/#currency/1027?range=1h")
    await expect(charts.locator(".stage")).to_contain_text("There are no rates of ETH in this time")
    await charts.unroute_all()
    await charts.get_by_role("button", name="Show all time").click()
    await expect(charts.locator(CHART)).to_be_visible()
    await expect(choice(charts, "all")).to_be_focused()
