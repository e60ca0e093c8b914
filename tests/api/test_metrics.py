"""What the API tells Prometheus, on real servers: every figure moves by what was done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from api.app import create_app
from api.context import CONTEXT, ApiContext
from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from shared import __version__
from shared.domain.times import utc_now
from shared.messages import CatalogStored, Role
from shared.opening import World, open_world
from shared.ports import Announced
from shared.registry import Registry
from tests.api.rig import RigServer, until
from tests.shared.scraping import Scrape, Target, phases
from tests.worlds import small_world
from worker.consumer import Consumer
from worker.jobs.catalog import renew_catalog

KEY = "a-key-that-is-long-enough"
SOURCE = "coinmarketcap"
CREDITS = 1000


@dataclass(frozen=True)
class Scene(Target):
    """An API on a port, and what a worker beside it works with."""

    api: ApiContext
    worker: World

    async def get(self, path: str) -> None:
        async with self.http.get(f"{self.url}{path}", headers={"X-API-Key": KEY}) as response:
            assert response.status == 200, await response.text()

    @asynccontextmanager
    async def consuming(self) -> AsyncIterator[None]:
        await self.worker.queue.heartbeat(Role.PRICING, "worker")
        consumer = Consumer(Role.PRICING, "worker", self.worker)
        working = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            consumer.stop()
            await asyncio.wait_for(working, 5)


@pytest.fixture
async def scene(tmp_path: Path, postgresql_url: str, redis_url: str) -> AsyncIterator[Scene]:
    async with (
        small_world(
            tmp_path,
            database_url=postgresql_url,
            redis_url=redis_url,
            coinmarketcap_credits_per_month=CREDITS,
            api_keys=KEY,
            refreshes_per_minute=0,
        ) as (worker, _),
        open_world(worker.settings) as world,
    ):
        await renew_catalog(worker)
        app = create_app(
            settings=world.settings,
            storage=world.storage,
            queue=world.queue,
            visitor=world.visitor,
            clock=world.clock,
            registry=world.registry,
        )
        client: TestClient[Any, Any] = TestClient(RigServer(app))
        await client.start_server()
        api = app[CONTEXT]
        await until(lambda: api.catalog.is_loaded and api.river.is_flowing)
        url = f"http://{client.host}:{client.port}"
        yield Scene(client.session, url, api, worker)
        await client.close()


async def test_a_refresh_is_counted_here_and_its_phases_where_it_is_made(scene: Scene) -> None:
    async with scene.consuming():
        await scene.get("/api/latestrate/1/")
    here = await scene.scrape()
    assert here.value("freshrate_refresh_outcomes_total", outcome="fresh") == 1
    assert here.value("freshrate_refresh_seconds_count") == 1
    assert set(phases(here).values()) == {0.0}
    worker = Scrape((await scene.worker.registry.scrape()).decode())
    assert set(phases(worker).values()) == {1.0}


async def test_a_direct_visit_is_counted_by_who_makes_it(scene: Scene) -> None:
    await scene.get("/services/requestcurrency/1/")
    scrape = await scene.scrape()
    visit = {"source": SOURCE, "reason": "direct", "outcome": "done"}
    assert scrape.value("freshrate_visits_total", **visit) == 1
    assert scrape.value("freshrate_rates_stored_total", source=SOURCE) == 1
    assert scrape.value("freshrate_upstream_credits_total", source=SOURCE) == 1


async def test_what_the_worker_spends_is_seen(scene: Scene) -> None:
    def left(scrape: Scrape) -> float:
        return scrape.value("freshrate_upstream_credits_left", source=SOURCE)

    before = left(await scene.scraped_when(lambda one: left(one) > 0, "the budget"))
    async with scene.consuming():
        await scene.get("/api/latestrate/1/")
    after = await scene.scraped_when(lambda one: left(one) == before - 1, "one credit less")
    assert not after.has("freshrate_upstream_calls_left", source=SOURCE)
    assert after.has("freshrate_upstream_blocked", source=SOURCE)


async def test_the_queue_is_seen_where_no_worker_is_left_to_tell_of_it(scene: Scene) -> None:
    def workers(scrape: Scrape) -> float:
        return scrape.value("freshrate_queue_workers", role="pricing")

    async with scene.consuming():
        scrape = await scene.scraped_when(lambda one: workers(one) == 1, "the worker")
        assert scrape.has("freshrate_queue_dead_letters_total", role="pricing")
        for state in ("waiting", "processing"):
            assert scrape.value("freshrate_queue_commands", role="pricing", state=state) == 0
    await scene.worker.queue.retire(Role.PRICING, "worker")
    gone = await scene.scraped_when(lambda one: workers(one) == 0, "no worker")
    assert gone.has("freshrate_queue_workers", role="pricing")


async def test_the_lag_of_the_stream_is_about_handling_not_about_silence(scene: Scene) -> None:
    name = "freshrate_stream_lag_seconds"
    silent = await scene.scrape()
    assert silent.value("freshrate_stream_up") == 1
    assert not silent.has(name)
    async with scene.consuming():
        await scene.get("/api/latestrate/1/")
    handled = await scene.scrape()
    assert handled.has(name)
    assert 0 <= handled.value(name) < 5
    assert (await scene.scrape()).value(name) == handled.value(name)
    late = utc_now() - timedelta(seconds=30)
    place = f"{int(late.timestamp() * 1000)}-0"
    scene.api.river._take(Announced(place, CatalogStored(currencies=1)))
    assert 30 <= (await scene.scrape()).value(name) < 60
    ahead = f"{int(datetime.max.replace(tzinfo=late.tzinfo).timestamp() * 1000)}-0"
    scene.api.river._take(Announced(ahead, CatalogStored(currencies=1)))
    assert (await scene.scrape()).value(name) == 0


async def test_the_process_and_its_connections_are_described(scene: Scene) -> None:
    scrape = await scene.scrape()
    assert scrape.value("freshrate_build_info", version=__version__) == 1
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert scrape.value(name) > 0
    assert scrape.has("freshrate_loop_lag_seconds")
    kept = sum(scrape.value("freshrate_database_connections", state=state) for state in ("used", "idle"))
    assert 1 <= kept <= 10


async def test_the_scrape_goes_on_while_the_servers_are_away(
    scene: Scene, postgresql_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    before = await scene.scraped_when(
        lambda one: one.has("freshrate_upstream_credits_left", source=SOURCE), "the budget"
    )
    postgresql_server.pause()
    valkey_server.pause()
    try:
        down = await scene.scraped_when(
            lambda one: one.value("freshrate_stream_up") == 0 and not one.labels("freshrate_queue_workers"),
            "the stream is down",
        )
    finally:
        valkey_server.resume()
        postgresql_server.resume()
    left = "freshrate_upstream_credits_left"
    assert down.value(left, source=SOURCE) == before.value(left, source=SOURCE) > 0
    await scene.scraped_when(lambda one: one.value("freshrate_stream_up") == 1, "the stream is back")


async def test_labels_are_bounded(scene: Scene) -> None:
    """Neither ids nor paths become labels."""
    async with scene.consuming():
        for currency_id in (1, 1027, 1839):
            await scene.get(f"/api/latestrate/{currency_id}/")
            await scene.get(f"/api/lastrate/{currency_id}/")
    await scene.scrape()
    names = len((await scene.scrape())._samples)
    async with scene.consuming():
        for currency_id in (52, 5426, 74):
            await scene.get(f"/api/latestrate/{currency_id}/")
            await scene.get(f"/api/lastrate/{currency_id}/")
    assert len((await scene.scrape())._samples) == names


# The registry itself


async def test_a_scrape_does_not_wait_for_what_never_answers() -> None:
    registry = Registry()
    begun = []

    async def hang() -> None:
        begun.append(True)
        await asyncio.Event().wait()

    registry.ask_first(hang)
    for _ in range(3):
        assert await asyncio.wait_for(registry.scrape(), 5) == b""
    assert len(begun) == 1
    await registry.close()
    assert await asyncio.wait_for(registry.scrape(), 5) == b""


async def test_a_defect_in_what_is_asked_fails_no_scrape() -> None:
    registry = Registry()
    asked = []

    async def broken() -> None:
        asked.append(True)
        raise ZeroDivisionError

    registry.ask_first(broken)
    for _ in range(2):
        assert await registry.scrape() == b""
    assert len(asked) == 2
