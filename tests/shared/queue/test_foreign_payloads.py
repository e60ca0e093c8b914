"""Whoever can write to Redis can push anything: it reaches the consumer as no command, and nothing breaks."""

import json
import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from shared.domain.ranking import LONGEST_RANKING
from shared.domain.times import iso
from shared.messages import MAX_MESSAGE_BYTES, RefreshRanking, RefreshRates, RenewCatalog
from shared.ports import DeadLetter
from shared.queue import keys
from shared.queue.redis import RedisQueue
from shared.queue.wire import command_from
from tests.contract.queue.arena import LONG, ROLE, held, ids, refresh

GOOD = {
    "id": "c",
    "currency_ids": [1],
    "created_at": "2026-11-20T12:00:00.000Z",
    "request_id": "r",
    "deadline_ms": 1_900_000_000_000,
    "kind": "refresh_rates",
    "version": 1,
}

GOOD_RANKING = {name: value for name, value in GOOD.items() if name != "currency_ids"} | {
    "length": 200,
    "kind": "refresh_ranking",
}

GOOD_RENEWAL = {name: value for name, value in GOOD.items() if name != "currency_ids"} | {
    "kind": "renew_catalog"
}


def but(**fields: Any) -> bytes:
    """The good command with these fields instead."""
    return json.dumps(GOOD | fields).encode()


def ranking_but(**fields: Any) -> bytes:
    return json.dumps(GOOD_RANKING | fields).encode()


def renewal_but(**fields: Any) -> bytes:
    return json.dumps(GOOD_RENEWAL | fields).encode()


