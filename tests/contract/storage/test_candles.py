"""Candles and closes are what a naive count over all rates says, on both databases."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.candle import Candle, Closes, Interval
from shared.domain.rate import Observation, Rate
from shared.ports import Storage
from shared.settings import Settings
from shared.storage import open_storage
from shared.storage.candles import candles_sql, closes_sql
from shared.storage.engine import Dialect
from tests.contract.storage.samples import NOW, SOURCE, load_currencies, observation

SQLITE = Dialect.SQLITE
BORDER = datetime(2026, 10, 31, tzinfo=UTC)
"""A day begins here, and a day later a month, which is another partition."""
MICROSECOND = timedelta(microseconds=1)
READING = {"Column", "FinishSeek", "SeekRowid", "NotExists"}
"""Instructions of SQLite that look at a row."""
AROUND = 100
"""Candles that are asked for before the border, and after it."""
LONG = "12345678901234567890.1234567890123456789"
"""Of 39 digits."""

moments = st.builds(
    lambda steps, unit, beside: BORDER + steps * unit + beside * MICROSECOND,
    steps=st.integers(-3, 3),
    unit=st.sampled_from([one.length for one in Interval if one is not Interval.DAY] + [timedelta(hours=23)]),
    beside=st.integers(-1, 1),
)
prices = st.one_of(
    st.sampled_from(["9", "10", "9.5", "9.50", "1e-30", "1e30", "100.5", "99.999", "0.5"]),
    st.integers(0, 9).map(lambda digit: f"{LONG}{digit}"),
    st.integers(1, 9).map(lambda digit: f"0.{'0' * 20}{digit}"),
)
observations = st.builds(
    lambda at, price, source: observation(1, price=price, at=at, source=source),
    at=moments,
    price=prices,
    source=st.sampled_from(["a", "b", "c"]),
)


async def stored(storage: Storage, *told: Observation) -> None:
    """In this order, each on its own."""
    for one in told:
        await storage.record_rates([one], fetched_at=NOW, stored_at=NOW)


async def history(storage: Storage) -> list[Rate]:
    """All rates of the currency by (observed_at, id)."""
    page = await storage.rates_page(
        currency_id=1, source=None, since=None, until=None, cursor=None, limit=100_000
    )
    return sorted(page.rows, key=lambda rate: (rate.observed_at, rate.id))


def naive(rates: Sequence[Rate], interval: Interval, source: str | None = None) -> list[Candle]:
    """One rate after another."""
    since, until = bounds(interval)
    parts: dict[datetime, list[Rate]] = {}
    for rate in rates:
        if since <= rate.observed_at < until and source in {None, rate.source}:
            parts.setdefault(interval.time_of(interval.number_of(rate.observed_at)), []).append(rate)
    return [_candle(time, part) for time, part in sorted(parts.items())]


def _candle(time: datetime, rates: Sequence[Rate]) -> Candle:
    told = [rate.price_usd for rate in rates]
    sources = frozenset(rate.source for rate in rates)
    return Candle(time, told[0], max(told), min(told), told[-1], len(told), sources)


def bounds(interval: Interval) -> tuple[datetime, datetime]:
    middle = interval.number_of(BORDER)
    return interval.time_of(middle - AROUND), interval.time_of(middle + AROUND)


async def candles(
    storage: Storage, interval: Interval, *, source: str | None = None, at_once: int = 2 * AROUND
) -> list[Candle]:
    """Those about the border, so many at a time."""
    (since, until), found = bounds(interval), list[Candle]()
    while since < until:
        end = min(until, since + at_once * interval.length)
        found += await storage.candles(1, interval=interval, since=since, until=end, source=source)
        since = end
    return found


@settings(
    max_examples=7,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batch=st.lists(observations, min_size=1, max_size=12), at_once=st.sampled_from([40, 2 * AROUND]))
async def test_candles_are_those_of_the_naive_count(
    storage: Storage, batch: Sequence[Observation], at_once: int
) -> None:
    """What was stored before stays, so the history grows from example to example."""
    await load_currencies(storage, 2)
    await stored(storage, *batch)
    rates = await history(storage)
    for interval in Interval:
        for source in (None, "a"):
            expected = naive(rates, interval, source)
            assert await candles(storage, interval, source=source, at_once=at_once) == expected
        since, until = bounds(interval)
        closes = await storage.closes([2, 1], interval=interval, since=since, until=until)
        prices = {one.time: one.close for one in naive(rates, interval) if one.close is not None}
        stating = {rate.source for rate in rates if rate.observed_at >= since}
        assert closes == {1: Closes(prices, frozenset(stating)), 2: Closes({}, frozenset())}


async def hour(storage: Storage, **options: str) -> Candle:
    """The one that begins at the border."""
    (only,) = await storage.candles(
        1, interval=Interval.HOUR, since=BORDER, until=BORDER + Interval.HOUR.length, **options
    )
    return only


@pytest.fixture
async def filled(storage: Storage) -> Storage:
    await load_currencies(storage, 2)
    return storage


async def test_of_prices_that_differ_in_the_fortieth_digit_the_greatest_and_the_least_are_exact(
    filled: Storage,
) -> None:
    told = [f"{LONG}{digit}" for digit in (5, 9, 1, 7)]
    await stored(filled, *(observation(price=one, at=BORDER + MICROSECOND, source=one[-1]) for one in told))
    candle = await hour(filled)
    assert [candle.open, candle.high, candle.low, candle.close] == [
        Decimal(told[place]) for place in (0, 1, 2, 3)
    ]


async def test_prices_are_compared_as_numbers_and_not_as_text(filled: Storage) -> None:
    told = ["9.5", "10", "100.25", "0.00000001", "99"]
    await stored(
        filled, *(observation(price=one, at=BORDER + place * MICROSECOND) for place, one in enumerate(told))
    )
    candle = await hour(filled)
    assert (candle.high, candle.low) == (Decimal("100.25"), Decimal("0.00000001"))


async def test_corrections_at_one_time_follow_one_another_by_their_ids(filled: Storage) -> None:
    last = BORDER + Interval.HOUR.length - MICROSECOND
    for at in (BORDER, last):
        await stored(filled, *(observation(price=one, at=at) for one in ("5", "3", "8", "4")))
    candle = await hour(filled)
    assert candle == Candle(BORDER, Decimal(5), Decimal(8), Decimal(3), Decimal(4), 8, frozenset({SOURCE}))
    before = await filled.candles(
        1, interval=Interval.HOUR, since=BORDER - Interval.HOUR.length, until=BORDER
    )
    assert before == []


async def test_an_edge_at_which_several_sources_speak_is_that_of_the_source_that_is_named(
    filled: Storage,
) -> None:
    await stored(
        filled,
        *(
            observation(price=price, at=BORDER, source=one)
            for price, one in (("1", "a"), ("2", "b"), ("3", "a"))
        ),
    )
    assert (await hour(filled)).close == 3
    assert (await hour(filled)).sources == {"a", "b"}
    candle = await hour(filled, source="b")
    two = Decimal(2)
    assert candle == Candle(BORDER, two, two, two, two, 1, frozenset({"b"}))


async def test_another_currency_has_no_part_in_a_candle(filled: Storage) -> None:
    await stored(filled, observation(1, price="1", at=BORDER), observation(2, price="2", at=BORDER))
    assert (await hour(filled)).count == 1


async def test_the_first_time_is_that_of_all_sources_or_of_one(filled: Storage) -> None:
    assert await filled.first_observed_at(1) is None
    assert await filled.first_observed_at(1, source="a") is None
    later = BORDER + timedelta(days=40)
    await stored(
        filled,
        observation(at=later, source="b"),
        observation(at=BORDER, source="a"),
        observation(at=NOW, source="a"),
    )
    assert await filled.first_observed_at(1) == BORDER
    assert await filled.first_observed_at(1, source="b") == later
    assert await filled.first_observed_at(1, source="c") is None
    assert await filled.first_observed_at(2) is None


@pytest.mark.parametrize("source", ["nobody", "a\0", "\ud800"])
async def test_an_unknown_source_has_no_candles(filled: Storage, source: str) -> None:
    await stored(filled, observation(at=BORDER, source="a"))
    assert await candles(filled, Interval.DAY, source=source) == []
    assert await filled.first_observed_at(1, source=source) is None


async def test_no_currencies_have_no_closes(filled: Storage) -> None:
    assert await filled.closes([], interval=Interval.DAY, since=BORDER, until=NOW) == {}


async def test_sqlite_reads_candles_from_its_index_alone(tmp_path: Path) -> None:
    """Where the text of prices differs by a word from that of the index, every rate is looked up in the table: ten times as
    slow."""
    file = tmp_path / "rates.db"
    opened = await open_storage(Settings(database_url=f"sqlite:///{file}"))
    await opened.close()
    read: dict[str, list[str]] = {}
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rates'").fetchone()
        for sql in (*(candles_sql(SQLITE, of_source=one) for one in (False, True)), closes_sql(SQLITE)):
            steps = connection.execute(f"EXPLAIN {sql}", dict.fromkeys("12345", "[1]")).fetchall()
            table = {step[2] for step in steps if step[1] == "OpenRead" and step[3] == root}
            read[sql] = [step[1] for step in steps if step[1] in READING and step[2] in table]
            assert any(step[1] == "Column" for step in steps)
    assert list(read.values()) == [[], [], []]
