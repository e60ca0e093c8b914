"""What an answer with quotes says is of its end, not of its beginning."""

import asyncio
from typing import Any

from tests.api.quotes import (
    BTC,
    DUP,
    EUR,
    HIT,
    PATH,
    UPSTREAM,
    asked,
    open_market,
    quotes,
    trade,
    way,
)
from tests.api.rig import START, Rig, observed, until


async def waiting(rig: Rig, query: str) -> "asyncio.Task[Any]":
    """A request for which the worker is at work until `hold` is set."""
    rig.worker.hold.clear()
    task = asyncio.create_task(rig.get(f"{PATH}?{query}"))
    await until(lambda: rig.worker.commands)
    return task


def quoted(body: Any, key: str) -> dict[str, Any]:
    return {row["symbol"]: row["quotes"][0][key] for row in body["results"]}


async def test_no_answer_goes_back_behind_one_that_was_given_while_it_waited(rig: Rig) -> None:
    await open_market(rig)
    await trade(rig)
    late = await waiting(rig, "symbol=BTC,DUP")
    await rig.advance(seconds=5)
    await rig.store(observed(BTC, "7", observed_at=rig.clock()))
    assert (await quotes(rig, "symbol=BTC"))["BTC", "USD"]["price"] == "7"
    rig.worker.hold.set()
    assert quoted(await late, "price")["BTC"] == "7"


async def test_what_became_stale_during_a_wait_says_so(rig: Rig) -> None:
    await open_market(rig)
    await trade(rig)
    await rig.advance(seconds=880)
    await way(rig, "symbol=BTC")
    late = await waiting(rig, "symbol=BTC,DUP")
    await rig.advance(seconds=23)
    rig.worker.hold.set()
    body = await late
    assert (quoted(body, "age")["BTC"], quoted(body, "stale")["BTC"]) == (903, True)


async def test_max_age_is_judged_when_the_request_arrives_and_what_came_since_is_taken(rig: Rig) -> None:
    await open_market(rig)
    await trade(rig, BTC, EUR)
    await rig.advance(seconds=4)
    late = await waiting(rig, "symbol=BTC,EUR,DUP&max_age=5")
    await rig.advance(seconds=8)
    await rig.store(observed(EUR, "1.2", source="frankfurter", observed_at=rig.clock()))
    rig.worker.hold.set()
    assert quoted(await late, "age") == {"BTC": 12, "EUR": 0, "DUP": 0}
    assert asked(rig) == [[DUP]]


async def test_a_renewed_catalog_does_not_count_against_max_age(rig: Rig) -> None:
    await open_market(rig)
    await trade(rig, BTC)
    rig.worker.renewal_hold.clear()
    task = asyncio.create_task(way(rig, "symbol=BTC,NOPE&max_age=5"))
    await until(lambda: rig.worker.renewals)
    await rig.advance(seconds=9)
    rig.worker.renewal_hold.set()
    assert await task == HIT
    assert asked(rig) == []


async def test_a_visit_under_way_that_began_before_the_request_is_its_answer(rig: Rig) -> None:
    first = await waiting(rig, "symbol=BTC")
    rig.clock.advance(seconds=1)
    second = asyncio.create_task(rig.headers(f"{PATH}?symbol=BTC&max_age=0"))
    await until(lambda: rig.api.memory.asked_since(rig.clock().timestamp()))
    (command,) = rig.worker.commands
    await rig.store(observed(BTC, "9"), fetched_at=START, command_ids=[command.id])
    await first
    status, headers = await second
    assert (status, headers["Cache-Status"], headers["Age"]) == (200, UPSTREAM, "1")
    rig.worker.hold.set()


async def test_what_is_merged_while_somebody_waits_for_it_is_not_tried(rig: Rig) -> None:
    await open_market(rig)
    await trade(rig)
    late = await waiting(rig, "symbol=BTC,DUP")
    rig.api.memory.forget([BTC])
    rig.worker.hold.set()
    assert quoted(await late, "price")["BTC"] is None
