"""Rankings: kept as they were stated, never rewritten, and found again as of any moment."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.ranking import LONGEST_RANKING, Ranking
from shared.domain.rate import MAX_AHEAD
from shared.errors import UnknownCurrency
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, SOURCE, load_currencies

HOUR = timedelta(hours=1)
EVER = [datetime(1, 1, 2, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]


@pytest.fixture
async def stocked(storage: Storage) -> Storage:
    await load_currencies(storage, 9)
    return storage


async def record(
    storage: Storage,
    ids: Sequence[int],
    *,
    at: datetime = NOW,
    stored_at: datetime | None = None,
    source: str = SOURCE,
    is_whole: bool = False,
) -> Ranking:
    return await storage.record_ranking(
        source, ids, is_whole=is_whole, observed_at=at, stored_at=at if stored_at is None else stored_at
    )


@pytest.mark.parametrize("moment", EVER)
async def test_before_the_first_there_is_none(storage: Storage, moment: datetime) -> None:
    assert await storage.last_ranking() is None
    assert await storage.ranking_as_of(moment) is None


async def test_a_ranking_comes_back_as_it_was_recorded(stocked: Storage) -> None:
    recorded = await record(stocked, [7, 1, 9, 3], stored_at=NOW + SECOND)
    assert recorded == Ranking(
        id=recorded.id,
        source=SOURCE,
        observed_at=NOW,
        stored_at=NOW + SECOND,
        currency_ids=(7, 1, 9, 3),
        is_whole=False,
    )
    assert await stocked.last_ranking() == recorded
    assert await stocked.ranking_as_of(NOW + SECOND) == recorded


@pytest.mark.parametrize("is_whole", [False, True])
async def test_whether_a_source_ranks_no_more_is_kept(stocked: Storage, *, is_whole: bool) -> None:
    assert (await record(stocked, [1], is_whole=is_whole)).is_whole is is_whole
    last = await stocked.last_ranking()
    assert last is not None
    assert last.is_whole is is_whole


async def test_an_empty_ranking_and_the_longest_one_keep_their_order(storage: Storage) -> None:
    await load_currencies(storage, LONGEST_RANKING)
    assert (await record(storage, [])).currency_ids == ()
    ids = tuple(range(LONGEST_RANKING, 0, -1))
    await record(storage, ids)
    last = await storage.last_ranking()
    assert last is not None
    assert last.currency_ids == ids


async def test_a_currency_that_moved_has_each_of_its_places_at_its_time(stocked: Storage) -> None:
    third = await record(stocked, [1, 2, 3, 4, 5, 6])
    sixth = await record(stocked, [1, 2, 4, 5, 6, 3], at=NOW + HOUR)
    for moment, expected in (
        (NOW - SECOND, None),
        (NOW, third),
        (NOW + HOUR - SECOND, third),
        (NOW + HOUR, sixth),
        (NOW + 100 * HOUR, sixth),
    ):
        assert await stocked.ranking_as_of(moment) == expected


async def test_the_newest_counts_of_whatever_source_and_in_whatever_order_they_come(stocked: Storage) -> None:
    newest = await record(stocked, [1], at=NOW + HOUR, source="a")
    older = await record(stocked, [2], at=NOW, source="b")
    assert await stocked.last_ranking() == newest
    assert await stocked.ranking_as_of(NOW + HOUR - SECOND) == older


async def test_of_one_time_the_one_recorded_last_counts(stocked: Storage) -> None:
    await record(stocked, [1])
    second = await record(stocked, [2], source="b")
    assert await stocked.last_ranking() == second
    assert await stocked.ranking_as_of(NOW) == second


async def test_what_was_stored_later_was_not_known_yet(stocked: Storage) -> None:
    known = await record(stocked, [1], at=NOW)
    late = await record(stocked, [2], at=NOW + SECOND, stored_at=NOW + HOUR)
    assert await stocked.ranking_as_of(NOW + HOUR - SECOND) == known
    assert await stocked.ranking_as_of(NOW + HOUR) == late
    assert await stocked.last_ranking() == late


async def test_a_ranking_from_a_clock_that_was_ahead_waits_for_its_time(stocked: Storage) -> None:
    """Neither the newest nor in force before."""
    ahead = await record(stocked, [1], at=NOW + HOUR)
    assert await stocked.last_ranking(now=NOW) is None
    true = await record(stocked, [2])
    assert await stocked.last_ranking(now=NOW) == true
    assert await stocked.last_ranking(now=NOW + HOUR - MAX_AHEAD - SECOND) == true
    assert await stocked.last_ranking(now=NOW + HOUR - MAX_AHEAD) == ahead
    assert await stocked.ranking_as_of(NOW + HOUR - SECOND) == true
    after = await record(stocked, [3], at=NOW + HOUR + SECOND)
    assert await stocked.last_ranking(now=NOW + HOUR) == after
    assert await stocked.last_ranking() == after


@pytest.mark.parametrize("moment", EVER)
async def test_the_newest_is_asked_for_at_any_time(stocked: Storage, moment: datetime) -> None:
    recorded = await record(stocked, [1])
    assert await stocked.last_ranking(now=moment) == (recorded if moment > NOW else None)


@pytest.mark.parametrize("unknown", [77, 0, -1, 2**63 - 1, 2**63, 10**30])
async def test_a_currency_that_no_database_can_hold_is_unknown_too(stocked: Storage, unknown: int) -> None:
    with pytest.raises(UnknownCurrency):
        await record(stocked, [1, unknown])


async def test_a_currency_that_is_not_there_or_stands_twice_is_refused(stocked: Storage) -> None:
    with pytest.raises(UnknownCurrency):
        await record(stocked, [1, 77])
    with pytest.raises(ValueError, match="twice"):
        await record(stocked, [1, 2, 1])
    assert await stocked.last_ranking() is None


async def test_rankings_of_two_processes_are_all_kept(storages: tuple[Storage, Storage]) -> None:
    await load_currencies(storages[0], 9)
    recorded = await asyncio.gather(
        *(record(storages[number % 2], [number], at=NOW + number * SECOND) for number in range(1, 10))
    )
    assert len({one.id for one in recorded}) == 9
    for one in recorded:
        assert await storages[0].ranking_as_of(one.observed_at) == one


async def test_a_shorter_ranking_does_not_cut_the_lists_of_others(stocked: Storage) -> None:
    """As for the list of now: the newest that is long enough holds, unless it is too old."""
    long = await record(stocked, [1, 2, 3, 4])
    short = await record(stocked, [2, 1], at=NOW + SECOND)
    moment, minute = NOW + 2 * SECOND, timedelta(minutes=1)
    assert await stocked.ranking_as_of(moment, places=2, within=minute) == short
    assert await stocked.ranking_as_of(moment, places=3, within=minute) == long
    assert await stocked.ranking_as_of(moment, places=4, within=SECOND) == short
    assert await stocked.ranking_as_of(moment, places=5, within=minute) == short
    assert await stocked.ranking_as_of(NOW + minute, places=3, within=minute) == long
    whole = await record(stocked, [3, 1], at=moment, is_whole=True)
    assert await stocked.ranking_as_of(moment, places=5, within=minute) == whole
    unheard = await record(stocked, [4, 3, 2, 1], at=moment, stored_at=moment + minute)
    assert await stocked.ranking_as_of(moment, places=4, within=minute) == whole
    assert await stocked.ranking_as_of(moment + minute, places=4, within=2 * minute) == unheard
