"""Bodies on their way: clients that leave, wait or come in crowds, and disks that are full."""

import asyncio
import errno
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.deals import body, spool, uploads
from shared.errors import StorageUnavailable
from tests.api.conftest import StartRig
from tests.api.deals.sending import (
    CSV,
    END,
    FILE,
    FORM,
    OK,
    OTHER_FILE,
    Wire,
    counted,
    current,
    noted,
    part,
    post,
)
from tests.api.rig import Rig, until

LARGE = FILE + b"\n" * 3_000_000


@pytest.fixture
def servers() -> dict[str, Any]:
    """What happens here happens before any database is asked."""
    return {}


@pytest.fixture
async def rig(start: StartRig) -> Rig:
    started = await start(api_keys="")
    assert (await post(started, OTHER_FILE, CSV)).body == OK
    return started


async def left_alone(rig: Rig) -> None:
    """The old deals are there, and nothing else is noted."""
    assert await current(rig) == ["b"]
    assert [row["state"] for row in await noted(rig)] == ["current"]


def served(rig: Rig) -> list[int]:
    """The statuses of uploads, as the metrics have them."""
    family = next(iter(rig.api.request_metrics.collect()))
    return [
        int(one.labels["status"])
        for one in family.samples
        if one.name.endswith("_count") and one.labels["route"] == "/api/deals/"
    ]


@pytest.mark.parametrize("kind", [CSV, FORM], ids=["bare", "form"])
@pytest.mark.parametrize("length", [f"Content-Length: {len(LARGE)}", "Transfer-Encoding: chunked"])
async def test_a_client_that_leaves_at_half_the_file_changes_nothing_and_is_no_defect(
    rig: Rig, kind: dict[str, str], length: str
) -> None:
    content = LARGE if kind is CSV else part(LARGE) + END
    half = content[: len(content) // 2]
    with capture_logs() as logs:
        wire = await Wire.open(rig, f"Content-Type: {kind['Content-Type']}", length)
        await wire.send(b"%x\r\n%s\r\n" % (len(half), half) if "chunked" in length else half)
        await until(lambda: rig.api.uploads._in_hand)
        wire.close()
        await until(lambda: 499 in served(rig))
    assert [line for line in logs if line["log_level"] in {"warning", "error"}] == []
    await left_alone(rig)
    assert await counted(rig) == {"loaded": 1, "failed": 1}


@pytest.mark.parametrize("expect", [[], ["Expect: 100-continue"]], ids=["", "expect"])
async def test_a_client_that_sends_nothing_more_is_408_and_its_connection_closed(
    rig: Rig, expect: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "IDLE_SECONDS", 0.05)
    wire = await Wire.open(rig, "Content-Type: text/csv", "Content-Length: 1000", *expect)
    if expect:
        assert (await wire.told()).status == 100
    await wire.send(FILE)
    told = await wire.told()
    assert (told.status, told.body["type"]) == (408, "/problems/upload-too-slow")
    assert "0.05 seconds" in told.body["detail"]
    assert told.headers["Connection"] == "close"
    wire.close()
    await left_alone(rig)


async def test_a_client_that_sends_a_byte_now_and_then_is_408_in_the_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "WHOLE_SECONDS", 0.2)
    wire = await Wire.open(rig, "Content-Type: text/csv", "Content-Length: 100000")

    async def trickle() -> None:
        while True:
            await wire.send(b"x")
            await asyncio.sleep(0.01)

    trickling = asyncio.create_task(trickle())
    told = await wire.told()
    trickling.cancel()
    assert told.status == 408
    assert "not whole within 0.2 seconds" in told.body["detail"]
    wire.close()
    await left_alone(rig)


@pytest.mark.parametrize("kind", [CSV, FORM], ids=["bare", "form"])
async def test_a_body_whose_chunks_cannot_be_read_is_400_at_once(rig: Rig, kind: dict[str, str]) -> None:
    wire = await Wire.open(rig, f"Content-Type: {kind['Content-Type']}", "Transfer-Encoding: chunked")
    start = FILE if kind is CSV else part()
    await wire.send(b"%x\r\n%s\r\n" % (len(start), start))
    await until(lambda: rig.api.uploads._in_hand)
    with capture_logs() as logs:
        await wire.send(b"nonsense\r\n")
        told = await wire.told()
        async with asyncio.timeout(5):
            assert await wire.reader.read() == b""
    assert (told.status, told.body) == (400, {"Status": "Error", "Desc": "The body is not well-formed HTTP."})
    assert told.headers["Connection"] == "close"
    assert [line for line in logs if line["log_level"] in {"warning", "error"}] == []
    wire.close()
    await left_alone(rig)


async def test_nonsense_behind_a_whole_body_does_not_harm_it(rig: Rig) -> None:
    wire = await Wire.open(rig, "Content-Type: text/csv", f"Content-Length: {len(FILE)}")
    await wire.send(FILE[:-1])
    await until(lambda: rig.api.uploads._in_hand)
    await wire.send(FILE[-1:])
    await wire.send(b"nonsense\r\n\r\n")
    assert (await wire.told()).body == OK
    assert (await wire.told()).status == 400
    wire.close()


