"""When a job is due, and the loop that runs it then.

One tick at a time, claimed once over all workers: whoever claims names the state that it saw, so of many who find the
job due one wins. After a stall there is one catch-up, not all the missed ticks. A run that did not cover all of its job
is tried again after the job's `retry`, then after twice that, and so on.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import aiocron
import structlog
from cronsim import CronSim

from shared import tracing
from shared.domain.rate import MAX_AHEAD
from shared.domain.schedule import Cron, Every, Schedule, ScheduleState
from shared.domain.times import EPOCH
from shared.errors import FreshrateError
from shared.opening import World
from shared.outage_log import OutageLog
from worker.job import Job

log = structlog.get_logger(__name__)

NEVER = EPOCH
"""When a job that was never done was due and was last done: it runs at once, and an alert sees that it is overdue."""
LONGEST_SLEEP = timedelta(seconds=30)
"""The shared state is read again at least so often: another worker, or a refresh, may have done the job."""
OUTAGE_PAUSE = timedelta(seconds=1)
LONGEST_LEASE = timedelta(minutes=5)
"""No job's lease is longer, so no true claim reaches further."""
LONGEST_RETRY = timedelta(minutes=5)
"""Runs that do not cover all are repeated ever more rarely, at the latest with the schedule's next tick: some may fail
for good, and each may cost credits."""


def next_due(
    schedule: Schedule,
    state: ScheduleState,
    *,
    now: datetime,
    retry: timedelta,
    pace: timedelta = timedelta(0),
) -> datetime:
    """The time at which the job is due next; not after `now` where it is due already.

    `retry`: the pause after a run that did not cover all. `pace`: the shortest interval that the source's budget
    allows. What lies in the future beyond a claim's length comes from a clock that was ahead, and is ignored.
    """
    done_at, claimed_for, claimed_until = state.done_at, state.claimed_for, state.claimed_until
    if done_at and done_at > now + MAX_AHEAD:
        done_at = None
    if claimed_for and claimed_for > now + MAX_AHEAD:
        claimed_for = None
    if claimed_until and claimed_until > now:
        if claimed_until <= now + LONGEST_LEASE:
            return claimed_until
        claimed_until = None
    if claimed_for and (done_at is None or done_at < claimed_for):
        ended = claimed_until or claimed_for
        return min(ended + retry, _after(schedule, ended, now, pace))
    if done_at is None:
        return NEVER
    return _after(schedule, done_at, now, pace)


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
        self.name = job.name
        self._job = job
        self._world = world
        self._schedule = job.schedule(world.settings)
        self.done_at: datetime | None = None
        """When the job was last done, by whichever worker, or NEVER, None until the shared state was read."""
        self._failures = 0
        """Runs of this worker in a row that did not cover all."""
        self._outage = OutageLog("schedule waits", "schedule goes on", job=job.name)

    async def run(self) -> None:
        while True:
            try:
                await self._tick()
            except FreshrateError as error:
                self._outage.note_failure(error)
                await asyncio.sleep(OUTAGE_PAUSE.total_seconds())

    async def _tick(self) -> None:
        job, world = self._job, self._world
        state = await world.storage.schedule_state(job.name)
        self.done_at = state.done_at or NEVER
        if state.done_at and state.claimed_for and state.done_at >= state.claimed_for:
            self._failures = 0
        now = world.clock()
        due = next_due(self._schedule, state, now=now, retry=self._retry())
        if due <= now:
            pace = await job.pace(world)
            due = next_due(self._schedule, state, now=now, retry=self._retry(pace), pace=pace)
        if due > now:
            self._outage.note_success()
            await wait_for(self._schedule, due, now)
        elif await world.storage.claim_tick(state, due=due, until=now + job.lease):
            self._outage.note_success()
            await self._run_claimed()

    def _retry(self, pace: timedelta = timedelta(0)) -> timedelta:
        """The pause after a run that did not cover all: at first the job's own, then twice that and so on, and no
        shorter than the budget's pace."""
        if self._failures <= 1:
            return self._job.retry
        return max(min(self._job.retry * (1 << min(self._failures - 1, 20)), LONGEST_RETRY), pace)

    async def _run_claimed(self) -> None:
        try:
            done_at = await self._covered_at()
        except asyncio.CancelledError:
            await self._finish(None)
            raise
        self._failures = 0 if done_at else self._failures + 1
        await self._finish(done_at)

    async def _covered_at(self) -> datetime | None:
        job = self._job
        try:
            async with asyncio.timeout(job.lease.total_seconds()):
                with tracing.span(f"job {job.name}"):
                    return await job.run(self._world)
        except TimeoutError:
            log.warning("job took too long", job=job.name, seconds=job.lease.total_seconds())
        except FreshrateError as error:
            log.warning("job failed", job=job.name, error=str(error))
        except Exception:  # a defect in one run must not end the schedule
            log.exception("job failed", job=job.name)
        return None

    async def _finish(self, done_at: datetime | None) -> None:
        """A claim that cannot be ended now ends by itself with its lease."""
        world = self._world
        self.done_at = done_at or self.done_at
        try:
            await world.storage.finish_tick(self._job.name, now=world.clock(), done_at=done_at)
        except FreshrateError as error:
            log.warning("claim not ended", job=self._job.name, error=str(error))