class Trap:
    """Unpickling this ends the process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exit, (1,))


PAYLOADS = {
    "nothing": b"",
    "no JSON": b"refresh 1",
    "no text": b"\xff\xfe\x00",
    "cut JSON": but()[:-1],
    "two commands": but() + but(),
    "null": b"null",
    "a list": b"[1]",
    "no fields": b"{}",
    "pickle": pickle.dumps(Trap()),
    "no id": json.dumps({name: value for name, value in GOOD.items() if name != "id"}).encode(),
    "empty id": but(id=""),
    "id with half a character": but(id="\ud800"),
    "unknown kind": but(kind="drop_tables"),
    "unknown version": but(version=2),
    "version as text": but(version="1"),
    "a trace that is no text": but(traceparent=7),
    "id as text": but(currency_ids=["1"]),
    "id as a fraction": but(currency_ids=[1.5]),
    "id as truth": but(currency_ids=[True]),
    "no currencies": but(currency_ids=[]),
    "currencies as text": but(currency_ids="1"),
    "zero": but(currency_ids=[0]),
    "negative": but(currency_ids=[-1]),
    "id of 64 bits": but(currency_ids=[2**63]),
    "id of 4000 digits": but().replace(b"[1]", b"[" + b"9" * 4000 + b"]"),
    "deadline as text": but(deadline_ms="1900000000000"),
    "deadline past the calendar": but(deadline_ms=10**18),
    "negative deadline": but(deadline_ms=-1),
    "creation as a number": but(created_at=1_700_000_000),
    "creation without zone": but(created_at="2026-11-20T12:00:00"),
    "creation on no day": but(created_at="2026-02-30T12:00:00Z"),
    "creation before the calendar": but(created_at="0001-01-01T00:00:00+14:00"),
    "creation after the calendar": but(created_at="9999-12-31T23:59:59-14:00"),
    "kind as a number": but(kind=1),
    "no kind": json.dumps({name: value for name, value in GOOD.items() if name != "kind"}).encode(),
    "currencies under the kind of a ranking": but(kind="refresh_ranking"),
    "a length under the kind of rates": ranking_but(kind="refresh_rates"),
    "ranking of another version": ranking_but(version=2),
    "ranking without an id": ranking_but(id=""),
    "ranking of no places": ranking_but(length=0),
    "ranking of less than no places": ranking_but(length=-200),
    "ranking of too many places": ranking_but(length=LONGEST_RANKING + 1),
    "length as text": ranking_but(length="200"),
    "length as a fraction": ranking_but(length=200.5),
    "length as truth": ranking_but(length=True),
    "no length": ranking_but(length=None),
    "renewal of another version": renewal_but(version=2),
    "renewal without an id": renewal_but(id=""),
    "renewal with a number for an id": renewal_but(id=7),
    "renewal past the calendar": renewal_but(deadline_ms=10**18),
    "renewal without zone": renewal_but(created_at="2026-11-20T12:00:00"),
    "too large": but(request_id="r" * MAX_MESSAGE_BYTES),
    "a megabyte": b"x" * 2**20,
    "deep": b"[" * 60_000,
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
async def test_what_is_no_command_is_delivered_as_none_and_its_neighbours_as_ever(
    queue: RedisQueue, redis: Redis, payload: bytes
) -> None:
    await queue.heartbeat(ROLE, "w")
    before, after = refresh(1), refresh(2)
    await queue.submit(ROLE, [before], wait=LONG)
    await redis.rpush(keys.commands(ROLE), payload)
    await queue.submit(ROLE, [after], wait=LONG)
    deliveries = await held(queue, "w")
    foreign = deliveries[1]
    assert (foreign.payload, foreign.command, foreign.attempt) == (payload, None, 1)
    assert foreign.time_left == timedelta(0)
    assert ids(deliveries) == [before.id, after.id]
    await queue.finish(
        ROLE, "w", done=[deliveries[0], deliveries[2]], dead=[DeadLetter(foreign, "no command")]
    )
    depth = await queue.depth(ROLE)
    assert (depth.accepted, depth.waiting, depth.processing, depth.done, depth.dead) == (3, 0, 0, 2, 1)
    (letter,) = await redis.lrange(keys.dead(ROLE), 0, -1)
    written = json.loads(letter)
    assert written["bytes"] == len(payload)
    assert len(written["payload"]) <= 4 * 4096
    assert written["reason"] == "no command"
    assert written["at"].endswith("Z")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_payload_raises(payload: bytes) -> None:
    assert command_from(payload) is None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.lists(st.integers())
            for name in GOOD
        },
    )
)
def test_a_command_that_is_read_is_sound(fields: dict[str, Any]) -> None:
    command = command_from(but(**fields))
    assert command is None or isinstance(command, RefreshRates)
    assert command is None or all(type(one) is int and one > 0 for one in command.currency_ids)


@pytest.mark.parametrize(
    "created_at", ["2099-11-20T12:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"]
)
def test_a_client_whose_clock_is_wrong_sends_commands_all_the_same(created_at: str) -> None:
    command = command_from(but(created_at=created_at))
    assert command is not None
    assert iso(command.created_at).startswith(created_at.removesuffix("Z"))


@pytest.mark.parametrize("length", [1, LONGEST_RANKING])
def test_a_ranking_is_asked_for_in_every_length_that_there_is(length: int) -> None:
    command = command_from(ranking_but(length=length, colour="blue"))
    assert isinstance(command, RefreshRanking)
    assert command.length == length


def test_a_renewal_of_the_catalog_is_read_whatever_else_it_says() -> None:
    command = command_from(renewal_but(currency_ids=[0], length=-1, colour="blue"))
    assert isinstance(command, RenewCatalog)
    assert (command.id, command.request_id) == ("c", "r")


async def test_a_command_for_rates_stands_in_redis_as_the_version_before_wrote_it(
    queue: RedisQueue, redis: Redis
) -> None:
    await queue.heartbeat(ROLE, "w")
    command = refresh(1, 1027)
    await queue.submit(ROLE, [command], wait=LONG)
    (payload,) = await redis.lrange(keys.commands(ROLE), 0, -1)
    written = json.loads(payload)
    assert list(written) == [
        "currency_ids",
        "deadline_ms",
        "id",
        "created_at",
        "request_id",
        "traceparent",
        "kind",
        "version",
    ]
    assert (written["currency_ids"], written["kind"], written["version"]) == ([1, 1027], "refresh_rates", 1)


async def test_fields_of_a_newer_version_are_ignored(queue: RedisQueue, redis: Redis) -> None:
    await redis.rpush(keys.commands(ROLE), but(colour="blue"))
    (delivery,) = await held(queue, "w")
    assert delivery.command is not None
    assert delivery.command.id == "c"


async def test_a_doubled_payload_is_delivered_twice_and_both_are_booked(
    queue: RedisQueue, redis: Redis
) -> None:
    await queue.heartbeat(ROLE, "w")
    await queue.submit(ROLE, [refresh(1)], wait=LONG)
    (payload,) = await redis.lrange(keys.commands(ROLE), 0, -1)
    await redis.rpush(keys.commands(ROLE), payload)
    one, two = await held(queue, "w")
    await queue.finish(ROLE, "w", done=[one])
    assert len(await held(queue, "w")) == 1
    await queue.finish(ROLE, "w", done=[two])
    depth = await queue.depth(ROLE)
    assert (depth.accepted, depth.processing, depth.done) == (2, 0, 2)
    assert await redis.hlen(keys.attempts(ROLE)) == 0


async def test_a_foreign_payload_that_comes_back_is_counted_too(queue: RedisQueue, redis: Redis) -> None:
    await redis.rpush(keys.commands(ROLE), b"poison")
    await queue.give_back(ROLE, "w", await held(queue, "w"))
    (delivery,) = await held(queue, "w")
    assert delivery.attempt == 2


async def test_only_the_newest_thousand_dead_letters_are_kept(queue: RedisQueue, redis: Redis) -> None:
    for start in (0, 400, 800):
        await redis.rpush(keys.commands(ROLE), *(f"poison {start + one}" for one in range(400)))
        letters = [DeadLetter(delivery, "no command") for delivery in await held(queue, "w")]
        await queue.finish(ROLE, "w", dead=letters)
    kept = [json.loads(letter)["payload"] for letter in await redis.lrange(keys.dead(ROLE), 0, -1)]
    assert kept == [f"poison {number}" for number in range(1199, 199, -1)]
    assert (await queue.depth(ROLE)).dead == 1200


async def test_a_take_of_large_payloads_stops_at_some_megabytes(queue: RedisQueue, redis: Redis) -> None:
    for number in range(8):
        await redis.rpush(keys.commands(ROLE), b"%d" % number * 2**20)
    assert len(await held(queue, "w")) == 4
