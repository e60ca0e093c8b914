"""The memory of last rates: it never goes back, and it lives and dies by its own rules."""

from collections.abc import Collection
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
from tests.api.rig import COINS, START, ManualClock, observed, recorded, until

RATE = Rate(
    id=1,
    currency_id=1,
    symbol="BTC",
    price_usd=Decimal(1),
    percent_change_1h=None,
    percent_change_24h=None,
    volume_24h=None,
    market_cap=None,
    source="coinmarketcap",
    observed_at=START,
    fetched_at=START,
    stored_at=START,
)


def memory_of(storage: Storage, clock: ManualClock) -> RateMemory:
    return RateMemory(
        storage=storage, sources=("coinmarketcap", "another"), ttl=60, stale_after=900, clock=clock
    )


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

    async def down(_currency_ids: object = None) -> list[Rate]:
        raise StorageUnavailable

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
    async def down(_currency_ids: object = None) -> list[Rate]:
        raise error

    monkeypatch.setattr(storage, "last_rates", down)
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
