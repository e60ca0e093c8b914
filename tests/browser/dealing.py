"""The view of the deals, as its tests use it."""

from pathlib import Path
from typing import Any

from playwright.async_api import FilePayload, Locator, Page

HEAD = "customer,item,total,quantity,date\n"
SPENDERS = "#spenders tbody tr"


def file_of(*lines: str, name: str = "deals.csv", charset: str = "utf-8") -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": (HEAD + "\n".join(lines)).encode(charset)}


def outcome(page: Page, kind: str) -> Locator:
    return page.locator(f"[data-result=upload] [data-outcome={kind}]")


async def upload(page: Page, file: FilePayload | Path) -> None:
    await page.set_input_files("#deals-file", file)
    await page.click("[data-action=upload]")


async def spenders_in(page: Page) -> list[dict[str, Any]]:
    """As the table shows them, with the exact sums."""
    rows: list[dict[str, Any]] = await page.locator(SPENDERS).evaluate_all(
        """rows => rows.map(row => ({
            username: row.querySelector("th").textContent,
            spent_money: row.querySelector("[data-cell=spent] data")?.value ?? null,
            gems: [...row.querySelectorAll("[data-cell=gems] li")].map(gem => gem.textContent),
        }))"""
    )
    return rows
