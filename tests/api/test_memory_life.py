"""How long an entry of the memory lives: 60 s from the moment its rate came in, whatever comes or fails in between."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.memory import RateMemory
from shared.domain.rate import Rate
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.memories import RATE, down, is_due, is_live, memory_of, newer, price_in
from tests.api.rig import COINS, START, ManualClock, observed, recorded


@pytest.fixture
async def memory(storage: Storage, clock: ManualClock) -> AsyncIterator[RateMemory]:
    made = memory_of(storage, clock)
    yield made
    await made.close()


# The 60 s of an entry


async def test_what_came_in_lives_for_60_s(memory: RateMemory, clock: ManualClock) -> None:
    assert not is_live(memory, clock)
    assert is_due(memory, clock)
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=59.9)
    assert is_live(memory, clock)
    assert not is_due(memory, clock)
    clock.advance(seconds=0.1)
    assert not is_live(memory, clock)
    assert is_due(memory, clock)
    assert price_in(memory, clock) == 1


async def test_a_fresh_fact_replaces_at_once_and_lives_for_60_s_of_its_own(
    memory: RateMemory, clock: ManualClock
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=50)
    memory.learn([newer(price_usd=Decimal(2))], prolong=True)
    assert price_in(memory, clock) == 2
    clock.advance(seconds=59)
    assert is_live(memory, clock)
    clock.advance(seconds=1)
    assert not is_live(memory, clock)


async def test_a_listing_that_brings_what_memory_never_heard_of_gives_it_60_s(
    memory: RateMemory, clock: ManualClock
) -> None:
    memory.note_asked([1], clock().timestamp())
    memory.learn([RATE, replace(RATE, id=2, currency_id=2)], prolong=False)
    clock.advance(seconds=59)
    memory.learn([newer(), replace(newer(), id=3, currency_id=2)], prolong=False)
    assert is_live(memory, clock, 1)
    assert is_live(memory, clock, 2)
    clock.advance(seconds=1)
    assert not is_live(memory, clock, 1)
    assert not is_live(memory, clock, 2)


async def test_a_listing_corrects_an_expired_entry_which_stays_expired(
    memory: RateMemory, clock: ManualClock
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=61)
    memory.learn([newer(price_usd=Decimal(2))], prolong=False)
    assert price_in(memory, clock) == 2
    assert not is_live(memory, clock)
    assert is_due(memory, clock)


async def test_old_news_changes_nothing_and_prolongs_nothing(memory: RateMemory, clock: ManualClock) -> None:
    memory.learn([newer(price_usd=Decimal(2))], prolong=True)
    clock.advance(seconds=59)
    memory.learn([RATE], prolong=True)
    assert price_in(memory, clock) == 2
    clock.advance(seconds=1)
    assert not is_live(memory, clock)


async def test_news_that_a_listing_was_faster_with_prolong_all_the_same(
    memory: RateMemory, clock: ManualClock
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=59)
    memory.learn([newer()], prolong=False)
    memory.learn([newer()], prolong=True)
    clock.advance(seconds=59)
    assert is_live(memory, clock)


async def test_news_of_a_rate_that_is_not_served_does_not_prolong_the_one_that_is(
    memory: RateMemory, clock: ManualClock
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=59)
    memory.learn([newer(source="another", fetched_at=clock())], prolong=True)
    clock.advance(seconds=1)
    assert not is_live(memory, clock)
    clock.advance(seconds=900)
    memory.learn([newer(id=3, source="another", fetched_at=clock())], prolong=True)
    assert is_live(memory, clock)


async def test_a_store_read_gives_60_s_also_to_what_has_no_rate(
    memory: RateMemory, storage: Storage, clock: ManualClock
) -> None:
    await storage.record_catalog(COINS[0].currency.kind, COINS, stored_at=clock())
    await recorded(storage, observed())
    await memory.read([1, 5])
    clock.advance(seconds=59)
    assert is_live(memory, clock, 1)
    assert not is_live(memory, clock, 5)
    assert memory.held(5, clock().timestamp()) is None
    assert not is_due(memory, clock, 5)
    clock.advance(seconds=1)
    assert is_due(memory, clock, 1)
    assert is_due(memory, clock, 5)
    await memory.read([1, 5])
    assert is_live(memory, clock, 1)


steps = st.one_of(
    st.tuples(st.just("fact"), st.integers(1, 4)),
    st.tuples(st.just("listing"), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


@given(st.lists(steps, max_size=20))
def test_nothing_is_alive_longer_than_60_s_after_it_came_in(story: list[tuple[str, int]]) -> None:
    clock = ManualClock()
    memory = memory_of(cast(Storage, None), clock)
    newest, came_in = 0, START - timedelta(seconds=60)
    for what, number in story:
        if what == "wait":
            clock.advance(seconds=number)
        else:
            memory.learn([replace(RATE, id=number)], prolong=what == "fact")
            if newest == 0 or (what == "fact" and number >= newest):
                came_in = clock()
            newest = max(newest, number)
        assert is_live(memory, clock) == (clock() - came_in < timedelta(seconds=60))
        held = memory.held(1, clock().timestamp())
        assert (held.rate.id if held else 0) == newest


# A store that cannot be read


async def test_after_a_failed_read_the_old_is_held_as_stale_and_read_again_after_a_pause(
    memory: RateMemory, storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=61)
    monkeypatch.setattr(storage, "last_rates", down)
    with pytest.raises(StorageUnavailable):
        await memory.read([1])
    held = memory.held(1, clock().timestamp())
    assert held is not None
    assert held.is_stale
    assert not is_live(memory, clock)
    assert not is_due(memory, clock)
    clock.advance(seconds=1.5)
    assert is_due(memory, clock)
    assert not is_live(memory, clock)


async def test_a_listing_in_that_pause_ends_it(
    memory: RateMemory, storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.learn([RATE], prolong=True)
    clock.advance(seconds=61)
    monkeypatch.setattr(storage, "last_rates", down)
    with pytest.raises(StorageUnavailable):
        await memory.read([1])
    memory.learn([RATE], prolong=False)
    held = memory.held(1, clock().timestamp())
    assert held is not None
    assert not held.is_stale
    assert not is_live(memory, clock)
    assert is_due(memory, clock)


async def test_a_failed_read_does_not_touch_what_a_fact_renewed_meanwhile(
    memory: RateMemory, storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(_currency_ids: object = None) -> list[Rate]:
        memory.learn([newer()], prolong=True)
        raise StorageUnavailable

    memory.learn([RATE], prolong=True)
    clock.advance(seconds=61)
    monkeypatch.setattr(storage, "last_rates", overtaken)
    with pytest.raises(StorageUnavailable):
        await memory.read([1])
    live = memory.live(1, clock().timestamp())
    assert live is not None
    assert not live.is_stale


async def test_an_error_is_never_taken_for_there_being_no_rate(
    memory: RateMemory, storage: Storage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await memory.read([1])
    clock.advance(seconds=60)
    monkeypatch.setattr(storage, "last_rates", down)
    for currency_id in (1, 1, 2, 2):
        assert is_due(memory, clock, currency_id)
        with pytest.raises(StorageUnavailable):
            await memory.last(currency_id)


async def test_a_defect_of_who_is_told_of_rates_is_told_to_who_waits(
    memory: RateMemory, storage: Storage, clock: ManualClock
) -> None:
    def broken(_rate: Rate) -> None:
        raise ValueError("a defect")

    await storage.record_catalog(COINS[0].currency.kind, COINS, stored_at=clock())
    await recorded(storage, observed())
    memory.on_rate.append(broken)
    with pytest.raises(StorageUnavailable):
        await memory.read([1])
