"""How long schedules let pass."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.schedule import Cron, Every
from shared.intervals import interval_of

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        (Every(5 * MINUTE), 5 * MINUTE),
        (Cron("*/10 * * * *"), 10 * MINUTE),
        (Cron("*/10 * * * * *"), timedelta(seconds=10)),
        (Cron("0 6,18 * * *"), timedelta(hours=12)),
    ],
    ids=str,
)
def test_the_interval_of_a_schedule(schedule: Every | Cron, interval: timedelta) -> None:
    assert interval_of(schedule, START) == interval


def test_the_interval_of_uneven_ticks_is_their_mean() -> None:
    assert interval_of(Cron("0,10 * * * *"), START) == 30 * MINUTE
