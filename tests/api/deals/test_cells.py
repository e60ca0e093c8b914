"""What a good cell is, and what is said of a bad one."""

import re
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.deals.cells import CHECKS, BadCell, amount, date, name, shown
from shared.domain.deals import COLUMNS
from shared.domain.money import amount_from
from shared.domain.times import time_from_iso

DIGITS = "1234567890"


def test_every_column_has_a_check() -> None:
    assert tuple(CHECKS) == COLUMNS


@pytest.mark.parametrize(
    "text", ["Ann", " Ann ", "Smith, John", 'the "Rock"', "a\nb", "\u200b", "Рубин", "=1+1", "\\."]
)
def test_a_name_is_kept_as_it_is(text: str) -> None:
    assert name(text) == text


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        ("\u00a0\u2003", "is empty"),
        ("a\0b", "has a NUL character"),
    ],
)
def test_a_bad_name(text: str, wrong: str) -> None:
    with pytest.raises(BadCell, match=f"^{wrong}$"):
        name(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("+5", "5"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("10.50", "10.50"),
        ("1e3", "1000"),
        ("1E-30", "0." + "0" * 29 + "1"),
        ("1e30", "1" + "0" * 30),
        (DIGITS * 3 + "." + DIGITS, DIGITS * 3 + "." + DIGITS),
    ],
)
def test_an_amount_is_kept_as_a_plain_decimal(text: str, kept: str) -> None:
    assert amount(text) == kept


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        *(
            (text, "is not a number")
            for text in (
                "",
                "12,5",
                "NaN",
                "Infinity",
                " 1",
                "1 ",
                "1_000",
                "0x10",
                "٣",
                "--1",
            )
        ),
        ("-1", "must not be negative"),
        ("-1e-40", "must not be negative"),
        ("1e31", "must be 0, or between 1e-30 and 1e30"),
        ("1e-31", "must be 0, or between 1e-30 and 1e30"),
        ("1E+999999999", "must be 0, or between 1e-30 and 1e30"),
        ("1E+9999", "must be 0, or between 1e-30 and 1e30"),
        ("1." + "1234567891" * 4, "has more than 40 digits"),
        ("0" * 120 + "1", "is too long for a number"),
    ],
)
def test_a_bad_amount(text: str, wrong: str) -> None:
    with pytest.raises(BadCell, match=f"^{wrong}$"):
        amount(text)


@settings(deadline=None)
@given(st.from_regex(r"[+-]?[0-9]{0,45}\.?[0-9]{0,45}(?:[eE][+-]?[0-9]{1,4})?", fullmatch=True))
def test_money_decides_what_an_amount_is(text: str) -> None:
    try:
        expected = amount_from(text)
    except ValueError:
        with pytest.raises(BadCell):
            amount(text)
    else:
        kept = amount(text)
        assert re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", kept)
        assert amount_from(kept) == expected


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2018-12-14 08:29:52.506166", "2018-12-14T08:29:52.506166+00:00"),
        ("2023-10-26T9:45:00", "2023-10-26T09:45:00+00:00"),
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T12:00:00.5", "2026-11-20T12:00:00.500000+00:00"),
        ("2026-11-20T12:00:00.9999999999", "2026-11-20T12:00:00.999999+00:00"),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00+00:00"),
        ("2026-11-20T12:00:00+05", "2026-11-20T07:00:00+00:00"),
        ("2026-11-20T12:00:00-0530", "2026-11-20T17:30:00+00:00"),
        ("2026-11-20 0:00:00+23:59", "2026-11-19T00:01:00+00:00"),
        ("2024-02-29", "2024-02-29T00:00:00+00:00"),
        ("0001-01-01", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_a_date_is_kept_in_utc(text: str, kept: str) -> None:
    assert date(text) == kept


NO_DATE = r"is not a date \(2026-11-20\) and not one with a time \(2026-11-20T12:00:00\)"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        *(
            (text, NO_DATE)
            for text in (
                "",
                "yesterday",
                " 2026-11-20",
                "20.11.2026",
                "2026-11-20T",
                "2026-11-20T12:00",
                "2026-11-20T24:00:00",
                "2026-11-20T23:59:60",
                "2026-11-20t12:00:00",
                "2026-11-20  12:00:00",
                "2026-11-20T12:00:00.",
                "2026-11-20T12:00:00,5",
                "2026-11-20T12:00:00 Z",
                "2026-11-20T12:00:00+5",
                "2026-11-20T12:00:00+05:60",
                "2026-11-20T12:00:00+24:00",
                "2026-11-20Z",
                "20261120",
                "2026-W47-5",
                "٢٠٢٦-11-20",
                "2026-11-20T12:00:00\n",
            )
        ),
        ("2026-02-29T12:00:00", "is not a day of the calendar"),
        ("1900-02-29", "is not a day of the calendar"),
        ("2026-13-01", "is not a day of the calendar"),
        ("2026-04-31", "is not a day of the calendar"),
        ("0000-01-01", "is not a day of the calendar"),
        ("0001-01-01T00:00:00+01", "is not within the years 1 to 9999, as UTC"),
        ("9999-12-31T23:59:59-00:01", "is not within the years 1 to 9999, as UTC"),
    ],
)
def test_a_bad_date(text: str, wrong: str) -> None:
    with pytest.raises(BadCell, match=f"^{wrong}$"):
        date(text)


@settings(deadline=None)
@given(st.datetimes())
def test_every_time_is_kept_to_the_microsecond(time: datetime) -> None:
    assert time_from_iso(date(str(time))) == time_from_iso(str(time))


def test_a_value_in_an_error_is_short_and_in_one_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert shown("x" * 40) == f"'{'x' * 40}'"
    assert shown("x" * 41) == f"'{'x' * 40}...'"
