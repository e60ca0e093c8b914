"""The worker's life: signs of life, a stop in order, and its command line."""

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import Counter
from structlog.testing import capture_logs

from deploy.servers.ports import free_port
from shared.domain.allowance import Allowance
from shared.domain.schedule import Every
from shared.errors import FreshrateError, QueueUnavailable, StorageUnavailable, WorkerGone
from shared.messages import RefreshRates, Role
from shared.opening import World, require_servers
from shared.queue.in_process import InProcessQueue
from shared.registry import Registry
from shared.settings import read_settings
from tests.waiting import until
from worker import __main__ as command_line
from worker.heartbeat import Heartbeat, living_workers
from worker.job import Job
from worker.metrics import serve_metrics
from worker.run import incarnation, run_worker
from worker.schedule import Scheduler


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))


def test_no_two_incarnations_share_a_name() -> None:
    assert incarnation() != incarnation()


async def test_a_worker_fills_the_store_beats_and_says_good_bye(world: World) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(world, stop))

    async def polled() -> bool:
        return len(await world.storage.last_rates()) >= 20 and await world.storage.last_ranking() is not None

    await until(polled, seconds=10, what="the first polls")
    assert living_workers(world.settings.command_roles) == 1
    assert [(await world.queue.depth(role)).workers for role in Role] == [1, 1, 1]
    stop.set()
    await asyncio.wait_for(running, 10)
    assert living_workers(world.settings.command_roles) == 0
    assert [(await world.queue.depth(role)).workers for role in Role] == [0, 0, 0]
    with pytest.raises(WorkerGone):
        await world.queue.submit(
            Role.PRICING,
            [RefreshRates(id="x", currency_ids=(1,), created_at=world.clock(), request_id="r")],
            wait=timedelta(seconds=1),
        )


async def test_a_worker_that_starts_forgives_every_source(world: World) -> None:
    """Whoever restarts it has perhaps mended why they refused."""
    names = ("frankfurter", "coinmarketcap")
    for name in names:
        _, version = await world.storage.allowance(name)
        blocked = Allowance().blocked(until=world.clock() + timedelta(hours=1), because="told to stop")
        assert await world.storage.replace_allowance(name, blocked, version=version)
    stop = asyncio.Event()
    stop.set()
    await asyncio.wait_for(run_worker(world, stop), 10)
    for name in names:
        assert (await world.storage.allowance(name))[0].blocked_until is None


async def test_a_worker_of_the_role_ranking_takes_no_commands_for_the_catalog(world: World) -> None:
    settings = world.settings.model_copy(update={"worker_roles": (Role.RANKING,)})
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(replace(world, settings=settings), stop))

    async def beating() -> bool:
        return (await world.queue.depth(Role.RANKING)).workers == 1

    await until(beating, seconds=10, what="the heartbeat")
    assert [(await world.queue.depth(role)).workers for role in (Role.PRICING, Role.CATALOG)] == [0, 0]
    stop.set()
    await asyncio.wait_for(running, 10)


async def test_two_workers_of_different_roles_share_the_jobs(world: World) -> None:
    stop = asyncio.Event()
    workers = []
    for role in (Role.PRICING, Role.RANKING):
        settings = world.settings.model_copy(update={"worker_roles": (role,)})
        own = replace(world, settings=settings, registry=Registry())
        workers.append(asyncio.create_task(run_worker(own, stop)))

    async def polled() -> bool:
        jobs = ("catalog", "prices", "fiat", "ranking")
        states = [await world.storage.schedule_state(job) for job in jobs]
        return all(state.done_at for state in states)

    await until(polled, seconds=30, what="the first polls")
    assert [(await world.queue.depth(role)).workers for role in Role] == [1, 1, 1]
    stop.set()
    await asyncio.wait_for(asyncio.gather(*workers), 10)
    assert await world.storage.last_ranking() is not None
    assert await world.storage.last_rates() != []


async def test_a_defect_in_the_loop_ends_the_worker_loudly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: Scheduler) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Scheduler, "run", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        await asyncio.wait_for(run_worker(world, asyncio.Event()), 10)


async def test_a_job_that_breaks_is_tried_again_and_the_schedule_lives_on(world: World) -> None:
    runs = 0

    async def breaking(_world: World) -> None:
        nonlocal runs
        runs += 1
        raise (RuntimeError if runs == 1 else FreshrateError)("broken")

    job = Job(
        name="breaking",
        role=Role.PRICING,
        schedule=lambda _settings: Every(timedelta(hours=1)),
        run=breaking,
        retry=timedelta(milliseconds=20),
    )
    task = asyncio.create_task(Scheduler(job, world).run())

    async def three() -> bool:
        return runs >= 3

    await until(three, seconds=5, what="three runs")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await world.storage.schedule_state("breaking")).done_at is None


