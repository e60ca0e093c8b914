"""An API on a port, with real storage and queue behind it, a clock that tests own, and a worker that does as told."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestClient
from aiohttp.web_runner import BaseRunner

from api.app import create_app
from api.context import CONTEXT, ApiContext
from api.serving import ApiRunner
from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.rate import Observation, Rate
from shared.domain.visit import Failure, FailureKind, VisitReason
from shared.messages import (
    CatalogStored,
    Fact,
    RankingStored,
    RefreshFailed,
    RefreshRanking,
    RefreshRates,
    RenewCatalog,
    Role,
)
from shared.ports import Delivery, Queue, Storage
from shared.settings import Settings
from shared.visitor import VisitReport, facts_of

START = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)
KEY = "a-key-that-is-long-enough"


class ManualClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


class RigServer(BaseTestServer):
    """The real runner: fast lane and head deadline included."""

    def __init__(self, app: web.Application) -> None:
        super().__init__()
        self.app = app

    async def _make_runner(self, **_options: Any) -> BaseRunner:
        return ApiRunner(self.app)


def coin(currency_id: int, symbol: str, rank: int | None = None, name: str = "") -> CatalogEntry:
    return CatalogEntry(
        Currency(
            id=currency_id,
            name=name or f"{symbol} coin",
            symbol=symbol,
            slug=f"{symbol.lower()}-{currency_id}",
            rank=rank,
            is_active=True,
        ),
        CurrencyMetadata(first_seen=datetime(2010, 7, 13, tzinfo=UTC)),
    )


COINS = (coin(1, "BTC", 1, "Bitcoin"), coin(1027, "ETH", 2, "Ethereum"), coin(5, "DUP", 9), coin(6, "DUP"))


def observed(currency_id: int = 1, price: str = "42885.00187617128", **changes: Any) -> Observation:
    return Observation(
        **{
            "currency_id": currency_id,
            "source": "coinmarketcap",
            "price_usd": Decimal(price),
            "volume_24h": Decimal("21987345123.4518"),
            "market_cap": None,
            "percent_change_1h": -0.12,
            "percent_change_24h": None,
            "observed_at": START - timedelta(seconds=60),
            **changes,
        }
    )


async def recorded(storage: Storage, *observations: Observation, fetched_at: datetime = START) -> list[Rate]:
    """Stores rates as a worker does."""
    answers = await storage.record_rates(observations, fetched_at=fetched_at, stored_at=fetched_at)
    return [answer.rate for answer in answers]


Work = Callable[["RigWorker", Sequence[Delivery]], Any]


class RigWorker:
    """Takes commands and does with them what the test says; by default it stores a rate of each."""

    def __init__(self, queue: Queue, storage: Storage, clock: Callable[[], datetime]) -> None:
        self.queue = queue
        self.storage = storage
        self.clock = clock
        self.visits: list[tuple[int, ...]] = []
        self.commands: list[RefreshRates] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.failure: FailureKind | None = None
        self.is_silent = False
        self.price = 100
        self.cannot_price: set[int] = set()
        self.rankings: list[RefreshRanking] = []
        self.ranked = [1, 1027, 5, 6]
        self.ranking_source = "coinmarketcap"
        self.ranking_hold = asyncio.Event()
        self.ranking_hold.set()
        self.ranking_failure: FailureKind | None = None
        self.renewals: list[RenewCatalog] = []
        self.newcomers: tuple[CatalogEntry, ...] = ()
        self.renewal_hold = asyncio.Event()
        self.renewal_hold.set()
        self.renewal_failure: FailureKind | None = None

    async def run(self) -> None:
        while True:
            batch = await self.queue.take(Role.PRICING, "worker", block=timedelta(seconds=1))
            if batch.deliveries and not self.is_silent:
                await self.work(batch.deliveries)
            elif batch.deliveries:
                self.note(batch.deliveries)
                return

    async def run_all(self) -> None:
        await asyncio.gather(self.run(), self.run_rankings(), self.run_renewals())

    async def run_renewals(self) -> None:
        while True:
            batch = await self.queue.take(Role.CATALOG, "worker", block=timedelta(seconds=1))
            if batch.deliveries:
                await self.renew(batch.deliveries)

    async def renew(self, deliveries: Sequence[Delivery]) -> None:
        """Stores the newcomers, where it is not told to fail."""
        commands = [one.command for one in deliveries if isinstance(one.command, RenewCatalog)]
        self.renewals += commands
        await self.renewal_hold.wait()
        facts: list[Fact]
        if self.renewal_failure:
            failure = Failure(
                currency_id=None, kind=self.renewal_failure, detail="No catalog.", retry_after=7.2
            )
            facts = [RefreshFailed(command_id=one.id, failures=(failure,)) for one in commands]
        else:
            await self.storage.add_currencies(self.newcomers, stored_at=self.clock())
            facts = [CatalogStored(currencies=7, command_ids=tuple(one.id for one in commands))]
        await self.queue.finish(Role.CATALOG, "worker", facts=facts, done=deliveries)

    async def run_rankings(self) -> None:
        while True:
            batch = await self.queue.take(Role.RANKING, "ranker", block=timedelta(seconds=1))
            if batch.deliveries:
                await self.rank(batch.deliveries)

    async def rank(self, deliveries: Sequence[Delivery]) -> None:
        commands = [one.command for one in deliveries if isinstance(one.command, RefreshRanking)]
        self.rankings += commands
        await self.ranking_hold.wait()
        facts: list[Fact] = []
        if self.ranking_failure:
            failure = Failure(
                currency_id=None, kind=self.ranking_failure, detail="No ranking.", retry_after=7.2
            )
            facts += [RefreshFailed(command_id=one.id, failures=(failure,)) for one in commands]
        else:
            facts += await self.ranking([one.id for one in commands])
        await self.queue.finish(Role.RANKING, "ranker", facts=facts, done=deliveries)

    async def ranking(self, command_ids: Sequence[str] = ()) -> list[Fact]:
        """Stores a ranking, and the prices where its source states them with it."""
        now = self.clock()
        facts: list[Fact] = []
        if self.ranking_source == "coinmarketcap":
            facts += await self.visit(self.ranked, ())
        ranking = await self.storage.record_ranking(
            self.ranking_source, self.ranked, is_whole=True, observed_at=now, stored_at=now
        )
        return [*facts, RankingStored(ranking=ranking, command_ids=tuple(command_ids))]

    def note(self, deliveries: Sequence[Delivery]) -> set[int]:
        commands = [one.command for one in deliveries if isinstance(one.command, RefreshRates)]
        self.commands += commands
        wanted = {currency_id for command in commands for currency_id in command.currency_ids}
        self.visits.append(tuple(sorted(wanted)))
        return wanted

    async def work(self, deliveries: Sequence[Delivery]) -> None:
        wanted = self.note(deliveries)
        await self.hold.wait()
        facts: list[Fact] = []
        if self.failure:
            failures = tuple(
                Failure(currency_id=one, kind=self.failure, detail="It went wrong.", retry_after=7.2)
                for one in sorted(wanted)
            )
            facts += [
                RefreshFailed(command_id=one.command.id, failures=failures)
                for one in deliveries
                if one.command
            ]
        else:
            command_ids = [one.command.id for one in deliveries if one.command]
            facts += await self.visit(wanted - self.cannot_price, command_ids)
            failures = tuple(
                Failure(currency_id=one, kind=FailureKind.VISITED, detail="No price.", is_answered=True)
                for one in sorted(wanted & self.cannot_price)
            )
            facts += [RefreshFailed(command_id=one, failures=failures) for one in command_ids if failures]
        await self.queue.finish(Role.PRICING, "worker", facts=facts, done=deliveries)

    async def visit(self, currency_ids: Iterable[int], command_ids: Sequence[str]) -> list[Fact]:
        """Stores a rate of each that is new."""
        now = self.clock()
        self.price += 1
        answers = await self.storage.record_rates(
            [observed(one, str(self.price), observed_at=now) for one in sorted(currency_ids)],
            fetched_at=now,
            stored_at=now,
        )
        return [*facts_of(VisitReport(recorded=tuple(answers), failures=()), command_ids)]


class StoringVisitor:
    """A direct visit that stores a rate, or fails as told."""

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        self.storage = storage
        self.clock = clock
        self.failure: FailureKind | None = None
        self.visits = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def visit(
        self,
        currency_ids: Collection[int],
        *,
        reason: VisitReason,
        asked_at: datetime,
        time_left: timedelta,
    ) -> VisitReport:
        assert reason is VisitReason.DIRECT
        assert time_left > timedelta(0)
        self.visits += 1
        await self.hold.wait()
        if self.failure:
            return VisitReport(
                (),
                tuple(
                    Failure(currency_id=one, kind=self.failure, detail="It went wrong.", retry_after=3.0)
                    for one in currency_ids
                ),
            )
        answers = await self.storage.record_rates(
            [observed(one, observed_at=self.clock()) for one in currency_ids],
            fetched_at=max(asked_at, self.clock()),
            stored_at=self.clock(),
        )
        return VisitReport(tuple(answers), ())


class Rig:
    """Everything of a test, by name."""

    def __init__(
        self,
        *,
        client: TestClient[Any, Any],
        storage: Storage,
        queue: Queue,
        clock: ManualClock,
        worker: RigWorker,
        visitor: StoringVisitor,
        api: ApiContext,
    ) -> None:
        self.client = client
        self.storage = storage
        self.queue = queue
        self.clock = clock
        self.worker = worker
        self.visitor = visitor
        self.api = api

    async def advance(self, **by: float) -> None:
        """Time passes, and the worker stays alive."""
        self.clock.advance(**by)
        await self.queue.heartbeat(Role.PRICING, "worker")
        await self.queue.heartbeat(Role.RANKING, "ranker")
        await self.queue.heartbeat(Role.CATALOG, "worker")

    async def get(self, path: str, *, status: int = 200, **headers: str) -> Any:
        """The JSON body, where the status is the expected one."""
        async with self.client.get(path, headers=headers, allow_redirects=False) as response:
            body = await response.json(content_type=None)
            assert response.status == status, body
            return body

    async def headers(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.client.get(path, headers=headers, allow_redirects=False) as response:
            await response.read()
            return response.status, response.headers

    async def store(
        self,
        *observations: Observation,
        fetched_at: datetime | None = None,
        command_ids: Sequence[str] = (),
    ) -> list[Rate]:
        """Stores and announces, as a poll does; with `command_ids`, as a worker that served these."""
        answers = await self.storage.record_rates(
            observations, fetched_at=fetched_at or self.clock(), stored_at=self.clock()
        )
        await self.queue.announce(facts_of(VisitReport(tuple(answers), ()), command_ids))
        rates = [answer.rate for answer in answers]
        await until(lambda: all(self.api.memory.known(rate.currency_id) for rate in rates))
        return rates


async def until(condition: Callable[[], Any], *, seconds: float = 15.0) -> None:
    """Lets the loop turn until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition has no event of its own
            await asyncio.sleep(0.001)


