"""Rates and why some are refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.rate import Observation, Rate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def refusal(observed_at: datetime) -> str | None:
    observation = Observation(currency_id=1, source="x", price_usd=Decimal(1), observed_at=observed_at)
    return observation.refusal(now=NOW, oldest=HOUR)


@pytest.mark.parametrize("age", [timedelta(seconds=-60), timedelta(0), HOUR])
def test_a_rate_within_the_limits_is_taken(age: timedelta) -> None:
    assert refusal(NOW - age) is None


@pytest.mark.parametrize(
    ("age", "reason"),
    [(timedelta(seconds=-61), "in the future"), (HOUR + timedelta(seconds=1), "limit of 1:00:00")],
)
def test_a_rate_beyond_them_is_refused_with_the_reason(age: timedelta, reason: str) -> None:
    assert reason in (refusal(NOW - age) or "")


def test_rates_of_one_source_are_ordered_by_time_and_then_by_row() -> None:
    def rate(rate_id: int, observed_at: datetime) -> Rate:
        return Rate(
            id=rate_id,
            currency_id=1,
            symbol="BTC",
            price_usd=Decimal(1),
            percent_change_1h=None,
            percent_change_24h=None,
            volume_24h=None,
            market_cap=None,
            source="x",
            observed_at=observed_at,
            fetched_at=NOW,
            stored_at=NOW,
        )

    older, newer, correction = rate(9, NOW - HOUR), rate(1, NOW), rate(2, NOW)
    assert older.position < newer.position < correction.position