async def test_a_stop_in_the_middle_of_a_job_ends_the_schedule_though_the_store_is_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def endless(_world: World) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def down(*_: object, **__: object) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(type(world.storage), "finish_tick", down)
    job = Job(
        name="endless", role=Role.PRICING, schedule=lambda _settings: Every(timedelta(hours=1)), run=endless
    )
    task = asyncio.create_task(Scheduler(job, world).run())
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    assert task.cancelled()


async def test_retries_begin_with_the_jobs_own_pause_then_double_and_keep_the_pace(world: World) -> None:
    async def never(_world: World) -> None:
        return None

    job = Job(
        name="never", role=Role.PRICING, schedule=lambda _settings: Every(timedelta(hours=1)), run=never
    )
    scheduler = Scheduler(job, world)
    pauses = []
    for _ in range(7):
        await scheduler._run_claimed()
        pauses.append(scheduler._retry().total_seconds())
    assert pauses == [15, 30, 60, 120, 240, 300, 300]
    assert scheduler._retry(timedelta(hours=2)) == timedelta(hours=2)


async def test_a_queue_that_is_away_does_not_stop_the_heart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise QueueUnavailable

    monkeypatch.setattr(InProcessQueue, "heartbeat", away)
    roles = (Role.PRICING,)
    beating = asyncio.create_task(Heartbeat(roles, "w", world.queue).run())

    async def alive() -> bool:
        return living_workers(roles) == 1

    await until(alive, seconds=2, what="the file of the heartbeat")
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert living_workers(roles) == 0


async def test_a_queue_that_is_away_is_told_once_by_the_heart_and_again_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise QueueUnavailable

    heart = Heartbeat((Role.PRICING,), "w", world.queue)
    with capture_logs() as logs:
        with monkeypatch.context() as patch:
            patch.setattr(InProcessQueue, "heartbeat", away)
            for _ in range(3):
                await heart.beat()
        await heart.beat()
    assert [(line["event"], line["role"]) for line in logs] == [
        ("no heartbeat", "pricing"),
        ("heartbeat back", "pricing"),
    ]


async def test_a_store_that_is_away_is_told_once_by_a_schedule_and_again_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures, ran = 3, asyncio.Event()
    claim_tick = type(world.storage).claim_tick

    async def away(self: Any, *args: Any, **kwargs: Any) -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise StorageUnavailable
        return bool(await claim_tick(self, *args, **kwargs))

    async def run(_world: World) -> None:
        ran.set()

    monkeypatch.setattr("worker.schedule.OUTAGE_PAUSE", timedelta(milliseconds=1))
    monkeypatch.setattr(type(world.storage), "claim_tick", away)
    job = Job(name="any", role=Role.PRICING, schedule=lambda _settings: Every(timedelta(hours=1)), run=run)
    with capture_logs() as logs:
        task = asyncio.create_task(Scheduler(job, world).run())
        await asyncio.wait_for(ran.wait(), 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert failures == 0
    assert [(line["event"], line["job"]) for line in logs] == [
        ("schedule waits", "any"),
        ("schedule goes on", "any"),
    ]


async def test_the_metrics_port_answers_and_a_taken_port_is_survived() -> None:
    registry = Registry()
    Counter("freshrate_test", "A counter of the test.", registry=registry).inc()
    settings = read_settings(_env_file=None, worker_metrics_port=free_port())
    url = f"http://127.0.0.1:{settings.worker_metrics_port}"
    async with (
        serve_metrics(settings, registry),
        serve_metrics(settings, registry),
        aiohttp.ClientSession() as http,
    ):
        async with http.get(f"{url}/metrics") as response:
            assert "freshrate_test_total 1.0" in await response.text()
        async with http.get(f"{url}/health/live") as response:
            assert response.status == 200
    async with serve_metrics(read_settings(_env_file=None, worker_metrics_port=0), registry):
        assert settings.worker_metrics_port


def test_a_worker_without_servers_refuses_to_start_and_says_what_to_set() -> None:
    with pytest.raises(FreshrateError, match=r"DATABASE_URL.*REDIS_URL.*standalone"):
        require_servers(read_settings(_env_file=None))


def test_the_check_fails_where_no_worker_lives_and_says_what_it_looked_for_and_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKER_ROLES", "pricing,ranking")
    monkeypatch.setattr(sys, "argv", ["worker", "--check"])
    assert command_line.main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"worker: no sign of life of pricing,ranking in {tmp_path}/freshrate-workers-")
    assert "WORKER_ROLES" in said
    assert said.count("\n") == 1


def test_the_command_line_refuses_without_servers_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["worker"])
    assert command_line.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
