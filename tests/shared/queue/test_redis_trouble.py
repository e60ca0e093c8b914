"""A Redis that dies, hangs, forgets or holds what is not ours: QueueUnavailable at once, and service after it."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.servers.valkey import ValkeyServer
from shared.errors import QueueUnavailable, SettingsError, WorkerGone
from shared.messages import Role
from shared.ports import Batch, Gap
from shared.queue import keys
from shared.queue.link import RedisLink
from shared.queue.redis import RedisQueue
from tests.contract.queue.arena import LONG, ROLE, fact, held, ids, listening, refresh, until


async def blocked(redis: Redis, count: int) -> None:
    """Returns when so many clients are blocked."""

    async def are_blocked() -> bool:
        return bool((await redis.info("clients"))["blocked_clients"] == count)

    await until(are_blocked)


async def test_a_killed_server_is_known_at_once_and_its_return_needs_no_restart(
    mortal: ValkeyServer, mortal_queue: RedisQueue
) -> None:
    await mortal_queue.heartbeat(ROLE, "w")
    taking = asyncio.create_task(mortal_queue.take(ROLE, "w", block=LONG))
    await asyncio.sleep(0.05)
    mortal.kill()
    began = time.monotonic()
    with pytest.raises(QueueUnavailable):
        await taking
    for call in (
        mortal_queue.ping(),
        mortal_queue.submit(ROLE, [refresh(1)], wait=LONG),
        mortal_queue.take(ROLE, "w", block=LONG),
        mortal_queue.finish(ROLE, "w", facts=[fact(1)]),
        mortal_queue.depth(ROLE),
    ):
        with pytest.raises(QueueUnavailable):
            await call
    assert time.monotonic() - began < 2
    mortal.start()
    await mortal_queue.heartbeat(ROLE, "w")
    command = refresh(1)
    assert await mortal_queue.submit(ROLE, [command], wait=LONG) == []
    assert ids(await held(mortal_queue, "w")) == [command.id]


async def test_a_hanging_server_is_known_within_two_seconds(
    mortal: ValkeyServer, mortal_queue: RedisQueue
) -> None:
    await mortal_queue.heartbeat(ROLE, "w")
    mortal.pause()
    began = time.monotonic()
    asked = [mortal_queue.submit(ROLE, [refresh(number)], wait=LONG) for number in range(1, 41)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    mortal.resume()
    assert time.monotonic() - began < 2
    assert {type(outcome) for outcome in outcomes} == {QueueUnavailable}
    assert "did not answer" in str(outcomes[0])
    await mortal_queue.ping()


async def test_a_hanging_server_ends_a_blocked_take(mortal: ValkeyServer, mortal_queue: RedisQueue) -> None:
    taking = asyncio.create_task(mortal_queue.take(ROLE, "w", block=timedelta(seconds=0.2)))
    await asyncio.sleep(0.05)
    mortal.pause()
    with pytest.raises(QueueUnavailable):
        async with asyncio.timeout(2):
            await taking
    mortal.resume()
    assert isinstance(await mortal_queue.take(ROLE, "w", block=None), Batch)


async def test_a_server_that_forgot_everything_has_no_worker_until_the_next_heartbeat(
    mortal: ValkeyServer, mortal_queue: RedisQueue
) -> None:
    await mortal_queue.heartbeat(ROLE, "w")
    await asyncio.to_thread(mortal.restart_empty)
    with pytest.raises(WorkerGone):
        await mortal_queue.submit(ROLE, [refresh(1)], wait=LONG)
    await mortal_queue.heartbeat(ROLE, "w")
    assert await mortal_queue.submit(ROLE, [refresh(1)], wait=LONG) == []


async def test_a_restart_of_a_durable_server_loses_neither_commands_nor_facts(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, is_durable=True)
    server.start()
    queue = RedisQueue(server.url)
    await queue.heartbeat(ROLE, "w")
    command = refresh(1)
    await queue.submit(ROLE, [command], wait=LONG)
    async with listening(queue) as heard:
        assert await heard.next() == Gap()
        await queue.announce([fact(1)])
        assert await heard.numbers(1) == [1]
        server.kill()
        await asyncio.to_thread(server.start)
        assert ids(await held(queue, "w")) == [command.id]
        await queue.announce([fact(2)])
        assert await heard.numbers(1) == [2]
    await queue.close()
    server.stop()


async def test_scripts_that_the_server_forgot_are_sent_again(queue: RedisQueue, redis: Redis) -> None:
    await queue.heartbeat(ROLE, "w")
    taking = asyncio.create_task(queue.take(ROLE, "w", block=LONG))
    await blocked(redis, 1)
    await redis.script_flush()
    command = refresh(1)
    await queue.submit(ROLE, [command], wait=LONG)
    assert ids((await taking).deliveries) == [command.id]


async def test_a_cancelled_take_leaves_no_client_blocked_and_loses_nothing(
    queue: RedisQueue, redis: Redis
) -> None:
    await queue.heartbeat(ROLE, "w")
    taking = asyncio.create_task(queue.take(ROLE, "w", block=LONG))
    await blocked(redis, 1)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await blocked(redis, 0)
    command = refresh(1)
    await queue.submit(ROLE, [command], wait=LONG)
    assert ids(await held(queue, "other")) == [command.id]


async def test_what_reaches_a_retired_worker_late_is_rescued(queue: RedisQueue, redis: Redis) -> None:
    await queue.heartbeat(ROLE, "stays")
    await queue.heartbeat(ROLE, "leaves")
    command = refresh(1)
    await queue.submit(ROLE, [command], wait=LONG)
    await queue.retire(ROLE, "leaves")
    await redis.lmove(keys.commands(ROLE), keys.processing(ROLE, "leaves"), "LEFT", "RIGHT")
    assert await queue.rescue(ROLE) == 1
    assert ids(await held(queue, "stays")) == [command.id]


async def test_the_dead_are_forgotten_after_a_minute(queue: RedisQueue, redis: Redis) -> None:
    await queue.heartbeat(ROLE, "w")
    await redis.zincrby(keys.workers(ROLE), -62_000, "w")
    await queue.rescue(ROLE)
    assert await redis.zscore(keys.workers(ROLE), "w") is not None
    await redis.zincrby(keys.workers(ROLE), -2_000, "w")
    await queue.rescue(ROLE)
    assert await redis.zscore(keys.workers(ROLE), "w") is None


@pytest.mark.parametrize(
    "key",
    [keys.commands(ROLE), keys.workers(ROLE), keys.attempts(ROLE), keys.books(ROLE), keys.dead(ROLE)],
)
async def test_a_key_of_the_wrong_type_is_named_and_changes_nothing(
    queue: RedisQueue, redis: Redis, key: str
) -> None:
    await queue.heartbeat(ROLE, "w")
    saved = await redis.dump(key)
    await redis.set(key, "not ours")
    for call in (
        queue.submit(ROLE, [refresh(1)], wait=LONG),
        queue.take(ROLE, "w", block=None),
        queue.take(ROLE, "w", block=LONG),
        queue.finish(ROLE, "w", facts=[fact(1)]),
        queue.retire(ROLE, "w"),
    ):
        with pytest.raises(QueueUnavailable, match="holds what is not ours"):
            await call
    assert await redis.keys(f"{keys.CLAIM}*") == []
    assert await redis.exists(keys.FACTS) == 0
    await redis.delete(key)
    if saved:
        await redis.restore(key, 0, saved)
    assert await queue.submit(ROLE, [refresh(1)], wait=LONG) == []


async def test_a_stream_of_the_wrong_type_keeps_the_command_in_hand(queue: RedisQueue, redis: Redis) -> None:
    await queue.heartbeat(ROLE, "w")
    await queue.submit(ROLE, [refresh(1)], wait=LONG)
    deliveries = await held(queue, "w")
    await redis.set(keys.FACTS, "not ours")
    with pytest.raises(QueueUnavailable, match="holds what is not ours"):
        await queue.finish(ROLE, "w", facts=[fact(1)], done=deliveries)
    assert ids(await held(queue, "w")) == ids(deliveries)


async def test_a_queue_that_turns_into_another_type_ends_a_blocked_take(
    queue: RedisQueue, redis: Redis
) -> None:
    taking = asyncio.create_task(queue.take(ROLE, "w", block=timedelta(seconds=0.2)))
    await blocked(redis, 1)
    await redis.set(keys.commands(ROLE), "not ours")
    with pytest.raises(QueueUnavailable):
        await taking


async def test_scripts_that_the_server_forgot_while_a_worker_waited_are_sent_again(
    queue: RedisQueue, redis: Redis
) -> None:
    await queue.heartbeat(ROLE, "w")
    taking = asyncio.create_task(queue.take(ROLE, "w", block=LONG))
    await blocked(redis, 1)
    await redis.script_flush()
    command = refresh(1)
    assert await queue.submit(ROLE, [command], wait=LONG) == []
    assert ids((await taking).deliveries) == [command.id]


async def test_a_connection_that_the_server_closed_is_replaced_before_it_is_used(
    queue: RedisQueue, redis: Redis
) -> None:
    await queue.heartbeat(ROLE, "w")
    await redis.client_kill_filter(_type="normal", skipme=True)
    assert (await queue.depth(ROLE)).workers == 1


async def test_more_callers_than_connections_are_all_served(queue: RedisQueue, redis: Redis) -> None:
    await queue.heartbeat(ROLE, "w")
    asked = [queue.submit(ROLE, [refresh(number)], wait=LONG) for number in range(1, 201)]
    assert await asyncio.gather(*asked) == [[]] * 200
    assert len(await held(queue, "w")) == 200


async def test_many_pings_at_once_open_no_connection_beyond_those_kept(
    queue: RedisQueue, redis: Redis
) -> None:
    before = (await redis.info("stats"))["total_connections_received"]
    await asyncio.gather(*(queue.ping() for _ in range(200)))
    assert (await redis.info("stats"))["total_connections_received"] - before <= 16


async def test_of_connections_that_blocked_side_by_side_only_some_are_kept(
    queue: RedisQueue, redis: Redis
) -> None:
    waits = timedelta(seconds=0.3)
    await asyncio.gather(*(queue.take(ROLE, f"w{number}", block=waits) for number in range(30)))

    async def are_closed() -> bool:
        return len(await redis.client_list()) <= 17

    await until(are_closed)


async def test_a_closed_queue_leaves_no_connection(queue: RedisQueue, redis: Redis) -> None:
    taking = asyncio.create_task(queue.take(Role.RANKING, "w", block=LONG))
    events = queue.events()
    await anext(events)
    await blocked(redis, 1)
    await queue.close()
    assert isinstance((await asyncio.gather(taking, return_exceptions=True))[0], QueueUnavailable)
    assert [event async for event in events] == []

    async def is_alone() -> bool:
        return len(await redis.client_list()) == 1

    await until(is_alone)


async def test_closing_while_a_call_runs_out_of_time_is_harmless(redis_url: str) -> None:
    link = RedisLink(redis_url)

    async def closes_when_cancelled() -> None:
        async with link.answers(0.01):
            try:
                await asyncio.sleep(1)
            finally:
                await link.close()

    with pytest.raises(QueueUnavailable, match="closed"):
        await closes_when_cancelled()
    assert link.is_closed()


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:geheim@host:port/0",
        "redis://:geheim#x@host",
        "redis://:geheim@host?db=x",
        "redis://:geheim@h?colour=x",
        "http://:geheim@host",
    ],
)
async def test_a_url_that_cannot_be_understood_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL") as caught:
        RedisQueue(url)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_refused_password_is_not_quoted(mortal: ValkeyServer) -> None:
    queue = RedisQueue(mortal.url.replace("redis://", "redis://:geheim@"))
    with pytest.raises(QueueUnavailable) as caught:
        await queue.ping()
    assert "geheim" not in f"{caught.value!r} {caught.value.__cause__!r}"
    await queue.close()


async def test_password_and_database_come_with_the_url(mortal: ValkeyServer) -> None:
    mortal.ask("CONFIG", "SET", "requirepass", "geheim")
    queue = RedisQueue(mortal.url.replace("redis://", "redis://:geheim@").removesuffix("0") + "3")
    await queue.heartbeat(ROLE, "w")
    assert (await queue.depth(ROLE)).workers == 1
    await queue.close()
