"""The visit for a ranking, against the simulator as two sources, and SQLite."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from shared.domain.currency import FIRST_LOCAL_ID
from shared.domain.ranking import RankedCoin
from shared.domain.visit import VisitOutcome, VisitReason
from shared.errand import Deadline
from shared.messages import RankingStored, RatesStored
from shared.opening import World
from shared.sources import ranking_sources
from simulator.app import create_simulator
from tests.worker.rankings import COINS, TOPLIST, ranking_of, visit
from tests.worlds import Upstreams, small_world
from worker.ranking_pages import RankingPages
from worker.ranking_visit import length_of, visit_ranking


@pytest.mark.parametrize(("places", "length"), [(0, 200), (1, 200), (200, 200), (201, 400), (5000, 5000)])
def test_a_ranking_is_asked_for_in_lengths_that_cost_no_more(places: int, length: int) -> None:
    assert length_of(places) == length


async def test_the_ranking_of_one_source_comes_with_names_of_the_other(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    before = await upstreams.calls()
    report = await visit(world)
    ranking = ranking_of(report)
    assert (ranking.source, len(ranking.currency_ids), ranking.is_whole) == ("cryptocompare", 200, False)
    assert await upstreams.calls(TOPLIST) == await upstreams.calls() - before == 2
    aliases = await world.storage.aliases("cryptocompare")
    assert set(ranking.currency_ids) == set(aliases.values())
    # Two coins are called BitTorrent and BTT: these cannot be told by their names.
    assert sum(one < FIRST_LOCAL_ID for one in ranking.currency_ids) >= 198
    assert await world.storage.last_ranking() == ranking


async def test_the_order_is_that_of_the_source_over_all_its_pages(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    first = ranking_of(await visit(world, 400))
    await upstreams.fault(path=TOPLIST, kind="status", code=500)
    second = ranking_of(await visit(world, 400))
    assert (first.source, second.source) == ("cryptocompare", "coinmarketcap")
    same = sum(one == other for one, other in zip(first.currency_ids, second.currency_ids, strict=True))
    # A minute may have passed between the two, and with it some places.
    assert same > 300


async def test_prices_come_along_and_a_coin_without_one_keeps_its_place(
    both: tuple[World, Upstreams],
) -> None:
    world, _ = both
    report = await visit(world)
    ranking = ranking_of(report)
    priced = {one.rate.currency_id for one in report.recorded}
    unpriced = set(ranking.currency_ids) - priced
    assert unpriced
    assert priced < set(ranking.currency_ids)
    assert {one % 19 for one in unpriced} == {0}
    assert {one.rate.source for one in report.recorded} == {"cryptocompare"}
    assert {rate.currency_id for rate in await world.storage.last_rates()} == priced


async def test_facts_come_in_the_order_in_which_they_make_sense(both: tuple[World, Upstreams]) -> None:
    world, _ = both
    await visit(world)
    report = await visit(world)
    facts = report.facts(["one", "two"])
    assert [type(fact) for fact in facts] == [RatesStored, RankingStored]
    assert facts[-1] == RankingStored(ranking=ranking_of(report), command_ids=("one", "two"))


async def test_the_visit_is_one_line_in_the_journal_with_all_its_credits(
    both: tuple[World, Upstreams],
) -> None:
    world, _ = both
    report = await visit(world)
    line = (await world.storage.visits(limit=1))[0]
    assert (line.what, line.source, line.reason) == ("ranking of 200", "cryptocompare", VisitReason.REFRESH)
    assert (line.outcome, line.credits, line.rates_stored) == (VisitOutcome.DONE, 2, len(report.recorded))


async def test_a_list_longer_than_the_source_ranks_is_whole(both: tuple[World, Upstreams]) -> None:
    world, upstreams = both
    ranking = ranking_of(await visit(world, 5000))
    assert (len(ranking.currency_ids), ranking.is_whole) == (COINS, True)
    assert await upstreams.calls(TOPLIST) == 20


async def test_visits_of_one_process_ask_for_no_more_pages_a_second_than_the_source_takes(
    tmp_path: Path,
) -> None:
    # Prices that moved between two pages could tear the list, which is then asked for once more.
    server = TestServer(create_simulator(coins=6000, tick_ms=86_400_000))
    await server.start_server()
    url = str(server.make_url("")).rstrip("/")
    try:
        async with (
            small_world(tmp_path, sources=("cryptocompare",), cryptocompare_url=url) as (world, _),
            aiohttp.ClientSession() as session,
        ):
            (source,) = ranking_sources(world.sources)

            async def whole(length: int) -> tuple[RankedCoin, ...]:
                deadline = Deadline.within(timedelta(seconds=30))
                pages = RankingPages(world.upstream, source, length, deadline=deadline, attempts=1)
                return (await pages.merged())[0]

            long, short = await asyncio.gather(whole(5000), whole(200))
            called_at = await Upstreams(url, session).called_at(TOPLIST)
    finally:
        await server.close()
    assert (len(long), len(short), len(called_at)) == (5000, 200, 52)
    second = timedelta(seconds=1)
    assert max(sum(start <= one < start + second for one in called_at) for start in called_at) <= 20


async def test_a_price_is_never_said_to_be_fetched_before_it_was_asked_for(
    both: tuple[World, Upstreams],
) -> None:
    """The clock of whoever asked may be ahead of ours: what it waits for is a rate fetched since."""
    world, _ = both
    asked_at = world.clock() + timedelta(seconds=30)
    report = await visit_ranking(
        world, 200, reason=VisitReason.REFRESH, asked_at=asked_at, time_left=timedelta(seconds=10)
    )
    assert {one.rate.fetched_at for one in report.recorded} == {asked_at}
    assert ranking_of(report).observed_at < asked_at


async def test_of_two_coins_that_the_database_calls_one_currency_the_first_has_its_place(
    both: tuple[World, Upstreams], tmp_path: Path
) -> None:
    world, _ = both
    first = ranking_of(await visit(world))
    one, other = first.currency_ids[3], first.currency_ids[120]
    database = sqlite3.connect(tmp_path / "test.db")
    with database:
        changed = database.execute(
            "UPDATE currency_aliases SET currency_id = ? WHERE currency_id = ?", (one, other)
        )
    database.close()
    assert changed.rowcount == 1
    report = await visit(world)
    ids = ranking_of(report).currency_ids
    assert len(ids) == len(set(ids)) == 199
    assert one in ids[:20]
    assert sum(rate.rate.currency_id == one for rate in report.recorded) == 1
