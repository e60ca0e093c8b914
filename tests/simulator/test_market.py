from datetime import UTC, datetime, timedelta
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_aiohttp.plugin import AiohttpClient

from simulator.app import create_simulator
from simulator.coins import Kind, load_coins, load_fiats, load_inactive
from simulator.market import Market
from simulator.walk import walk
from tests.simulator.visitor import NOW, SetClock, Visitor

OTHERS = [*load_inactive(), *load_fiats()]
COINS = load_coins(60)


def market(seed: int = 1, *, tick_ms: int = 100, clock: SetClock | None = None) -> Market:
    return Market(COINS, OTHERS, seed=seed, tick_ms=tick_ms, clock=clock or SetClock())


MARKET = market()


@given(st.datetimes(min_value=datetime(1999, 1, 4), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_prices_stay_positive_and_near_what_is_known(time: datetime) -> None:
    moment = MARKET.at(int(time.timestamp() * 1000))
    for coin in (*COINS, *OTHERS):
        assert 0.3 * coin.price_usd < MARKET.price(coin, moment) < 3 * coin.price_usd


@given(st.integers(min_value=0, max_value=4_000_000_000_000), st.integers(min_value=0, max_value=16))
def test_a_walk_moves_in_small_steps(ms: int, lane: int) -> None:
    assert abs(walk(1, lane, ms + 1) - walk(1, lane, ms)) < 1e-4


def test_the_same_seed_and_time_give_the_same_price() -> None:
    one, two, other = market(1), market(1), market(2)
    prices = [each.price(COINS[0], each.observe()) for each in (one, two, other)]
    assert prices[0] == prices[1] != prices[2]


def test_an_observation_lasts_for_a_tick() -> None:
    clock = SetClock(NOW)
    ours = market(clock=clock)
    first = ours.observe()
    clock.move(milliseconds=40)
    assert ours.observe() is first
    clock.move(milliseconds=60)
    assert ours.observe().ms == first.ms + 100
    assert all(ours.price(coin, first) != ours.price(coin, ours.observe()) for coin in COINS)


def test_without_ticks_every_look_is_a_new_observation() -> None:
    ours = market(tick_ms=0)
    looks = [ours.observe() for _ in range(3)]
    assert [look.ms - looks[0].ms for look in looks] == [0, 1, 2]
    assert len({ours.price(COINS[0], look) for look in looks}) == 3


def test_ranks_are_taken_once_a_minute_and_follow_the_prices() -> None:
    ours = market()
    moment = ours.observe()
    ranking = ours.ranking(moment)
    assert ours.ranking(ours.at(moment.ms + 30_000)) is ranking
    later = ours.ranking(ours.at(moment.ms + 10 * 86_400_000))
    assert later.by_cap != ranking.by_cap
    assert later.by_cap != later.by_volume
    assert [later.ranks[coin.id] for coin in later.by_cap] == list(range(1, 61))


def test_changes_are_those_of_the_price() -> None:
    ours = market()
    moment = ours.at(1_790_000_040_000)
    assert moment.ms % 60_000 == 0
    before = ours.price(COINS[0], ours.at(moment.ms - 3_600_000))
    hour = ours.changes(COINS[0], moment)[0]
    assert isclose(hour, 100 * (ours.price(COINS[0], moment) / before - 1), rel_tol=1e-9)


def test_a_stablecoin_hardly_moves_and_the_dollar_not_at_all() -> None:
    ours = market()
    tether = next(coin for coin in COINS if coin.symbol == "USDT")
    prices = [ours.price(tether, ours.at(day * 86_400_000)) for day in range(20_000, 20_100)]
    assert 0.99 < min(prices) < max(prices) < 1.01
    assert ours.price(ours.fiats["USD"], ours.at(1_790_000_000_000)) == 1


def test_the_currencies_are_as_real_as_can_be() -> None:
    coins = load_coins(600)
    known = {coin.symbol: coin.id for coin in reversed(coins)}
    real = {
        "BTC": 1, "ETH": 1027, "USDT": 825, "BNB": 1839, "SOL": 5426, "XRP": 52, "USDC": 3408, "ADA": 2010,
        "DOGE": 74, "TRX": 1958, "TON": 11419, "AVAX": 5805, "SHIB": 5994, "DOT": 6636, "LINK": 1975,
    }  # fmt: skip
    assert {symbol: known[symbol] for symbol in real} == real
    assert {fiat.symbol: fiat.id for fiat in load_fiats()}.items() >= {"USD": 2781, "EUR": 2790}.items()
    symbols = [coin.symbol for coin in coins]
    assert len(coins) == len({coin.id for coin in coins}) == len({coin.slug for coin in coins}) == 600
    assert len(set(symbols)) < 600
    assert not all(symbol.isascii() for symbol in symbols)
    assert {coin.symbol for coin in load_inactive()} <= set(symbols)


def test_more_coins_than_are_known_are_made_up() -> None:
    coins = load_coins(5000)
    assert len({coin.id for coin in coins}) == len({coin.slug for coin in coins}) == 5000
    assert all(coin.kind is Kind.ACTIVE and coin.price_usd > 0 < coin.supply for coin in coins)


@pytest.mark.parametrize("tick_ms", [0, 1])
async def test_two_requests_some_milliseconds_apart_see_two_prices(
    aiohttp_client: AiohttpClient, tick_ms: int
) -> None:
    clock = SetClock()
    visitor = Visitor(await aiohttp_client(create_simulator(tick_ms=tick_ms, clock=clock)), clock)
    first = (await visitor.quotes(id=1))[0]
    clock.now += timedelta(milliseconds=3)
    second = (await visitor.quotes(id=1))[0]
    assert first["quote"][0]["price"] != second["quote"][0]["price"]
    assert first["last_updated"] < second["last_updated"]
