"""The one regular expression: what it takes is good, with the same values for Python and PostgreSQL, and it takes no more time
than the text is long."""

import csv
import io
import re
import time
from itertools import permutations

import asyncpg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.deals.cells import CHECKS, BadCell
from api.deals.lines import LONGEST_CELL
from api.deals.plain import is_plain, plain_part
from deploy.servers.postgresql import PostgresServer
from shared.domain.deals import COLUMNS
from tests.api.deals.reading import Deal, deal_of, naive, rows_in

PLAIN = [
    "ann,ruby,10,2,2026-11-20",
    "ann,ruby,10.50,2,2026-11-20T12:00:00",
    "ann,ruby,0.00,000,2026-11-20 00:00:00",
    "Анна Ли,рубин (2),12345678901234567890.123456789012345678,2,2000-02-29 23:59:59.999999",
    "\\.,\\N,1,1,1904-02-29T12:00:00.5Z",
    "NULL,null,1,1,2024-02-29T12:00:00+05",
    "a b ,\u200b,1,1,1900-01-31T12:00:00-0530",
    "a\x0bb,a\x1cb,1,1,2099-12-31T23:59:59+15:59",
    "a\x85b,a\u2028b,1,1,2099-12-31T00:00:00-15",
    "'a',a\tb,1,1,2026-04-30T00:00:00-00:00",
    "=1+1,\U0001f48e,1,1,2026-02-28T00:00:00Z",
    '"Li, Ann","the ""red"" one","10.50",2,"2026-11-20 12:00:00"',
    '"\\.","\\N","1",1,2026-11-20',
    '"NULL","a\u2028",1,"1",2026-11-20',
]
SPECIAL = [
    *' ,""\n\r\0\\.+-:TZ019e\u00a0\u2028\x1cé',
    "02-29",
    "12:00:00",
    "24:00:00",
    ",,",
    "\r\n",
    "1900",
    "\\.\n",
]
part = plain_part(COLUMNS)


def taken(text: str) -> str:
    """All of it, or what of it is plain."""
    return part(text, 0)[0]


@pytest.mark.parametrize("row", PLAIN)
def test_a_common_row_is_plain(row: str) -> None:
    assert part(f"{row}\n", 0) == (f"{row}\n", 1, len(row) + 1)
    assert is_plain(COLUMNS)(next(csv.reader([row])))


@pytest.mark.parametrize(
    "row",
    [
        ",ruby,1,1,2026-11-20",
        " ,ruby,1,1,2026-11-20",
        "\u00a0,ruby,1,1,2026-11-20",
        "\x1c,ruby,1,1,2026-11-20",
        "a\0,ruby,1,1,2026-11-20",
        'a"b,ruby,1,1,2026-11-20',
        '"""a""",ruby,1,1,2026-11-20',
        '" a",ruby,1,1,2026-11-20',
        '"",ruby,1,1,2026-11-20',
        '"a,ruby,1,1,2026-11-20',
        '"a\n",ruby,1,1,2026-11-20',
        '"a"b,ruby,1,1,2026-11-20',
        "a,ruby,1,1",
        "a,ruby,1,1,2026-11-20,",
        "a,ruby,-1,1,2026-11-20",
        "a,ruby,+1,1,2026-11-20",
        "a,ruby,1.,1,2026-11-20",
        "a,ruby,1e1,1,2026-11-20",
        "a,ruby, 1,1,2026-11-20",
        "a,ruby,٣,1,2026-11-20",
        "a,ruby,123456789012345678901,1,2026-11-20",
        "a,ruby,1,1,2026-02-29",
        "a,ruby,1,1,1900-02-29",
        "a,ruby,1,1,2026-04-31",
        "a,ruby,1,1,1899-12-31",
        "a,ruby,1,1,2100-01-01",
        "a,ruby,1,1,2026-11-20T9:00:00",
        "a,ruby,1,1,2026-11-20T24:00:00",
        "a,ruby,1,1,2026-11-20T12:00:60",
        "a,ruby,1,1,2026-11-20T12:00:00.1234567",
        "a,ruby,1,1,2026-11-20T12:00:00+16",
        "a,ruby,1,1,2026-11-20T12:00:00+05:60",
        "a,ruby,1,1,2026-11-20 ",
    ],
)
def test_any_other_row_is_left_to_the_checks(row: str) -> None:
    assert part(f"{GOOD}{row}\n{GOOD}", 0) == (GOOD, 1, len(GOOD))


GOOD = "ann,ruby,10.50,2,2026-11-20T12:00:00\n"


def test_plain_rows_end_in_a_line_feed_whatever_they_ended_in() -> None:
    row = GOOD.strip()
    text = f"{row}\r\n{row}\n{row}\r{row}\r\n"
    assert part(text, 0) == (GOOD * 4, 4, len(text))


def test_blank_lines_are_counted_and_left_out() -> None:
    row = GOOD.strip()
    assert part(f"\n\r\n{row}\n\n\n{row}\r\r\n\n", 0) == (GOOD * 2, 8, len(row) * 2 + 10)
    assert part("\n" * 1000, 0) == ("", 1000, 1000)


