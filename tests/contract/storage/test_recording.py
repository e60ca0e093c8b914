"""Storing observations: what is new, what confirms, and what the last rate is, on both databases."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.money import LARGEST_PRICE, MAX_DIGITS, SMALLEST_PRICE
from shared.domain.rate import Observation, RecordedRate, RecordOutcome
from shared.errors import UnknownCurrency
from shared.ports import Storage
from tests.contract.storage.samples import NOW, SECOND, SOURCE, load_currencies, observation, visit

SHARES_ITS_DATABASE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""Each example uses a currency, time or source of its own."""
numbers = itertools.count(1)


@st.composite
def prices(draw: st.DrawFn) -> Decimal:
    """Any price that the domain takes, in any of its spellings."""
    digits = draw(st.integers(1, 10**MAX_DIGITS - 1))
    exponent = draw(st.integers(-70, 30))
    price = Decimal((0, tuple(map(int, str(digits))), exponent))
    if not SMALLEST_PRICE <= price <= LARGEST_PRICE:
        return Decimal(digits).scaleb(-len(str(digits)))
    return price


@pytest.fixture
async def stocked(storage: Storage) -> Storage:
    await load_currencies(storage, 3)
    return storage


async def record(
    storage: Storage, *observations: Observation, at: datetime = NOW + timedelta(minutes=1)
) -> list[RecordedRate]:
    return await storage.record_rates(observations, fetched_at=at, stored_at=at)


async def test_a_new_observation_becomes_the_last_rate(stocked: Storage) -> None:
    seen = observation(2)
    [recorded] = await record(stocked, seen)
    rate = recorded.rate
    assert recorded.outcome is RecordOutcome.STORED
    assert rate.id > 0
    assert (rate.currency_id, rate.symbol, rate.source) == (2, "C2", SOURCE)
    assert (rate.price_usd, rate.volume_24h, rate.market_cap) == (seen.price_usd, seen.volume_24h, None)
    assert (rate.percent_change_1h, rate.percent_change_24h) == (-0.1, None)
    assert (rate.observed_at, rate.fetched_at, rate.stored_at) == (
        NOW,
        NOW + timedelta(minutes=1),
        NOW + timedelta(minutes=1),
    )
    assert await stocked.rate(rate.id) == rate
    assert await stocked.last_rates([2]) == [rate]


async def test_answers_come_in_the_order_given(stocked: Storage) -> None:
    given = [observation(3), observation(1, source="b"), observation(2), observation(1, source="a")]
    recorded = await record(stocked, *given)
    assert [(one.rate.currency_id, one.rate.source) for one in recorded] == [
        (3, SOURCE),
        (1, "b"),
        (2, SOURCE),
        (1, "a"),
    ]


async def test_a_known_observation_confirms_the_last_rate(stocked: Storage) -> None:
    [first] = await record(stocked, observation(), at=NOW)
    [again] = await record(stocked, observation(), at=NOW + SECOND)
    assert again.outcome is RecordOutcome.CONFIRMED
    assert again.rate.id == first.rate.id
    assert again.rate.stored_at == NOW
    assert again.rate.fetched_at == NOW + SECOND
    assert await stocked.rate(first.rate.id) == again.rate


async def test_the_time_of_confirmation_never_goes_back(stocked: Storage) -> None:
    await record(stocked, observation(), at=NOW + 2 * SECOND)
    [known] = await record(stocked, observation(), at=NOW)
    assert known.rate.fetched_at == NOW + 2 * SECOND
    [newer] = await record(stocked, observation(at=NOW + SECOND), at=NOW + SECOND)
    assert (newer.outcome, newer.rate.fetched_at) == (RecordOutcome.STORED, NOW + 2 * SECOND)


async def test_a_late_observation_is_kept_but_confirms_the_last_rate(stocked: Storage) -> None:
    [last] = await record(stocked, observation(price="2"), at=NOW)
    [late] = await record(stocked, observation(price="1", at=NOW - SECOND), at=NOW + SECOND)
    assert late.outcome is RecordOutcome.CONFIRMED
    assert (late.rate.id, late.rate.price_usd) == (last.rate.id, Decimal(2))
    assert late.rate.fetched_at == NOW + SECOND
    page = await stocked.rates_page(currency_id=1, source=None, since=None, until=None, cursor=None, limit=10)
    newest, oldest = page.rows
    assert (newest.price_usd, newest.fetched_at) == (Decimal(2), NOW + SECOND)
    assert (oldest.price_usd, oldest.fetched_at, oldest.stored_at) == (Decimal(1), NOW + SECOND, NOW + SECOND)


