"""The stream of facts, read by one connection for as long as the process lives.

The reader never guesses: a Gap is told unless it is proven that nothing was missed. After a reconnect that proof is
that the last entry it saw still stands in the stream; a trimmed, emptied or restarted stream does not hold it.
"""

import asyncio
import random
from collections.abc import AsyncGenerator

import structlog

from shared.errors import QueueUnavailable
from shared.ports import Announced, Gap, Outage, StreamEvent
from shared.queue import keys
from shared.queue.link import RedisLink, RedisSession
from shared.queue.wire import fact_from

_BLOCK_S = 2.0
_SILENCE_S = 3.0
"""Redis answers a blocking read after 2 s at the latest; silent for longer, the connection is dead."""
_AT_ONCE = 100
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_OUTAGE_AFTER_S = 1.5
_NOTHING_SEEN = "0-0"

log = structlog.get_logger(__name__)


class FactStream:
    """One reader and its place in the stream."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._place: str | None = None
        self._failures = 0
        self._failing_since = 0.0
        self._is_outage = False

    async def events(self) -> AsyncGenerator[StreamEvent]:
        while not self._link.is_closed():
            try:
                async with self._link.session() as redis:
                    if not await self._is_continuous(redis):
                        self._place = await self._end(redis)
                        yield Gap()
                    self._note_success()
                    while True:
                        for place, fields in await self._next_entries(redis):
                            self._place = place.decode()
                            fact = fact_from(self._place, fields.get(b"f"))
                            if fact is not None:
                                yield Announced(self._place, fact)
            except QueueUnavailable as error:
                if self._link.is_closed():
                    return
                if self._note_failure(error):
                    yield Outage()
                await self._link.pause(self._pause())

    async def _is_continuous(self, redis: RedisSession) -> bool:
        if self._place is None or self._place == _NOTHING_SEEN:
            return False
        async with self._link.answers():
            (found,) = await redis.ask(("XRANGE", keys.FACTS, self._place, self._place))
        return bool(found)

    async def _end(self, redis: RedisSession) -> str:
        async with self._link.answers():
            (last,) = await redis.ask(("XREVRANGE", keys.FACTS, "+", "-", "COUNT", 1))
        return str(last[0][0], "ascii") if last else _NOTHING_SEEN

    async def _next_entries(self, redis: RedisSession) -> list[tuple[bytes, dict[bytes, bytes]]]:
        block = int(_BLOCK_S * 1000)
        place = self._place or _NOTHING_SEEN
        async with self._link.answers(_SILENCE_S):
            (streams,) = await redis.ask(
                ("XREAD", "COUNT", _AT_ONCE, "BLOCK", block, "STREAMS", keys.FACTS, place)
            )
        return [
            (place, dict(zip(fields[::2], fields[1::2], strict=True)))
            for place, fields in (streams[0][1] if streams else ())
        ]

    def _note_success(self) -> None:
        if self._failures:
            log.info("fact stream back", failures=self._failures)
        self._failures = 0
        self._is_outage = False

    def _note_failure(self, error: QueueUnavailable) -> bool:
        """True where this makes it an outage. After one a Gap is due, proof or not. Silence has lasted long enough
        already when it is noticed."""
        now = asyncio.get_running_loop().time()
        if not self._failures:
            self._failing_since = now
            log.warning("fact stream lost", error=str(error))
        self._failures += 1
        is_silence = isinstance(error.__cause__, TimeoutError)
        if self._is_outage or not (is_silence or now - self._failing_since >= _OUTAGE_AFTER_S):
            return False
        self._is_outage = True
        self._place = None
        return True

    def _pause(self) -> float:
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, so that clients do not come back in step
