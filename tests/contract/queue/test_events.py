"""Facts reach every reader, in order, after a Gap."""

import asyncio

import pytest

from shared.errors import QueueUnavailable
from shared.messages import RatesStored, RefreshFailed
from shared.ports import Announced, Gap
from tests.contract.queue.arena import LONG, ROLE, Arena, fact, held, listening, refresh, worker_is_known
from tests.contract.queue.samples import FAILURE, RATE


async def test_a_reader_starts_with_a_gap_and_hears_what_comes_after_it(arena: Arena) -> None:
    await arena.queue.announce([fact(1)])
    async with listening(arena.queue) as heard:
        assert await heard.next() == Gap()
        await arena.elsewhere.announce([fact(2)])
        assert await heard.numbers(1) == [2]


async def test_facts_come_in_order_with_rising_places(arena: Arena) -> None:
    async with listening(arena.queue) as heard:
        await heard.next()
        for number in range(0, 300, 3):
            await arena.elsewhere.announce([fact(number), fact(number + 1), fact(number + 2)])
        events = [await heard.next() for _ in range(300)]
    facts = [event for event in events if isinstance(event, Announced)]
    assert [event.fact for event in facts] == [fact(number) for number in range(300)]
    places = [tuple(map(int, event.id.split("-"))) for event in facts]
    assert places == sorted(set(places))


async def test_every_reader_hears_everything(arena: Arena) -> None:
    async with (
        listening(arena.queue) as one,
        listening(arena.queue) as two,
        listening(arena.elsewhere) as three,
    ):
        for heard in (one, two, three):
            assert await heard.next() == Gap()
        await arena.queue.announce([fact(1), fact(2)])
        assert [await heard.numbers(2) for heard in (one, two, three)] == [[1, 2]] * 3


async def test_a_fact_travels_without_losing_a_digit(arena: Arena) -> None:
    stored = RatesStored(stored=(RATE,), confirmed=(RATE,))
    failed = RefreshFailed(command_id="c", failures=(FAILURE,))
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.announce([stored, failed])
        events = [await heard.next(), await heard.next()]
    assert [event.fact for event in events if isinstance(event, Announced)] == [stored, failed]


async def test_the_end_of_a_command_is_announced_in_the_same_step(arena: Arena) -> None:
    await arena.queue.heartbeat(ROLE, "w")
    await arena.queue.submit(ROLE, [refresh(1)], wait=LONG)
    async with listening(arena.elsewhere) as heard:
        await heard.next()
        await arena.queue.finish(ROLE, "w", facts=[fact(1), fact(2)], done=await held(arena.queue, "w"))
        assert await heard.numbers(2) == [1, 2]
        assert (await arena.elsewhere.depth(ROLE)).done == 1


async def test_a_reader_ends_when_the_queue_closes(arena: Arena) -> None:
    async with listening(arena.queue) as heard:
        await heard.next()
        await arena.queue.close()
        async with asyncio.timeout(1):
            await heard.is_at_end.wait()
    assert heard.events.empty()


async def test_a_blocked_take_ends_when_the_queue_closes(arena: Arena) -> None:
    taking = asyncio.create_task(arena.queue.take(ROLE, "w", block=LONG))
    await worker_is_known(arena.queue)
    await arena.queue.close()
    with pytest.raises(QueueUnavailable, match="closed"):
        async with asyncio.timeout(1):
            await taking


async def test_a_closed_queue_is_unavailable(arena: Arena) -> None:
    await arena.queue.ping()
    await arena.queue.close()
    with pytest.raises(QueueUnavailable, match="closed"):
        await arena.queue.ping()
    assert [event async for event in arena.queue.events()] == []
