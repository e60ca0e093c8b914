"""What a symbol names, and when a renewal is asked for because it names nothing."""

import asyncio
from collections.abc import Iterable

import pytest

from api.catalog import Catalog
from shared.domain.currency import FIRST_LOCAL_ID, USD_ID, Currency, CurrencyKind
from shared.domain.visit import FailureKind
from shared.errors import CatalogNotLoaded, NotTried, QueueUnavailable, TooManyRequests, UpstreamError
from shared.messages import CatalogStored
from shared.ports import Outage, Storage
from tests.api.conftest import StartRig
from tests.api.renewals import renewed, seek
from tests.api.rig import ManualClock, Rig, coin, renew_catalog, until


def named(
    currency_id: int,
    symbol: str,
    rank: int | None = None,
    *,
    is_active: bool = True,
    kind: CurrencyKind = CurrencyKind.CRYPTO,
) -> Currency:
    return Currency(
        id=currency_id,
        name=symbol,
        symbol=symbol,
        slug=f"slug-{currency_id}",
        rank=rank,
        is_active=is_active,
        kind=kind,
    )


@pytest.fixture
def catalog(storage: Storage, clock: ManualClock) -> Catalog:
    return Catalog(storage, clock)


def ids(currencies: Iterable[Currency]) -> list[int]:
    return [one.id for one in currencies]


# The catalog by symbol


@pytest.mark.parametrize("asked", ["ΛΆΜΔΑ", "λάμδα", "Λάμδα"])
def test_greek_letters_are_found_in_any_case(catalog: Catalog, asked: str) -> None:
    catalog.learn([named(1, "Λάμδα", 1)])
    assert ids(catalog.named(asked)) == [1]


@pytest.mark.parametrize("asked", ["STETH", "stETH", "steth", "sTeTh"])
def test_symbols_of_mixed_case_are_found_in_any_case(catalog: Catalog, asked: str) -> None:
    catalog.learn([named(8085, "stETH", 9), named(1027, "ETH", 2)])
    assert ids(catalog.named(asked)) == [8085]


def test_namesakes_come_by_rank_then_unranked_then_inactive_each_by_id(catalog: Catalog) -> None:
    catalog.learn(
        [
            named(9, "ONE", is_active=False),
            named(7, "ONE"),
            named(8, "one", 900),
            named(5, "One", 20),
            named(6, "ONE"),
            named(4, "ONE", 20),
            named(3, "ONE", 1, is_active=False),
        ]
    )
    assert ids(catalog.named("one")) == [4, 5, 8, 6, 7, 3, 9]


def test_what_is_merged_is_named_by_no_symbol(catalog: Catalog) -> None:
    merged = named(FIRST_LOCAL_ID, "ETH*", is_active=False, kind=CurrencyKind.LOCAL)
    local = named(FIRST_LOCAL_ID + 1, "NEW*", kind=CurrencyKind.LOCAL)
    catalog.learn([merged, local])
    assert not catalog.named("eth*")
    assert ids(catalog.named("new*")) == [local.id]


def test_a_fiat_currency_is_found_by_its_code_while_it_is_active(catalog: Catalog) -> None:
    euro = named(2790, "EUR", kind=CurrencyKind.FIAT)
    franc = named(3000, "FRF", is_active=False, kind=CurrencyKind.FIAT)
    catalog.learn([named(1, "EUR", 1), euro, franc])
    assert catalog.fiat("eur") == euro
    assert catalog.fiat("FRF") is None
    assert catalog.fiat("XXX") is None
    assert [catalog.is_fiat(one) for one in (1, euro.id, franc.id, 99)] == [False, True, True, False]


def test_what_was_learned_takes_the_place_of_what_was_known(catalog: Catalog) -> None:
    catalog.learn([named(1, "OLD", 1)])
    before = catalog.generation
    catalog.learn([named(1, "NEW", 1)])
    assert catalog.generation > before
    assert not catalog.named("OLD")
    assert ids(catalog.named("NEW")) == [1]


