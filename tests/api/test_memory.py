"""The memory of last rates: it never goes back, and it lives and dies by its own rules."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.memory import RateMemory
from shared.domain.rate import Rate
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.memories import EUR, RATE, down, memory_of, newer
from tests.api.rig import COINS, START, ManualClock, observed, recorded, until


@pytest.fixture
async def memory(storage: Storage, clock: ManualClock) -> AsyncIterator[RateMemory]:
    made = memory_of(storage, clock)
    yield made
    await made.close()


rates = st.builds(
    lambda row, fetched, source: replace(
        RATE,
        id=row,
        observed_at=START + timedelta(seconds=row * 7 % 4),
        fetched_at=START + timedelta(seconds=fetched),
        source=source,
    ),
    row=st.integers(1, 6),
    fetched=st.integers(0, 5),
    source=st.sampled_from(["coinmarketcap", "another"]),
)


@given(st.lists(st.tuples(rates, st.booleans()), max_size=20))
def test_memory_never_goes_back(news: list[tuple[Rate, bool]]) -> None:
    memory = memory_of(cast(Storage, None), ManualClock())
    newest: dict[str, Rate] = {}
    for rate, prolong in news:
        memory.learn([rate], prolong=prolong)
        for source, held in _held(memory).items():
            before = newest.get(source)
            if before is not None:
                assert held.position >= before.position
                assert held.id != before.id or held.fetched_at >= before.fetched_at
            newest[source] = held
    for source, held in newest.items():
        of_source = [rate for rate, _ in news if rate.source == source]
        assert held.position == max(rate.position for rate in of_source)


def _held(memory: RateMemory) -> dict[str, Rate]:
    entry = memory._entries.get(1)
    return dict(entry.rates) if entry else {}


@given(st.lists(rates, min_size=1, max_size=12))
def test_the_order_of_arrival_does_not_matter_where_rows_never_change(news: list[Rate]) -> None:
    by_row = {(rate.source, rate.id): rate for rate in news}
    distinct = list(by_row.values())
    forwards = memory_of(cast(Storage, None), ManualClock())
    backwards = memory_of(cast(Storage, None), ManualClock())
    forwards.learn(distinct, prolong=True)
    backwards.learn(reversed(distinct), prolong=True)
    assert _held(forwards) == _held(backwards)


async def test_the_listing_corrects_without_prolonging(
    storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = memory_of(storage, clock)
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=59)
    memory.learn([replace(RATE, fetched_at=clock())], prolong=False)
    assert memory.known(1) is not None
    assert not memory._reader._wanted
    clock.advance(seconds=1)
    assert memory.known(1) is not None
    assert memory._reader._wanted
    await memory.close()


async def test_many_readers_cost_one_read(
    storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    original = storage.last_rates

    async def counted(currency_ids: Collection[int] | None = None) -> list[Rate]:
        reads.append(currency_ids)
        return await original(currency_ids)

    monkeypatch.setattr(storage, "last_rates", counted)
    memory = memory_of(storage, clock)
    memory.learn([RATE, replace(RATE, currency_id=2)], prolong=True)
    clock.advance(seconds=61)
    for _ in range(100):
        memory.known(1)
        memory.known(2)
    await until(lambda: memory._reader._task is None)
    assert len(reads) == 1
    await memory.close()


async def test_while_the_store_is_down_the_old_is_served_as_stale(
    storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.record_catalog(COINS[0].currency.kind, COINS, stored_at=clock())
    memory = memory_of(storage, clock)
    memory.learn(await recorded(storage, observed()), prolong=True)
    working = storage.last_rates
    monkeypatch.setattr(storage, "last_rates", down)
    clock.advance(seconds=61)
    before = memory.known(1)
    assert before is not None
    assert not before.is_stale
    await until(lambda: memory._reader._task is None)
    during = memory.known(1)
    assert during is not None
    assert during.is_stale
    monkeypatch.setattr(storage, "last_rates", working)
    clock.advance(seconds=2)
    memory.known(1)
    await until(lambda: memory._reader._task is None)
    after = memory.known(1)
    assert after is not None
    assert not after.is_stale
    await memory.close()


@pytest.mark.parametrize("error", [StorageUnavailable("down"), ValueError("a defect")])
async def test_a_first_read_that_fails_is_told(
    storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def broken(_currency_ids: object = None) -> list[Rate]:
        raise error

    monkeypatch.setattr(storage, "last_rates", broken)
    memory = memory_of(storage, clock)
    with pytest.raises(StorageUnavailable):
        await memory.last(1)
    await memory.close()


async def test_a_source_that_is_no_longer_preferred_is_the_last_choice(
    storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = memory_of(storage, clock)
    memory.learn([replace(RATE, source="cryptocompare", id=9)], prolong=True)
    memory.learn([RATE], prolong=True)
    answer = memory.known(1)
    assert answer is not None
    assert answer.rate.source == "coinmarketcap"
    assert memory.preference(replace(RATE, source="cryptocompare")) == (2, "cryptocompare")


# One reader


async def test_who_reads_at_once_shares_one_read(
    memory: RateMemory, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[set[int]] = []
    original = storage.last_rates

    async def counted(currency_ids: Collection[int] | None = None) -> list[Rate]:
        reads.append(set(currency_ids or ()))
        return await original(currency_ids)

    monkeypatch.setattr(storage, "last_rates", counted)
    await asyncio.gather(memory.read([1, 2]), memory.read([2, 3]), memory.last(4), memory.read([]))
    assert reads == [{1, 2, 3, 4}]


async def test_who_comes_during_a_read_gets_the_next_one(
    memory: RateMemory, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[set[int]] = []
    go_on = asyncio.Event()

    async def held_up(currency_ids: Collection[int] | None = None) -> list[Rate]:
        reads.append(set(currency_ids or ()))
        await go_on.wait()
        return []

    monkeypatch.setattr(storage, "last_rates", held_up)
    first = asyncio.create_task(memory.read([1]))
    await until(lambda: reads)
    others = [asyncio.create_task(memory.read([one])) for one in (1, 2)]
    gone = asyncio.create_task(memory.read([3]))
    await asyncio.sleep(0)
    gone.cancel()
    go_on.set()
    await asyncio.gather(first, *others)
    assert reads == [{1}, {1, 2, 3}]


# What is served


async def test_one_object_is_given_until_something_changes(memory: RateMemory, clock: ManualClock) -> None:
    memory.learn([RATE], prolong=True)
    now = clock().timestamp()
    answer = memory.live(1, now)
    memory.learn([RATE], prolong=False)
    assert answer is not None
    assert memory.live(1, now) is answer
    assert memory.held(1, now) is answer
    assert memory.ready("1", now) is answer
    memory.learn([newer()], prolong=False)
    assert memory.live(1, now) is not answer


async def test_each_currency_is_stale_at_an_age_of_its_own(memory: RateMemory, clock: ManualClock) -> None:
    memory.learn([RATE, replace(RATE, id=2, currency_id=EUR)], prolong=True)
    clock.advance(seconds=901)
    now = clock().timestamp()
    assert [one.is_stale for one in (memory.held(1, now), memory.held(EUR, now)) if one] == [True, False]
    clock.advance(seconds=3600)
    held = memory.held(EUR, clock().timestamp())
    assert held is not None
    assert held.is_stale


async def test_what_was_called_stale_is_judged_anew_with_the_next_listing(
    storage: Storage, clock: ManualClock
) -> None:
    limits = {1: 900.0}
    memory = RateMemory(
        storage=storage,
        sources=(),
        ttl=60,
        stale_after=limits.__getitem__,
        is_fiat=EUR.__eq__,
        clock=clock,
    )
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=901)
    before = memory.held(1, clock().timestamp())
    limits[1] = 4500.0
    memory.learn([RATE], prolong=False)
    after = memory.held(1, clock().timestamp())
    assert before is not None
    assert before.is_stale
    assert after is not None
    assert not after.is_stale


# What was asked for


async def test_serving_notes_what_was_asked_for(memory: RateMemory, clock: ManualClock) -> None:
    memory.learn([replace(RATE, id=one, currency_id=one) for one in range(1, 6)], prolong=True)
    clock.advance(seconds=1)
    now = clock().timestamp()
    memory.ready("1", now)
    memory.live(2, now)
    memory.held(3, now)
    memory.known(4)
    memory.note_asked([5, 6], now)
    assert memory.asked_since(now) == dict.fromkeys([1, 2, 5, 6], clock())
    assert memory.asked_since(now + 1) == {}


async def test_noting_that_a_currency_was_asked_for_says_nothing_of_its_rate(
    memory: RateMemory, clock: ManualClock
) -> None:
    now = clock().timestamp()
    memory.note_asked([1], now)
    assert memory.is_due(1, now)
    assert memory.live(1, now) is None
    assert memory.held(1, now) is None
    assert memory.known(1) is None
    assert memory.ready("1", now) is None


def test_the_newest_fetch_is_that_of_a_cryptocurrency(storage: Storage, clock: ManualClock) -> None:
    memory = memory_of(storage, clock)
    later = START + timedelta(hours=1)
    memory.learn([replace(RATE, currency_id=EUR, fetched_at=later)], prolong=True)
    assert memory.newest_fetch is None
    memory.learn([RATE, newer(currency_id=EUR, fetched_at=later)], prolong=True)
    assert memory.newest_fetch == RATE.fetched_at
