"""Sparklines over HTTP: the closes of a day, read from the store once a minute at most."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.candles import sparklines
from api.candles.sparklines import Sparklines
from api.catalog import Catalog
from shared.domain.candle import Closes, Interval
from shared.domain.identity import DecidedBy
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.rig import Rig, observed, until
from tests.api.test_merged import decide

QUARTER = timedelta(minutes=15)


async def price(rig: Rig, currency_id: int, text: str, before: timedelta = timedelta(0)) -> None:
    await rig.storage.record_rates(
        [observed(currency_id, text, observed_at=rig.clock() - before)],
        fetched_at=rig.clock(),
        stored_at=rig.clock(),
    )


async def closes(rig: Rig, currency_id: int) -> list[float | None]:
    (only,) = (await rig.get(f"/api/sparklines/?currency={currency_id}"))["results"]
    told: list[float | None] = only["closes"]
    return told


async def test_the_closes_of_a_day_come_oldest_first_and_gaps_stay_gaps(rig: Rig) -> None:
    await price(rig, 1, "42885.00187617128")
    await price(rig, 1, "7", 2 * QUARTER)
    await price(rig, 1, "6", 3 * QUARTER - timedelta(minutes=1))
    await price(rig, 1, "0.00000006315931123", 95 * QUARTER)
    await price(rig, 1, "5", 96 * QUARTER)
    body = await rig.get("/api/sparklines/?currency=1,1027")
    assert (body["from"], body["to"]) == ("2026-11-19T12:15:00.000Z", "2026-11-20T12:15:00.000Z")
    assert body["interval"] == "15m"
    bitcoin, ethereum = body["results"]
    assert bitcoin == {
        "currency": 1,
        "sources": ["coinmarketcap"],
        "closes": [6.315931e-08, *[None] * 91, 6, 7, None, 42885.0],
    }
    assert ethereum == {"currency": 1027, "sources": [], "closes": [None] * 96}


async def test_unknown_ids_are_left_out_and_doubled_ones_come_once(rig: Rig) -> None:
    body = await rig.get("/api/sparklines/?currency=777,5,1,5")
    assert [one["currency"] for one in body["results"]] == [5, 1]
    assert (await rig.get("/api/sparklines/?currency=777"))["results"] == []


async def test_a_merged_currency_is_answered_as_its_successor(rig: Rig) -> None:
    local = await decide(rig, None, DecidedBy.NONE)
    await until(lambda: rig.api.catalog.get(local))
    await decide(rig, 1027, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: local in rig.api.catalog.merged())
    body = await rig.get(f"/api/sparklines/?currency={local},1027")
    assert [one["currency"] for one in body["results"]] == [1027]


WRONG = {
    "": "currency",
    "?currency=": "currency",
    "?currency=0": "currency",
    "?currency=1,": "currency",
    "?currency=BTC": "currency",
    f"?currency={','.join(map(str, range(1, 102)))}": "currency",
    "?currency=1&interval=1h": "interval",
}


async def test_what_is_wrong_is_told_by_parameter(rig: Rig) -> None:
    told = {query: [*(await rig.get(f"/api/sparklines/{query}", status=400))["errors"]] for query in WRONG}
    assert told == {query: [wrong] for query, wrong in WRONG.items()}


async def test_what_has_not_changed_is_not_sent_again(rig: Rig) -> None:
    status, headers = await rig.headers("/api/sparklines/?currency=1")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    again = await rig.headers("/api/sparklines/?currency=1", **{"If-None-Match": headers["ETag"]})
    assert again[0] == 304
    async with rig.client.head("/api/sparklines/?currency=1") as response:
        assert (response.status, response.headers["ETag"]) == (200, headers["ETag"])


# Memory


async def test_a_line_lives_for_a_minute(rig: Rig) -> None:
    await price(rig, 1, "1")
    assert (await closes(rig, 1))[-1] == 1
    rig.clock.advance(seconds=59)
    await price(rig, 1, "2")
    assert (await closes(rig, 1))[-1] == 1
    rig.clock.advance(seconds=1)
    assert (await closes(rig, 1))[-1] == 2


async def test_a_new_interval_is_told_at_once(rig: Rig) -> None:
    rig.clock.advance(minutes=14, seconds=50)
    await price(rig, 1, "1")
    assert (await closes(rig, 1))[-1] == 1
    rig.clock.advance(seconds=20)
    assert (await closes(rig, 1))[-2:] == [1, None]


class Reading:
    """The store of another, whose reads of closes are counted, held up, and made to fail."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.reads: list[list[int]] = []
        self.hold = asyncio.Event()
        self.is_away = False

    async def closes(
        self, currency_ids: Sequence[int], *, interval: Interval, since: datetime, until: datetime
    ) -> dict[int, Closes]:
        self.reads.append([*currency_ids])
        await self.hold.wait()
        if self.is_away:
            raise StorageUnavailable
        return await self._storage.closes(currency_ids, interval=interval, since=since, until=until)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


@pytest.fixture
async def reading(storage: Storage) -> Reading:
    return Reading(storage)


@pytest.fixture
async def lines(rig: Rig, reading: Reading) -> Sparklines:
    storage: Any = reading
    catalog: Catalog = rig.api.catalog
    return Sparklines(storage=storage, catalog=catalog, clock=rig.clock)


async def test_what_many_ask_for_is_read_once_and_one_reads_at_a_time(
    lines: Sparklines, reading: Reading
) -> None:
    asked = [asyncio.create_task(lines.encoded(ids)) for ids in ([1], [1, 5], [5, 1], [1], [6])]
    await until(lambda: reading.reads)
    reading.hold.set()
    await asyncio.gather(*asked)
    assert reading.reads == [[1], [5], [6]]


async def test_who_waited_for_a_read_that_failed_does_not_try_in_turn(
    lines: Sparklines, reading: Reading
) -> None:
    reading.is_away = True
    asked = [asyncio.create_task(lines.encoded([1])) for _ in range(5)]
    await until(lambda: reading.reads)
    reading.hold.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, StorageUnavailable) for one in outcomes)
    assert len(reading.reads) == 1
    reading.is_away = False
    assert b'"currency":1' in await lines.encoded([1])


async def test_one_who_leaves_does_not_keep_the_others_waiting(lines: Sparklines, reading: Reading) -> None:
    leaver, stayer = (asyncio.create_task(lines.encoded([1])) for _ in range(2))
    await until(lambda: reading.reads)
    leaver.cancel()
    reading.hold.set()
    assert b'"currency":1' in await stayer


async def test_memory_is_bounded(
    lines: Sparklines, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparklines, "MOST_KEPT", 2)
    reading.hold.set()
    assert (await lines.encoded([1, 5, 6])).count(b'"currency"') == 3
    await lines.encoded([5, 6])
    assert reading.reads == [[1, 5, 6]]
    await lines.encoded([1])
    assert reading.reads == [[1, 5, 6], [1]]
