"""What the worker's port tells Prometheus, on real servers: every figure moves by what was done."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from deploy.servers.ports import free_port
from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from shared import __version__
from shared.domain.visit import VisitReason
from shared.errors import FreshrateError
from shared.messages import Fact, RefreshFailed, RefreshRates, Role
from shared.opening import World
from shared.ports import Announced, DeadLetter
from tests.shared.scraping import Target, phases
from tests.worlds import Upstreams, small_world
from worker.consumer import Consumer
from worker.jobs.catalog import CATALOG, renew_catalog
from worker.metrics import JobGauges, serve_metrics
from worker.run import run_worker
from worker.schedule import Scheduler

WORKER = "worker-of-the-test"
SOURCE = "coinmarketcap"
CALLS, CREDITS = 50, 1000
LAST_DONE = "freshrate_job_last_success_timestamp_seconds"


@dataclass(frozen=True)
class Scene(Target):
    """A worker's world with its metrics port."""

    world: World
    upstreams: Upstreams

    def command(self, *currency_ids: int, name: str = "one") -> RefreshRates:
        return RefreshRates(
            id=name, currency_ids=currency_ids, created_at=self.world.clock(), request_id=f"r-{name}"
        )

    async def submit(self, command: RefreshRates) -> None:
        await self.world.queue.heartbeat(Role.PRICING, WORKER)
        await self.world.queue.submit(Role.PRICING, [command], wait=timedelta(seconds=10))

    async def refresh(self, command: RefreshRates) -> Fact:
        """By a consumer that has ended afterwards."""
        events = self.world.queue.events()
        await anext(events)
        consumer = Consumer(Role.PRICING, WORKER, self.world)
        working = asyncio.create_task(consumer.run())
        await self.submit(command)
        try:
            async with asyncio.timeout(10):
                async for event in events:
                    if isinstance(event, Announced):
                        return event.fact
        finally:
            consumer.stop()
            await asyncio.wait_for(working, 5)
        raise AssertionError


@pytest.fixture
async def scene(tmp_path: Path, postgresql_url: str, redis_url: str) -> AsyncIterator[Scene]:
    async with (
        small_world(
            tmp_path,
            database_url=postgresql_url,
            redis_url=redis_url,
            coinmarketcap_calls_per_minute=CALLS,
            coinmarketcap_credits_per_month=CREDITS,
            worker_metrics_port=free_port(),
        ) as (world, upstreams),
        aiohttp.ClientSession() as http,
        serve_metrics(world.settings, world.registry),
    ):
        url = f"http://127.0.0.1:{world.settings.worker_metrics_port}"
        yield Scene(http, url, world, upstreams)


async def test_a_refresh_moves_all_four_phases_by_one(scene: Scene) -> None:
    await renew_catalog(scene.world)
    before = phases(await scene.scrape())
    await scene.refresh(scene.command(1, 1027))
    after = phases(await scene.scrape())
    assert {phase: after[phase] - before[phase] for phase in after} == dict.fromkeys(after, 1.0)


async def test_polls_and_direct_visits_are_no_refresh(scene: Scene) -> None:
    await renew_catalog(scene.world)
    for reason in (VisitReason.POLL, VisitReason.DIRECT):
        report = await scene.world.visitor.visit(
            [1], reason=reason, asked_at=scene.world.clock(), time_left=timedelta(seconds=5)
        )
        assert report.recorded
    assert set(phases(await scene.scrape()).values()) == {0.0}


async def test_the_time_in_the_queue_is_known_and_never_negative(scene: Scene) -> None:
    await renew_catalog(scene.world)
    now = scene.world.clock()
    await scene.refresh(replace(scene.command(1), created_at=now - timedelta(seconds=7)))
    scrape = await scene.scrape()
    seconds = scrape.value("freshrate_refresh_phase_seconds_sum", phase="queue")
    assert seconds >= 7
    ahead = replace(scene.command(1, name="two"), created_at=now + timedelta(hours=1))
    await scene.refresh(ahead)
    scrape = await scene.scrape()
    assert scrape.value("freshrate_refresh_phase_seconds_sum", phase="queue") == seconds
    assert scrape.value("freshrate_refresh_phase_seconds_bucket", phase="queue", le="0.0005") == 1