async def test_a_line_end_behind_the_last_boundary_may_come_alone(rig: Rig) -> None:
    content = part() + END
    wire = await Wire.open(rig, f"Content-Type: {FORM['Content-Type']}", "Transfer-Encoding: chunked")
    for piece in (content[:10], content[10:-2], content[-2:]):
        await wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    await wire.send(b"0\r\n\r\n")
    assert (await wire.told()).body == OK
    wire.close()


@pytest.mark.parametrize(
    ("error", "level"), [(StorageUnavailable(), "warning"), (RuntimeError("a defect"), "error")]
)
async def test_replaced_deals_that_cannot_be_forgotten_harm_no_upload(
    rig: Rig, error: Exception, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> int:
        raise error

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(rig.storage, "forget_replaced_deals", fail)
        assert (await post(rig, FILE, CSV)).body == OK
        await until(lambda: "replaced deals not forgotten" in {line["event"] for line in logs})
    assert [line["log_level"] for line in logs if line["log_level"] in {"warning", "error"}] == [level]
    assert await current(rig) == ["a"]
    assert (await post(rig, OTHER_FILE, CSV)).body == OK
    assert await current(rig) == ["b"]


async def test_a_chunked_body_is_taken_however_small_its_chunks(rig: Rig) -> None:
    wire = await Wire.open(rig, f"Content-Type: {FORM['Content-Type']}", "Transfer-Encoding: chunked")
    await wire.send(b"".join(b"1\r\n%c\r\n" % byte for byte in part() + END) + b"0\r\n\r\n")
    assert (await wire.told()).body == OK
    wire.close()
    assert await current(rig) == ["a"]


async def test_no_more_than_eight_uploads_are_in_hand_at_once(rig: Rig) -> None:
    head = ("Content-Type: text/csv", f"Content-Length: {len(FILE)}")
    wires = [await Wire.open(rig, *head) for _ in range(uploads.MOST_AT_ONCE)]
    await until(lambda: rig.api.uploads._in_hand == uploads.MOST_AT_ONCE)
    told = await post(rig, FILE, CSV)
    assert (told.status, told.body["type"]) == (503, "/problems/uploads-busy")
    assert told.headers["Retry-After"] == "5"
    await wires[0].send(FILE)
    assert (await wires[0].told()).body == OK
    assert (await post(rig, OTHER_FILE, CSV)).body == OK
    for wire in wires:
        wire.close()
    await until(lambda: not rig.api.uploads._in_hand)


class FullDisk:
    """A file on a disk that takes nothing of it."""

    def __init__(self, error: int) -> None:
        self.error = OSError(error, "Said by the disk")
        self.closed = False
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below

    def write(self, _content: bytes) -> int:
        raise self.error

    def seek(self, _offset: int, _whence: int = 0) -> int:
        raise self.error

    def close(self) -> None:
        self.file.close()
        self.closed = True
        raise self.error


NO_ROOM = "There is no room for the upload"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errno.ENOSPC, NO_ROOM),
        (errno.EDQUOT, NO_ROOM),
        (errno.EFBIG, NO_ROOM),
        (errno.EIO, "The upload cannot be kept"),
    ],
)
@pytest.mark.parametrize("content", [FILE, LARGE], ids=["small", "large"])
async def test_a_full_disk_is_507_and_the_next_upload_works(
    rig: Rig, content: bytes, error: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FullDisk] = []

    def full(**_: Any) -> FullDisk:
        made.append(FullDisk(error))
        return made[-1]

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(spool, "SpooledTemporaryFile", full)
        told = await post(rig, content, CSV)
    assert (told.status, told.body["type"]) == (507, "/problems/no-room-for-upload")
    assert told.body["detail"] == f"{said} on the disk of this service."
    assert "Retry-After" in told.headers
    assert [one.closed for one in made] == [True]
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["upload cannot be kept"]
    await left_alone(rig)
    assert (await post(rig, content, CSV)).body == OK


@pytest.mark.parametrize("end", ["taken", "refused", "left"])
async def test_the_spool_of_an_upload_is_closed_whatever_becomes_of_it(
    rig: Rig, end: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files: list[Any] = []
    real: Callable[..., Any] = tempfile.SpooledTemporaryFile

    def watched(**options: Any) -> Any:
        files.append(real(dir=tmp_path, **options))
        return files[-1]

    monkeypatch.setattr(spool, "SpooledTemporaryFile", watched)
    content = LARGE if end == "taken" else LARGE + b"nonsense"
    if end == "left":
        wire = await Wire.open(rig, "Content-Type: text/csv", f"Content-Length: {len(content)}")
        await wire.send(content[:-1])
        await until(lambda: files)
        wire.close()
        await until(lambda: 499 in served(rig))
    else:
        assert (await post(rig, content, CSV)).status == (200 if end == "taken" else 400)
    await until(lambda: [file.closed for file in files] == [True])
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("tmp")] == []
