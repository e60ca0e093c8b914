"""Uploads: what is taken, and what is said of what is not."""

import asyncio
import errno
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from api.deals import spool, uploads
from shared.errors import StorageUnavailable
from tests.api.conftest import StartRig
from tests.api.deals.ledger import Reads, exactly
from tests.api.deals.sending import (
    CSV,
    END,
    FILE,
    FORM,
    HEADER,
    OK,
    OTHER_FILE,
    ROW,
    counted,
    current,
    form,
    noted,
    part,
    post,
)
from tests.api.rig import Rig, until

DATA = Path(__file__).parents[2] / "data" / "deals"


@pytest.fixture
async def rig(start: StartRig) -> Rig:
    return await start(api_keys="")


MANY_ROWS = f"{ROW}\n" * 3000
LARGE = f"{HEADER}\n{MANY_ROWS * 5}".encode()
"""Several blocks of the reader."""


def failing(error: Exception) -> Callable[..., Awaitable[Any]]:
    """A method of the storage that does nothing else."""

    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


# What is taken


@pytest.mark.parametrize("name", ["full.csv", "decimal-totals.csv", "iso-dates.csv"])
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "form"])
async def test_the_files_of_several_authors_give_the_known_answers(
    rig: Rig, name: str, *, bare: bool
) -> None:
    content = (DATA / name).read_bytes()
    told = await (post(rig, content, CSV) if bare else post(rig, form(content, name=name)))
    assert (told.status, told.body) == (200, OK)
    async with rig.client.get("/api/deals/") as response:
        assert exactly(await response.text()) == exactly((DATA / "expected.json").read_text())[name]
        assert response.headers["Freshrate-Deals-Upload"] == told.headers["Freshrate-Deals-Upload"]


async def test_the_upload_is_noted_with_what_is_known_of_its_file(rig: Rig) -> None:
    told = await post(rig, form(name="May.csv", kind="text/csv; charset=windows-1251"))
    assert await noted(rig) == [
        {
            "id": int(told.headers["Freshrate-Deals-Upload"]),
            "state": "current",
            "file_name": "May.csv",
            "size": len(FILE),
            "sha256": hashlib.sha256(FILE).hexdigest(),
            "charset": "cp1251",
            "rows": 1,
            "error": None,
            "date_added": "2026-11-20T12:00:00.250Z",
        }
    ]


@pytest.mark.parametrize(
    "kind", ["text/csv; charset=windows-1251; header=absent", 'text/csv;header=absent;charset="cp1251"']
)
async def test_a_charset_and_a_missing_header_are_declared_by_the_content_type(rig: Rig, kind: str) -> None:
    content = "Ёлка,опал,5,1,2026-11-20 12:00:00\n".encode("cp1251")
    assert (await post(rig, form(content, kind=kind))).body == OK
    assert await current(rig) == ["Ёлка"]
    assert (await post(rig, FILE, CSV)).body == OK
    assert (await post(rig, content, {"Content-Type": kind})).body == OK
    assert await current(rig) == ["Ёлка"]


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/vnd.ms-excel", "text/plain"])
async def test_browsers_may_call_the_part_what_they_like(rig: Rig, kind: str) -> None:
    assert (await post(rig, form(kind=kind))).body == OK


async def test_the_part_needs_no_file_name_and_other_fields_do_no_harm(rig: Rig) -> None:
    body = part(b"x", 'Content-Disposition: form-data; name="token"') + part(
        FILE, "content-disposition: form-data; name=deals"
    )
    assert (await post(rig, b"preamble\r\n" + body + END + b"epilogue", FORM)).body == OK
    assert (await noted(rig))[0]["file_name"] == ""


async def test_a_newer_file_takes_the_place_of_the_older_one(rig: Rig) -> None:
    first = await post(rig, FILE, CSV)
    second = await post(rig, OTHER_FILE, CSV)
    assert await current(rig) == ["b"]
    assert int(first.headers["Freshrate-Deals-Upload"]) < int(second.headers["Freshrate-Deals-Upload"])
    assert [row["state"] for row in await noted(rig)] == ["current", "replaced"]
    assert await counted(rig) == {"loaded": 2}