async def test_what_is_left_of_the_budgets_falls_by_what_was_spent(scene: Scene) -> None:
    await renew_catalog(scene.world)
    before = await scene.scraped_when(
        lambda scrape: scrape.has("freshrate_upstream_credits_left", source=SOURCE), "the budgets"
    )
    spent_before = before.value("freshrate_upstream_credits_total", source=SOURCE)
    await scene.refresh(scene.command(1))
    after = await scene.scrape()
    spent = after.value("freshrate_upstream_credits_total", source=SOURCE) - spent_before
    assert spent == 1
    for name, budget, cost in (
        ("freshrate_upstream_credits_left", CREDITS, spent),
        ("freshrate_upstream_calls_left", CALLS, 1),
    ):
        assert 0 < before.value(name, source=SOURCE) <= budget
        assert before.value(name, source=SOURCE) - after.value(name, source=SOURCE) == cost


async def test_what_another_process_spends_is_seen(scene: Scene) -> None:
    state, version = await scene.world.storage.allowance(SOURCE)
    now = scene.world.clock()
    spent = replace(state, calls=(now, now), month=f"{now:%Y-%m}", credits_spent=400)
    assert await scene.world.storage.replace_allowance(SOURCE, spent, version=version)
    await scene.scraped_when(
        lambda scrape: (
            scrape.value("freshrate_upstream_credits_left", source=SOURCE) == CREDITS - 400
            and scrape.value("freshrate_upstream_calls_left", source=SOURCE) == CALLS - 2
        ),
        "what the other process spent",
    )


async def test_a_source_that_refuses_the_account_is_shown_as_blocked(scene: Scene) -> None:
    await renew_catalog(scene.world)
    healthy = await scene.scrape()
    assert {"source": SOURCE} in healthy.labels("freshrate_upstream_blocked")
    assert healthy.value("freshrate_upstream_blocked", source=SOURCE) == 0
    await scene.upstreams.fault(path="quotes", kind="status", code=401)
    assert isinstance(await scene.refresh(scene.command(1)), RefreshFailed)
    assert (await scene.scrape()).value("freshrate_upstream_blocked", source=SOURCE) == 1


async def test_the_books_of_the_queue(scene: Scene) -> None:
    world, role = scene.world, {"role": "pricing"}
    await scene.submit(scene.command(1))
    scrape = await scene.scraped_when(
        lambda one: one.value("freshrate_queue_commands", state="waiting", **role) == 1, "the one that waits"
    )
    assert scrape.value("freshrate_queue_commands", state="processing", **role) == 0
    assert scrape.value("freshrate_queue_workers", **role) == 1
    assert scrape.value("freshrate_queue_workers", role="ranking") == 0
    assert scrape.value("freshrate_queue_dead_letters_total", **role) == 0
    batch = await world.queue.take(Role.PRICING, WORKER, block=None)
    scrape = await scene.scraped_when(
        lambda one: one.value("freshrate_queue_commands", state="processing", **role) == 1, "the one at work"
    )
    assert scrape.value("freshrate_queue_commands", state="waiting", **role) == 0
    await world.queue.finish(
        Role.PRICING, WORKER, dead=[DeadLetter(one, "a test") for one in batch.deliveries]
    )
    scrape = await scene.scraped_when(
        lambda one: one.value("freshrate_queue_dead_letters_total", **role) == 1, "the dead letter"
    )
    assert scrape.value("freshrate_queue_commands", state="processing", **role) == 0
    await world.queue.retire(Role.PRICING, WORKER)
    await scene.scraped_when(lambda one: one.value("freshrate_queue_workers", **role) == 0, "no worker")


async def test_the_connections_add_up(scene: Scene, postgresql_server: PostgresServer) -> None:
    storage = scene.world.storage

    def kept() -> int:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freshrate'"
        return int(postgresql_server.execute(sql))

    await asyncio.gather(*(storage.catalog() for _ in range(20)))
    scrape = await scene.scraped_when(
        lambda one: one.value("freshrate_database_connections", state="used") == 0, "all of them idle"
    )
    assert scrape.value("freshrate_database_connections", state="idle") == kept() > 1
    assert scrape.value("freshrate_database_waiting") == 0
    blocker = storage._engine._pool  # type: ignore[attr-defined]
    async with blocker.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE currencies")
        reading = [asyncio.create_task(storage.catalog()) for _ in range(12)]
        scrape = await scene.scraped_when(
            lambda one: (
                one.value("freshrate_database_connections", state="used") == 10
                and one.value("freshrate_database_waiting") >= 3
            ),
            "ten at work and those that wait",
        )
        assert scrape.value("freshrate_database_connections", state="idle") == 0
    await asyncio.gather(*reading)


