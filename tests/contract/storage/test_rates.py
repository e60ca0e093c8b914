"""Reading rates: by id, the last ones, and pages of history in both directions, on both databases."""

from datetime import datetime, timedelta

import pytest

from shared.domain.page import Cursor, Page
from shared.domain.rate import Rate
from shared.domain.times import micros
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, load_currencies, observation

AT = [NOW, NOW, NOW, NOW - SECOND, NOW - timedelta(days=40)]
"""Three ties, and a time in another month."""


@pytest.fixture
async def history(storage: Storage) -> Storage:
    """Currency 1 has a rate of two sources at each time, currency 2 of one."""
    await load_currencies(storage, 3)
    for number, at in enumerate(AT, start=1):
        await storage.record_rates(
            [
                observation(1, price=str(number), at=at, source="a"),
                observation(1, price=str(number), at=at, source="b"),
                observation(2, price=str(number), at=at, source="a"),
            ],
            fetched_at=NOW,
            stored_at=NOW,
        )
    return storage


async def page(
    storage: Storage,
    *,
    currency_id: int | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: Cursor | None = None,
    limit: int = 100,
) -> Page[Rate]:
    return await storage.rates_page(
        currency_id=currency_id, source=source, since=since, until=until, cursor=cursor, limit=limit
    )


def after(rate: Rate, *, backwards: bool = False) -> Cursor:
    return Cursor((micros(rate.observed_at), rate.id), backwards=backwards)


@pytest.mark.parametrize("rate_id", [0, -1, 10**6, 2**63 - 1, 2**63])
async def test_an_unknown_id_is_no_rate(history: Storage, rate_id: int) -> None:
    assert await history.rate(rate_id) is None


async def test_the_list_is_newest_first_by_time_and_then_by_id(history: Storage) -> None:
    rates = (await page(history)).rows
    assert len(rates) == 15
    assert list(rates) == sorted(rates, key=lambda rate: rate.position, reverse=True)


async def test_a_known_currency_without_rates_has_an_empty_page(history: Storage) -> None:
    assert await page(history, currency_id=3) == Page((), has_next=False, has_previous=False)


@pytest.mark.parametrize("currency_id", [None, 1])
@pytest.mark.parametrize("source", [None, "a"])
@pytest.mark.parametrize("limit", [1, 2, 4, 15])
async def test_pages_lead_to_the_end_and_back(
    history: Storage, currency_id: int | None, source: str | None, limit: int
) -> None:
    everything = (await page(history, currency_id=currency_id, source=source)).rows

    seen: list[Rate] = []
    cursor: Cursor | None = None
    while True:
        part = await page(history, currency_id=currency_id, source=source, cursor=cursor, limit=limit)
        assert part.has_previous == bool(seen)
        seen += part.rows
        if not part.has_next:
            break
        cursor = after(part.rows[-1])
    assert seen == list(everything)

    while part.has_previous:
        cursor = after(part.rows[0], backwards=True)
        part = await page(history, currency_id=currency_id, source=source, cursor=cursor, limit=limit)
        assert part.has_next
        start = everything.index(part.rows[0])
        assert part.rows == everything[start : start + len(part.rows)]
    assert part.rows[0] == everything[0]


async def test_from_is_inclusive_and_to_exclusive(history: Storage) -> None:
    rates = (await page(history, currency_id=2, since=NOW - SECOND, until=NOW)).rows
    assert [rate.observed_at for rate in rates] == [NOW - SECOND]
    assert (await page(history, since=NOW, until=NOW)).rows == ()


async def test_bounds_hold_together_with_a_cursor(history: Storage) -> None:
    newest = (await page(history, currency_id=2)).rows[0]
    older = await page(history, currency_id=2, since=NOW - SECOND, cursor=after(newest))
    assert [rate.observed_at for rate in older.rows] == [NOW, NOW, NOW - SECOND]
    oldest = (await page(history, currency_id=2)).rows[-1]
    newer = await page(history, currency_id=2, until=NOW, cursor=after(oldest, backwards=True))
    assert [rate.observed_at for rate in newer.rows] == [NOW - SECOND]


@pytest.mark.parametrize("source", ["nobody", "a\0", "\ud800"])
async def test_an_unknown_source_has_no_rates(history: Storage, source: str) -> None:
    assert (await page(history, source=source)).rows == ()


@pytest.mark.parametrize("time", [2**63 - 1, -(2**63) + 1])
@pytest.mark.parametrize("backwards", [False, True])
async def test_a_cursor_that_somebody_made_up_gives_a_page_all_the_same(
    history: Storage, time: int, *, backwards: bool
) -> None:
    rows = (await page(history, cursor=Cursor((time, 1), backwards=backwards))).rows
    assert len(rows) == (15 if (time > 0) != backwards else 0)


async def test_the_last_rates_of_all_of_some_and_of_none(history: Storage) -> None:
    last = await history.last_rates()
    assert sorted((rate.currency_id, rate.source) for rate in last) == [(1, "a"), (1, "b"), (2, "a")]
    assert {int(rate.price_usd) for rate in last} == {3}
    assert sorted(rate.source for rate in await history.last_rates([1, 3])) == ["a", "b"]
    assert await history.last_rates([]) == []
    assert await history.last_rates([0, -5, 2**63]) == []
    assert len(await history.last_rates({*range(1, 200)})) == 3


@pytest.mark.parametrize("first", [True, False])
async def test_the_first_decides_whether_rates_are_simulated(storage: Storage, *, first: bool) -> None:
    assert await storage.settle_kind(is_simulated=first) is first
    assert await storage.settle_kind(is_simulated=not first) is first


async def test_only_the_last_rate_of_a_source_moves_its_confirmation(history: Storage) -> None:
    await history.record_rates(
        [observation(2, price="3", source="a")], fetched_at=NOW + SECOND, stored_at=NOW
    )
    rates = (await page(history, currency_id=2)).rows
    assert [rate.fetched_at for rate in rates] == [NOW + SECOND, NOW, NOW, NOW, NOW]
