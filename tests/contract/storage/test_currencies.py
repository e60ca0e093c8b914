"""The catalog and its search, on both databases."""

from datetime import timedelta

import pytest

from shared.domain.currency import Currency, CurrencyKind, CurrencyMetadata
from shared.domain.page import Cursor, Page
from shared.ports import Storage
from tests.contract.storage.samples import NOW, entry, load_currencies

UNRANKED = 2**31 - 1
USD = Currency(
    id=2781,
    name="United States Dollar",
    symbol="USD",
    slug="united-states-dollar",
    rank=None,
    is_active=True,
    kind=CurrencyKind.FIAT,
)


def ids(page: Page[Currency]) -> list[int]:
    return [currency.id for currency in page.rows]


async def search(storage: Storage, *, symbol: str | None = None, text: str | None = None) -> list[int]:
    return ids(await storage.currencies_page(symbol=symbol, text=text, cursor=None, limit=100))


async def test_a_new_database_knows_the_dollar_and_nothing_else(storage: Storage) -> None:
    assert await storage.catalog() == [USD]


async def test_the_dollar_is_found_by_text_before_any_catalog(storage: Storage) -> None:
    assert await search(storage, text="states dollar") == [2781]
    assert await search(storage, symbol="usd") == [2781]


async def test_a_currency_comes_back_as_it_was_recorded(storage: Storage) -> None:
    metadata = CurrencyMetadata(first_seen=NOW, platform="Ethereum", sign=None)
    given = entry(1027, symbol="ETH", name="Ethereum", rank=2, metadata=metadata)
    await storage.record_catalog(CurrencyKind.CRYPTO, [given], stored_at=NOW)
    detail = await storage.currency(1027)
    assert detail is not None
    assert detail.currency == given.currency
    assert detail.metadata == metadata
    assert detail.aliases == ()
    assert detail.merged_into is None


@pytest.mark.parametrize("currency_id", [0, -1, 7, 2**63 - 1, 2**63, 10**30])
async def test_an_unknown_id_is_no_currency(storage: Storage, currency_id: int) -> None:
    assert await storage.currency(currency_id) is None


async def test_the_catalog_goes_by_rank_and_then_by_id(storage: Storage) -> None:
    entries = [entry(5), entry(4, rank=2), entry(3, rank=1), entry(2), entry(1, rank=2)]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)
    assert [currency.id for currency in await storage.catalog()] == [3, 1, 4, 2, 5, 2781]


async def test_what_a_new_catalog_lacks_becomes_inactive_and_unranked(storage: Storage) -> None:
    await load_currencies(storage, 2)
    await storage.record_catalog(
        CurrencyKind.CRYPTO, [entry(1, rank=1, name="Renamed")], stored_at=NOW + timedelta(days=1)
    )
    renamed, lost, dollar = await storage.catalog()
    assert (renamed.name, renamed.rank, renamed.is_active) == ("Renamed", 1, True)
    assert (lost.id, lost.rank, lost.is_active) == (2, None, False)
    assert dollar == USD


async def test_a_catalog_of_one_kind_leaves_the_others_alone(storage: Storage) -> None:
    await load_currencies(storage, 1)
    euro = entry(2790, symbol="EUR", kind=CurrencyKind.FIAT, metadata=CurrencyMetadata(sign="€"))
    await storage.record_catalog(CurrencyKind.FIAT, [euro], stored_at=NOW)
    assert [(one.id, one.is_active) for one in await storage.catalog()] == [
        (1, True),
        (2781, False),
        (2790, True),
    ]


async def test_a_clock_that_went_back_hides_nothing_that_was_renewed(storage: Storage) -> None:
    await load_currencies(storage, 2)
    await storage.record_catalog(CurrencyKind.CRYPTO, [entry(1, rank=1)], stored_at=NOW - timedelta(days=1))
    assert [(one.id, one.is_active) for one in await storage.catalog()][:2] == [(1, True), (2, False)]


async def test_a_name_with_nul_and_lone_surrogates_is_stored_without_them(storage: Storage) -> None:
    await storage.record_catalog(CurrencyKind.CRYPTO, [entry(1, name="A\0B\ud800")], stored_at=NOW)
    assert (await storage.catalog())[0].name == "AB?"


