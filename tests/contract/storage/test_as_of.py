"""The top list as of a moment: ranks and prices as they were known then, whatever comes later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.currency import FIRST_LOCAL_ID
from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.domain.ranking import LONGEST_RANKING, TopRow
from shared.errors import UnknownCurrency
from shared.ports import Storage
from shared.storage.sql_storage import SqlStorage
from tests.contract.storage.samples import NOW, SECOND, load_currencies, observation

MINUTE = timedelta(minutes=1)
QUARTER = 15 * MINUTE
SOURCES = ("a", "b")
CURRENCIES = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """A rate or a ranking of the naive answer; its place in the list is the order of ids."""

    observed_at: datetime
    stored_at: datetime
    source: str
    currency_id: int = 0
    price: Decimal = Decimal(1)
    is_backfilled: bool = False
    currency_ids: tuple[int, ...] = ()

    def is_in_force(self, moment: datetime) -> bool:
        return self.observed_at <= moment and (self.stored_at <= moment or self.is_backfilled)


@pytest.fixture
async def stocked(storage: Storage) -> Storage:
    await load_currencies(storage, CURRENCIES)
    return storage


async def price(
    storage: Storage,
    currency_id: int,
    text: str | Decimal,
    *,
    at: datetime = NOW,
    stored_at: datetime | None = None,
    source: str = "a",
    is_backfilled: bool = False,
) -> None:
    stored = at if stored_at is None else stored_at
    given = observation(currency_id, price=text, at=at, source=source)
    await storage.record_rates([given], fetched_at=stored, stored_at=stored)
    if is_backfilled:
        # No method of the port backfills yet.
        assert isinstance(storage, SqlStorage)
        await storage._engine.execute(
            "UPDATE rates SET backfilled = true WHERE id = (SELECT max(id) FROM rates)"
        )


async def top(
    storage: Storage,
    ids: Sequence[int],
    moment: datetime = NOW,
    *,
    first_rank: int = 1,
    sources: Sequence[str] = SOURCES,
    stale_after: timedelta = QUARTER,
) -> list[TopRow]:
    return await storage.top_as_of(
        ids, moment, first_rank=first_rank, sources=sources, stale_after=stale_after
    )


async def prices(storage: Storage, moment: datetime, currency_id: int = 1) -> tuple[str | None, str | None]:
    """Source and price."""
    [row] = await top(storage, [currency_id], moment)
    return row.source, None if row.price_usd is None else str(row.price_usd)


@pytest.mark.parametrize("moment", [datetime(1, 1, 2, tzinfo=UTC), NOW, datetime(9999, 12, 30, tzinfo=UTC)])
@pytest.mark.parametrize("sources", [(), ("a",), ("a", "b", "c", "d", "e")])
async def test_currencies_without_a_price_keep_their_ranks_and_names(
    stocked: Storage, moment: datetime, sources: tuple[str, ...]
) -> None:
    rows = await top(stocked, [3, 1, 2], moment, first_rank=501, sources=sources)
    assert rows == [
        TopRow(
            rank=rank,
            currency_id=number,
            symbol=f"C{number}",
            name=f"Coin {number}",
            price_usd=None,
            source=None,
            observed_at=None,
        )
        for rank, number in enumerate((3, 1, 2), 501)
    ]
    assert await top(stocked, [], moment, sources=sources) == []


async def test_a_row_has_the_price_with_all_its_digits_its_source_and_its_time(stocked: Storage) -> None:
    exact = "0.000000000000000000000000000123456789"
    await price(stocked, 2, exact)
    assert await top(stocked, [2]) == [
        TopRow(
            rank=1,
            currency_id=2,
            symbol="C2",
            name="Coin 2",
            price_usd=Decimal(exact),
            source="a",
            observed_at=NOW,
        )
    ]


async def test_the_longest_list_keeps_the_order_of_its_ids(storage: Storage) -> None:
    await load_currencies(storage, LONGEST_RANKING)
    ids = [*range(2, LONGEST_RANKING + 1, 2), *range(LONGEST_RANKING - 1, 0, -2)]
    rows = await top(storage, ids)
    assert [row.currency_id for row in rows] == ids
    assert [row.rank for row in rows] == list(range(1, LONGEST_RANKING + 1))


async def test_an_unknown_currency_is_refused(stocked: Storage) -> None:
    with pytest.raises(UnknownCurrency):
        await top(stocked, [1, 77])


async def test_each_moment_has_the_price_that_was_newest_then(stocked: Storage) -> None:
    """Also over the borders of months, each of which is a partition in PostgreSQL."""
    for day in (0, 20, 50, 200):
        await price(stocked, 1, str(1 + day), at=NOW + timedelta(days=day))
    assert await prices(stocked, NOW - SECOND) == (None, None)
    for day, expected in (
        (0, "1"),
        (19, "1"),
        (20, "21"),
        (49, "21"),
        (50, "51"),
        (199, "51"),
        (3000, "201"),
    ):
        assert await prices(stocked, NOW + timedelta(days=day)) == ("a", expected)


async def test_a_correction_counts_from_when_it_was_stored(stocked: Storage) -> None:
    for minutes, text in enumerate(("5", "6", "4")):
        await price(stocked, 1, text, stored_at=NOW + minutes * MINUTE)
    assert await prices(stocked, NOW + MINUTE - SECOND) == ("a", "5")
    assert await prices(stocked, NOW + MINUTE) == ("a", "6")
    assert await prices(stocked, NOW + 2 * MINUTE) == ("a", "4")


async def test_what_was_stored_later_was_not_known_but_where_it_was_backfilled(stocked: Storage) -> None:
    await price(stocked, 1, "1")
    await price(stocked, 1, "2", at=NOW + SECOND, stored_at=NOW + QUARTER)
    await price(stocked, 2, "3", stored_at=NOW + QUARTER, is_backfilled=True)
    assert await prices(stocked, NOW + 2 * SECOND) == ("a", "1")
    assert await prices(stocked, NOW + QUARTER) == ("a", "2")
    assert await prices(stocked, NOW - SECOND, 2) == (None, None)
    assert await prices(stocked, NOW, 2) == ("a", "3")


async def test_the_preferred_source_counts_until_it_is_stale(stocked: Storage) -> None:
    await price(stocked, 1, "1", source="a")
    await price(stocked, 1, "2", source="b", at=NOW + MINUTE)
    await price(stocked, 1, "3", source="other", at=NOW + 2 * MINUTE)
    assert await prices(stocked, NOW + QUARTER) == ("a", "1")
    assert await prices(stocked, NOW + QUARTER + SECOND) == ("b", "2")
    assert await prices(stocked, NOW + QUARTER + MINUTE) == ("b", "2")
    assert await prices(stocked, NOW + QUARTER + MINUTE + SECOND) == ("other", "3")


@pytest.mark.parametrize("stale_after", [timedelta(0), MINUTE, timedelta.max])
async def test_any_bound_of_age_can_be_set(stocked: Storage, stale_after: timedelta) -> None:
    await price(stocked, 1, "1", source="a", at=NOW - timedelta(days=4000))
    await price(stocked, 1, "2", source="b")
    [row] = await top(stocked, [1], stale_after=stale_after)
    assert row.source == ("a" if stale_after == timedelta.max else "b")


async def test_merging_a_currency_changes_no_list_of_the_past(stocked: Storage) -> None:
    coin = SourceCoin(source_id="x", symbol="NEW", name="New Coin")
    await stocked.record_identities("a", [Identity(coin, None, DecidedBy.NONE)], decided_at=NOW)
    ranking = await stocked.record_ranking(
        "a", [FIRST_LOCAL_ID, 1], is_whole=True, observed_at=NOW, stored_at=NOW
    )
    await price(stocked, FIRST_LOCAL_ID, "7")
    before = await top(stocked, ranking.currency_ids)
    assert [(row.symbol, row.price_usd) for row in before] == [("NEW", 7), ("C1", None)]
    await stocked.record_identities(
        "a", [Identity(coin, 3, DecidedBy.SYMBOL_AND_NAME)], decided_at=NOW + MINUTE
    )
    await price(stocked, 3, "8", at=NOW + MINUTE)
    assert await stocked.ranking_as_of(NOW) == ranking
    assert await top(stocked, ranking.currency_ids) == before


# Few of each, so that many coincide.
moments = st.integers(0, 4).map(lambda step: NOW + step * 5 * MINUTE)
rates = st.builds(
    Stored,
    currency_id=st.integers(1, 2),
    source=st.sampled_from([*SOURCES, "other"]),
    price=st.integers(1, 3).map(Decimal),
    observed_at=moments,
    stored_at=moments,
    is_backfilled=st.booleans(),
)
rankings = st.builds(
    Stored,
    currency_ids=st.permutations(range(1, CURRENCIES + 1)).map(tuple),
    source=st.sampled_from(SOURCES),
    observed_at=moments,
    stored_at=moments,
)


def newest(known: Sequence[Stored], moment: datetime) -> Stored | None:
    """By (observed_at, id)."""
    in_force = [(one.observed_at, number) for number, one in enumerate(known) if one.is_in_force(moment)]
    return known[max(in_force)[1]] if in_force else None


def naive_price(known: Sequence[Stored], moment: datetime, stale_after: timedelta) -> Stored | None:
    for source in SOURCES:
        found = newest([one for one in known if one.source == source], moment)
        if found is not None and found.observed_at >= moment - stale_after:
            return found
    return newest(known, moment)


async def keep(storage: Storage, known: list[Stored], one: Stored) -> None:
    """Stores it, and remembers it for the naive answer: what is known already is no second row."""
    if one.currency_ids:
        await storage.record_ranking(
            one.source,
            one.currency_ids,
            is_whole=False,
            observed_at=one.observed_at,
            stored_at=one.stored_at,
        )
    elif any(
        (one.currency_id, one.source, one.observed_at, one.price)
        == (other.currency_id, other.source, other.observed_at, other.price)
        for other in known
    ):
        return
    else:
        await price(
            storage,
            one.currency_id,
            one.price,
            at=one.observed_at,
            stored_at=one.stored_at,
            source=one.source,
            is_backfilled=one.is_backfilled,
        )
    known.append(one)


async def forget_all(storage: Storage) -> None:
    assert isinstance(storage, SqlStorage)
    for table in ("rates", "last_rates", "rankings"):
        await storage._engine.execute(f"DELETE FROM {table}")


@given(
    events=st.lists(rates | rankings, max_size=16),
    later=st.lists(rates | rankings, max_size=4),
    moment=moments.map(lambda time: time + MINUTE) | moments,
    stale_after=st.sampled_from([timedelta(0), 5 * MINUTE, QUARTER]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_history_gives_the_naive_answer_and_what_comes_later_does_not_change_it(
    stocked: Storage, events: list[Stored], later: list[Stored], moment: datetime, stale_after: timedelta
) -> None:
    await forget_all(stocked)
    known: list[Stored] = []
    for event in events:
        await keep(stocked, known, event)

    expected = newest([one for one in known if one.currency_ids], moment)
    ranking = await stocked.ranking_as_of(moment)
    ids = tuple(range(1, CURRENCIES + 1)) if expected is None else expected.currency_ids
    assert (None if ranking is None else ranking.currency_ids) == (None if expected is None else ids)

    rows = await top(stocked, ids, moment, stale_after=stale_after)
    assert [row.currency_id for row in rows] == list(ids)
    naive = [
        naive_price([one for one in known if one.currency_id == number], moment, stale_after)
        for number in ids
    ]
    assert [(row.price_usd, row.source, row.observed_at) for row in rows] == [
        (None, None, None) if one is None else (one.price, one.source, one.observed_at) for one in naive
    ]

    for event in later:
        if event.stored_at > moment and not event.is_backfilled:
            await keep(stocked, known, event)
    assert await stocked.ranking_as_of(moment) == ranking
    assert await top(stocked, ids, moment, stale_after=stale_after) == rows
