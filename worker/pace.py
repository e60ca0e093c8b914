"""The pace of the jobs that spend credits: polls are stretched so that the month's credits last.

P(c) = `Upstream.poll_interval` is the interval at which polls of c credits, were they alone, spend the whole month. Where
several jobs visit one source, each at its own P would spend the month once per job.

The fiat currencies, whose rates move slowly and whose schedule is long, are fixed: they keep FIAT_SCHEDULE as long as that
takes at most a fifth of the month, and are stretched to P(5 * c_fiat) where it would take more. So their part of the month is

    phi = P(c_fiat) / max(i_fiat, P(5 * c_fiat)), at most 1/5

and the other jobs share what that leaves: job j with the configured interval i_j is stretched to

    i_j * sum over the other jobs k of that source, j among them (P(c_k) / i_k) / (1 - phi)

P(c) is K * c, so these spend sum(c_j / i_j) * (1 - phi) / (K * sum(c_k / i_k)) = (1 - phi) / K credits per second, and the
fiat currencies phi / K: together the month, once. All but these are stretched alike, as each keeps its share of what was
configured. A single job is stretched to P(c).

A job counts where its next poll will be asked: at the first of its sources that lets it through now. While the one that
is preferred is closed, that is the next one, whose month must bear it. Of the fiat currencies only those count that the
fiat source does not know, while that one may be asked: it has no month to spend.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.allowance import Allowance
from shared.domain.currency import Currency, CurrencyKind
from shared.domain.ranking import Ranking
from shared.domain.rate import MAX_AHEAD
from shared.errors import NotTried
from shared.intervals import interval_of
from shared.opening import World
from shared.ports import PriceSource, Source
from shared.sources import ranking_sources
from shared.upstream import Upstream
from worker.ranking_visit import length_of_polls
from worker.tracked import Tracked, covered, fiats

FIAT_SHARE = 5
"""The fiat currencies take at most a fifth of the month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a job means to spend."""

    source: Source
    credits: int
    """Per poll."""
    interval: timedelta
    """As configured."""
    calls: int = 1
    """That a poll needs at once."""


def stretched(interval: timedelta, loads: Sequence[tuple[timedelta, timedelta]]) -> timedelta:
    """See above. `loads`: P and interval of each job of the source, this one among them."""
    return interval * sum(alone / configured for alone, configured in loads)


async def pace_of_fixed(upstream: Upstream, fixed: Spending) -> timedelta:
    """The shortest interval that the budget allows for the job that is not stretched with the others."""
    return await upstream.poll_interval(fixed.source, FIAT_SHARE * fixed.credits)


async def pace_among(
    upstream: Upstream, own: Spending, others: Sequence[Spending], fixed: Spending | None = None
) -> timedelta:
    """The shortest interval that the budget allows for a job. `others`: the other jobs, of whatever source. `fixed`: the one
    that is not stretched with them."""
    if not own.credits:
        return timedelta(0)
    loads = [
        (await upstream.poll_interval(one.source, one.credits), one.interval)
        for one in (own, *others)
        if one.source.name == own.source.name
    ]
    taken = await _part_of(upstream, fixed) if fixed and fixed.source.name == own.source.name else 0.0
    return stretched(own.interval, loads) / (1 - taken)


async def _part_of(upstream: Upstream, fixed: Spending) -> float:
    """Of the month. Where fewer polls are left than FIAT_SHARE, P is no longer K * c, and the fixed one's is no more than its
    share of all that is left."""
    alone = await upstream.poll_interval(fixed.source, fixed.credits)
    interval = max(fixed.interval, await pace_of_fixed(upstream, fixed))
    return min(alone / interval, 1 / FIAT_SHARE)


@dataclass(frozen=True, slots=True)
class PricePlan:
    """What a price poll covers now, and its pace."""

    what: Tracked
    pace: timedelta


async def plan_of_prices(world: World, catalog: Sequence[Currency]) -> PricePlan:
    """One visit serves both: what a ranking has brought since the poll before, a poll leaves out."""
    now = world.clock()
    interval = interval_of(world.settings.price_schedule, now)
    ranking = await world.storage.last_ranking(now=world.clock())
    everything = await covered(world, catalog, ranking)
    others = await _likely_rankings(world, ranking)
    fixed = await _next_fiats(world, catalog)
    if ranking:
        rest = everything.without(await _brought(world, ranking, catalog))
        pace = await _pace_of_prices(world, rest, interval, others, fixed)
        # A clock that was ahead may have dated it: it must not stop the polls until then.
        if -MAX_AHEAD <= now - ranking.observed_at < max(interval, pace):
            return PricePlan(rest, pace)
    return PricePlan(everything, await _pace_of_prices(world, everything, interval, others, fixed))


async def _brought(world: World, ranking: Ranking, catalog: Sequence[Currency]) -> set[int]:
    """Currencies with a price from where a poll would get it, which the ranking brought or somebody has asked for since. Of
    local ones only the source of the ranking knows a price."""
    locals_ = {one.id for one in catalog if one.kind is CurrencyKind.LOCAL}
    preferred = world.sources[0].name
    return {
        rate.currency_id
        for rate in await world.storage.last_rates(ranking.currency_ids)
        if rate.source == (ranking.source if rate.currency_id in locals_ else preferred)
        and rate.fetched_at >= ranking.observed_at
    }


async def _pace_of_prices(
    world: World, what: Tracked, interval: timedelta, others: Sequence[Spending], fixed: Spending
) -> timedelta:
    prices = await _next_prices(world, what.all, what.ranks, interval)
    return await pace_among(world.upstream, prices, others, fixed)


async def pace_of_prices(world: World) -> timedelta:
    return (await plan_of_prices(world, await world.storage.catalog())).pace


async def pace_of_rankings(world: World) -> timedelta:
    rankings = await _next_rankings(world)
    return await _pace_of_spending_on_rankings(world, rankings) if rankings else timedelta(0)


async def pace_of_fiats(world: World) -> timedelta:
    return await pace_of_fixed(world.upstream, await _next_fiats(world, await world.storage.catalog()))


async def spared_sources(world: World) -> frozenset[str]:
    """The names of those that a ranking poll must not go on to, should the one that it asks first fail: those that are not
    asked for the ranking in the first place, and have been within the interval that their month allows."""
    ranking = await world.storage.last_ranking(now=world.clock())
    following = {one.source.name: one for one in _spendings_on_rankings(world)[1:]}
    last = following.get(ranking.source) if ranking else None
    asked_first = await _next_rankings(world)
    if not ranking or not last or (asked_first and asked_first.source.name == last.source.name):
        return frozenset()
    age = world.clock() - ranking.observed_at
    is_early = -MAX_AHEAD <= age < await _pace_of_spending_on_rankings(world, last)
    return frozenset({last.source.name} if is_early else ())


async def _pace_of_spending_on_rankings(world: World, rankings: Spending) -> timedelta:
    catalog = await world.storage.catalog()
    prices, fixed = await _planned_prices(world, catalog), await _next_fiats(world, catalog)
    return await pace_among(world.upstream, rankings, [prices], fixed)


async def _planned_prices(world: World, catalog: Sequence[Currency]) -> Spending:
    what = (await plan_of_prices(world, catalog)).what
    interval = interval_of(world.settings.price_schedule, world.clock())
    return await _next_prices(world, what.all, what.ranks, interval)


async def _next_fiats(world: World, catalog: Sequence[Currency]) -> Spending:
    """At the sources after the fiat source."""
    wanted = fiats(catalog)
    calls = world.fiat_source.plan(sorted(wanted), {}, {})
    asked = Spending(source=world.fiat_source, credits=0, interval=timedelta(0), calls=len(calls))
    if await _counted_on(world, asked):
        wanted = wanted.difference(*(call.currency_ids for call in calls))
    interval = interval_of(world.settings.fiat_schedule, world.clock())
    return await _next_prices(world, wanted, {}, interval)


async def _next_prices(
    world: World, currency_ids: Collection[int], ranks: Mapping[int, int], interval: timedelta
) -> Spending:
    """At the first source that knows any of them."""
    for source in world.sources:
        prices = await _spending_on_prices(world, source, currency_ids, ranks, interval)
        if prices.credits and await _counted_on(world, prices):
            return prices
    return await _spending_on_prices(world, world.sources[0], currency_ids, ranks, interval)


async def _counted_on(world: World, poll: Spending) -> bool:
    """One on probation is not: most likely it fails again, and the next one is asked."""
    allowance = await _lets_through(world, poll)
    return allowance is not None and not allowance.is_on_probation


async def _next_rankings(world: World) -> Spending | None:
    """One on probation is asked first, and only polls find out that it is back. None where no source has a ranking."""
    rankings = _spendings_on_rankings(world)
    for one in rankings:
        if await _lets_through(world, one):
            return one
    return rankings[0] if rankings else None


async def _likely_rankings(world: World, last: Ranking | None) -> list[Spending]:
    """Where the next poll asks first, and where the one before ended: what was wrong with a source may be so still."""
    first = await _next_rankings(world)
    return [
        one
        for one in _spendings_on_rankings(world)
        if (first and one.source.name == first.source.name) or (last and one.source.name == last.source)
    ]


async def _lets_through(world: World, poll: Spending) -> Allowance | None:
    """What the source may still be asked; None where it may not be asked for this."""
    try:
        return await world.upstream.require(poll.source, calls=poll.calls, credits=poll.credits)
    except NotTried:
        return None


async def _spending_on_prices(
    world: World,
    source: PriceSource,
    currency_ids: Collection[int],
    ranks: Mapping[int, int],
    interval: timedelta,
) -> Spending:
    symbols = await world.storage.symbols(source.name, currency_ids) if source.has_own_ids else {}
    calls = source.plan(sorted(currency_ids), ranks, symbols)
    return Spending(source=source, credits=sum(call.credits for call in calls), interval=interval)


def _spendings_on_rankings(world: World) -> list[Spending]:
    """At each source, in the order in which they are asked."""
    interval = interval_of(world.settings.ranking_schedule, world.clock())
    length = length_of_polls(world.settings)
    polls = [(source, source.ranking(length)) for source in ranking_sources(world.sources)]
    return [
        Spending(
            source=source,
            credits=sum(call.credits for call in calls),
            interval=interval,
            calls=len(calls),
        )
        for source, calls in polls
    ]
