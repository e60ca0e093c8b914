"""The pace of the jobs that spend credits: polls are stretched so that the month's credits last.

P(c) = `Upstream.poll_interval` is the interval at which polls of c credits, were they alone, spend the whole month. Where
several jobs visit one source, each at its own P would spend the month once per job. So job j with the configured
interval i_j is stretched to

    i_j * sum over the jobs k of that source (P(c_k) / i_k)

P(c) is K * c, so the jobs then spend sum(c_j / i_j) / (K * sum(c_k / i_k)) = 1 / K credits per second: the month, once.
All jobs are stretched alike, as each keeps its share of what was configured. A single job is stretched to P(c).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronsim import CronSim

from shared.domain.currency import Currency
from shared.domain.schedule import Every, Schedule
from shared.opening import World
from shared.ports import Source
from shared.sources import ranking_sources
from worker.ranking_visit import length_of_polls
from worker.tracked import Tracked, tracked

_TICKS = 24
"""Of a cron expression: their mean distance is its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a job means to spend."""

    source: Source
    credits: int
    """Per poll."""
    interval: timedelta
    """As configured."""


def interval_of(schedule: Schedule, now: datetime) -> timedelta:
    """Of a cron expression the mean of its next ticks."""
    if isinstance(schedule, Every):
        return schedule.interval
    ticks = CronSim(schedule.expression, now)
    first = last = next(ticks)
    for _ in range(_TICKS):
        last = next(ticks)
    return (last - first) / _TICKS


def stretched(interval: timedelta, loads: Sequence[tuple[timedelta, timedelta]]) -> timedelta:
    """See above. `loads`: P and interval of each job of the source, this one among them."""
    return interval * sum(alone / configured for alone, configured in loads)


async def pace_among(world: World, own: Spending, others: Sequence[Spending]) -> timedelta:
    """The shortest interval that the budget allows for a job. `others`: the other jobs, of whatever source."""
    if not own.credits:
        return timedelta(0)
    loads = [
        (await world.upstream.poll_interval(one.source, one.credits), one.interval)
        for one in (own, *others)
        if one.source.name == own.source.name
    ]
    return stretched(own.interval, loads)


@dataclass(frozen=True, slots=True)
class PricePlan:
    """What a price poll covers now, and its pace."""

    what: Tracked
    pace: timedelta


async def plan_of_prices(world: World, catalog: Sequence[Currency]) -> PricePlan:
    """One visit serves both: where the ranking comes with prices of the source that is preferred for them, and has been
    renewed since the poll before, a poll leaves its currencies out."""
    source, now = world.sources[0], world.clock()
    interval = interval_of(world.settings.price_schedule, now)
    ranking = await world.storage.last_ranking()
    everything = tracked(catalog, world.settings, ranking)
    if ranking and ranking.source == source.name:
        rest = everything.without(ranking.currency_ids)
        pace = await _pace_of_prices(world, rest, interval)
        if now - ranking.observed_at < max(interval, pace):
            return PricePlan(rest, pace)
    return PricePlan(everything, await _pace_of_prices(world, everything, interval))


async def _pace_of_prices(world: World, what: Tracked, interval: timedelta) -> timedelta:
    prices = await _spending_on_prices(world, what, interval)
    return await pace_among(world, prices, _spending_on_rankings(world))


async def pace_of_prices(world: World) -> timedelta:
    return (await plan_of_prices(world, await world.storage.catalog())).pace


async def pace_of_rankings(world: World) -> timedelta:
    what = (await plan_of_prices(world, await world.storage.catalog())).what
    prices = await _spending_on_prices(world, what, interval_of(world.settings.price_schedule, world.clock()))
    rankings = _spending_on_rankings(world)
    return await pace_among(world, rankings[0], [prices]) if rankings else timedelta(0)


async def _spending_on_prices(world: World, what: Tracked, interval: timedelta) -> Spending:
    source = world.sources[0]
    symbols = await world.storage.symbols(source.name, what.all) if source.has_own_ids else {}
    calls = source.plan(sorted(what.all), what.ranks, symbols)
    return Spending(source=source, credits=sum(call.credits for call in calls), interval=interval)


def _spending_on_rankings(world: World) -> list[Spending]:
    """None where no source has a ranking."""
    interval = interval_of(world.settings.ranking_schedule, world.clock())
    length = length_of_polls(world.settings)
    return [
        Spending(
            source=source, credits=sum(call.credits for call in source.ranking(length)), interval=interval
        )
        for source in ranking_sources(world.sources)[:1]
    ]
