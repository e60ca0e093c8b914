"""The comparison: drawn from a common start, told in figures, live, shared and taken away."""

import csv
import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.complaints import Complaints
from tests.browser.pages import is_live, pixels_of, refreshed
from tests.e2e.processes import Running

LINE_PIXELS = 200
FOUR = "#compare?ids=1,1027,52,5426&range=30d"


async def open_comparison(page: Page, fragment: str = FOUR) -> Locator:
    await page.goto(f"/{fragment}")
    await expect(page.locator("#figures table")).to_be_visible()
    chart = page.locator("#comparison[data-drawn]")
    await expect(chart).to_be_visible()
    return chart


async def rows(page: Page, table: str) -> list[list[str]]:
    """The texts of the cells."""
    found: list[list[str]] = await page.locator(f"{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_each_currency_has_a_line_of_its_own_colour(charts: Page, scheme: str) -> None:
    await charts.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    chart = await open_comparison(charts)
    for number in range(1, 5):
        assert await pixels_of(chart, f"--series-{number}") > LINE_PIXELS, number


async def test_the_figures_of_each_and_how_they_move_together(charts: Page) -> None:
    await open_comparison(charts)
    figures = await rows(charts, "#figures")
    assert [row[0] for row in figures] == ["Bitcoin", "Ethereum", "XRP", "Solana"]
    number = re.compile(r"[0-9.,]+\s%$")
    assert all(number.search(cell) for row in figures for cell in row[3:])
    correlations = await rows(charts, "#correlations")
    assert [correlations[at][at + 1] for at in range(4)] == ["1.00"] * 4
    assert [row[1] for row in correlations] == correlations[0][1:]


async def test_the_return_is_that_of_the_exact_prices(charts: Page) -> None:
    await open_comparison(charts)
    first, last = (
        await charts.locator("#figures tbody tr")
        .first.locator("data.price")
        .evaluate_all("prices => prices.map(price => price.value)")
    )
    shown = (await rows(charts, "#figures"))[0][3]
    assert f"{abs(float(last) / float(first) - 1) * 100:.2f}" in shown


async def test_the_last_points_move_with_the_rates(
    charts: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    await open_comparison(charts)
    await is_live(charts)
    rate = await refreshed(http, site, 1027)
    last = charts.locator("#figures tbody tr").nth(1).locator("data.price").last
    await expect(last).to_have_attribute("value", rate["price_usd"])


async def test_the_tables_stay_while_their_numbers_move(
    charts: Page, site: Running, http: aiohttp.ClientSession
) -> None:
    """What a visitor has selected in them, or a screen reader reads, is not taken away."""
    await open_comparison(charts)
    await is_live(charts)
    await charts.evaluate(
        "window.kept = ['#figures table', '#figures data.price', '#correlations data'].map(one => document.querySelector(one))"
    )
    rate = await refreshed(http, site, 1)
    last = charts.locator("#figures tbody tr").first.locator("data.price").last
    await expect(last).to_have_attribute("value", rate["price_usd"])
    assert await charts.evaluate("window.kept.every(one => one.isConnected)")


async def test_currencies_come_and_go_and_the_link_says_which(charts: Page) -> None:
    await open_comparison(charts, "#compare?ids=1,1027&range=7d")
    await charts.get_by_role("button", name="Remove Ethereum").click()
    await expect(charts.locator("#figures tbody tr")).to_have_count(1)
    assert charts.url.endswith("#compare?ids=1&range=7d")
    await charts.get_by_role("combobox").fill("solana")
    await expect(charts.get_by_role("option").first).to_be_visible()
    await charts.keyboard.press("Enter")
    await expect(charts.locator("#figures tbody tr")).to_have_count(2)
    assert charts.url.endswith("#compare?ids=1,5426&range=7d")
    await charts.locator("[data-value='30d']").click()
    await expect(charts.locator("#comparison-summary")).to_contain_text("Solana")
    assert charts.url.endswith("#compare?ids=1,5426&range=30d")


async def test_nobody_compares_more_than_eight(charts: Page) -> None:
    await charts.goto("/#compare?ids=1,1027,52,5426,1839,825,3408,74,2010")
    await expect(charts.locator(".legend li")).to_have_count(8)
    await expect(charts.locator(".compare-note")).to_have_text("Only the first 8 of 9 are shown.")
    await expect(charts.get_by_role("combobox")).to_have_count(0)


async def test_who_is_there_is_not_added_again(charts: Page) -> None:
    await open_comparison(charts, "#compare?ids=1,1027")
    await charts.get_by_role("combobox").fill("bitcoin")
    await expect(charts.get_by_role("option").first).to_contain_text("Bitcoin")
    await charts.keyboard.press("Enter")
    note = charts.locator(".compare-note")
    await expect(note).to_have_text("Bitcoin is compared already.")
    assert charts.url.endswith("#compare?ids=1,1027")
    await charts.get_by_role("button", name="Remove Ethereum").click()
    await expect(note).to_be_empty()


async def test_a_link_that_is_opened_while_the_server_is_away_is_shown_when_it_is_back(
    charts: Page, complaints: Complaints
) -> None:
    complaints.expect("ERR_CONNECTION_REFUSED")
    await charts.route("**/api/currencies/*/", lambda route: route.abort("connectionrefused"))
    await charts.goto("/#compare?ids=1,1027&range=7d")
    await expect(charts.locator(".stage")).to_have_attribute("data-state", "problem")
    await charts.unroute_all()
    await expect(charts.locator("#figures tbody tr")).to_have_count(2)


async def test_without_a_choice_it_offers_one(charts: Page) -> None:
    await charts.goto("/#compare")
    first = charts.get_by_role("button", name="Compare the first")
    await expect(first).to_be_visible()
    await expect(charts.get_by_role("button", name="CSV")).to_be_disabled()
    await first.click()
    await expect(charts.locator("#figures tbody tr")).to_have_count(5)


async def test_the_points_are_taken_away_as_csv(charts: Page) -> None:
    await open_comparison(charts)
    async with charts.expect_download() as download:
        await charts.get_by_role("button", name="CSV").click()
    file: Path = await (await download.value).path()
    header, *points = csv.reader(file.read_text(encoding="utf-8").splitlines())
    assert header[:3] == ["Time", "BTC (1) USD", "BTC (1) change %"]
    assert len(header) == 9
    assert float(points[0][2]) == 0
    assert all(re.fullmatch(r"(-?[0-9]+(\.[0-9]{1,6})?)?", change) for row in points for change in row[2::2])
    last = await charts.locator("#figures tbody tr").first.locator("data.price").last.get_attribute("value")
    assert [row[1] for row in points if row[1]][-1] == last
