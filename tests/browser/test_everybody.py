"""For everybody: any screen, light and dark, without a mouse, with a screen reader, without motion."""

from typing import Any

import aiohttp
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.pages import ROWS, VIEWS, OpenPage, cell, open_prices, refreshed
from tests.e2e.processes import Running

PHONE = {"width": 360, "height": 740}
CONTRAST = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
MOST_TABS = 120
SETTLED = {
    "#prices": f"{ROWS} [data-cell=spark] svg",
    "#currency/1": "#chart[data-drawn]",
    "#compare?ids=1,1027": "#figures table",
    "#convert?amount=1&from=1&to=2790": "#view data[value]",
    "#deals": "#view input[type=file]",
}
"""What each view has once it is whole."""
COUNT_FLASHES = """
cell => new MutationObserver(() => (window.flashes = cell.getAnimations({ subtree: true }).length))
  .observe(cell, { attributes: true, childList: true, characterData: true, subtree: true })
"""
"""At the moment in which the price becomes another."""


async def settled(page: Page, fragment: str) -> None:
    """Shows a view and returns when it is whole."""
    await page.goto(f"/{fragment}")
    await expect(page.locator(SETTLED[fragment]).first).to_be_attached()


def said(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in violations
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("fragment", VIEWS)
async def test_axe_finds_nothing_in_light_nor_in_dark(page: Page, fragment: str) -> None:
    await settled(page, fragment)
    in_light = await Axe().run(page)
    assert said(in_light.response["violations"]) == []
    await page.emulate_media(color_scheme="dark")
    in_dark = await Axe().run(page, options=CONTRAST)
    assert said(in_dark.response["violations"]) == []


@pytest.mark.parametrize("fragment", VIEWS)
async def test_a_phone_shows_it_all_without_scrolling_aside(
    site: Running, open_page: OpenPage, fragment: str
) -> None:
    page = await open_page(site.url, viewport=PHONE, has_touch=True, is_mobile=True)
    await settled(page, fragment)
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    await expect(page.locator("h1")).to_be_in_viewport()


async def test_light_and_dark_follow_the_system(page: Page) -> None:
    await open_prices(page)
    colours = {scheme: await colours_in(page, scheme) for scheme in ("light", "dark")}
    (ground, text), (dark_ground, dark_text) = colours["light"], colours["dark"]
    assert max(text + dark_ground) < 100
    assert min(ground + dark_text) > 200


async def colours_in(page: Page, scheme: Any) -> tuple[list[int], list[int]]:
    """Red, green and blue of the ground and of the text."""
    await page.emulate_media(color_scheme=scheme)
    ground, text = await page.evaluate(
        "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name].match(/[0-9]+/g).map(Number))"
    )
    return ground, text


@pytest.mark.parametrize(("wish", "flashes"), [("no-preference", 1), ("reduce", 0)])
async def test_a_price_that_moves_flashes_unless_motion_is_unwanted(
    page: Page, site: Running, http: aiohttp.ClientSession, wish: Any, flashes: int
) -> None:
    await page.emulate_media(reduced_motion=wish)
    await open_prices(page)
    await cell(page, 1, "price").evaluate(COUNT_FLASHES)
    await refreshed(http, site, 1)
    counted = await page.wait_for_function("() => window.flashes !== undefined && [window.flashes]")
    assert await counted.json_value() == [flashes]


async def test_everything_is_reached_without_a_mouse(page: Page) -> None:
    await open_prices(page)
    await tab_to(page, "#skip")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_be_focused()

    first = await page.locator(ROWS).first.get_attribute("data-currency")
    await tab_to(page, "#prices thead button")
    await page.keyboard.press("Enter")
    await expect(page.locator(ROWS).first).not_to_have_attribute("data-currency", first or "")

    await tab_to(page, f"{ROWS} a[href^='#currency/']")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_be_focused()
    await tab_to(page, "[data-action=refresh]")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-outcome=fresh]")).to_be_visible()
    await expect(page.locator("[data-action=refresh]")).to_be_focused()


async def tab_to(page: Page, selector: str) -> None:
    """Goes on by the tab key until the focus is there."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by the tab key")
