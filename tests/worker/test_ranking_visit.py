"""The visit for a ranking, against the simulator as two sources, and SQLite."""

import pytest

from shared.domain.currency import FIRST_LOCAL_ID
from shared.domain.visit import VisitOutcome, VisitReason
from shared.messages import RankingStored, RatesStored
from shared.opening import World
from tests.worker.rankings import COINS, TOPLIST, ranking_of, visit
from tests.worlds import Upstreams
from worker.ranking_visit import length_of


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
