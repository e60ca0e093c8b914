"""When a job is due, and the loop that runs it then.

One tick at a time, claimed once over all workers. After a stall there is one catch-up, not all the missed ticks. A run
that did not cover all of its job is tried again after the job's `retry`. Due times follow from the shared state alone,
so all workers compute the same one and only one of them can claim it.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import aiocron
import structlog
from cronsim import CronSim

from shared.domain.schedule import Cron, Every, Schedule, ScheduleState
from shared.errors import FreshrateError
from shared.opening import World
from worker.job import Job

log = structlog.get_logger(__name__)

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""The due time of a job that never ran."""
LONGEST_SLEEP = timedelta(seconds=30)
"""The shared state is read again at least so often: another worker, or a refresh, may have done the job."""
OUTAGE_PAUSE = timedelta(seconds=1)


def next_due(
    schedule: Schedule, state: ScheduleState, *, now: datetime, pace: timedelta, retry: timedelta
) -> datetime:
    """The time at which the job is due next; not after `now` where it is due already.

    `pace`: the shortest interval that the source's budget allows.
    """
    if state.claimed_until and state.claimed_until > now:
        return state.claimed_until
    if state.claimed_for is None:
        return AT_ONCE if state.done_at is None else _after(schedule, state.done_at, now, pace)
    if state.done_at is None or state.done_at < state.claimed_for:
        return (state.claimed_until or state.claimed_for) + retry
    return _after(schedule, state.done_at, now, pace)


def _after(schedule: Schedule, done_at: datetime, now: datetime, pace: timedelta) -> datetime:
    match schedule:
        case Every(interval):
            return done_at + max(interval, pace)
        case Cron(expression):
            start = max(done_at, done_at + pace - timedelta(seconds=1))
            tick: datetime = next(CronSim(expression, start))
            if tick > now:
                return tick
            latest: datetime = next(CronSim(expression, now + timedelta(seconds=1), reverse=True))
            return max(tick, latest)


async def wait_for(schedule: Schedule, due: datetime, now: datetime) -> None:
    """Sleeps until `due`, or for LONGEST_SLEEP if that is sooner. aiocron wakes us for cron's ticks."""
    delay = min(due - now, LONGEST_SLEEP).total_seconds()
    if delay <= 0:
        return
    if isinstance(schedule, Cron) and due - now < LONGEST_SLEEP:
        tick = aiocron.crontab(schedule.expression, start=False, tz=UTC)
        try:
            await asyncio.wait_for(tick.next(), timeout=delay)
        except TimeoutError:
            return
        finally:
            tick.stop()
    else:
        await asyncio.sleep(delay)


class Scheduler:
    """Runs one job whenever it is due, for as long as the worker lives."""

    def __init__(self, job: Job, world: World) -> None:
        self._job = job
        self._world = world
        self._schedule = job.schedule(world.settings)

    async def run(self) -> None:
        while True:
            try:
                await self._tick()
            except FreshrateError as error:
                log.warning("schedule waits", job=self._job.name, error=str(error))
                await asyncio.sleep(OUTAGE_PAUSE.total_seconds())

    async def _tick(self) -> None:
        job, world = self._job, self._world
        state = await world.storage.schedule_state(job.name)
        now = world.clock()
        pace = await job.pace(world)
        due = next_due(self._schedule, state, now=now, pace=pace, retry=job.retry)
        if due > now:
            await wait_for(self._schedule, due, now)
            return
        if await world.storage.claim_tick(job.name, due=due, now=now, until=now + job.lease):
            await self._run_claimed()
        else:
            await asyncio.sleep(OUTAGE_PAUSE.total_seconds())

    async def _run_claimed(self) -> None:
        job, world = self._job, self._world
        done_at = None
        try:
            async with asyncio.timeout(job.lease.total_seconds()):
                done_at = await job.run(world)
        except FreshrateError as error:
            log.warning("job failed", job=job.name, error=str(error))
        except Exception:  # a defect in one run must not end the schedule
            log.exception("job failed")
        finally:
            await world.storage.finish_tick(job.name, now=world.clock(), done_at=done_at)