async def test_a_known_late_observation_confirms_too(stocked: Storage) -> None:
    await record(stocked, observation(at=NOW - SECOND))
    [last] = await record(stocked, observation(), at=NOW)
    [known] = await record(stocked, observation(at=NOW - SECOND), at=NOW + timedelta(hours=1))
    assert (known.outcome, known.rate.id) == (RecordOutcome.CONFIRMED, last.rate.id)
    assert known.rate.fetched_at == NOW + timedelta(hours=1)


async def test_a_correction_of_the_same_time_is_a_row_of_its_own_and_the_last(stocked: Storage) -> None:
    [first] = await record(stocked, observation(price="1"))
    [corrected] = await record(stocked, observation(price="2"))
    assert corrected.outcome is RecordOutcome.STORED
    assert corrected.rate.id > first.rate.id
    [back] = await record(stocked, observation(price="1"))
    assert (back.outcome, back.rate.id) == (RecordOutcome.CONFIRMED, corrected.rate.id)


@pytest.mark.parametrize(
    ("one", "same"), [("1.5", "1.50"), ("100", "100.00"), ("1E+2", "100"), ("0.10", "1E-1")]
)
async def test_prices_that_are_equal_numbers_are_one_observation(
    stocked: Storage, one: str, same: str
) -> None:
    await record(stocked, observation(price=one))
    [again] = await record(stocked, observation(price=same))
    assert again.outcome is RecordOutcome.CONFIRMED
    assert format(again.rate.price_usd, "f") == format(Decimal(one), "f")


async def test_prices_that_end_in_zeros_before_the_point_are_not_confused(stocked: Storage) -> None:
    outcomes = [(await record(stocked, observation(price=price)))[0].outcome for price in ("1", "10", "100")]
    assert outcomes == [RecordOutcome.STORED] * 3


async def test_new_known_and_late_observations_are_told_apart_in_one_write(stocked: Storage) -> None:
    await record(stocked, observation(1), observation(2))
    recorded = await record(stocked, observation(3), observation(2, at=NOW - SECOND), observation(1))
    assert [one.outcome for one in recorded] == [
        RecordOutcome.STORED,
        RecordOutcome.CONFIRMED,
        RecordOutcome.CONFIRMED,
    ]
    assert [one.rate.symbol for one in recorded] == ["C3", "C2", "C1"]


@pytest.mark.parametrize("known", [(), (1,), (2,), (1, 3), (1, 2, 3)])
async def test_amounts_that_are_not_known_stay_so_beside_those_that_are(
    stocked: Storage, known: tuple[int, ...]
) -> None:
    given = [
        replace(
            observation(number),
            volume_24h=Decimal(number) if number in known else None,
            market_cap=None if number in known else Decimal("0.10"),
        )
        for number in (1, 2, 3)
    ]
    recorded = await record(stocked, *given)
    stored = sorted(await stocked.last_rates(), key=lambda rate: rate.currency_id)
    assert [one.rate for one in recorded] == stored
    assert [(rate.volume_24h, rate.market_cap) for rate in stored] == [
        (one.volume_24h, one.market_cap) for one in given
    ]


async def test_only_the_sources_that_were_seen_are_confirmed(stocked: Storage) -> None:
    await record(
        stocked, *(observation(number, source=source) for number in (1, 2) for source in "ab"), at=NOW
    )
    await record(stocked, observation(1, source="b"), observation(2, source="a"), at=NOW + SECOND)
    last = await stocked.last_rates()
    assert {(rate.currency_id, rate.source) for rate in last if rate.fetched_at == NOW + SECOND} == {
        (1, "b"),
        (2, "a"),
    }
    assert len(last) == 4


async def test_sources_have_last_rates_of_their_own(stocked: Storage) -> None:
    await record(stocked, observation(source="a", at=NOW), observation(source="b", at=NOW - SECOND))
    last = sorted(await stocked.last_rates([1]), key=lambda rate: rate.source)
    assert [(rate.source, rate.observed_at) for rate in last] == [("a", NOW), ("b", NOW - SECOND)]


async def test_a_visit_is_journaled_with_the_number_of_rows_that_it_brought(stocked: Storage) -> None:
    await record(stocked, observation(1))
    await stocked.record_rates(
        [observation(1), observation(2), observation(3)], fetched_at=NOW, stored_at=NOW, visit=visit()
    )
    [journaled] = await stocked.visits(limit=5)
    assert journaled.rates_stored == 2
    assert (journaled.what, journaled.duration) == ("quotes of 3", timedelta(milliseconds=321))


