"""The connections to Redis, and the one place where its failures become QueueUnavailable.

Nothing is retried here: a retried push could push twice. An answer has one second, all told: waiting for a free
connection, connecting, sending, reading. So a dead or hanging Redis is known within that second, and whoever asks
decides what to do. redis-py itself would retry ten times.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.errors import QueueUnavailable, SettingsError

ANSWER_WITHIN_S = 1.0
_CONNECT_WITHIN_S = 0.5
_CONNECTIONS = 16
"""For questions that are answered at once; past it they queue. Redis works one by one anyhow."""


class RedisLink:
    """One Redis, asked by two clients: `client` for answers at once, `waiting` for calls that block."""

    def __init__(self, url: str) -> None:
        self._closing = asyncio.Event()
        self._limits: set[asyncio.Timeout] = set()
        options: dict[str, Any] = {
            "protocol": 2,  # RESP3 was measured to be no faster, and costs a round trip more at each connect
            "client_name": "freshrate",
            "socket_connect_timeout": _CONNECT_WITHIN_S,
            "socket_timeout": None,  # `answers` limits the whole of each call
            "retry": Retry(NoBackoff(), 0),
        }
        try:
            pool = BlockingConnectionPool.from_url(
                url, max_connections=_CONNECTIONS, timeout=ANSWER_WITHIN_S, **options
            )
            self._waiting_pool = ConnectionPool.from_url(url, **options)
            # connects nothing yet, but refuses unknown options
            self._waiting_pool.make_connection()  # type: ignore[no-untyped-call]  # untyped in redis-py
        except (ValueError, TypeError):
            # The cause may quote parts of the URL, and with them the password.
            raise SettingsError("REDIS_URL: cannot be understood as a URL of Redis") from None
        self.client = Redis.from_pool(pool)
        self.waiting = Redis.from_pool(self._waiting_pool)

    def is_closed(self) -> bool:
        return self._closing.is_set()

    @asynccontextmanager
    async def answers(self, within: float = ANSWER_WITHIN_S) -> AsyncIterator[None]:
        """What is asked inside is answered within so many seconds, or QueueUnavailable is raised."""
        self._check_open()
        try:
            async with asyncio.timeout(within) as limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            self._check_open()
            raise QueueUnavailable(f"Redis did not answer within {within:g} s.") from error
        except (RedisError, OSError) as error:
            self._check_open()
            raise QueueUnavailable(_explained(error)) from error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Redis]:
        """A client on one connection that is not replaced behind the caller's back: once lost, every call fails."""
        client = Redis(connection_pool=self._waiting_pool, single_connection_client=True)
        try:
            async with self.answers():
                await client.initialize()
            yield client
        finally:
            await client.aclose()

    async def pause(self, seconds: float) -> None:
        """Sleeps, but not past the closing."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def close(self) -> None:
        """Ends every call that is under way, then the connections."""
        self._closing.set()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        await self.client.aclose()
        await self.waiting.aclose()

    def _check_open(self) -> None:
        if self.is_closed():
            raise QueueUnavailable("The queue is closed.")


def _explained(error: Exception) -> str:
    if "WRONGTYPE" in str(error):
        return f"A key freshrate:* in Redis holds what is not ours; remove or rename it. Redis says: {error}"
    return f"Redis: {error}"
