"""Whatever form a good file has, its deals come out as they went in."""

import csv
import io
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.deals.charsets import codec_of
from api.deals.reader import DealsReader
from shared.domain.deals import COLUMNS
from shared.errors import InvalidDeals
from tests.api.deals.reading import GOOD, HEADER, Deal, deals_of, naive, reader_of
from tests.api.deals.test_plain import PLAIN, SPECIAL

ANN = Deal("ann", "ruby", Decimal("10.50"), Decimal(2), datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        HEADER + GOOD,
        HEADER + GOOD.strip(),
        "\ufeff" + HEADER + GOOD,
        (HEADER + GOOD).replace("\n", "\r\n"),
        (HEADER + GOOD).replace("\n", "\r"),
        f"\n\n{HEADER}\n\r\n{GOOD}\n\n",
        ' customer,item ,"total", quantity\t,"date"\n' + GOOD,
        HEADER + '"ann","ruby","10.50","2","2026-11-20T12:00:00"',
        HEADER + "ann,ruby,+10.5,2.,2026-11-20 12:00:00.0000009Z\n",
        "date,quantity,total,item,customer\n2026-11-20T15:00:00+0300,2,10.50,ruby,ann\n",
    ],
)
@pytest.mark.parametrize("block_size", [1, 7, 50, 1000])
async def test_a_deal_in_many_forms(text: str, block_size: int) -> None:
    reader = reader_of(text, block_size=block_size)
    assert await deals_of(reader) == [ANN]
    assert reader.rows == 1
    assert await reader.remaining_errors() == []


async def test_a_file_without_a_header_has_the_columns_in_their_order() -> None:
    reader = reader_of(GOOD, has_header=False)
    assert await reader.columns() == COLUMNS
    assert await deals_of(reader) == [ANN]


async def test_columns_are_told_in_the_order_of_the_file() -> None:
    reader = reader_of("date,item,customer,quantity,total\n")
    assert await reader.columns() == ("date", "item", "customer", "quantity", "total")


@pytest.mark.parametrize("charset", ["windows-1251", "koi8-r", "cp866", "iso-8859-5", "utf-8"])
async def test_a_file_in_a_declared_charset(charset: str) -> None:
    codec = codec_of(charset)
    deals = await deals_of(reader_of(HEADER + GOOD.replace("ruby", "Рубин"), charset=codec, block_size=3))
    assert deals == [ANN._replace(item="Рубин")]


async def test_a_plain_file_comes_as_text_and_any_other_as_rows() -> None:
    reader = reader_of(f'{HEADER}{GOOD}{GOOD}"a\nb",{GOOD[4:]}{GOOD}')
    batches = [batch async for batch in reader.batches()]
    assert [batch.text for batch in batches] == [GOOD * 2, ""]
    assert [row[0] for row in batches[1].rows] == ["a\nb", "ann"]


async def test_after_a_row_that_goes_on_over_blocks_plain_ones_come_as_text_again() -> None:
    reader = reader_of(f'{HEADER}"a\n{"b" * 30_000}\nc",{GOOD[4:]}{GOOD}', block_size=100)
    batches = [batch async for batch in reader.batches()]
    assert [len(batch.rows) for batch in batches] == [1, 0]
    assert batches[1].text == GOOD


async def test_the_event_loop_never_reads_nor_checks() -> None:
    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            readers.add(threading.current_thread())
            return super().read(size)

    readers: set[threading.Thread] = set()
    file = Watched((HEADER + GOOD).encode())
    assert await deals_of(DealsReader(file, charset="utf-8", has_header=True)) == [ANN]
    assert readers
    assert threading.current_thread() not in readers
    assert not file.closed


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    str.strip
) | st.sampled_from(['"', ",", "a\r\nb", "\n\\.\n", "x" * 131_072, '"' * 40_000, " a ", "\ufeff", "#", "'"])
amounts = st.decimals(0, 10**30, places=10).map(lambda amount: f"{amount:f}"[:40]) | st.integers(
    0, 10**30
).map(str)
dates = st.datetimes(timezones=st.just(UTC) | st.none()).map(str) | st.datetimes().map(
    lambda time: f"{time:%Y-%m-%d}".zfill(10) + f"T{time.hour}:{time:%M:%S}"
)
rows = st.fixed_dictionaries(
    {"customer": names, "item": names, "total": amounts, "quantity": amounts, "date": dates}
)


@settings(deadline=None)
@given(
    table=st.lists(rows, min_size=1, max_size=5),
    columns=st.permutations(COLUMNS),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    start=st.sampled_from(["", "\ufeff"]),
    block_size=st.integers(1, 50) | st.just(128 * 1024),
)
async def test_what_csv_writes_is_read_back(
    table: list[dict[str, str]], columns: list[str], quoting: int, end: str, start: str, block_size: int
) -> None:
    if any(len(cell) > 1000 for row in table for cell in row.values()):
        block_size = max(block_size, 4096)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, quoting=quoting, lineterminator=end)  # type: ignore[arg-type] # an int to us
    writer.writeheader()
    writer.writerows(table)
    again = await deals_of(reader_of(start + text.getvalue(), block_size=block_size))
    assert [(deal.customer, deal.item) for deal in again] == [(row["customer"], row["item"]) for row in table]
    assert [deal.total for deal in again] == [Decimal(row["total"]) for row in table]
    assert [deal.quantity for deal in again] == [Decimal(row["quantity"]) for row in table]
    assert [deal.date for deal in again] == [utc(row["date"]) for row in table]


def utc(text: str) -> datetime:
    """Of the two forms that `dates` draws."""
    day, _, clock = text.replace(" ", "T").partition("T")
    time = datetime.fromisoformat(f"{day}T{clock.zfill(8) if len(clock) < 9 else clock}")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


pieces = st.sampled_from([*SPECIAL, *PLAIN, "\n", "\n", '"', '"\n', '"a\nb","c""d",1,1,2026-01-01\n'])


@settings(deadline=None)
@given(
    text=st.lists(pieces, max_size=12).map("".join),
    block_size=st.integers(1, 50),
    step_size=st.integers(1, 50),
)
@example(text=f"{PLAIN[0]}\r\n\r\n{PLAIN[1]}", block_size=26, step_size=1)
@example(text=f"{PLAIN[0]}\r{PLAIN[1]}\r\n", block_size=25, step_size=1)
async def test_a_file_is_read_as_csv_reads_it_as_a_whole(text: str, block_size: int, step_size: int) -> None:
    reader = reader_of(text, has_header=False, block_size=block_size, step_size=step_size)
    try:
        deals: list[Deal] | None = await deals_of(reader)
    except InvalidDeals:
        deals = None
    assert deals == naive(text)


async def test_blank_lines_and_lines_of_spaces_are_skipped() -> None:
    text = f"\n{HEADER}\n{GOOD}\n\n   \n{GOOD}\t\n\r\n"
    assert await deals_of(reader_of(text)) == [ANN, ANN]
