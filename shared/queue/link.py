"""The connections to Redis, and the one place where its failures become QueueUnavailable.

Nothing is retried here: a retried push could push twice. An answer has one second, all told: waiting for a turn,
connecting, sending, reading. So a dead or hanging Redis is known within that second, and whoever asks decides what to
do. redis-py itself would retry ten times.

Of redis-py the connections are used, not the client and the pool: these were measured to cost a forced refresh, which
asks Redis five times, half a millisecond.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any, TypeAlias

from hiredis import pack_command
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from shared.errors import QueueUnavailable, SettingsError

ANSWER_WITHIN_S = 1.0
_CONNECT_WITHIN_S = 0.5
_AT_ONCE = 16
"""Questions under way, and connections kept for them; past it they queue. Redis works one by one anyhow."""

Word: TypeAlias = str | bytes | int | float
Command: TypeAlias = tuple[Word, ...]
"""Its name and its arguments."""


class Script:
    """A Lua script. It is called by its name, the SHA-1 of its text, and sent whole where the server does not know it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._name = sha1(text.encode(), usedforsecurity=False).hexdigest()

    def by_name(self, keys: Sequence[str], arguments: Sequence[Word]) -> Command:
        return ("EVALSHA", self._name, len(keys), *keys, *arguments)

    def whole(self, keys: Sequence[str], arguments: Sequence[Word]) -> Command:
        return ("EVAL", self._text, len(keys), *keys, *arguments)


class RedisSession:
    """One connection. It is not replaced behind the caller's back: once lost, every call fails."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - one of redis-py's classes, untyped there
        self._connection = connection

    async def ask(self, *commands: Command) -> list[Any]:
        """Sends the commands together and gives an answer for each, or raises the first that is an error."""
        # Its stub says tuple[X] and means a tuple of any length.
        packed = [pack_command(command) for command in commands]  # type: ignore[arg-type]
        await self._connection.send_packed_command(packed)
        answers = []
        refusal: ResponseError | None = None
        for _ in commands:
            try:
                answers.append(await self._connection.read_response())
            except ResponseError as error:
                refusal = refusal or error
        if refusal is not None:
            raise refusal
        return answers

    async def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Word], *, after: Sequence[Command] = ()
    ) -> Any:  # noqa: ANN401 - as many types as scripts answer
        """What the script answers. `after`: sent ahead of it, at once; what these answer is not of interest."""
        try:
            return (await self.ask(*after, script.by_name(keys, arguments)))[-1]
        except NoScriptError:
            return (await self.ask(script.whole(keys, arguments)))[-1]

    async def is_fit(self) -> bool:
        """Whether it is connected and silent, as it must be before it is used again."""
        try:
            return self._connection.is_connected and not await self._connection.can_read()
        except (RedisError, OSError):
            return False

    async def open(self) -> None:
        await self._connection.connect()

    async def close(self, *, at_once: bool = False) -> None:
        """`at_once`: without waiting for the other side."""
        await self._connection.disconnect(nowait=at_once)


class RedisLink:
    """One Redis. What is asked of it stands inside of `answers`."""

    def __init__(self, url: str) -> None:
        self._closing = asyncio.Event()
        self._limits: set[asyncio.Timeout] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._idle: list[RedisSession] = []
        try:
            self._maker = ConnectionPool.from_url(
                url,
                protocol=2,  # RESP3 was measured to be no faster, and costs a round trip more at each connect
                client_name="freshrate",
                socket_connect_timeout=_CONNECT_WITHIN_S,
                socket_timeout=None,  # `answers` limits the whole of each call
                retry=Retry(NoBackoff(), 0),
            )
            self._new_session()  # connects nothing yet, but refuses unknown options
        except (ValueError, TypeError):
            # The cause may quote parts of the URL, and with them the password.
            raise SettingsError("REDIS_URL: cannot be understood as a URL of Redis") from None

    def is_closed(self) -> bool:
        return self._closing.is_set()

    async def ask(self, command: Command) -> Any:  # noqa: ANN401 - as many types as commands answer
        """What the command answers, in its turn."""
        async with self.answers(), self._turns, self.session() as redis:
            return (await redis.ask(command))[0]

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Word]) -> Any:  # noqa: ANN401 - as many types as scripts answer
        """What the script answers, in its turn."""
        async with self.answers(), self._turns, self.session() as redis:
            return await redis.run(script, keys, arguments)

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
    async def session(self) -> AsyncIterator[RedisSession]:
        """A connection of the caller's own. One that was disturbed is not used again: its answers are told apart by
        their order alone."""
        session = self._idle.pop() if self._idle else self._new_session()
        try:
            if not await session.is_fit():
                async with self.answers():
                    await session.close(at_once=True)
                    await session.open()
            yield session
        except BaseException:
            await session.close(at_once=True)
            raise
        if self.is_closed() or len(self._idle) >= _AT_ONCE:
            await session.close(at_once=True)
        else:
            self._idle.append(session)

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
        while self._idle:
            await self._idle.pop().close()

    def _new_session(self) -> RedisSession:
        return RedisSession(self._maker.make_connection())  # type: ignore[no-untyped-call]  # untyped in redis-py

    def _check_open(self) -> None:
        if self.is_closed():
            raise QueueUnavailable("The queue is closed.")


def _explained(error: Exception) -> str:
    if "WRONGTYPE" in str(error):
        return f"A key freshrate:* in Redis holds what is not ours; remove or rename it. Redis says: {error}"
    return f"Redis: {error}"
