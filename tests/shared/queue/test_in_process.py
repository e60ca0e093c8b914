"""What only the queue inside one process has: a bound per reader."""

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
