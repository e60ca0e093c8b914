"""Durations of schedules."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.schedule import duration_from


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("20s", timedelta(seconds=20)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
        ("090s", timedelta(seconds=90)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert duration_from(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0s", "000h", "-5m", "5 m", "5M", "1.5h", "\uff15m", "5min", "1000000s", "5m\n"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration_from(text)


@given(st.text(max_size=8))
def test_whatever_the_text_is_a_duration_is_above_zero(text: str) -> None:
    try:
        duration = duration_from(text)
    except ValueError:
        return
    assert duration > timedelta(0)