async def test_the_same_file_again_changes_and_notes_nothing(rig: Rig) -> None:
    first = await post(rig, FILE, CSV)
    again = await post(rig, form(name="another.csv"))
    assert (again.status, again.body) == (200, OK)
    assert again.headers["Freshrate-Deals-Upload"] == first.headers["Freshrate-Deals-Upload"]
    assert len(await noted(rig)) == 1
    assert await counted(rig) == {"loaded": 1, "same": 1}


async def test_of_two_uploads_at_once_one_becomes_current_and_then_the_other(rig: Rig) -> None:
    files = [f"{HEADER}\nc{n},ruby,{n + 1},1,2026-11-20 12:00:00\n".encode() for n in range(6)]
    told = await asyncio.gather(*(post(rig, file, CSV) for file in files))
    ids = [int(one.headers["Freshrate-Deals-Upload"]) for one in told]
    assert len(set(ids)) == 6
    assert await current(rig) == [f"c{ids.index(max(ids))}"]
    assert sorted(row["state"] for row in await noted(rig)) == ["current", *["replaced"] * 5]


async def test_the_deals_of_replaced_uploads_are_forgotten_in_the_background(rig: Rig) -> None:
    forgotten: list[int] = []
    is_done = asyncio.Event()
    forget = rig.storage.forget_replaced_deals

    async def watched() -> int:
        forgotten.append(await forget())
        if sum(forgotten):
            is_done.set()
        return forgotten[-1]

    rig.storage.forget_replaced_deals = watched  # type: ignore[method-assign] # to see when it is done
    await post(rig, FILE, CSV)
    await post(rig, OTHER_FILE, CSV)
    await asyncio.wait_for(is_done.wait(), 5)
    assert sum(forgotten) == 1
    assert await current(rig) == ["b"]


async def test_the_first_answer_after_an_upload_needs_no_reading(rig: Rig, reads: Reads) -> None:
    for file, name in ((FILE, "a"), (OTHER_FILE, "b")):
        await post(rig, file, CSV)
        await until(lambda: not rig.api.deals._summaries._readings)
        before = reads.summaries
        assert await current(rig) == [name]
        assert reads.summaries == before
    assert reads.summaries == 2
    await post(rig, OTHER_FILE, CSV)
    assert reads.summaries == 2


