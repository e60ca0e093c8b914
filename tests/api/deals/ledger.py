"""Deals in the store of a rig, as an upload brings them there."""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.deals import COLUMNS, DealsBatch, DealsFile, DealsSummary, PricedDeal
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.rig import Rig

PATH = "/api/deals/"
UPLOADS = "/api/deals/uploads/"

Row = tuple[str, str, str, str]
"""Customer, item, total, date."""
Step = Callable[[], Awaitable[Any]]


def file_of(text: str, rig: Rig, *, name: str = "deals.csv") -> DealsFile:
    return DealsFile(
        name=name,
        size=len(text.encode()),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        charset="utf-8",
        has_header=True,
        received_at=rig.clock(),
    )


async def replace_deals(rig: Rig, *rows: Row, name: str = "deals.csv") -> int:
    """Makes these the deals; the id of the upload."""

    async def batches() -> AsyncIterator[DealsBatch]:
        yield DealsBatch(rows=[(customer, item, total, "1", date) for customer, item, total, date in rows])

    file = file_of(repr(rows), rig, name=name)
    replacement = await rig.storage.replace_deals(file, COLUMNS, batches())
    assert replacement.is_new
    return replacement.upload.id


async def spent(rig: Rig, query: str = "") -> dict[str, Decimal | None]:
    """What each customer spent, in the order of the answer."""
    return {row["username"]: row["spent_money"] for row in await rows(rig, query)}


async def gems(rig: Rig, query: str = "") -> dict[str, list[str]]:
    return {row["username"]: row["gems"] for row in await rows(rig, query)}


async def rows(rig: Rig, query: str = "") -> list[Any]:
    async with rig.client.get(f"{PATH}?{query}") as response:
        assert response.status == 200, await response.text()
        found: list[Any] = exactly(await response.text())["response"]
        return found


def exactly(text: str) -> Any:
    """JSON with all digits of its numbers."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


class Reads:
    """How often each part of the deals was read from the store, and what happens before that."""

    def __init__(self, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids = 0
        self.summaries = 0
        self.priced = 0
        self.is_away = False
        self.before_summary: list[Step] = []
        """The next of them is taken before a summary is read."""
        self.before_deals: list[Step] = []
        self._storage = (storage.current_upload, storage.deals_summary, storage.priced_deals)
        monkeypatch.setattr(storage, "current_upload", self._current_upload)
        monkeypatch.setattr(storage, "deals_summary", self._deals_summary)
        monkeypatch.setattr(storage, "priced_deals", self._priced_deals)

    async def _current_upload(self) -> int | None:
        if self.is_away:
            raise StorageUnavailable
        found = await self._storage[0]()
        self.ids += 1  # so whoever counts them knows that all these have asked on
        return found

    async def _deals_summary(self) -> DealsSummary | None:
        self.summaries += 1
        if self.before_summary:
            await self.before_summary.pop(0)()
        return await self._storage[1]()

    async def _priced_deals(self, *args: Any, **options: Any) -> list[PricedDeal]:
        self.priced += 1
        if self.before_deals:
            await self.before_deals.pop(0)()
        return await self._storage[2](*args, **options)
