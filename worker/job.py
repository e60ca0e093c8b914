"""A scheduled job: what runs, for which role, and how often."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.schedule import Schedule
from shared.messages import Role
from shared.opening import World
from shared.settings import Settings


async def no_pace(_world: World) -> timedelta:
    """For jobs that spend no credits."""
    return timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One line of the table in `worker.jobs`."""

    name: str
    role: Role
    schedule: Callable[[Settings], Schedule]
    run: Callable[[World], Awaitable[datetime | None]]
    """Gives the time of its visit where it covered all of the job, else None."""
    pace: Callable[[World], Awaitable[timedelta]] = no_pace
    """The shortest interval that the budget allows."""
    retry: timedelta = timedelta(seconds=15)
    """After a run that did not cover all."""
    lease: timedelta = timedelta(seconds=60)
    """A run that takes longer is taken for dead, and may be claimed by another worker."""
