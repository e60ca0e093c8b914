"""The simulated market: what every currency costs at any moment, and how they rank.

A price is a pure function of seed, currency and time: the coin's known price times e to the power of a mix of walks, the
whole market's and two of sixteen sectors'. All currencies are observed together, at the last tick: two looks within one
tick see the same observation. With a tick of zero every look sees a new one, at least a millisecond after the one before.
Ranks are taken once a minute, as vendors do, so they may differ a little from the order of the prices beside them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, expm1

from shared.domain.times import Clock, micros
from simulator.coins import Coin, Kind
from simulator.walk import fraction, walk

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SPANS_MS = (HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS)
"""The times over which changes are stated: an hour, a day, 7, 30, 60 and 90 days."""
_SECTORS = 16
_STABLE = (0.97, 1.03)
"""Coins at about a dollar are taken for stablecoins."""
_STABLE_SHARE = 0.003
_FIAT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Traits:
    """How one currency moves with the market and two sectors, and how much of it is traded in a day."""

    market: float
    sector_a: int
    share_a: float
    sector_b: int
    share_b: float
    turnover: float


class Moment:
    """The market at one time, in milliseconds since 1970. Walks are looked up once each."""

    __slots__ = ("_lanes", "_seed", "ms")

    def __init__(self, seed: int, ms: int) -> None:
        self.ms = ms
        self._seed = seed
        self._lanes: list[float | None] = [None] * (_SECTORS + 1)

    def shift(self, traits: Traits) -> float:
        """The logarithm of a currency's price over its known price."""
        return (
            traits.market * self._lane(0)
            + traits.share_a * self._lane(traits.sector_a)
            + traits.share_b * self._lane(traits.sector_b)
        )

    def _lane(self, lane: int) -> float:
        value = self._lanes[lane]
        if value is None:
            value = self._lanes[lane] = walk(self._seed, lane, self.ms)
        return value


@dataclass(frozen=True)
class Ranking:
    """The active coins in order, taken at one minute."""

    minute_ms: int
    by_cap: Sequence[Coin]
    by_volume: Sequence[Coin]
    total_cap: float

    @cached_property
    def ranks(self) -> dict[int, int]:
        return {coin.id: place for place, coin in enumerate(self.by_cap, 1)}


class Market:
    """All the currencies and their prices. Deterministic by seed and clock."""

    def __init__(
        self, coins: Sequence[Coin], others: Sequence[Coin], *, seed: int, tick_ms: int, clock: Clock
    ) -> None:
        self.coins = tuple(coins)
        """The active cryptocurrencies."""
        self.others = tuple(others)
        """Inactive ones and fiat currencies."""
        self.by_id = {coin.id: coin for coin in (*coins, *others)}
        self.by_slug = {coin.slug: coin for coin in (*coins, *others)}
        self._by_symbol: dict[str, list[Coin]] = {}
        for coin in (*coins, *others):
            if coin.kind is not Kind.FIAT:
                self._by_symbol.setdefault(coin.symbol.upper(), []).append(coin)
        self.fiats = {coin.symbol: coin for coin in others if coin.kind is Kind.FIAT}
        self._seed = seed
        self._tick_ms = tick_ms
        self._clock = clock
        self._traits = {coin.id: _traits(coin, seed) for coin in (*coins, *others)}
        self._last_ms = 0
        self._now: Moment = Moment(seed, 0)
        self._past_minute_ms = -1
        self._past: list[Moment] = []
        self._shifts: dict[int, tuple[float, ...]] = {}
        self._ranking: Ranking | None = None

    def observe(self) -> Moment:
        """The market at the last tick, or a new moment where ticks have no length."""
        ms = micros(self._clock()) // 1000
        ms = ms - ms % self._tick_ms if self._tick_ms else max(ms, self._last_ms + 1)
        if ms != self._last_ms:
            self._last_ms = ms
            self._now = self.at(ms)
        return self._now

    def at(self, ms: int) -> Moment:
        return Moment(self._seed, ms)

    def price(self, coin: Coin, moment: Moment) -> float:
        """In USD. The price of an inactive coin stands still."""
        if coin.kind is Kind.INACTIVE:
            return coin.price_usd
        return coin.price_usd * exp(moment.shift(self._traits[coin.id]))

    def changes(self, coin: Coin, moment: Moment) -> tuple[float, ...]:
        """By how many per cent the price grew within each of SPANS_MS."""
        if coin.kind is Kind.INACTIVE:
            return (0.0,) * len(SPANS_MS)
        shift = moment.shift(self._traits[coin.id])
        return tuple([100 * expm1(shift - past) for past in self._past_shifts(coin, moment)])

    def turnover(self, coin: Coin) -> float:
        """The share of its market capitalisation that is traded within a day."""
        return self._traits[coin.id].turnover

    def named(self, symbol: str, ranks: dict[int, int]) -> list[Coin]:
        """The coins of a symbol in any case, the best-ranked first and the inactive last."""
        coins = self._by_symbol.get(symbol.upper(), [])
        return sorted(coins, key=lambda coin: ranks.get(coin.id, len(ranks) + coin.id))

    def ranking(self, moment: Moment) -> Ranking:
        """As of the moment's minute."""
        minute_ms = moment.ms - moment.ms % MINUTE_MS
        if self._ranking is None or self._ranking.minute_ms != minute_ms:
            self._ranking = self._rank(minute_ms)
        return self._ranking

    def _rank(self, minute_ms: int) -> Ranking:
        moment = self.at(minute_ms)
        caps = {coin.id: coin.supply * self.price(coin, moment) for coin in self.coins}
        return Ranking(
            minute_ms=minute_ms,
            by_cap=self._ordered(lambda coin: caps[coin.id]),
            by_volume=self._ordered(lambda coin: caps[coin.id] * self._traits[coin.id].turnover),
            total_cap=sum(caps.values()),
        )

    def _ordered(self, size: Callable[[Coin], float]) -> tuple[Coin, ...]:
        return tuple(sorted(self.coins, key=lambda coin: (-size(coin), coin.id)))

    def _past_shifts(self, coin: Coin, moment: Moment) -> tuple[float, ...]:
        """Taken at full minutes, so that they serve every tick of one."""
        minute_ms = moment.ms - moment.ms % MINUTE_MS
        if self._past_minute_ms != minute_ms:
            self._past_minute_ms = minute_ms
            self._past = [self.at(minute_ms - span) for span in SPANS_MS]
            self._shifts = {}
        shifts = self._shifts.get(coin.id)
        if shifts is None:
            traits = self._traits[coin.id]
            shifts = self._shifts[coin.id] = tuple(past.shift(traits) for past in self._past)
        return shifts


def _traits(coin: Coin, seed: int) -> Traits:
    draws = [fraction(seed, coin.id, number) for number in range(6)]
    liveliness = 1.0
    if coin.symbol == "USD" and coin.kind is Kind.FIAT:
        liveliness = 0.0
    elif coin.kind is Kind.FIAT:
        liveliness = _FIAT_SHARE
    elif _STABLE[0] < coin.price_usd < _STABLE[1]:
        liveliness = _STABLE_SHARE
    return Traits(
        market=liveliness * (0.6 + 0.6 * draws[0]),
        sector_a=1 + int(_SECTORS * draws[1]),
        share_a=liveliness * (1.4 * draws[2] - 0.4),
        sector_b=1 + int(_SECTORS * draws[3]),
        share_b=liveliness * (1.4 * draws[4] - 0.4),
        turnover=10 ** (-3 + 2.3 * draws[5]),
    )
