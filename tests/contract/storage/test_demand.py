"""When somebody last asked for each currency, on both databases."""

from datetime import timedelta

import pytest

from shared.domain.currency import FIRST_LOCAL_ID, CurrencyKind
from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.domain.rate import MAX_AHEAD
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, SOURCE, entry, load_currencies

LATER = NOW + SECOND
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def stocked(storage: Storage) -> Storage:
    await load_currencies(storage, 6)
    return storage


async def test_nobody_asked_for_anything_yet(stocked: Storage) -> None:
    await stocked.record_demand({})
    assert await stocked.in_demand_since(NOW, limit=10) == []
    assert await stocked.forget_demand(before=NOW) == 0


async def test_the_last_asked_comes_first_then_the_smallest_id(stocked: Storage) -> None:
    await stocked.record_demand({5: NOW, 1: NOW, 3: LATER, 6: NOW - SECOND})
    assert await stocked.in_demand_since(NOW - SECOND, limit=10) == [3, 1, 5, 6]
    assert await stocked.in_demand_since(NOW - SECOND, limit=2) == [3, 1]
    assert await stocked.in_demand_since(NOW - SECOND, limit=0) == []


async def test_the_moment_itself_counts(stocked: Storage) -> None:
    await stocked.record_demand({1: NOW, 2: LATER})
    assert await stocked.in_demand_since(NOW, limit=10) == [2, 1]
    assert await stocked.in_demand_since(NOW + MICROSECOND, limit=10) == [2]
    assert await stocked.in_demand_since(LATER + MICROSECOND, limit=10) == []


async def test_demand_moves_forward_only(stocked: Storage) -> None:
    await stocked.record_demand({1: LATER, 2: NOW})
    await stocked.record_demand({1: NOW, 2: LATER + SECOND, 3: NOW})
    assert await stocked.in_demand_since(NOW, limit=10) == [2, 1, 3]
    assert await stocked.in_demand_since(LATER, limit=10) == [2, 1]
    await stocked.record_demand({2: NOW})
    assert await stocked.in_demand_since(LATER + SECOND, limit=10) == [2]


async def test_a_mark_of_a_clock_that_was_far_ahead_counts_when_its_time_has_come(stocked: Storage) -> None:
    ahead = NOW + MAX_AHEAD
    await stocked.record_demand({1: ahead, 2: ahead + MICROSECOND, 3: NOW})
    assert await stocked.in_demand_since(NOW, limit=10, now=NOW) == [1, 3]
    assert await stocked.in_demand_since(NOW, limit=10, now=NOW + MICROSECOND) == [2, 1, 3]
    assert await stocked.in_demand_since(NOW, limit=1, now=NOW) == [1]


async def test_a_mark_of_a_clock_that_was_far_ahead_is_replaced(stocked: Storage) -> None:
    ahead = NOW + MAX_AHEAD
    await stocked.record_demand({1: ahead, 2: ahead + MICROSECOND})
    await stocked.record_demand({1: NOW, 2: NOW})
    assert await stocked.in_demand_since(ahead, limit=10) == [2, 1]
    await stocked.record_demand({1: NOW, 2: NOW}, now=NOW)
    assert await stocked.in_demand_since(NOW, limit=10) == [1, 2]
    assert await stocked.in_demand_since(NOW + MICROSECOND, limit=10) == [1]


async def test_currencies_that_do_not_exist_and_ids_out_of_range_are_left_out(stocked: Storage) -> None:
    await stocked.record_demand(dict.fromkeys([0, -1, 7, 4, 2**63 - 1, 2**63, 10**30], NOW))
    assert await stocked.in_demand_since(NOW, limit=10) == [4]


async def test_any_kind_of_currency_may_be_in_demand_also_an_inactive_one(stocked: Storage) -> None:
    await stocked.record_catalog(CurrencyKind.CRYPTO, [entry(1)], stored_at=LATER)
    await stocked.record_demand({1: NOW, 2: NOW, 2781: NOW})
    assert await stocked.in_demand_since(NOW, limit=10) == [1, 2, 2781]


async def test_a_local_currency_is_in_demand_until_it_is_merged(stocked: Storage) -> None:
    coin = SourceCoin(source_id="a", symbol="A", name="A")
    await stocked.record_identities(SOURCE, [Identity(coin, None, DecidedBy.NONE)], decided_at=NOW)
    await stocked.record_demand({FIRST_LOCAL_ID: LATER, 1: NOW})
    assert await stocked.in_demand_since(NOW, limit=10) == [FIRST_LOCAL_ID, 1]
    await stocked.record_identities(SOURCE, [Identity(coin, 4, DecidedBy.UNIQUE_NAME)], decided_at=NOW)
    assert await stocked.in_demand_since(NOW, limit=1) == [1]
    # A mark that a process still held when it was merged.
    await stocked.record_demand({FIRST_LOCAL_ID: LATER + SECOND})
    assert await stocked.in_demand_since(NOW, limit=1) == [1]
    assert await stocked.forget_demand(before=LATER + 2 * SECOND) == 2


async def test_what_was_not_asked_for_since_is_forgotten(stocked: Storage) -> None:
    await stocked.record_demand({1: NOW - SECOND, 2: NOW - MICROSECOND, 3: NOW, 4: LATER})
    assert await stocked.forget_demand(before=NOW) == 2
    assert await stocked.in_demand_since(NOW - SECOND, limit=10) == [4, 3]
    await stocked.record_demand({1: NOW - SECOND})
    assert await stocked.in_demand_since(NOW - SECOND, limit=10) == [4, 3, 1]


async def test_ten_thousand_marks_are_recorded_in_one_call(storage: Storage) -> None:
    await load_currencies(storage, 10_000)
    await storage.record_demand({number: NOW + number * SECOND for number in range(10_000, 0, -1)})
    await storage.record_demand(dict.fromkeys(range(1, 10_001), NOW + 5000 * SECOND))
    newest = await storage.in_demand_since(NOW + 5001 * SECOND, limit=10_000)
    assert newest == list(range(10_000, 5000, -1))
    assert len(await storage.in_demand_since(NOW + 5000 * SECOND, limit=20_000)) == 10_000
