"""Deals, on both databases: one upload is the current one, and what is answered is of that one alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.deals import COLUMNS, DealsUpload, PricedDeal, UploadState
from shared.domain.page import Cursor
from shared.errors import InvalidDeals
from shared.ports import Storage
from tests.contract.storage.deals import (
    DATE,
    as_rows,
    as_text,
    deal,
    deals_file,
    gems,
    load,
    spent,
    stored_deals,
)

EVERYTHING = 10**6
LATER = datetime.max.replace(tzinfo=UTC)


async def test_there_is_nothing_before_the_first_upload(storage: Storage) -> None:
    assert await storage.current_upload() is None
    assert await storage.deals_summary() is None
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == ()
    assert await storage.priced_deals(1, ["anna"], [], now=LATER, limit=10) == []
    assert await storage.forget_replaced_deals() == 0


async def test_a_file_becomes_the_current_one(storage: Storage) -> None:
    file = deals_file()
    deals = [deal("anna", "ruby", "5.50"), deal("boris", "ruby", "7"), deal("anna", "topaz", "2.5")]
    replacement = await storage.replace_deals(file, COLUMNS, as_text(*deals))
    assert replacement.is_new
    upload = DealsUpload(id=replacement.upload.id, state=UploadState.CURRENT, file=file, rows=3, error=None)
    assert replacement.upload == upload
    assert await storage.current_upload() == upload.id
    summary = await storage.deals_summary()
    assert summary is not None
    assert summary.upload == upload
    assert [(one.name, str(one.spent), one.items) for one in summary.spenders] == [
        ("anna", "8", ("ruby",)),
        ("boris", "7", ("ruby",)),
    ]


async def test_a_newer_file_replaces_the_older_one_entirely(storage: Storage) -> None:
    old = await load(storage, deal("anna"), deal("boris"), name="old.csv")
    new = await load(storage, deal("boris", total="3"), name="new.csv")
    assert await storage.current_upload() == new.id != old.id
    assert await spent(storage) == {"boris": "3"}
    page = await storage.uploads_page(cursor=None, limit=10)
    assert page.rows == (new, replace(old, state=UploadState.REPLACED))
    assert await storage.priced_deals(old.id, ["anna", "boris"], [], now=LATER, limit=10) == []
    assert len(await storage.priced_deals(new.id, ["anna", "boris"], [], now=LATER, limit=10)) == 1


async def test_the_same_file_is_known_again_and_not_read(storage: Storage) -> None:
    first = await load(storage, deal("anna"))
    unread = as_rows(deal("boris"))
    again = await storage.replace_deals(replace(deals_file(), name="copy.csv"), COLUMNS, unread)
    assert (again.upload, again.is_new) == (first, False)
    assert [batch async for batch in unread]
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == (first,)


@pytest.mark.parametrize("change", [{"charset": "cp1251"}, {"has_header": False}, {"sha256": "0" * 64}])
async def test_a_file_that_is_read_in_another_way_is_another_file(
    storage: Storage, change: dict[str, object]
) -> None:
    await load(storage, deal("anna"))
    file = replace(deals_file(), **change)  # type: ignore[arg-type] # the fields of a file
    assert (await storage.replace_deals(file, COLUMNS, as_rows(deal("boris")))).is_new
    assert await spent(storage) == {"boris": "1"}


async def test_a_file_that_was_replaced_may_come_back(storage: Storage) -> None:
    for name in ("a.csv", "b.csv", "a.csv"):
        await load(storage, deal(name), name=name)
    assert await spent(storage) == {"a.csv": "1"}
    states = [one.state for one in (await storage.uploads_page(cursor=None, limit=10)).rows]
    assert states == [UploadState.CURRENT, UploadState.REPLACED, UploadState.REPLACED]


async def test_the_columns_may_come_in_any_order(storage: Storage) -> None:
    columns = ("date", "quantity", "customer", "total", "item")
    deals = [(DATE, "2", "anna", "7.5", "ruby"), (DATE, "3", "boris", "1.5", "ruby")]
    for number, batches in enumerate((as_rows(*deals), as_text(*deals))):
        await storage.replace_deals(deals_file(f"{number}.csv"), columns, batches)
        assert await spent(storage) == {"anna": "7.5", "boris": "1.5"}
        assert await gems(storage) == {"anna": ("ruby",), "boris": ("ruby",)}


async def test_columns_that_are_not_those_of_deals_are_a_mistake_of_the_caller(storage: Storage) -> None:
    for columns in (COLUMNS[:4], (*COLUMNS, "upload_id"), ("customer",) * 5):
        with pytest.raises(ValueError, match="the columns must be customer, item, total, quantity, date"):
            await storage.replace_deals(deals_file(), columns, as_rows(deal("anna")))
    assert await storage.current_upload() is None


@pytest.mark.parametrize(
    "name",
    [
        'a "quoted" one, with comma',
        "two\nlines",
        "two\r\nlines\rand a third",
        "a line of\n\\.\nits own",
        "\\.",
        " spaces around ",
        "NULL",
        "\t\x01\x1f\x7f\x85\u2028\ufeff\uffff",
        "=1+1",
        "Ірина ﷽ 🪙 é e\u0301",
        "x" * 100_000,
    ],
)
async def test_any_text_is_kept_as_it_is(storage: Storage, name: str) -> None:
    upload = await load(storage, deal(name, name), deal("other", name, "0"))
    assert await gems(storage) == {name: (name,), "other": (name,)}
    [found] = await storage.priced_deals(upload.id, [name], [], now=LATER, limit=10)
    assert found.customer == name


async def test_deals_are_kept_exactly(storage: Storage) -> None:
    digits = "1234567890.123456789012345678901234567891"
    smallest, largest = f"0.{'0' * 29}1", f"1{'0' * 30}"
    upload = await load(
        storage,
        deal("anna", total=digits, date="2026-11-20 09:45:00"),
        deal("anna", total=smallest, date="2026-11-20T12:00:00.000001+03:00"),
        deal("anna", total=largest, date="0001-01-01T00:00:00Z"),
        deal("anna", total="0", date="9999-12-31T23:59:59.999999Z"),
    )
    found = await storage.priced_deals(upload.id, ["anna"], [], now=LATER, limit=EVERYTHING)
    dates = (
        datetime(2026, 11, 20, 9, 45, tzinfo=UTC),
        datetime(2026, 11, 20, 9, 0, 0, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    )
    totals = (digits, smallest, largest, "0")
    assert sorted(found, key=lambda one: one.date) == sorted(
        (PricedDeal("anna", Decimal(total), date) for total, date in zip(totals, dates, strict=True)),
        key=lambda one: one.date,
    )


async def test_a_refused_file_is_noted_and_changes_nothing(storage: Storage) -> None:
    current = await load(storage, deal("anna"))
    file = deals_file("bad.csv")
    refused = await storage.refuse_deals(file, error="line 2: total is not a number: 'x'")
    assert refused == DealsUpload(
        id=refused.id,
        state=UploadState.REFUSED,
        file=file,
        rows=None,
        error="line 2: total is not a number: 'x'",
    )
    assert await storage.current_upload() == current.id
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == (refused, current)


async def test_what_a_client_calls_its_file_is_bounded_and_storable(storage: Storage) -> None:
    file = replace(deals_file(), name="../\0" + "\ud800" + "й" * 1000)
    refused = await storage.refuse_deals(file, error="\0" + "é" * 20_000)
    assert refused.file.name == "../?" + "й" * 251
    assert refused.error == "é" * 10_000
    upload = (await storage.replace_deals(file, COLUMNS, as_rows(deal("anna")))).upload
    assert upload.file.name == refused.file.name
    assert (await storage.uploads_page(cursor=None, limit=10)).rows == (upload, refused)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["x" * 4999, "y" * 5000], ["x" * 4999, "y" * 5000]),
        (["x" * 4999, "y" * 5001], ["x" * 4999]),
        (["x" * 9999, "y"], ["x" * 9999]),
        (["x" * 10_000, "y"], ["x" * 10_000]),
        (["x" * 10_001, "y"], ["x" * 10_000]),
    ],
    ids=lambda lines: " ".join(str(len(line)) for line in lines),
)
async def test_of_long_errors_whole_lines_are_kept(
    storage: Storage, lines: list[str], kept: list[str]
) -> None:
    refused = await storage.refuse_deals(deals_file(), error="\n".join(lines))
    assert (refused.error or "").split("\n") == kept


async def test_only_the_newest_hundred_refused_files_are_kept(storage: Storage) -> None:
    old = await load(storage, deal("anna"), name="old.csv")
    refused = [await storage.refuse_deals(deals_file(), error=str(number)) for number in range(102)]
    new = await load(storage, deal("anna"), name="new.csv")
    kept = (await storage.uploads_page(cursor=None, limit=1000)).rows
    assert kept == (new, *reversed(refused[2:]), replace(old, state=UploadState.REPLACED))


async def test_the_history_is_paged_both_ways(storage: Storage) -> None:
    ids = [(await storage.refuse_deals(deals_file(), error="")).id for _ in range(5)][::-1]
    first = await storage.uploads_page(cursor=None, limit=2)
    assert ([one.id for one in first.rows], first.has_next, first.has_previous) == (ids[:2], True, False)
    second = await storage.uploads_page(cursor=Cursor((ids[1], 0)), limit=2)
    assert ([one.id for one in second.rows], second.has_next, second.has_previous) == (ids[2:4], True, True)
    last = await storage.uploads_page(cursor=Cursor((ids[3], 0)), limit=2)
    assert ([one.id for one in last.rows], last.has_next, last.has_previous) == (ids[4:], False, True)
    back = await storage.uploads_page(cursor=Cursor((ids[4], 0), backwards=True), limit=3)
    assert ([one.id for one in back.rows], back.has_next, back.has_previous) == (ids[1:4], True, True)
    for key in (-(2**63) + 1, 2**63 - 1):
        for backwards in (False, True):
            far = await storage.uploads_page(cursor=Cursor((key, 0), backwards=backwards), limit=9)
            assert len(far.rows) in {0, 5}


async def test_replaced_deals_are_deleted_and_the_current_ones_kept(storage: Storage) -> None:
    for number in range(3):
        await load(storage, *(deal(f"{one}") for one in range(4 + number)), name=f"{number}.csv")
    before = await storage.deals_summary()
    assert await stored_deals(storage) == 15
    assert await storage.forget_replaced_deals() == 9
    assert await stored_deals(storage) == 6
    assert await storage.forget_replaced_deals() == 0
    assert await storage.deals_summary() == before


async def test_many_replaced_deals_are_deleted_in_turns(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.deals_sqlite.FORGOTTEN_AT_ONCE", 7)
    for name in ("old.csv", "new.csv"):
        await load(storage, *(deal(f"{one}") for one in range(40)), name=name)
    assert await storage.forget_replaced_deals() == 40
    assert await stored_deals(storage) == 40


async def test_names_that_are_too_long_together_are_refused(storage: Storage) -> None:
    old = await load(storage, deal("anna"))
    for number, (customer, item) in enumerate((("x" * 100_000, ""), ("", "x" * 100_000))):
        deals = [deal(f"{one}{customer}", f"{one // 2}{item}") for one in range(100)]
        with pytest.raises(InvalidDeals, match="longer than 1,048,576 bytes: shorten them"):
            await storage.replace_deals(deals_file(f"{number}.csv"), COLUMNS, as_rows(*deals, size=10))
    assert await storage.current_upload() == old.id
    assert await stored_deals(storage) == 1


async def test_names_that_are_too_long_only_as_json_are_refused(storage: Storage) -> None:
    deals = [deal(f"{one}" + "\x01" * 2000) for one in range(100)]
    with pytest.raises(InvalidDeals):
        await storage.replace_deals(deals_file(), COLUMNS, as_rows(*deals))
    assert await storage.current_upload() is None


async def test_long_names_of_others_and_of_what_nobody_shares_do_not_matter(storage: Storage) -> None:
    first = [deal(f"{one}", f"{one}" + "x" * 100_000, "2") for one in range(100)]
    others = [deal(f"{one}" + "x" * 100_000, "y") for one in range(90)]
    await load(storage, *first, *others)
    assert set((await gems(storage)).values()) == {()}


async def test_times_of_reception_are_kept(storage: Storage) -> None:
    received_at = datetime(2026, 11, 20, 15, 0, 0, 1, tzinfo=UTC) + timedelta(microseconds=1)
    file = replace(deals_file(), received_at=received_at, has_header=False, size=2**40)
    upload = (await storage.replace_deals(file, COLUMNS, as_rows(deal("anna")))).upload
    assert upload.file == file