async def start_rig(
    storage: Storage,
    queue: Queue,
    settings: Settings,
    clock: ManualClock,
    *,
    has_catalog: bool = True,
) -> tuple[Rig, asyncio.Task[None]]:
    if has_catalog:
        await storage.record_catalog(CurrencyKind.CRYPTO, COINS, stored_at=clock())
    visitor = StoringVisitor(storage, clock)
    app = create_app(
        settings=settings,
        storage=storage,
        queue=queue,
        visitor=visitor,
        clock=clock,
    )
    client: TestClient[Any, Any] = TestClient(RigServer(app))
    await client.start_server()
    worker = RigWorker(queue, storage, clock)
    task = asyncio.create_task(worker.run_all())
    await queue.heartbeat(Role.PRICING, "worker")
    await queue.heartbeat(Role.RANKING, "ranker")
    await queue.heartbeat(Role.CATALOG, "worker")
    api = app[CONTEXT]
    rig = Rig(
        client=client, storage=storage, queue=queue, clock=clock, worker=worker, visitor=visitor, api=api
    )
    if has_catalog:
        await until(lambda: api.catalog.is_loaded and api.river.is_flowing)
    return rig, task


async def renew_catalog(rig: Rig, *entries: CatalogEntry) -> None:
    """Stores another catalog and announces it."""
    await rig.storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=rig.clock())
    await rig.queue.announce([CatalogStored(currencies=len(entries))])


async def start_two(start: Callable[..., Awaitable[Rig]], **changes: object) -> Rig:
    """A rig whose ranking and prices come from different sources."""
    rig = await start(sources=("coinmarketcap", "cryptocompare"), cryptocompare_api_key="k", **changes)
    rig.worker.ranking_source = "cryptocompare"
    return rig


async def listed(rig: Rig, path: str = "/api/top/") -> Any:
    """A first list, with the prices that are asked for after it."""
    body = await rig.get(path)
    await until(lambda: all(rig.api.memory.known(one) for one in rig.worker.ranked))
    return body


async def renewed(rig: Rig, count: int) -> None:
    """Until so many rankings were asked for, and the last has arrived."""
    await until(lambda: len(rig.worker.rankings) == count)
    await rested(rig)


async def rested(rig: Rig) -> None:
    """Until no list is being renewed."""
    await until(lambda: all(one.flight is None for one in rig.api.top.renewals._demands.values()))


async def looked(rig: Rig) -> int:
    """How many rankings were asked for once the timer has looked and what it started is over."""
    rig.api.top.renewals.look()
    await rested(rig)
    return len(rig.worker.rankings)
