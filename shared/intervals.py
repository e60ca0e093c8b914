"""How long a schedule lets pass between two visits."""

from datetime import datetime, timedelta

from cronsim import CronSim

from shared.domain.schedule import Every, Schedule

_TICKS = 24
"""Of a cron expression: their mean distance is its interval."""


def interval_of(schedule: Schedule, now: datetime) -> timedelta:
    """Of a cron expression the mean of its next ticks."""
    if isinstance(schedule, Every):
        return schedule.interval
    ticks = CronSim(schedule.expression, now)
    first = last = next(ticks)
    for _ in range(_TICKS):
        last = next(ticks)
    return (last - first) / _TICKS