@pytest.mark.parametrize(
    ("parameter", "kept"),
    [
        ('filename="../../x"', "../../x"),
        ('filename="/etc/passwd"', "/etc/passwd"),
        ('filename="C:\\deals\\may.csv"', "may.csv"),
        ('filename="сделки; May.csv"', "сделки; May.csv"),
        ('filename="a \\"b\\".csv"', 'a "b".csv'),
        ('filename="a %22b%22.csv"', 'a "b".csv'),
        ("filename=a.csv; filename*=UTF-8''%D1%91%2F..%2Fit's.csv", "ё/../it's.csv"),
        ("filename*=utf-8'en'%D1%91.csv; filename=a.csv", "ё.csv"),
        ("filename*=utf-7''a%00b%0D%0A%ED%85", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("filename*=nonsense", "nonsense"),
        ("filename=\"a; filename*=utf-8''b.csv\"", "a; filename*=utf-8''b.csv"),
        ('filename="' + "x" * 300 + '"', "x" * 255),
        ('filename="', ""),
    ],
)
async def test_a_file_name_is_data_and_no_path(rig: Rig, parameter: str, kept: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    header = f'Content-Disposition: form-data; name="deals"; {parameter}'
    assert (await post(rig, part(FILE, header) + END, FORM)).body == OK
    assert (await noted(rig))[0]["file_name"] == kept
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_file_name_in_another_charset_is_kept_as_far_as_it_can_be_read(rig: Rig) -> None:
    body = part().replace(b"deals.csv", b"\0\xf4\xe0\xe9\xeb\n.csv")
    assert (await post(rig, body + END, FORM)).body == OK
    assert (await noted(rig))[0]["file_name"] == "\ufffd" * 6 + ".csv"


async def test_one_line_of_the_log_says_what_became_of_an_upload(rig: Rig) -> None:
    with capture_logs() as logs:
        told = await post(rig, form())
        await post(rig, form())
        await post(rig, form(b"nonsense\n"))
    lines = [line for line in logs if line["event"].startswith("deals")]
    assert [line["event"] for line in lines] == ["deals loaded", "deals are the same", "deals refused"]
    assert lines[0].items() >= {
        ("upload", int(told.headers["Freshrate-Deals-Upload"])),
        ("rows", 1),
        ("bytes", len(FILE)),
        ("file_name", "deals.csv"),
    }
    assert lines[0]["seconds"] >= 0


# What is not


async def test_all_errors_of_a_file_are_told_and_noted_and_the_old_deals_stay(rig: Rig) -> None:
    await post(rig, FILE, CSV)
    bad = f"{HEADER}\n{ROW}\na,ruby,x,1,2026-11-20 12:00:00\n{ROW}\na,,1,-1,yesterday\n".encode()
    told = await post(rig, form(bad, name="bad.csv"))
    assert told.status == 400
    assert told.headers["Content-Type"] == "application/json"
    assert told.body["Status"] == "Error"
    lines = told.body["Desc"].split("\n")
    assert lines[0] == "line 3: total is not a number: 'x'"
    assert [line.partition(":")[0] for line in lines] == ["line 3", "line 5", "line 5", "line 5"]
    assert await current(rig) == ["a"]
    refused, kept = await noted(rig)
    assert (refused["state"], refused["error"], refused["file_name"]) == (
        "refused",
        told.body["Desc"],
        "bad.csv",
    )
    assert kept["state"] == "current"
    assert await counted(rig) == {"loaded": 1, "refused": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEADER.encode(),
        f"{HEADER}\n\n".encode(),
        b"\n\n",
        b"customer,item,total,quantity\na,b,1,1\n",
        f"{HEADER},{HEADER}\n{ROW},{ROW}\n".encode(),
        b"who,item,total,quantity,date\n",
        f"{HEADER}\n{ROW},more\n".encode(),
        f"{HEADER}\n{ROW}\n".encode("utf-16"),
        f"{HEADER}\nЁ,{ROW}\n".encode("cp1251"),
        f"{HEADER}\n\0{ROW}\n".encode(),
        f'{HEADER}\n"{"a" * 10_000_000}'.encode(),
        f"{HEADER}\n{'a' * 131_073},ruby,1,1,2026-11-20 12:00:00\n".encode(),
        f"{HEADER}\na,ruby,NaN,1,2026-11-20 12:00:00\n".encode(),
        f"{HEADER}\na,ruby,Infinity,1,2026-11-20 12:00:00\n".encode(),
        f"{HEADER}\na,ruby,1E+999999999,1,2026-11-20 12:00:00\n".encode(),
        f'{HEADER}\na,ruby,"1,5",1,2026-11-20 12:00:00\n'.encode(),
        f"{HEADER}\na,ruby,1,-1,2026-11-20 12:00:00\n".encode(),
        f"{HEADER}\n{MANY_ROWS}a,ruby,1,1,2026-11-31 12:00:00\n".encode(),
    ],
    ids=lambda content: f"{len(content)} bytes: {content[:60]!r}",
)
async def test_bad_content_is_400_and_leaves_the_old_deals(rig: Rig, content: bytes) -> None:
    await post(rig, FILE, CSV)
    told = await post(rig, content, CSV)
    assert (told.status, told.body["Status"]) == (400, "Error")
    assert 0 < len(told.body["Desc"]) < 3000
    assert await current(rig) == ["a"]
    assert (await noted(rig))[0]["error"] == told.body["Desc"]


@pytest.mark.parametrize("error", [StorageUnavailable(), RuntimeError("a defect")], ids=repr)
async def test_a_refused_file_that_cannot_be_noted_is_400_all_the_same(
    rig: Rig, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.storage, "refuse_deals", failing(error))
    with capture_logs() as logs:
        told = await post(rig, b"nonsense\n", CSV)
    assert told.status == 400
    assert {"deals refused", "refused deals not noted"} <= {line["event"] for line in logs}
    assert await noted(rig) == []


async def test_nobody_waits_for_a_note_that_takes_long(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    is_open = asyncio.Event()
    refuse = rig.storage.refuse_deals

    async def slowly(*args: Any, **options: Any) -> Any:
        await is_open.wait()
        return await refuse(*args, **options)

    monkeypatch.setattr(uploads, "NOTE_SECONDS", 0.01)
    monkeypatch.setattr(rig.storage, "refuse_deals", slowly)
    assert (await post(rig, b"nonsense\n", CSV)).status == 400
    assert await noted(rig) == []
    is_open.set()
    await until(lambda: not rig.api.uploads._noting)
    assert [row["state"] for row in await noted(rig)] == ["refused"]
    is_open.clear()
    assert (await post(rig, b"more nonsense\n", CSV)).status == 400
    await rig.api.uploads.close()
    assert not rig.api.uploads._noting


async def test_a_database_that_is_away_is_503(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.storage, "replace_deals", failing(StorageUnavailable()))
    told = await post(rig, FILE, CSV)
    assert (told.status, told.body["type"]) == (503, "/problems/database-unavailable")
    assert "Retry-After" in told.headers
    assert await counted(rig) == {"failed": 1}


async def test_a_file_of_whose_commit_nothing_was_heard_may_be_current_and_is_recognised(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(rig, FILE, CSV)
    replace = rig.storage.replace_deals

    async def unheard(*args: Any) -> Any:
        await replace(*args)
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(rig.storage, "replace_deals", unheard)
        assert (await post(rig, OTHER_FILE, CSV)).status == 503
    forgetting = rig.api.uploads._forgetting
    assert forgetting is not None
    await forgetting
    assert await rig.storage.forget_replaced_deals() == 0
    assert await current(rig) == ["b"]
    assert (await post(rig, OTHER_FILE, CSV)).body == OK
    assert await counted(rig) == {"loaded": 1, "failed": 1, "same": 1}


@pytest.mark.parametrize("good_reads", [0, 1, 2], ids=["at once", "further on", "at the end"])
@pytest.mark.parametrize("content", [LARGE, LARGE[:1000] + b"x\n" + LARGE], ids=["good", "bad"])
async def test_a_disk_that_cannot_be_read_is_507_and_leaves_the_old_deals(
    rig: Rig, content: bytes, good_reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BadDisk(SpooledTemporaryFile[bytes]):
        left = good_reads

        def read(self, *args: int) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(*args)

    await post(rig, OTHER_FILE, CSV)
    with monkeypatch.context() as patch:
        patch.setattr(spool, "SpooledTemporaryFile", BadDisk)
        told = await post(rig, content, CSV)
    assert (told.status, told.body["type"]) == (507, "/problems/no-room-for-upload")
    assert told.body["detail"].startswith("The upload cannot be kept on the disk")
    assert await current(rig) == ["b"]
    assert await counted(rig) == {"loaded": 1, "failed": 1}


async def test_a_stop_in_the_middle_of_a_load_leaves_the_old_deals(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(rig, FILE, CSV)
    took_first = asyncio.Event()
    replace = rig.storage.replace_deals

    async def slowly(file: Any, columns: Any, batches: Any) -> Any:
        async def held() -> Any:
            async for batch in batches:
                yield batch
                took_first.set()
                await asyncio.Event().wait()

        return await replace(file, columns, held())

    monkeypatch.setattr(rig.storage, "replace_deals", slowly)
    sending = asyncio.create_task(post(rig, OTHER_FILE, CSV))
    await asyncio.wait_for(took_first.wait(), 5)
    runner = rig.client.server.runner
    assert runner is not None
    assert runner.server is not None
    await runner.server.shutdown(0.05)
    with pytest.raises(aiohttp.ClientConnectionError):
        await sending
    await until(lambda: not rig.api.uploads._in_hand)
    assert await current(rig) == ["a"]
    assert await counted(rig) == {"loaded": 1, "failed": 1}
    monkeypatch.undo()
    assert (await post(rig, OTHER_FILE, CSV)).body == OK
