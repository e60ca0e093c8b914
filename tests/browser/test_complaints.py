"""What every test of a page relies on: a page that complains is noticed."""

import pytest
from playwright.async_api import Page

from tests.browser.complaints import Complaints
from tests.browser.pages import OpenPage

OWN, FOREIGN = "http://own.test", "http://foreign.test"
FAULTS = {
    "console.error('broken')": "console error: broken",
    "console.warn('odd')": "console warning: odd",
    "setTimeout(() => { throw new Error('thrown'); })": "page error: thrown",
    "Promise.reject(new Error('rejected')) && null": "page error: rejected",
    f"fetch('{FOREIGN}/').catch(() => {{}}) && null": f"foreign request: {FOREIGN}/",
    "fetch('/gone').catch(() => {}) && null": f"request failed: GET {OWN}/gone",
    "new WebSocket('ws://127.0.0.1:1/') && null": "foreign request: ws://127.0.0.1:1/",
}


async def blank(open_page: OpenPage) -> Page:
    page = await open_page(OWN)
    await page.route(
        f"{OWN}/**", lambda route: route.fulfill(body="<title>Blank</title>", content_type="text/html")
    )
    await page.route(f"{OWN}/gone", lambda route: route.abort())
    await page.route(f"{FOREIGN}/**", lambda route: route.abort())
    await page.goto("/")
    return page


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_page_that_complains_is_noticed(
    open_page: OpenPage, complaints: Complaints, fault: str
) -> None:
    page = await blank(open_page)
    await page.evaluate(fault)
    await page.evaluate("() => new Promise(done => setTimeout(done, 50))")
    assert any(FAULTS[fault] in one for one in complaints.left())
    complaints.expect(".")


async def test_only_what_is_expected_is_left_out(open_page: OpenPage, complaints: Complaints) -> None:
    page = await blank(open_page)
    complaints.expect("^console error: first")
    await page.evaluate("console.error('first')")
    await page.evaluate("console.error('second')")
    assert [one.partition(" (")[0] for one in complaints.left()] == ["console error: second"]
    complaints.expect("second")
