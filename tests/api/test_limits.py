"""Limits per client: exact, refilling, bounded."""

import pytest

from api import limits
from api.limits import RateLimit
from shared.errors import TooManyRequests
from tests.api.rig import ManualClock


def test_so_many_per_minute_and_no_more() -> None:
    clock = ManualClock()
    limit = RateLimit(3, clock)
    for _ in range(3):
        limit.spend("a")
    with pytest.raises(TooManyRequests) as caught:
        limit.spend("a")
    assert caught.value.retry_after == pytest.approx(20)
    limit.spend("b")
    clock.advance(seconds=20)
    limit.spend("a")
    with pytest.raises(TooManyRequests):
        limit.spend("a")


def test_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    clock = ManualClock()
    limit = RateLimit(2, clock)
    limit.spend("a")
    clock.advance(days=1)
    limit.spend("a")
    limit.spend("a")
    with pytest.raises(TooManyRequests):
        limit.spend("a")


def test_a_clock_that_goes_back_gives_nothing() -> None:
    clock = ManualClock()
    limit = RateLimit(1, clock)
    limit.spend("a")
    clock.advance(seconds=-3600)
    with pytest.raises(TooManyRequests):
        limit.spend("a")


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0, ManualClock())
    for _ in range(1000):
        limit.spend("a")
    assert not limit._buckets


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CLIENTS", 10)
    limit = RateLimit(1, ManualClock())
    for number in range(100):
        limit.spend(str(number))
    assert len(limit._buckets) == 10