async def test_a_single_one_that_was_looked_up_is_found_by_symbol_too(rig: Rig) -> None:
    before, namesakes = rig.api.catalog.generation, rig.api.catalog.named("dup")
    await rig.storage.add_currencies([coin(4, "DUP", 3)], stored_at=rig.clock())
    await rig.api.catalog.known(4)
    assert ids(rig.api.catalog.named("dup")) == [4, 5, 6]
    assert ids(namesakes) == [5, 6]
    assert rig.api.catalog.generation > before


# What a symbol names


def test_a_base_is_the_best_ranked_and_tells_of_the_others(catalog: Catalog) -> None:
    catalog.learn([named(3794, "ATOM", 60), named(77, "ATOM", 4000), named(78, "ATOM", is_active=False)])
    base = catalog.base("atom")
    assert base is not None
    assert (base.currency.id, base.also) == (3794, (77, 78))
    assert catalog.base("nothing") is None


def test_a_base_is_made_once_while_the_catalog_says_the_same(catalog: Catalog) -> None:
    coins = [named(3794, "ATOM", 60), named(77, "ATOM", 4000)]
    catalog.learn(coins)
    assert catalog.base("atom") is catalog.base("Atom")
    catalog._add(named(5, "ATOM", 1))
    base = catalog.base("ATOM")
    assert base is not None
    assert (base.currency.id, base.also) == (5, (3794, 77))
    catalog.learn(coins)
    base = catalog.base("ATOM")
    assert base is not None
    assert base.currency.id == 3794


def test_a_base_without_namesakes_has_none_beside_it(catalog: Catalog) -> None:
    catalog.learn([named(1, "BTC", 1)])
    base = catalog.base("btc")
    assert base is not None
    assert base.also == ()


def test_a_symbol_that_only_inactive_ones_have_names_nothing(catalog: Catalog) -> None:
    catalog.learn([named(5, "GONE", is_active=False), named(6, "gone", is_active=False)])
    assert catalog.base("GONE") is None
    assert catalog.target("GONE") is None


def test_a_target_is_the_fiat_currency_before_any_coin_of_its_code(catalog: Catalog) -> None:
    euro = named(2790, "EUR", kind=CurrencyKind.FIAT)
    catalog.learn([named(1, "EUR", 1), named(2, "ETH", 2), euro])
    assert catalog.target("eur") == euro
    base = catalog.base("eur")
    assert base is not None
    assert (base.currency.id, base.also) == (1, (2790,))
    coin_wanted = catalog.target("eth")
    assert coin_wanted is not None
    assert coin_wanted.id == 2


async def test_the_dollar_of_an_empty_store_can_be_wanted(catalog: Catalog) -> None:
    await catalog.load()
    dollar = catalog.target("usd")
    assert dollar is not None
    assert dollar.id == USD_ID
    assert not catalog.is_loaded


# What is sought


async def test_what_is_known_is_not_sought(rig: Rig) -> None:
    spent: list[bool] = []
    assert await seek(rig, "btc", "ETH", spend=lambda: spent.append(True)) is None
    assert await seek(rig) is None
    assert (rig.worker.renewals, spent) == ([], [])


async def test_a_newcomer_is_there_when_the_renewal_has_ended(rig: Rig) -> None:
    rig.worker.newcomers = (coin(42, "NEW", 7),)
    assert await seek(rig, "new") is None
    base = rig.api.catalog.base("NEW")
    assert base is not None
    assert base.currency.id == 42
    (command,) = rig.worker.renewals
    assert command.request_id == "test"


async def test_many_unknown_symbols_of_many_requests_cost_one_renewal(rig: Rig) -> None:
    rig.worker.renewal_hold.clear()
    asking = [asyncio.create_task(seek(rig, *(f"X{one}{two}" for two in range(100)))) for one in range(20)]
    await until(lambda: rig.worker.renewals)
    rig.worker.renewal_hold.set()
    assert await asyncio.gather(*asking) == [None] * 20
    assert len(rig.worker.renewals) == 1