def test_any_cell_may_stand_in_quotes() -> None:
    text = '"ann","ruby","10.50","2","2026-11-20T12:00:00"\nann,"ruby",10.50,"2",2026-11-20T12:00:00\n'
    assert taken(text) == text
    assert deals_in(text) == deals_in(GOOD * 2)


def test_it_goes_on_from_any_row() -> None:
    assert part(f"?\n{GOOD}?\n", 2) == (GOOD, 1, len(GOOD) + 2)


def test_a_row_that_has_no_end_is_not_taken() -> None:
    assert part(GOOD + GOOD.strip(), 0) == (GOOD, 1, len(GOOD))


def test_a_cell_is_as_long_as_csv_takes_it() -> None:
    assert csv.field_size_limit() == LONGEST_CELL
    longest = GOOD.replace("ann", "a" * LONGEST_CELL)
    assert taken(longest) == longest
    assert taken(f"a{longest}") == ""
    quoted = GOOD.replace("ann", '"a' + "a" * 10_000 + ('""' + "a" * 10_000) * 12 + '"')
    assert taken(quoted) == quoted
    assert len(next(csv.reader([quoted]))[0]) <= LONGEST_CELL
    assert taken(quoted.replace('a",', 'a""a",')) == ""


@pytest.mark.parametrize("columns", list(permutations(COLUMNS))[::17])
def test_columns_in_any_order(columns: tuple[str, ...]) -> None:
    cells = named(GOOD.strip().split(","))
    row = [cells[column] for column in columns]
    line = ",".join(row) + "\n"
    assert plain_part(columns)(line * 2, 0) == (line * 2, 2, len(line) * 2)
    assert is_plain(columns)(row)
    assert not is_plain(columns)(row[:4])
    assert not is_plain(columns)([*row, "?"])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Good rows, a few characters of which are others."""
    text = "".join(
        f"{row}{draw(END)}" for row in draw(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=3))
    )
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", *SPECIAL])) + text[at + draw(st.integers(0, 2)) :]
    return text


END = st.sampled_from(["\n", "\r\n", "\r"])
near_borders = st.lists(st.sampled_from([*SPECIAL, *PLAIN, "\n"]), max_size=12).map("".join)


@settings(deadline=None)
@given(mutated() | near_borders)
@example("ann,ruby,1,1,2026-11-20\n\\.\n")
def test_what_is_plain_is_good_with_the_same_values(text: str) -> None:
    rows, lines, end = part(text, 0)
    assert lines == len(re.findall("\r\n?|\n", text[:end]))
    assert deals_in(rows) == (naive(text[:end]) or [])
    assert "\r" not in rows
    assert naive(text) is not None or end < len(text) or not rows


@settings(deadline=None)
@given(mutated())
def test_what_is_a_plain_row_is_good_with_the_same_values(text: str) -> None:
    row = text.rstrip("\r\n").split(",")
    assert not is_plain(COLUMNS)(row) or deal_of(named(row)) == deal_of(
        {column: CHECKS[column](cell) for column, cell in named(row).items()}
    )


def named(row: list[str]) -> dict[str, str]:
    return dict(zip(COLUMNS, row, strict=True))


@settings(deadline=None)
@given(st.dates().map(str) | st.from_regex(r"(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]", fullmatch=True))
def test_it_knows_the_calendar(day: str) -> None:
    plain = bool(taken(f"ann,ruby,1,1,{day}\n"))
    assert plain == ("1900" <= day < "2100" and is_good("date", day))


def is_good(column: str, cell: str) -> bool:
    try:
        CHECKS[column](cell)
    except BadCell:
        return False
    return True


def deals_in(rows: str) -> list[Deal]:
    return [deal_of(named(row)) for row in rows_in(rows)]


HOSTILE = [
    "a" * 100,
    "a,",
    '"a",',
    '"a""',
    '""',
    "1.",
    GOOD,
    GOOD.replace("\n", "\r"),
    GOOD.strip() + "\r\n",
    "ann,ruby,1,1,2026-11-20T12:00:00.",
    "ann,ruby,1.1,",
    '"',
    "\r",
    " ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    """Ten times the text takes about ten times as long: were it the square, it would be a hundred times."""
    for tail in ("", "!", ",", '"', "\n"):
        short, long = (best_of(piece * (size // len(piece)) + tail) for size in (20_000, 200_000))
        assert long < 40 * max(short, 0.001)


def best_of(text: str) -> float:
    """Seconds of this thread."""
    took = []
    for _ in range(3):
        start = time.thread_time()
        part(text, 0)
        took.append(time.thread_time() - start)
    return min(took)


async def test_postgresql_reads_a_plain_text_as_we_do(postgresql_server: PostgresServer) -> None:
    text = "".join(f"{row}\n" for row in PLAIN)
    assert taken(text) == text
    name = postgresql_server.create_database()
    connection = await asyncpg.connect(postgresql_server.url(name), server_settings={"timezone": "UTC"})
    try:
        await connection.execute(
            "CREATE TEMP TABLE d (customer text, item text, total numeric, quantity numeric, date timestamptz)"
        )
        await connection.copy_to_table("d", source=io.BytesIO(text.encode()), format="csv")
        read = [Deal(*row) for row in await connection.fetch("SELECT * FROM d")]
    finally:
        await connection.close()
        postgresql_server.drop_database(name)
    assert read == deals_in(text) == naive(text)
