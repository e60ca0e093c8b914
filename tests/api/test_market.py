"""The market at a glance: from memory alone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from api.market.schemas import MARKET, MarketSchema
from shared.domain.identity import DecidedBy
from shared.messages import RankingStored, Role
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, observed, until
from tests.api.test_merged import decide

PATH = "/api/market/"


async def rank(rig: Rig, currency_ids: Sequence[int], **changes: Any) -> None:
    """Stores a ranking and announces it, as a worker does."""
    ranking = await rig.storage.record_ranking(
        "coinmarketcap",
        currency_ids,
        **{"is_whole": True, "observed_at": rig.clock(), "stored_at": rig.clock(), **changes},
    )
    await rig.queue.announce([RankingStored(ranking=ranking)])
    await until(lambda: rig.api.top.current.observed_at == ranking.observed_at)


async def test_before_the_first_ranking_it_has_the_order_of_the_catalog(rig: Rig) -> None:
    body = await rig.get(PATH)
    assert [(one["rank"], one["currency"], one["rate"]) for one in body["results"]] == [
        (1, 1, None),
        (2, 1027, None),
        (3, 5, None),
    ]
    assert body["ranked_at"] is body["ranked_by"] is None
    assert body["stale"] is False
    assert body["datetime"] == "2026-11-20T12:00:00.250Z"


async def test_it_has_the_newest_ranking_and_the_last_rates(rig: Rig) -> None:
    await rig.store(observed(1027, "3.10"), observed(1))
    await rank(rig, [1027, 6, 1])
    body = await rig.get(PATH)
    assert [one["currency"] for one in body["results"]] == [1027, 6, 1]
    first, second, third = body["results"]
    assert (first["rank"], first["name"], first["symbol"]) == (1, "Ethereum", "ETH")
    assert first["rate"] == await rig.get("/api/lastrate/1027/")
    assert second["rate"] is None
    assert third["rate"]["price_usd"] == "42885.00187617128"
    assert body["ranked_at"] == "2026-11-20T12:00:00.250Z"
    assert body["ranked_by"] == "coinmarketcap"
    assert MarketSchema().validate(body) == {}


async def test_it_asks_nobody_and_renews_nothing(rig: Rig) -> None:
    await rig.store(observed(1))
    await rank(rig, [1, 1027])
    await rig.advance(hours=5)
    for _ in range(3):
        body = await rig.get(PATH)
    assert body["stale"] is True
    assert rig.worker.visits == []
    assert rig.worker.rankings == []
    for role in (Role.PRICING, Role.RANKING):
        assert (await rig.queue.depth(role)).accepted == 0
    assert rig.api.memory.asked_since(0) == {}


async def test_it_needs_neither_database_nor_queue(rig: Rig) -> None:
    await rig.store(observed(1))
    await rank(rig, [1])
    await rig.storage.close()
    await rig.queue.close()
    body = await rig.get(PATH)
    assert body["results"][0]["rate"]["price_usd"] == "42885.00187617128"


async def test_it_is_stale_with_its_prices(rig: Rig) -> None:
    await rig.store(observed(1))
    await rank(rig, [1, 1027])
    await rig.advance(seconds=900)
    assert (await rig.get(PATH))["stale"] is False
    await rig.advance(seconds=1)
    await rank(rig, [1, 1027])
    body = await rig.get(PATH)
    assert body["stale"] is True
    assert body["results"][0]["rate"]["stale"] is True
    await rig.store(observed(1027, observed_at=rig.clock()))
    body = await rig.get(PATH)
    assert body["stale"] is False
    assert [one["rate"]["stale"] for one in body["results"]] == [True, False]


async def test_it_is_stale_with_its_ranking(rig: Rig) -> None:
    await rank(rig, [1])
    await rig.advance(seconds=901)
    await rig.store(observed(1, observed_at=rig.clock()))
    body = await rig.get(PATH)
    assert body["stale"] is True
    assert body["results"][0]["rate"]["stale"] is False
    assert body["stale_after"] == 900


async def test_it_is_as_long_as_it_is_asked_to_be(rig: Rig) -> None:
    await rank(rig, [6, 5, 1027, 1])
    body = await rig.get(f"{PATH}?limit=2")
    assert [(one["rank"], one["currency"]) for one in body["results"]] == [(1, 6), (2, 5)]


async def test_what_turned_out_to_be_another_currency_comes_once(rig: Rig) -> None:
    local = await decide(rig, None, DecidedBy.NONE)
    await until(lambda: rig.api.catalog.get(local))
    await rank(rig, [local, 1, 1027, 5])
    await decide(rig, 1027, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: local in rig.api.catalog.merged())
    body = await rig.get(f"{PATH}?limit=3")
    assert [(one["rank"], one["currency"]) for one in body["results"]] == [(1, 1027), (2, 1), (3, 5)]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.0", "x", ""])
async def test_other_lengths_are_refused(rig: Rig, limit: str) -> None:
    body = await rig.get(f"{PATH}?limit={limit}", status=400)
    assert "limit" in body["errors"]


async def test_an_empty_store_has_an_empty_market(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    body = await rig.get(PATH)
    assert body["results"] == []
    assert body["stale"] is False


async def test_nobody_keeps_it(rig: Rig) -> None:
    _, headers = await rig.headers(PATH)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/json"


async def test_a_ranking_of_the_past_is_kept_out_by_a_newer_one(rig: Rig) -> None:
    await rank(rig, [1, 1027])
    ranking = await rig.storage.record_ranking(
        "coinmarketcap", [1027, 1], is_whole=True, observed_at=START - timedelta(hours=1), stored_at=START
    )
    await rig.queue.announce([RankingStored(ranking=ranking)])
    await rig.store(observed(1))
    body = await rig.get(PATH)
    assert [one["currency"] for one in body["results"]] == [1, 1027]


def test_the_example_is_one() -> None:
    assert MarketSchema().validate(MARKET) == {}
