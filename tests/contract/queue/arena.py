"""A queue under test, as two processes see it, and the passing of time in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from redis.asyncio import Redis

from shared.domain.times import utc_now
from shared.messages import CatalogStored, RefreshRanking, RefreshRates, RenewCatalog, Role
from shared.ports import Announced, Delivery, Queue, StreamEvent
from shared.queue import keys
from shared.queue.in_process import InProcessQueue
from shared.queue.redis import RedisQueue

ROLE = Role.PRICING
LONG = timedelta(seconds=10)
SHORT = timedelta(milliseconds=20)
SILENCE = timedelta(seconds=3, milliseconds=1)
Elapse = Callable[[timedelta], Awaitable[None]]


@dataclass(frozen=True)
class Arena:
    queue: Queue
    elsewhere: Queue
    """The same queue, as another process sees it."""
    outlive: Elapse
    """Lets so much time pass by the queue's clock."""
    fall_silent: Callable[[], Awaitable[None]]
    """Lets every worker be unheard of for more than 3 s."""


OpenArena = Callable[[], AbstractAsyncContextManager[Arena]]


@asynccontextmanager
async def in_process_arena() -> AsyncIterator[Arena]:
    now = utc_now()

    def clock() -> datetime:
        return now

    async def outlive(duration: timedelta) -> None:
        nonlocal now
        now += duration

    queue = InProcessQueue(clock=clock)
    yield Arena(queue, queue, outlive, lambda: outlive(SILENCE))
    await queue.close()


@asynccontextmanager
async def redis_arena(url: str) -> AsyncIterator[Arena]:
    async def outlive(duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds() + 0.002)

    async def fall_silent() -> None:
        async with Redis.from_url(url, decode_responses=True) as redis:
            for name in map(keys.workers, Role):
                for worker in await redis.zrange(name, 0, -1):
                    await redis.zincrby(name, -SILENCE / timedelta(milliseconds=1), str(worker))

    queue, elsewhere = RedisQueue(url), RedisQueue(url)
    yield Arena(queue, elsewhere, outlive, fall_silent)
    await queue.close()
    await elsewhere.close()


def refresh(*currency_ids: int) -> RefreshRates:
    return RefreshRates(id=str(uuid4()), currency_ids=currency_ids, created_at=utc_now(), request_id="r")


def refresh_ranking(length: int) -> RefreshRanking:
    return RefreshRanking(id=str(uuid4()), length=length, created_at=utc_now(), request_id="r")


def renew_catalog() -> RenewCatalog:
    return RenewCatalog(id=str(uuid4()), created_at=utc_now(), request_id="r")


def currencies_of(delivery: Delivery) -> tuple[int, ...]:
    """What a delivered RefreshRates asks for."""
    assert isinstance(delivery.command, RefreshRates)
    return delivery.command.currency_ids


def fact(number: int) -> CatalogStored:
    """A small fact that can be told from others."""
    return CatalogStored(currencies=number)


async def until(condition: Callable[[], Awaitable[bool]], within: float = 3) -> None:
    """Returns when the condition holds: for what another process or server does, which no event tells."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.002)


async def worker_is_known(queue: Queue) -> None:
    """Returns when a worker has given a sign of life."""

    async def is_known() -> bool:
        return (await queue.depth(ROLE)).workers > 0

    await until(is_known)


async def held(queue: Queue, worker: str, role: Role = ROLE) -> tuple[Delivery, ...]:
    return (await queue.take(role, worker, block=None)).deliveries


def ids(deliveries: tuple[Delivery, ...]) -> list[str]:
    return [delivery.command.id for delivery in deliveries if delivery.command]


class Heard:
    """What a reader of the stream has heard and nobody has asked for yet."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[StreamEvent] = asyncio.Queue()
        self.is_at_end = asyncio.Event()

    async def next(self, within: float = 3) -> StreamEvent:
        async with asyncio.timeout(within):
            return await self.events.get()

    async def numbers(self, count: int) -> list[int]:
        """The numbers of the next facts; a Gap or an Outage among them is no fact."""
        heard = [await self.next() for _ in range(count)]
        facts = [event.fact for event in heard if isinstance(event, Announced)]
        return [one.currencies for one in facts if isinstance(one, CatalogStored)]


@asynccontextmanager
async def listening(queue: Queue) -> AsyncIterator[Heard]:
    heard = Heard()

    async def listen() -> None:
        async for event in queue.events():
            heard.events.put_nowait(event)
        heard.is_at_end.set()

    task = asyncio.create_task(listen())
    yield heard
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