async def test_symbols_are_found_in_any_case_and_script(storage: Storage) -> None:
    entries = [
        entry(1, symbol="Btc"),
        entry(2, symbol="\N{GREEK CAPITAL LETTER TAU}AO"),
        entry(3, symbol="STRASSE"),
        entry(4, symbol="BTC"),
    ]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)
    assert await search(storage, symbol="bTC") == [1, 4]
    assert await search(storage, symbol="τao") == [2]
    assert await search(storage, symbol="straße") == [3]
    assert await search(storage, symbol="bt") == []


async def test_text_is_found_in_name_symbol_and_slug(storage: Storage) -> None:
    entries = [entry(1, name="Ωmega"), entry(2, symbol="XωX"), entry(3, name="Other")]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)
    assert await search(storage, text="ω") == [1, 2]
    assert await search(storage, text="COIN-3") == [3]
    assert await search(storage, text="ω", symbol="xωx") == [2]


@pytest.mark.parametrize("wildcard", ["%", "_", "\\"])
async def test_wildcards_stand_for_themselves(storage: Storage, wildcard: str) -> None:
    entries = [entry(1, name=f"a{wildcard}b"), entry(2, name="axb")]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)
    assert await search(storage, text=f"a{wildcard}b") == [1]


@pytest.mark.parametrize("text", ["a\0", "\ud800", "x" * 60_000])
async def test_text_that_no_database_holds_matches_nothing(storage: Storage, text: str) -> None:
    await load_currencies(storage, 1)
    assert await search(storage, text=text) == []
    assert await search(storage, symbol=text) == []


async def test_pages_go_forth_and_back_over_unranked_currencies(storage: Storage) -> None:
    entries = [entry(number, rank=number if number < 3 else None) for number in range(1, 6)]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)

    async def page(cursor: Cursor | None) -> Page[Currency]:
        return await storage.currencies_page(symbol=None, text="coin", cursor=cursor, limit=2)

    first = await page(None)
    assert (ids(first), first.has_next, first.has_previous) == ([1, 2], True, False)
    second = await page(Cursor((2, 2)))
    assert (ids(second), second.has_next, second.has_previous) == ([3, 4], True, True)
    third = await page(Cursor((UNRANKED, 4)))
    assert (ids(third), third.has_next, third.has_previous) == ([5], False, True)
    back = await page(Cursor((UNRANKED, 5), backwards=True))
    assert (ids(back), back.has_next, back.has_previous) == ([3, 4], True, True)
    start = await page(Cursor((UNRANKED, 3), backwards=True))
    assert (ids(start), start.has_next, start.has_previous) == ([1, 2], True, False)


async def test_a_cursor_that_somebody_made_up_gives_a_page_all_the_same(storage: Storage) -> None:
    far = Cursor((2**63 - 1, 2**63 - 1))
    page = await storage.currencies_page(symbol=None, text=None, cursor=far, limit=10)
    assert page == Page((), has_next=False, has_previous=False)


async def test_currencies_that_are_new_are_added_and_the_others_stay(storage: Storage) -> None:
    await load_currencies(storage, 2)
    given = [entry(9, rank=9), entry(2, name="Other"), entry(8), entry(9, rank=9)]
    assert await storage.add_currencies(given, stored_at=NOW) == 2
    assert await storage.add_currencies(given, stored_at=NOW) == 0
    assert await storage.add_currencies([], stored_at=NOW) == 0
    assert [(one.id, one.name) for one in await storage.catalog()] == [
        (1, "Coin 1"),
        (2, "Coin 2"),
        (9, "Coin 9"),
        (8, "Coin 8"),
        (2781, "United States Dollar"),
    ]
    assert await search(storage, symbol="c9") == [9]


async def test_an_added_currency_that_the_next_catalog_lacks_becomes_inactive(storage: Storage) -> None:
    await storage.add_currencies([entry(1, rank=1), entry(2, rank=2)], stored_at=NOW)
    await storage.record_catalog(CurrencyKind.CRYPTO, [entry(1, rank=1)], stored_at=NOW + timedelta(days=1))
    assert [(one.id, one.is_active) for one in await storage.catalog()][:2] == [(1, True), (2, False)]