async def test_visits_and_new_rates_are_counted(scene: Scene) -> None:
    await renew_catalog(scene.world)
    visits = "freshrate_visits_total"
    scrape = await scene.scrape()
    assert scrape.value(visits, source=SOURCE, reason="poll", outcome="done") == 2
    await scene.upstreams.fault(path="quotes", kind="unchanged")
    await scene.refresh(scene.command(1, 1027))
    await scene.refresh(scene.command(1, 1027, name="again"))
    scrape = await scene.scrape()
    assert scrape.value(visits, source=SOURCE, reason="refresh", outcome="done") == 2
    assert scrape.value("freshrate_rates_stored_total", source=SOURCE) == 2
    await scene.upstreams.fault(path="quotes", kind="status", code=500)
    await scene.refresh(scene.command(1, name="failing"))
    scrape = await scene.scrape()
    assert scrape.value(visits, source=SOURCE, reason="refresh", outcome="failed") == 1
    assert scrape.value("freshrate_rates_stored_total", source=SOURCE) == 2


async def test_a_job_tells_when_it_was_last_done(scene: Scene) -> None:
    stop = asyncio.Event()
    began = time.time()
    running = asyncio.create_task(run_worker(scene.world, stop))
    jobs = ("catalog", "prices", "upkeep")
    scrape = await scene.scraped_when(
        lambda one: all(one.value(LAST_DONE, name=job) > 0 for job in jobs), "three jobs done"
    )
    stop.set()
    await asyncio.wait_for(running, 10)
    for job in jobs:
        assert began - 1 < scrape.value(LAST_DONE, name=job) <= time.time()


async def test_a_job_that_was_never_done_tells_0_once_that_is_known(scene: Scene) -> None:
    await scene.upstreams.fault(path="map", kind="status", code=1001)
    catalog = Scheduler(CATALOG, scene.world)
    scene.world.registry.register(JobGauges([catalog]))
    assert (await scene.scrape()).labels(LAST_DONE) == []
    running = asyncio.create_task(catalog.run())
    scrape = await scene.scraped_when(lambda one: one.has(LAST_DONE, name="catalog"), "the catalog's state")
    running.cancel()
    await asyncio.wait([running])
    assert scrape.value(LAST_DONE, name="catalog") == 0


async def test_the_process_is_described(scene: Scene) -> None:
    scrape = await scene.scrape()
    assert scrape.value("freshrate_build_info", version=__version__) == 1
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert scrape.value(name) > 0


async def test_a_loop_that_stood_still_is_seen_once(scene: Scene) -> None:
    await asyncio.sleep(0)
    time.sleep(0.5)  # noqa: ASYNC251 - the loop is to stand still
    largest = (await scene.scrape()).value("freshrate_loop_lag_seconds")
    assert largest >= 0.3
    assert (await scene.scrape()).value("freshrate_loop_lag_seconds") < largest


async def test_the_scrape_goes_on_while_the_servers_hang(
    scene: Scene, postgresql_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    await renew_catalog(scene.world)
    await scene.world.queue.heartbeat(Role.PRICING, WORKER)
    before = await scene.scraped_when(
        lambda one: (
            one.has("freshrate_queue_workers", role="pricing")
            and one.has("freshrate_upstream_credits_left", source=SOURCE)
        ),
        "the books and the budgets",
    )
    postgresql_server.pause()
    valkey_server.pause()
    try:
        with pytest.raises(FreshrateError):
            await scene.world.queue.depth(Role.PRICING)
        during = await scene.scraped_when(
            lambda one: not one.labels("freshrate_queue_workers"), "no books of a queue that is away"
        )
    finally:
        valkey_server.resume()
        postgresql_server.resume()
    for name in ("freshrate_upstream_credits_left", "freshrate_upstream_calls_left"):
        assert during.value(name, source=SOURCE) == before.value(name, source=SOURCE)
    await scene.scraped_when(
        lambda one: one.has("freshrate_queue_workers", role="pricing"), "the books again"
    )
