"""Announces what a scheduled job stored. The stream is only a hint: that nobody could be told is no failure of the job."""

from collections.abc import Sequence

import structlog

from shared.errors import QueueUnavailable
from shared.messages import Fact
from shared.ports import Queue

log = structlog.get_logger(__name__)


async def announce(queue: Queue, facts: Sequence[Fact]) -> None:
    """Whoever misses these facts finds them in the store within 10 s."""
    try:
        await queue.announce(facts)
    except QueueUnavailable as error:
        log.warning("stored but not announced", facts=len(facts), error=str(error))
