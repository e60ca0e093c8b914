"""What the tests of the pages take from their fixtures, and how they look at pages."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from playwright.async_api import JSHandle, Locator, Page, expect

from tests.e2e.processes import START_LIMIT, Running
from tests.waiting import until

WAIT_SECONDS = 20
"""For what must come: far more than it takes, for the machine may be busy."""
VIEWS = ("#prices", "#currency/1", "#compare?ids=1,1027", "#convert?amount=1&from=1&to=2790", "#deals")
ROWS = "#prices tbody tr[data-currency]"
OpenPage = Callable[..., Awaitable[Page]]
LoadModule = Callable[[str], Awaitable[JSHandle]]
_PIXELS = """
async ([element, picture, colour]) => {
  const image = new Image();
  image.src = `data:image/png;base64,${picture}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = getComputedStyle(element).getPropertyValue(colour).trim();
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const distance = Math.max(Math.abs(data[at] - red), Math.abs(data[at + 1] - green), Math.abs(data[at + 2] - blue));
    if (distance <= 12) count += 1;
  }
  return count;
}
"""


def cell(page: Page, currency_id: int, name: str) -> Locator:
    """One of the table of prices: price, change_1h, change_24h, age or spark."""
    return page.locator(f'{ROWS}[data-currency="{currency_id}"] [data-cell={name}]')


def exact_price(page: Page, currency_id: int) -> Locator:
    """In the table; its attribute `value` has all digits."""
    return cell(page, currency_id, "price").locator("data[value]")


def banner(page: Page, kind: str) -> Locator:
    return page.locator(f"#banners [data-banner={kind}]")


async def open_prices(page: Page) -> None:
    """Returns when the table is there, and live."""
    await page.goto("/")
    await expect(page.locator(ROWS).first).to_be_visible()
    await is_live(page)


async def is_live(page: Page) -> None:
    """Returns when the page is told of new rates."""
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")


async def look_again(page: Page) -> None:
    """As a visitor who comes back to the page: it asks at once how the service is, and not only in its pace."""
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def pixels_of(element: Locator, colour: str) -> int:
    """How many pixels of it on the screen have about the colour of this CSS variable, such as `--up`."""
    picture = base64.b64encode(await element.screenshot()).decode()
    count: int = await element.evaluate(
        f"(element, [picture, colour]) => ({_PIXELS})([element, picture, colour])", [picture, colour]
    )
    return count


async def refreshed(http: aiohttp.ClientSession, running: Running, currency_id: int) -> dict[str, Any]:
    """A fresh rate, which is stored by now."""
    async with http.get(f"{running.url}/api/latestrate/{currency_id}/") as response:
        rate: dict[str, Any] = await response.json()
        assert response.status == 200, rate
        return rate


async def market_ready(running: Running, *, priced: int) -> None:
    """Returns when the first polls are over: so many currencies have fresh prices."""

    async def are_priced() -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{running.url}/api/market/?limit=500") as response,
        ):
            rows = (await response.json()).get("results", [])
        return sum(row["rate"] is not None and not row["rate"]["stale"] for row in rows) >= priced

    await until(are_priced, seconds=START_LIMIT, what=f"{priced} prices\n{running.log_text()}")
