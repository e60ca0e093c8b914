"""Deals with the prices that were in force at the date of each, on both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.deals import PriceRule
from shared.ports import Storage
from shared.storage.sql_storage import SqlStorage
from tests.contract.storage.deals import as_text, deal, deals_file, load
from tests.contract.storage.samples import NOW, SECOND, load_currencies, observation

DAY = 86_400
MICROSECOND = timedelta(microseconds=1)
LATER = datetime.max.replace(tzinfo=UTC)
"""Past every deal."""
OF_ANY = PriceRule(currency_id=1, sources=(), within_seconds=DAY)


@pytest.fixture
async def stocked(storage: Storage) -> Storage:
    await load_currencies(storage, 3)
    return storage


async def price(
    storage: Storage,
    text: str,
    *,
    at: datetime = NOW,
    stored_at: datetime | None = None,
    source: str = "a",
    currency_id: int = 1,
) -> None:
    given = observation(currency_id, price=text, at=at, source=source)
    stored = at if stored_at is None else stored_at
    await storage.record_rates([given], fetched_at=stored, stored_at=stored)


async def prices(
    storage: Storage, *rules: PriceRule, dates: Sequence[datetime] = (NOW,), now: datetime = LATER
) -> list[tuple[object, ...]]:
    """Of deals at these dates, in their order."""
    deals = [deal("anna", total=f"{place}", date=date.isoformat()) for place, date in enumerate(dates)]
    upload = await load(storage, *deals, name=f"{dates}")
    found = await storage.priced_deals(upload.id, ["anna"], rules, now=now, limit=100)
    assert sorted(one.date for one in found) == sorted(dates)
    return [tuple(one.prices) for one in sorted(found, key=lambda one: one.total)]


async def test_without_rules_there_are_no_prices(stocked: Storage) -> None:
    assert await prices(stocked) == [()]


async def test_the_newest_rate_at_the_date_of_each_deal_counts(stocked: Storage) -> None:
    for place in range(3):
        await price(stocked, f"10{place}.5", at=NOW + place * SECOND)
    dates = [NOW + 2 * SECOND, NOW - MICROSECOND, NOW, NOW + SECOND - MICROSECOND, NOW + 60 * SECOND]
    assert await prices(stocked, OF_ANY, dates=dates) == [
        (Decimal("102.5"),),
        (None,),
        (Decimal("100.5"),),
        (Decimal("100.5"),),
        (Decimal("102.5"),),
    ]


async def test_a_rate_that_is_too_old_does_not_count(stocked: Storage) -> None:
    await price(stocked, "7")
    rules = [PriceRule(currency_id=1, sources=("a",), within_seconds=seconds) for seconds in (0, 1, DAY)]
    assert await prices(stocked, *rules, dates=[NOW, NOW + SECOND, NOW + SECOND + MICROSECOND]) == [
        (7, 7, 7),
        (None, 7, 7),
        (None, None, 7),
    ]


async def test_a_deal_of_the_future_has_no_price(stocked: Storage) -> None:
    await price(stocked, "7")
    rule = PriceRule(currency_id=1, sources=("a",), within_seconds=DAY)
    dates = [NOW, NOW + SECOND, NOW + SECOND + MICROSECOND, NOW + timedelta(hours=1)]
    assert await prices(stocked, OF_ANY, rule, dates=dates, now=NOW + SECOND) == [
        (7, 7),
        (7, 7),
        (None, None),
        (None, None),
    ]


async def test_what_was_stored_later_counts_only_where_it_is_backfilled(stocked: Storage) -> None:
    await price(stocked, "5", at=NOW - SECOND)
    await price(stocked, "7", stored_at=NOW + SECOND)
    dates = [NOW, NOW + SECOND]
    assert await prices(stocked, OF_ANY, dates=dates) == [(5,), (7,)]
    # No method of the port backfills yet.
    assert isinstance(stocked, SqlStorage)
    await stocked._engine.execute("UPDATE rates SET backfilled = true")
    assert await prices(stocked, OF_ANY, dates=[*dates, NOW - SECOND]) == [(7,), (7,), (5,)]


async def test_a_correction_replaces_what_it_corrects(stocked: Storage) -> None:
    await price(stocked, "7")
    await price(stocked, "8")
    assert await prices(stocked, OF_ANY) == [(8,)]


async def test_the_first_source_that_has_one_wins_then_any_other(stocked: Storage) -> None:
    await price(stocked, "1", at=NOW - 2 * SECOND, source="a")
    await price(stocked, "2", at=NOW - SECOND, source="b")
    await price(stocked, "3", source="c")
    rules = [
        PriceRule(currency_id=1, sources=sources, within_seconds=within)
        for sources, within in (
            (("a", "b"), DAY),
            (("b", "a"), DAY),
            (("nobody", "a"), DAY),
            (("a", "b"), 1),
            (("a", "b"), 0),
            (("nobody",), DAY),
            ((), DAY),
        )
    ]
    assert await prices(stocked, *rules) == [(1, 2, 1, 2, 3, 3, 3)]


async def test_each_rule_finds_its_own_currency(stocked: Storage) -> None:
    for currency_id in (1, 2):
        await price(stocked, f"{currency_id}", currency_id=currency_id)
    rules = [PriceRule(currency_id=one, sources=("a",), within_seconds=DAY) for one in (2, 3, 1, 999, 2)]
    assert await prices(stocked, *rules) == [(2, None, 1, None, 2)]


async def test_rates_of_other_months_count_too(stocked: Storage) -> None:
    at = NOW.replace(month=10, day=31, hour=23)
    await price(stocked, "7", at=at)
    assert await prices(stocked, OF_ANY, dates=[at + timedelta(hours=5), at + timedelta(days=2)]) == [
        (7,),
        (None,),
    ]


async def test_only_deals_of_the_customers_named_and_no_more_than_the_limit(stocked: Storage) -> None:
    deals = [deal(f"customer {one % 5}", total=f"{one}") for one in range(50)]
    upload = await load(stocked, *deals)
    wanted = ["customer 1", "customer 3", "nobody"]
    found = await stocked.priced_deals(upload.id, wanted, [OF_ANY], now=LATER, limit=100)
    assert sorted(one.total for one in found) == [one for one in range(50) if one % 5 in {1, 3}]
    assert {one.customer for one in found} == {"customer 1", "customer 3"}
    assert len(await stocked.priced_deals(upload.id, wanted, [OF_ANY], now=LATER, limit=7)) == 7
    assert await stocked.priced_deals(upload.id, [], [OF_ANY], now=LATER, limit=7) == []
    assert await stocked.priced_deals(upload.id + 1, wanted, [OF_ANY], now=LATER, limit=7) == []


async def test_a_refused_upload_has_no_deals(stocked: Storage) -> None:
    await load(stocked, deal("anna"))
    refused = await stocked.refuse_deals(deals_file("bad.csv"), error="")
    assert await stocked.priced_deals(refused.id, ["anna"], [OF_ANY], now=LATER, limit=7) == []


async def test_the_first_and_the_last_date_that_a_deal_may_have(stocked: Storage) -> None:
    dates = [datetime.min.replace(tzinfo=NOW.tzinfo), datetime.max.replace(tzinfo=NOW.tzinfo)]
    longest = PriceRule(currency_id=1, sources=("a",), within_seconds=10**9)
    assert await prices(stocked, longest, dates=dates) == [(None,), (None,)]


async def test_ten_thousand_deals_are_priced_in_one_call(stocked: Storage) -> None:
    """Each by two look-ups in the index of its currency."""
    for hours in range(48):
        await price(stocked, f"{hours + 1}", at=NOW + timedelta(hours=hours))
    deals = [
        deal(f"{one % 7}", total=f"{one}", date=(NOW + one * 17 * SECOND).isoformat())
        for one in range(10_000)
    ]
    upload = (
        await stocked.replace_deals(
            deals_file(), ("customer", "item", "total", "quantity", "date"), as_text(*deals, size=1000)
        )
    ).upload
    rule = PriceRule(currency_id=1, sources=("nobody",), within_seconds=DAY)
    found = await stocked.priced_deals(
        upload.id, [f"{one}" for one in range(7)], [rule], now=LATER, limit=10**6
    )
    expected = {one: min(one * 17 // 3600, 47) + 1 for one in range(10_000)}
    assert {int(one.total): one.prices[0] for one in found} == expected
