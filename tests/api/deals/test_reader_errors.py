"""What is said of a bad file: line, column, value, and what to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.deals.blocks import LONGEST_ROW
from api.deals.lines import LONGEST_CELL
from shared.errors import InvalidDeals
from tests.api.deals.reading import GOOD, HEADER, deals_of, errors_of, reader_of, row_errors

EXPECTED = (
    "the first line must name customer, item, total, quantity and date, in any order"
    " (a file without such a line is sent as text/csv; header=absent)"
)
UNDOUBLED = 'has a closing quote without a comma behind it; a quote within quotes is written twice: ""'
END = "nothing was read from there on"
HINT = "save the file as UTF-8, or name its charset, as in Content-Type: text/csv; charset=windows-1251"


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ('ann,ruby,"12,5",2,2026-11-20', "line 3: total is not a number: '12,5'"),
        ("ann,ruby,-1,2,2026-11-20", "line 3: total must not be negative: '-1'"),
        ("ann,ruby,1,1e31,2026-11-20", "line 3: quantity must be 0, or between 1e-30 and 1e30: '1e31'"),
        ("ann,ruby,NaN,1,2026-11-20", "line 3: total is not a number: 'NaN'"),
        (
            "ann,ruby,1,1,yesterday",
            "line 3: date is not a date (2026-11-20) and not one with a time (2026-11-20T12:00:00): 'yesterday'",
        ),
        ("ann,ruby,1,1,2026-02-30", "line 3: date is not a day of the calendar: '2026-02-30'"),
        (",ruby,1,1,2026-11-20", "line 3: customer is empty: ''"),
        ("ann,  ,1,1,2026-11-20", "line 3: item is empty: '  '"),
        ("ann,a\0b,1,1,2026-11-20", r"line 3: item has a NUL character: 'a\x00b'"),
        ("ann,ruby,1,1,2026-11-20,", "line 3: 6 cells, but there are 5 columns"),
        ("ann;ruby;1;1;2026-11-20", "line 3: 1 cell (a comma parts cells), but there are 5 columns"),
        ('""', "line 3: 1 cell (a comma parts cells), but there are 5 columns"),
        ('"a\nb",ruby,1,x,2026-11-20', "line 3: quantity is not a number: 'x'"),
        (f"ann,ruby,1.{'9' * 50},1,2026-11-20", f"line 3: total has more than 40 digits: '1.{'9' * 38}...'"),
    ],
)
async def test_a_bad_row(row: str, error: str) -> None:
    assert await row_errors(row) == [error]


async def test_every_bad_cell_of_every_row_is_named() -> None:
    assert await row_errors(" ,ruby,x,-1,now", GOOD.strip(), "", '"\n",b,1,1,2026-11-20', "a,b,1,1,z") == [
        "line 3: customer is empty: ' '",
        "line 3: total is not a number: 'x'",
        "line 3: quantity must not be negative: '-1'",
        "line 3: date is not a date (2026-11-20) and not one with a time (2026-11-20T12:00:00): 'now'",
        r"line 6: customer is empty: '\n'",
        "line 8: date is not a date (2026-11-20) and not one with a time (2026-11-20T12:00:00): 'z'",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_lines_are_counted_as_the_file_has_them(end: str) -> None:
    text = f'{HEADER}{GOOD * 3}\n"a\n\n",{GOOD[4:]}?\n'.replace("\n", end)
    assert await errors_of(text) == ["line 9: 1 cell (a comma parts cells), but there are 5 columns"]


async def test_the_load_ends_at_the_first_bad_block_and_the_rest_is_read_for_its_errors() -> None:
    reader = reader_of(f"{HEADER}{GOOD}a\n{GOOD}b\n", block_size=1)
    with pytest.raises(InvalidDeals) as refused:
        await deals_of(reader)
    assert refused.value.errors == ("line 3: 1 cell (a comma parts cells), but there are 5 columns",)
    assert await reader.remaining_errors() == [
        "line 3: 1 cell (a comma parts cells), but there are 5 columns",
        "line 5: 1 cell (a comma parts cells), but there are 5 columns",
    ]


@pytest.mark.parametrize(("bad", "last"), [(19, 21), (20, None), (30, None)])
async def test_twenty_errors_are_named(bad: int, last: int | None) -> None:
    errors = await errors_of(HEADER + "?\n" * bad)
    assert errors[: min(bad, 20)] == [
        f"line {line}: 1 cell (a comma parts cells), but there are 5 columns"
        for line in range(2, 2 + min(bad, 20))
    ]
    assert errors[20:] == ([] if bad < 20 else ["these are the first 20 errors; there may be more"])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("customer,item,total,quantity\n", ["line 1: column date is missing"]),
        (
            "customer,item,total,total,date\n",
            ["line 1: column total is named 2 times", "line 1: column quantity is missing"],
        ),
        (
            "customer,Item,total,quantity,date,note\n",
            [
                "line 1: column 'Item' is not known",
                "line 1: column 'note' is not known",
                "line 1: column item is missing",
            ],
        ),
        ("customer,item,total,quantity,date,\n", ["line 1: column '' is not known"]),
        ("\n\ncustomer,item,total,quantity\n", ["line 3: column date is missing"]),
        (
            HEADER.replace(",", ";"),
            ["line 1: the cells are separated by a semicolon, and must be by a comma"],
        ),
        (HEADER.replace(",", "\t"), ["line 1: the cells are separated by a tab, and must be by a comma"]),
        (GOOD, ["line 1: no column is named in 'ann,ruby,10.50,2,2026-11-20T12:00:00'"]),
        ("", ["the file is empty"]),
        ("\n\r\n", ["the file is empty"]),
        ("\ufeff", ["the file is empty"]),
    ],
)
async def test_a_bad_first_line(text: str, wrong: list[str]) -> None:
    assert await errors_of(text) == [f"{what}; {EXPECTED}" for what in wrong]
    with pytest.raises(InvalidDeals):
        await reader_of(text).columns()


async def test_a_bad_first_line_is_told_again() -> None:
    reader = reader_of("?\n" + GOOD)
    for _ in range(2):
        with pytest.raises(InvalidDeals, match="no column is named"):
            await reader.columns()


async def test_a_first_line_of_many_columns() -> None:
    errors = await errors_of("customer," + ",".join(map(str, range(1000))))
    assert len(errors) == 21
    assert errors[-1] == "these are the first 20 errors; there may be more"


@pytest.mark.parametrize(
    ("text", "has_header"), [(HEADER, True), (f"{HEADER}\n\n", True), ("", False), ("\n", False)]
)
async def test_a_file_without_a_deal(text: str, has_header: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert await errors_of(text, has_header=has_header) == ["the file has no deal in it"]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ('ann,"ruby,1,1,2026-11-20', "line 3: the row has a quote that is never closed"),
        (
            'ann,"ru"by,1,1,2026-11-20',
            f"line 3: the row {UNDOUBLED}",
        ),
        (
            'ann,"ruby,1,1,2026-11-20\nbob,"ruby",1,1,2026-11-20',
            f"line 3: the row, read to line 4, {UNDOUBLED}",
        ),
        (
            "a" * (LONGEST_CELL + 1) + GOOD[3:],
            f"line 3: the row has a cell longer than {LONGEST_CELL} characters, perhaps since a quote is not closed",
        ),
        (
            'ann,"ruby,1,1,2026-11-20\n' + GOOD * 5000,
            f"line 3: the row, read to line 3545, has a cell longer than {LONGEST_CELL} characters, perhaps since a quote is not closed",
        ),
        ("," * LONGEST_ROW, f"line 3: the row is longer than {LONGEST_ROW} characters"),
        (
            '"' + '\n","' * (LONGEST_ROW // 4),
            f"line 3: the row, read to line 262146, is longer than {LONGEST_ROW} characters",
        ),
        ("é" * 5 * LONGEST_ROW, f"line 3: the row is longer than {LONGEST_ROW} characters"),
    ],
    ids=range(8),
)
async def test_where_rows_cannot_be_told_apart_any_more(row: str, error: str) -> None:
    assert await row_errors(row) == [f"{error}; {END}"]


async def test_errors_before_the_one_that_ends_the_reading_are_named_too() -> None:
    assert await row_errors("?", '"a"b', "?") == [
        "line 3: 1 cell (a comma parts cells), but there are 5 columns",
        f"line 4: the row {UNDOUBLED}; {END}",
    ]


@pytest.mark.parametrize(
    ("data", "charset", "error"),
    [
        (b"Anna\xff", "utf-8", f"byte 0xff is not UTF-8; {HINT}; {END}"),
        ("Анна".encode("cp1251"), "utf-8", f"byte 0xc0 is not UTF-8; {HINT}; {END}"),
        (b"a\xd0\nb", "utf-8", f"byte 0xd0 is not UTF-8; {HINT}; {END}"),
        (b"\xed\xa0\x80", "utf-8", f"byte 0xed is not UTF-8; {HINT}; {END}"),
        ("é".encode(), "ascii", f"byte 0xc3 is not US-ASCII; {HINT}; {END}"),
        (b"\x98", "cp1251", f"byte 0x98 is not windows-1251; {HINT}; {END}"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_a_byte_that_the_charset_does_not_have(
    data: bytes, charset: str, error: str, end: bytes
) -> None:
    start = f"{HEADER}{GOOD * 3}?\n".encode().replace(b"\n", end)
    assert await errors_of(start + data + GOOD.encode(), charset=charset) == [
        "line 5: 1 cell (a comma parts cells), but there are 5 columns",
        f"line 6: {error}",
    ]


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32-le"])
async def test_utf_16(charset: str) -> None:
    (error,) = await errors_of((HEADER + GOOD).encode(charset))
    assert error.startswith("line 1: ")
    assert "UTF-16" in error
    assert "save it as UTF-8" in error


bad_bytes = st.sampled_from(
    [b"\xff", b"\xd0", "é".encode(), b"?", b'"', b'"a"b', b"\n", b"\r", b"\r\n", b"a,b,x,1,2026-02-30\n"]
)
good_bytes = st.sampled_from([GOOD.encode(), GOOD.strip().encode() + b"\r\n", f'"a\n",{GOOD[4:]}'.encode()])


@settings(deadline=None)
@given(
    data=st.lists(good_bytes | bad_bytes, max_size=30).map(b"".join),
    block=st.integers(1, 50),
    step=st.integers(1, 50),
)
async def test_the_errors_of_a_file_do_not_depend_on_its_blocks(data: bytes, block: int, step: int) -> None:
    at_once = await reader_of(data, has_header=False).remaining_errors()
    assert (
        await reader_of(data, has_header=False, block_size=block, step_size=step).remaining_errors()
        == at_once
    )


async def test_a_spreadsheet_is_called_one() -> None:
    (error,) = await errors_of(b"PK\x03\x04\x14\x00\x06\x00" + b"\0" * 100)
    assert error == "line 1: the file is a ZIP archive, as spreadsheets (.xlsx) are; save it as CSV"