async def test_a_symbol_that_only_inactive_ones_have_is_sought_for_it_may_have_a_new_bearer(rig: Rig) -> None:
    await rig.advance(seconds=1)
    await renew_catalog(rig, coin(1, "BTC", 1))
    await until(lambda: rig.api.catalog.base("DUP") is None)
    assert len(rig.api.catalog.named("DUP")) == 2
    rig.worker.newcomers = (coin(43, "DUP"),)
    assert await seek(rig, "DUP") is None
    base = rig.api.catalog.base("DUP")
    assert base is not None
    assert (base.currency.id, base.also) == (43, (5, 6))


async def test_what_a_renewal_did_not_bring_is_unknown_for_a_minute(rig: Rig) -> None:
    spent: list[bool] = []
    for seconds, renewals in ((0, 1), (30, 1), (29.9, 1), (0.1, 2), (59, 2), (1, 3)):
        await rig.advance(seconds=seconds)
        for symbol in ("NONSENSE", "OTHER"):
            assert await seek(rig, symbol, spend=lambda: spent.append(True)) is None
        assert len(rig.worker.renewals) == renewals
    assert len(spent) == 3


async def test_a_renewal_that_brings_a_symbol_ends_its_being_unknown(rig: Rig) -> None:
    await seek(rig, "NEW")
    await renew_catalog(rig, coin(42, "NEW", 1))
    await until(lambda: rig.api.catalog.base("NEW"))
    assert await seek(rig, "NEW") is None
    assert len(rig.worker.renewals) == 1


async def test_a_clock_that_was_set_back_hides_no_newcomer(rig: Rig) -> None:
    await seek(rig, "NEW")
    rig.clock.advance(hours=-1)
    assert await seek(rig, "NEW") is None
    assert len(rig.worker.renewals) == 2


async def test_after_a_renewal_for_another_process_nobody_asks_for_a_minute(rig: Rig) -> None:
    await renewed(rig, "another")
    assert await seek(rig, "NEW") is None
    assert rig.worker.renewals == []
    await rig.advance(seconds=60)
    assert await seek(rig, "NEW") is None
    assert len(rig.worker.renewals) == 1


async def test_a_catalog_that_nobody_asked_for_may_be_of_anything(rig: Rig) -> None:
    await rig.queue.announce([CatalogStored(currencies=1)])
    assert await seek(rig, "NEW") is None
    assert len(rig.worker.renewals) == 1


async def test_a_failure_is_not_remembered(rig: Rig) -> None:
    rig.worker.renewal_failure = FailureKind.VISITED
    assert isinstance(await seek(rig, "NEW"), UpstreamError)
    rig.worker.renewal_failure = FailureKind.NOT_TRIED
    error = await seek(rig, "NEW")
    assert isinstance(error, NotTried)
    assert (str(error), error.retry_after) == ("No catalog.", 7.2)
    rig.worker.renewal_failure = None
    rig.worker.newcomers = (coin(42, "NEW", 1),)
    assert await seek(rig, "NEW") is None
    assert rig.api.catalog.base("NEW")


async def test_who_may_not_ask_does_not(rig: Rig) -> None:
    def refuse() -> None:
        raise TooManyRequests

    with pytest.raises(TooManyRequests):
        await seek(rig, "NEW", spend=refuse)
    assert rig.worker.renewals == []


async def test_without_a_catalog_nothing_can_be_sought(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    spent: list[bool] = []
    error = await seek(rig, "BTC", spend=lambda: spent.append(True))
    assert isinstance(error, CatalogNotLoaded)
    assert (rig.worker.renewals, spent) == ([], [])


async def test_while_the_queue_is_away_the_answer_comes_at_once(rig: Rig) -> None:
    rig.api.river._take(Outage())
    assert isinstance(await asyncio.wait_for(seek(rig, "NEW"), 2), QueueUnavailable)
    assert rig.worker.renewals == []
