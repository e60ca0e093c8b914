"""What only the queue inside one process has: a bound per reader."""

from shared.domain.times import utc_now
from shared.ports import Announced, Gap
from shared.queue.in_process import InProcessQueue
from shared.queue.subscription import MAX_UNREAD
from tests.contract.queue.arena import fact


async def test_a_reader_that_falls_behind_gets_a_gap_instead_of_what_it_missed() -> None:
    queue = InProcessQueue()
    events = queue.events()
    assert await anext(events) == Gap()
    await queue.announce([fact(number) for number in range(MAX_UNREAD + 1)])
    assert await anext(events) == Gap()
    event = await anext(events)
    assert isinstance(event, Announced)
    assert event.fact == fact(MAX_UNREAD)
    await queue.close()
    assert [event async for event in events] == []


async def test_a_fact_tells_when_it_was_announced_as_in_redis() -> None:
    now = utc_now()
    queue = InProcessQueue(clock=lambda: now)
    events = queue.events()
    await anext(events)
    await queue.announce([fact(1), fact(2)])
    told = [await anext(events), await anext(events)]
    assert [one.announced_at for one in told if isinstance(one, Announced)] == [
        int(now.timestamp() * 1000) / 1000
    ] * 2
    assert len({one.id for one in told if isinstance(one, Announced)}) == 2
