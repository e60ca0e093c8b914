"""The reader of the stream over lost connections: a Gap unless nothing can have been missed."""

import asyncio
import time
from typing import Any

from redis.asyncio import Redis

from deploy.servers.valkey import ValkeyServer
from shared.ports import Announced, Gap, Outage
from shared.queue import keys
from shared.queue.redis import RedisQueue
from tests.contract.queue.arena import Heard, fact, listening


async def heard_one(queue: RedisQueue, heard: Heard, number: int) -> None:
    """Brings the reader to a place in the stream."""
    assert await heard.next() == Gap()
    await queue.announce([fact(number)])
    assert await heard.numbers(1) == [number]


async def cut_off(redis: Redis, *commands: tuple[str, ...]) -> None:
    """Cuts every other connection, and runs the commands before any can be back."""
    async with redis.pipeline(transaction=True) as steps:
        steps.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for command in commands:
            steps.execute_command(*command)
        await steps.execute()


async def test_a_reconnect_without_loss_is_no_gap_and_nothing_is_missed(
    queue: RedisQueue, redis: Redis
) -> None:
    async with listening(queue) as heard:
        await heard_one(queue, heard, 1)
        await cut_off(redis, ("XADD", keys.FACTS, "*", "f", '{"kind":"catalog_stored","currencies":2}'))
        await queue.announce([fact(3)])
        assert await heard.numbers(2) == [2, 3]


async def test_a_stream_trimmed_meanwhile_is_a_gap(queue: RedisQueue, redis: Redis) -> None:
    async with listening(queue) as heard:
        await heard_one(queue, heard, 1)
        await cut_off(
            redis,
            ("XADD", keys.FACTS, "*", "f", '{"kind":"catalog_stored","currencies":2}'),
            ("XTRIM", keys.FACTS, "MAXLEN", "1"),
        )
        assert await heard.next() == Gap()
        await queue.announce([fact(3)])
        assert await heard.numbers(1) == [3]


async def test_a_stream_emptied_meanwhile_is_a_gap(queue: RedisQueue, redis: Redis) -> None:
    async with listening(queue) as heard:
        await heard_one(queue, heard, 1)
        await cut_off(redis, ("DEL", keys.FACTS))
        assert await heard.next() == Gap()
        await queue.announce([fact(2)])
        assert await heard.numbers(1) == [2]


async def test_a_reader_that_saw_nothing_yet_cannot_prove_anything(queue: RedisQueue, redis: Redis) -> None:
    async with listening(queue) as heard:
        assert await heard.next() == Gap()
        await cut_off(redis)
        assert await heard.next() == Gap()


async def test_a_server_restarted_empty_is_a_gap(mortal: ValkeyServer, mortal_queue: RedisQueue) -> None:
    async with listening(mortal_queue) as heard:
        await heard_one(mortal_queue, heard, 1)
        await asyncio.to_thread(mortal.restart_empty)
        assert await heard.next() == Gap()
        await mortal_queue.announce([fact(2)])
        assert await heard.numbers(1) == [2]


async def test_a_dead_server_is_one_outage_and_then_a_gap(
    mortal: ValkeyServer, mortal_queue: RedisQueue
) -> None:
    async with listening(mortal_queue) as heard:
        await heard_one(mortal_queue, heard, 1)
        mortal.kill()
        began = time.monotonic()
        assert await heard.next(within=5) == Outage()
        assert 1.5 <= time.monotonic() - began < 3
        await asyncio.sleep(1)
        assert heard.events.empty()
        await asyncio.to_thread(mortal.start)
        began = time.monotonic()
        assert await heard.next() == Gap()
        assert time.monotonic() - began < 2
        await mortal_queue.announce([fact(2)])
        assert await heard.numbers(1) == [2]


async def test_a_hanging_server_is_an_outage_and_then_a_gap(
    mortal: ValkeyServer, mortal_queue: RedisQueue
) -> None:
    async with listening(mortal_queue) as heard:
        await heard_one(mortal_queue, heard, 1)
        mortal.pause()
        assert await heard.next(within=4) == Outage()
        mortal.resume()
        assert await heard.next() == Gap()


async def test_a_reader_may_start_before_the_server(mortal: ValkeyServer, mortal_queue: RedisQueue) -> None:
    mortal.kill()
    async with listening(mortal_queue) as heard:
        assert await heard.next(within=5) == Outage()
        await asyncio.to_thread(mortal.start)
        assert await heard.next() == Gap()


async def test_a_close_during_an_outage_ends_the_reader(
    mortal: ValkeyServer, mortal_queue: RedisQueue
) -> None:
    async with listening(mortal_queue) as heard:
        await heard.next()
        mortal.kill()
        await asyncio.sleep(0.3)
        await mortal_queue.close()
        async with asyncio.timeout(1):
            await heard.is_at_end.wait()
    assert heard.events.empty()


async def test_what_is_no_fact_is_skipped(queue: RedisQueue, redis: Redis) -> None:
    async with listening(queue) as heard:
        await heard_one(queue, heard, 1)
        for value in (b"", b"\xff", b"null", b'{"kind":"from_the_future"}', b'{"kind":"rates_stored"}'):
            await redis.xadd(keys.FACTS, {"f": value})
        await redis.xadd(keys.FACTS, {"other": "field"})
        await queue.announce([fact(2)])
        assert await heard.numbers(1) == [2]


async def test_a_stream_key_of_the_wrong_type_is_an_outage_until_it_is_removed(
    queue: RedisQueue, redis: Redis
) -> None:
    await redis.set(keys.FACTS, "not ours")
    async with listening(queue) as heard:
        assert await heard.next(within=5) == Outage()
        await redis.delete(keys.FACTS)
        assert await heard.next() == Gap()


async def test_a_long_burst_is_read_to_its_end(queue: RedisQueue) -> None:
    async with listening(queue) as heard:
        assert await heard.next() == Gap()
        await queue.announce([fact(number) for number in range(1000)])
        assert await heard.numbers(1000) == list(range(1000))


async def test_facts_older_than_two_minutes_are_trimmed(queue: RedisQueue, redis: Redis) -> None:
    long_ago = int((time.time() - 121) * 1000)
    for number in range(500):
        await redis.xadd(keys.FACTS, {"f": "{}"}, id=f"{long_ago}-{number + 1}")
    await queue.announce([fact(1)])
    assert await redis.xlen(keys.FACTS) <= 101


async def test_a_place_in_the_stream_is_what_redis_says(queue: RedisQueue, redis: Redis) -> None:
    async with listening(queue) as heard:
        await heard.next()
        await queue.announce([fact(1)])
        event = await heard.next()
    entries: Any = await redis.xrange(keys.FACTS)
    assert isinstance(event, Announced)
    assert event.id == entries[0][0].decode()
