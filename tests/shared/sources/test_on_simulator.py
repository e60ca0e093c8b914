"""The sources against the simulator: rankings, profiles, fiat currencies, and whether CryptoCompare's coins are recognised.

The simulator makes both vendors' answers of one market, so which coin is which is known for all 600.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from shared.domain.currency import Currency, CurrencyKind, merged_profiles
from shared.domain.identity import DecidedBy, SourceCoin, decide
from shared.domain.ranking import RankedCoin, merged
from shared.errors import (
    LimitPeriod,
    RankingTorn,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.ports import Call, RankingSource, Source, UpstreamAnswer
from shared.sources.coinmarketcap import CoinMarketCap
from shared.sources.cryptocompare import CryptoCompare
from shared.sources.frankfurter import Frankfurter
from shared.sources.frankfurter.currencies import SYMBOLS
from simulator.app import create_simulator
from simulator.coins import load_coins
from tests.simulator.visitor import Client, SetClock

T = TypeVar("T")
COINMARKETCAP = CoinMarketCap(base_url="")
FRANKFURTER = Frankfurter(base_url="")
CRYPTOCOMPARE = CryptoCompare(base_url="", api_key="any")
BOTH = pytest.mark.parametrize("source", [COINMARKETCAP, CRYPTOCOMPARE], ids=lambda source: source.name)


@pytest.fixture
async def simulator(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(create_simulator(tick_ms=100, clock=SetClock()))


@pytest.fixture
def fault(simulator: Client) -> Callable[..., Awaitable[None]]:
    async def post(**options: object) -> None:
        async with simulator.post("/faults", json=options) as response:
            assert response.status == 201, await response.text()

    return post


async def ask(simulator: Client, source: Source, call: Call[T]) -> T:
    async with simulator.get(call.path, params=call.params, headers=source.headers) as response:
        answer = UpstreamAnswer(response.status, {}, await response.read())
    return call.parse(answer).value


async def ranking(
    simulator: Client, source: RankingSource, length: int
) -> tuple[tuple[RankedCoin, ...], bool]:
    return merged([await ask(simulator, source, call) for call in source.ranking(length)], length)


async def catalog(simulator: Client) -> list[Currency]:
    calls = COINMARKETCAP.catalog().values()
    return [entry.currency for call in calls for entry in await ask(simulator, COINMARKETCAP, call)]


def names_of(coins: tuple[RankedCoin, ...]) -> list[str]:
    return [coin.name for coin in coins]


@pytest.mark.parametrize(
    ("length", "count", "is_whole"), [(30, 30, False), (200, 200, False), (800, 600, True)]
)
async def test_both_sources_state_the_same_order(
    simulator: Client, length: int, count: int, *, is_whole: bool
) -> None:
    ours, ours_is_whole = await ranking(simulator, COINMARKETCAP, length)
    theirs, theirs_is_whole = await ranking(simulator, CRYPTOCOMPARE, length)
    assert names_of(ours) == names_of(theirs)
    assert len(ours) == count
    assert (ours_is_whole, theirs_is_whole) == (is_whole, is_whole)
    assert all(coin.price for coin in ours)
    assert 0 < sum(coin.price is None for coin in theirs) < count / 10


async def test_every_coin_is_recognised_though_symbols_differ_and_are_shared(simulator: Client) -> None:
    coins, _ = await ranking(simulator, CRYPTOCOMPARE, 600)
    truth = {coin.cryptocompare_id: coin.id for coin in load_coins(600)}
    listed, _ = await ranking(simulator, COINMARKETCAP, 600)
    decisions = decide(
        [
            SourceCoin(
                source_id=coin.source_id,
                symbol=coin.symbol,
                name=coin.name,
                price_usd=coin.price.price_usd if coin.price else None,
            )
            for coin in coins
        ],
        currencies=await catalog(simulator),
        prices={int(coin.source_id): coin.price.price_usd for coin in listed if coin.price},
        by_hand=CRYPTOCOMPARE.by_hand,
        taken=(),
    )
    assert {one.coin.source_id: one.currency_id for one in decisions} == truth
    by_hand = {one.coin.symbol for one in decisions if one.decided_by is DecidedBy.HAND}
    assert by_hand >= {"IOT", "HOT*", "TONCOIN", "MANTLE", "RNDR", "NANO"}


async def test_prices_come_by_the_symbols_of_the_ranking(simulator: Client) -> None:
    coins, _ = await ranking(simulator, CRYPTOCOMPARE, 600)
    truth = {coin.cryptocompare_id: coin.id for coin in load_coins(600)}
    symbols = {truth[coin.source_id]: coin.symbol for coin in coins}
    calls = CRYPTOCOMPARE.plan(list(symbols), {}, symbols)
    quotes = [await ask(simulator, CRYPTOCOMPARE, call) for call in calls]
    stated = {one.currency_id: one.price_usd for part in quotes for one in part.observations}
    assert stated.keys() == set(truth.values())
    assert len(calls) < 6


async def test_fiat_money_and_coins_do_not_mix_in_the_catalog(simulator: Client) -> None:
    kinds = {currency.id: currency.kind for currency in await catalog(simulator)}
    assert (kinds[1], kinds[2781]) == (CurrencyKind.CRYPTO, CurrencyKind.FIAT)


@BOTH
async def test_an_empty_list_is_no_ranking(
    simulator: Client, fault: Callable[..., Awaitable[None]], source: RankingSource
) -> None:
    await fault(kind="empty")
    with pytest.raises(UpstreamMalformed):
        await ranking(simulator, source, 200)


async def test_a_page_that_lacks_a_coin_leaves_a_hole(
    simulator: Client, fault: Callable[..., Awaitable[None]]
) -> None:
    await fault(kind="missing", ids=[1])
    with pytest.raises(UpstreamMalformed, match="left places"):
        await ranking(simulator, CRYPTOCOMPARE, 200)


@BOTH
async def test_a_coin_in_the_place_of_another_tears_the_ranking(
    simulator: Client, fault: Callable[..., Awaitable[None]], source: RankingSource
) -> None:
    await fault(kind="wrong_id", ids=[1027], other=1)
    with pytest.raises(RankingTorn):
        await ranking(simulator, source, 200)


@BOTH
async def test_a_price_that_is_nonsense_costs_no_coin_its_place(
    simulator: Client, fault: Callable[..., Awaitable[None]], source: RankingSource
) -> None:
    await fault(kind="price", ids=[1], value="1e400")
    coins, _ = await ranking(simulator, source, 200)
    assert [coin.price for coin in coins if coin.name == "Bitcoin"] == [None]
    assert len(coins) == 200


async def test_a_limit_and_a_wrong_key_of_cryptocompare(
    simulator: Client, fault: Callable[..., Awaitable[None]]
) -> None:
    (call,) = CRYPTOCOMPARE.ranking(100)
    with pytest.raises(UpstreamRefused):
        await ask(simulator, CryptoCompare(base_url="", api_key="invalid"), call)
    await fault(kind="status", code=99)
    with pytest.raises(UpstreamLimited) as caught:
        await ask(simulator, CRYPTOCOMPARE, call)
    assert caught.value.period is LimitPeriod.MINUTE


async def test_all_currencies_of_the_central_bank_are_priced_in_one_call(simulator: Client) -> None:
    (call,) = FRANKFURTER.plan([*SYMBOLS, 1, 2806], {}, {})
    quotes = await ask(simulator, FRANKFURTER, call)
    assert {one.currency_id for one in quotes.observations} == set(SYMBOLS)
    assert quotes.refused == {}
    assert {one.observed_at for one in quotes.observations} == {datetime(2026, 11, 19, 15, tzinfo=UTC)}


async def test_both_sources_state_about_the_same_for_fiat_currencies(simulator: Client) -> None:
    (ours,) = FRANKFURTER.plan(list(SYMBOLS), {}, {})
    (theirs,) = COINMARKETCAP.plan([*SYMBOLS, 2806], {}, {})
    ecb = {one.currency_id: one.price_usd for one in (await ask(simulator, FRANKFURTER, ours)).observations}
    now = {one.currency_id: one for one in (await ask(simulator, COINMARKETCAP, theirs)).observations}
    assert now.keys() == {*SYMBOLS, 2806}
    assert all(0.5 < now[one].price_usd / price < 2 for one, price in ecb.items())
    assert {one.market_cap for one in now.values()} == {0}


async def test_a_rate_that_is_nonsense_spoils_no_other(
    simulator: Client, fault: Callable[..., Awaitable[None]]
) -> None:
    (call,) = FRANKFURTER.plan([2790, 2791], {}, {})
    await fault(path="/v1/latest", kind="price", ids=[2791], value="null")
    quotes = await ask(simulator, FRANKFURTER, call)
    assert [one.currency_id for one in quotes.observations] == [2790]
    assert quotes.refused.keys() == {2791}
    await fault(path="/v1/latest", kind="status", code=404)
    with pytest.raises(UpstreamRejected, match="Frankfurter answered 404: not found"):
        await ask(simulator, FRANKFURTER, call)


async def test_a_profile_has_supplies_tags_and_links(simulator: Client) -> None:
    calls = COINMARKETCAP.profiles([1, 1027])
    profiles = merged_profiles([await ask(simulator, COINMARKETCAP, call) for call in calls])
    assert [call.what for call in calls] == ["info of 2", "quotes of 2"]
    assert profiles.keys() == {1, 1027}
    assert profiles[1].max_supply == 21_000_000
    assert profiles[1].circulating_supply
    assert all(profile.tags and profile.links for profile in profiles.values())