async def test_a_visit_without_rates_is_journaled_too(stocked: Storage) -> None:
    assert await stocked.record_rates([], fetched_at=NOW, stored_at=NOW, visit=visit()) == []
    assert await stocked.record_rates([], fetched_at=NOW, stored_at=NOW) == []
    assert await stocked.visits(limit=5) == [visit()]


async def test_a_currency_that_does_not_exist_changes_nothing_at_all(stocked: Storage) -> None:
    with pytest.raises(UnknownCurrency):
        await stocked.record_rates(
            [observation(1), observation(999)], fetched_at=NOW, stored_at=NOW, visit=visit()
        )
    assert await stocked.last_rates() == []
    assert await stocked.visits(limit=5) == []
    page = await stocked.rates_page(
        currency_id=None, source=None, since=None, until=None, cursor=None, limit=10
    )
    assert page.rows == ()


async def test_two_observations_of_one_currency_and_source_are_refused(stocked: Storage) -> None:
    with pytest.raises(ValueError, match="more than one observation"):
        await record(stocked, observation(), observation(at=NOW - SECOND))


async def test_observations_of_any_month_find_their_place(stocked: Storage) -> None:
    months = [datetime(2013, 4, 28, tzinfo=UTC), NOW, NOW + timedelta(days=200)]
    recorded = await record(
        stocked, *(observation(number, at=month) for number, month in enumerate(months, start=1))
    )
    assert [one.rate.observed_at for one in recorded] == months
    assert [one.outcome for one in recorded] == [RecordOutcome.STORED] * 3


async def test_five_thousand_rates_are_stored_at_once(storage: Storage) -> None:
    await load_currencies(storage, 5000)
    given = [observation(number) for number in range(5000, 0, -1)]
    recorded = await record(storage, *given)
    assert [one.rate.currency_id for one in recorded] == list(range(5000, 0, -1))
    assert {one.outcome for one in recorded} == {RecordOutcome.STORED}
    assert {one.outcome for one in await record(storage, *given)} == {RecordOutcome.CONFIRMED}
    assert len(await storage.last_rates(range(1, 4001))) == 4000


@SHARES_ITS_DATABASE
@given(price=prices(), volume=st.none() | st.decimals(min_value=0, max_value=10**20, places=12))
async def test_no_digit_of_a_price_is_lost(stocked: Storage, price: Decimal, volume: Decimal | None) -> None:
    at = NOW + next(numbers) * SECOND
    seen = Observation(
        currency_id=1, source=SOURCE, price_usd=price, volume_24h=volume, market_cap=volume, observed_at=at
    )
    [recorded] = await record(stocked, seen)
    read = await stocked.rate(recorded.rate.id)
    assert read is not None
    assert format(read.price_usd, "f") == format(price, "f") == format(recorded.rate.price_usd, "f")
    assert (read.volume_24h, read.market_cap) == (volume, volume)


@SHARES_ITS_DATABASE
@given(
    change=st.floats(allow_nan=False, allow_infinity=False),
    microseconds=st.integers(0, 10**12),
)
async def test_changes_and_times_come_back_exactly(
    stocked: Storage, change: float, microseconds: int
) -> None:
    source = f"source {next(numbers)}"
    at = NOW + timedelta(microseconds=microseconds)
    seen = Observation(
        currency_id=1, source=source, price_usd=Decimal(1), percent_change_1h=change, observed_at=at
    )
    [recorded] = await record(stocked, seen)
    read = await stocked.rate(recorded.rate.id)
    assert read == recorded.rate
    assert read is not None
    assert (read.percent_change_1h, read.observed_at) == (change, at)


@SHARES_ITS_DATABASE
@given(
    steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(0, 9)), min_size=1, max_size=8)
)
async def test_the_last_rate_never_goes_back(stocked: Storage, steps: list[tuple[int, int, int]]) -> None:
    source = f"source {next(numbers)}"
    seen: dict[tuple[datetime, int], int] = {}
    fetched_at = NOW
    for observed, price, fetched in steps:
        at = NOW + observed * SECOND
        fetched_at = max(fetched_at, NOW + fetched * SECOND)
        [recorded] = await record(
            stocked, observation(price=Decimal(price), at=at, source=source), at=NOW + fetched * SECOND
        )
        is_new = (at, price) not in seen
        seen.setdefault((at, price), len(seen))
        newest = max(seen, key=lambda key: (key[0], seen[key]))
        assert (recorded.rate.observed_at, int(recorded.rate.price_usd)) == newest
        is_stored = is_new and newest == (at, price)
        assert (recorded.outcome is RecordOutcome.STORED) == is_stored
        assert recorded.rate.fetched_at == fetched_at
        assert [rate for rate in await stocked.last_rates([1]) if rate.source == source] == [recorded.rate]
