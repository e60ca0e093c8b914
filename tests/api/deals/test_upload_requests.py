"""Requests that are no upload, or not one for everybody: what they are told, and that no connection hangs for it."""

import asyncio
import gzip
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.api.conftest import StartRig
from tests.api.deals.ledger import PATH
from tests.api.deals.sending import (
    BOUNDARY,
    CSV,
    END,
    FILE,
    FORM,
    OK,
    OTHER_FILE,
    Wire,
    counted,
    current,
    form,
    noted,
    part,
    post,
)
from tests.api.rig import KEY, Rig

MOST = 200_000
FOREIGN = {"Origin": "https://elsewhere.example"}


@pytest.fixture
def servers() -> dict[str, Any]:
    """No database has a say in any of this."""
    return {}


@pytest.fixture
async def rig(start: StartRig) -> Rig:
    return await start(api_keys="", deals_max_bytes=MOST)


@pytest.fixture
async def locked(start: StartRig) -> Rig:
    return await start(api_keys=KEY, deals_max_bytes=MOST)


# Keys and origins


@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}],
    ids=["X-API-Key", "Bearer"],
)
async def test_once_keys_are_set_an_upload_needs_one(locked: Rig, headers: dict[str, str]) -> None:
    told = await post(locked, FILE, CSV)
    assert (told.status, told.body["type"]) == (401, "/problems/key-required")
    assert told.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await post(locked, FILE, CSV | {"X-API-Key": "wrong"})).status == 401
    assert (await post(locked, FILE, CSV, query=f"?api_key={KEY}")).status == 401
    assert await noted(locked) == []
    assert (await post(locked, FILE, CSV | headers)).body == OK


async def test_keys_that_are_guessed_end_in_429(locked: Rig) -> None:
    for n in range(600):
        assert (await post(locked, b"", CSV | {"X-API-Key": f"guess-{n}"})).status == 401
    told = await post(locked, FILE, CSV | {"X-API-Key": "guess"})
    assert (told.status, told.body["type"]) == (429, "/problems/too-many-requests")


async def test_the_answer_needs_no_key(locked: Rig) -> None:
    assert await current(locked) == []


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://[", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_may_not_upload(rig: Rig, origin: str) -> None:
    told = await post(rig, FILE, CSV | {"Origin": origin})
    assert (told.status, told.body["type"]) == (403, "/problems/foreign-origin")
    assert await noted(rig) == []


async def test_our_own_pages_may_upload(rig: Rig) -> None:
    own = f"http://{rig.client.host}:{rig.client.port}"
    assert (await post(rig, FILE, CSV | {"Origin": own})).body == OK


# What kind of body


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "multipart/mixed; boundary=x", "text/csvx", ";"]
)
async def test_bodies_of_another_kind_are_415(rig: Rig, kind: str) -> None:
    told = await post(rig, FILE, {"Content-Type": kind})
    assert (told.status, told.body["type"]) == (415, "/problems/unsupported-upload")
    assert "text/csv" in told.body["detail"]
    assert await counted(rig) == {"refused": 1}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "nonsense"])
@pytest.mark.parametrize("content", [gzip.compress(FILE), FILE], ids=["gzipped", "not"])
async def test_compressed_bodies_are_415_and_are_not_inflated(
    rig: Rig, encoding: str, content: bytes
) -> None:
    with capture_logs() as logs:
        wire = await Wire.open(
            rig, "Content-Type: text/csv", f"Content-Encoding: {encoding}", f"Content-Length: {len(content)}"
        )
        await wire.send(content)
        told = await wire.told()
        wire.close()
    assert (told.status, told.body["type"]) == (415, "/problems/unsupported-upload")
    assert [line for line in logs if line["log_level"] in {"warning", "error"}] == []


async def test_identity_is_no_compression(rig: Rig) -> None:
    assert (await post(rig, FILE, CSV | {"Content-Encoding": "identity"})).body == OK


@pytest.mark.parametrize(
    "header",
    [
        "Content-Encoding: gzip",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Type: multipart/mixed; boundary=inner",
    ],
)
async def test_encoded_and_nested_parts_are_415(rig: Rig, header: str) -> None:
    told = await post(rig, part(FILE, 'Content-Disposition: form-data; name="deals"', header) + END, FORM)
    assert (told.status, told.body["type"]) == (415, "/problems/unsupported-upload")
    assert await noted(rig) == []


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7BIT"])
async def test_parts_as_they_are_may_say_so(rig: Rig, encoding: str) -> None:
    headers = ('Content-Disposition: form-data; name="deals"', f"Content-Transfer-Encoding: {encoding}")
    assert (await post(rig, part(FILE, *headers) + END, FORM)).body == OK


# How large


async def test_a_file_may_be_as_large_as_the_setting_says_and_no_larger(rig: Rig) -> None:
    fits = FILE + b"\n" * (MOST - len(FILE))
    assert (await post(rig, fits, CSV)).body == OK
    assert (await post(rig, form(fits + b"\n"))).status == 413
    assert (await post(rig, form(b"\n" + fits[:-1]))).body == OK
    told = await post(rig, fits + b"\n", CSV)
    assert (told.status, told.body["type"]) == (413, "/problems/upload-too-large")
    assert "200,000 bytes of DEALS_MAX_BYTES" in told.body["detail"]
    assert len(await noted(rig)) == 2


@pytest.mark.parametrize("field", ["deals", "another"])
async def test_what_is_too_large_is_413_however_it_comes(rig: Rig, field: str) -> None:
    for kind, start in (
        (CSV, b""),
        (FORM, part(b"", f"Content-Disposition: form-data; name={field}; filename=x")[:-2]),
    ):
        wire = await Wire.open(
            rig, f"Content-Type: {kind['Content-Type']}", "Transfer-Encoding: chunked", "Connection: close"
        )
        await wire.send(b"%x\r\n%s\r\n" % (len(start), start) if start else b"")
        for _ in range(2):
            await wire.send(b"1ffff\r\n" + b"\n" * 0x1FFFF + b"\r\n")
        assert (await wire.told()).status == 413
        wire.close()


@pytest.mark.parametrize("name", ["f{}", "deals"])
@pytest.mark.parametrize("file_name", ["", "; filename=x"])
async def test_ten_thousand_parts_are_413(rig: Rig, name: str, file_name: str) -> None:
    parts = [
        part(b"x", f"Content-Disposition: form-data; name={name.format(n)}{file_name}") for n in range(10_000)
    ]
    told = await post(rig, b"".join(parts)[:MOST] + END, FORM)
    assert (told.status, told.body["type"]) == (413, "/problems/upload-too-large")


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n" * 40_000 + part() + END,
        part(b"x" * 70_000, 'Content-Disposition: form-data; name="other"') + part() + END,
        part() + END + b"x" * 70_000,
    ],
    ids=["before", "in another field", "after"],
)
async def test_what_no_file_needs_is_413_past_64_kib(rig: Rig, body: bytes) -> None:
    told = await post(rig, body, FORM)
    assert (told.status, told.body["type"]) == (413, "/problems/upload-too-large")
    assert "65,536 bytes beside its file" in told.body["detail"]
    assert await noted(rig) == []


@pytest.mark.parametrize("headers", [[f"X-{n}: y" for n in range(3000)], ["X: " + "y" * 20_000]])
async def test_headers_that_no_part_needs_are_413(rig: Rig, headers: list[str]) -> None:
    told = await post(rig, part(FILE, *headers) + END, FORM)
    assert (told.status, told.body["type"]) == (413, "/problems/upload-too-large")
    assert "8 headers of 4,096 bytes" in told.body["detail"]


# Forms with which something is wrong


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (END, "no field deals. Its fields: none"),
        (part(FILE, "Content-Disposition: form-data; name=file; filename=x") + END, "Its fields: 'file'"),
        (part(FILE, "Content-Disposition: form-data; name=Deals") + END, "Its fields: 'Deals'"),
        (part() + part() + END, "more than once"),
        (part() + part(b"", "Content-Disposition: form-data; name=x; filename=y") + END, "a file in the field 'x'"),
        (part(), "cut off"),
        ((part() + END)[:-4], "cut off"),
        ((part() + END)[: len(part()) - 1], "cut off"),
        (part()[:40], "cut off"),
        (b"", "cut off"),
        (FILE, "cut off"),
        ((part() + END).replace(b"\r\n", b"\n"), "cannot be read: Invalid line break"),
        (part().replace(BOUNDARY.encode(), BOUNDARY.encode() + b"x") + END, "cannot be read: Unexpected byte"),
        (b"x" + part() + END, "cannot be read: Unexpected byte"),
        (part(FILE, "X-Nothing: y") + END, "Content-Disposition"),
        (part(FILE, 'Content-Disposition: attachment; name="deals"') + END, "Content-Disposition"),
        (part(FILE, "Content-Disposition: form-data") + END, "Its fields: ''."),
        (part(FILE, "Content-Disposition: form-data; name=deals; name=x") + END, "Its fields: 'x'"),
        (part(FILE, " folded: x", "Content-Disposition: form-data; name=deals") + END, "header"),
        (part(FILE, "Content-Disposition: form-data; name=deals", "no colon") + END, "header"),
        (part(FILE, "Content-Disposition: form-data; name=deals", "Content-Length: 1") + END, "Content-Length"),
        (part(FILE, *["Content-Disposition: form-data; name=deals"] * 2) + END, "a header twice"),
        (part(FILE, "Content-Disposition: form-data; name=deals", "Content-Type: a; charset=utf-16") + END, "utf-16"),
        (part(FILE, "Content-Disposition: form-data; name=deals", "Content-Type: a; header=no") + END, "'no'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_forms_that_are_none_or_without_one_file_are_400(rig: Rig, body: bytes, told: str) -> None:
    await post(rig, OTHER_FILE, CSV)
    answer = await post(rig, body, FORM)
    assert (answer.status, answer.body["Status"]) == (400, "Error")
    assert told in answer.body["Desc"]
    assert await current(rig) == ["b"]
    assert len(await noted(rig)) == 1


async def test_all_that_is_wrong_with_a_form_is_told(rig: Rig) -> None:
    header = ("Content-Disposition: form-data; name=deals", "Content-Type: text/csv; charset=x; header=y")
    other = part(b"", "Content-Disposition: form-data; name=o; filename=f")
    told = await post(rig, part(FILE, *header) + part() + other + END, FORM)
    assert len(told.body["Desc"].split("\n")) == 4


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
        'multipart/form-data; boundary="\u0435"',
        f"multipart/form-data; boundary={BOUNDARY}; boundary=x",
        "text/csv; charset=utf-16",
        "text/csv; charset=utf-8; charset=utf-8",
        "text/csv; header=maybe",
        "text/csv; charset*=idna'x'%FF",
        "text/csv; charset=\u0435",
    ],
)
async def test_content_types_that_cannot_be_used_are_400(rig: Rig, kind: str) -> None:
    told = await post(rig, part() + END, {"Content-Type": kind})
    assert (told.status, told.body["Status"]) == (400, "Error")
    assert await noted(rig) == []


async def test_unknown_parameters_are_400_problems(rig: Rig) -> None:
    told = await post(rig, FILE, CSV, query="?top=5")
    assert told.status == 400
    assert "top" in told.body["errors"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(rig: Rig, method: str) -> None:
    async with rig.client.request(method, PATH, data=FILE) as response:
        assert response.status == 405
        assert {"GET", "POST"} <= {*response.headers["Allow"].split(",")}


# Before the body is sent


REFUSED_AT_ONCE = [
    (401, ["Content-Type: text/csv"]),
    (403, ["Content-Type: text/csv", "Origin: https://elsewhere.example"]),
    (415, ["Content-Type: text/plain", f"X-API-Key: {KEY}"]),
    (415, ["Content-Type: text/csv", "Content-Encoding: gzip", f"X-API-Key: {KEY}"]),
    (400, ["Content-Type: multipart/form-data", f"X-API-Key: {KEY}"]),
]
LENGTHS = ["Content-Length: 100000", "Transfer-Encoding: chunked"]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("status", "headers"), REFUSED_AT_ONCE)
async def test_what_the_head_shows_is_refused_before_the_body_is_asked_for(
    locked: Rig, status: int, headers: list[str], length: str
) -> None:
    wire = await Wire.open(locked, *headers, length, "Expect: 100-continue")
    told = await wire.told()
    assert told.status == status
    assert told.headers["Connection"] == "close"
    wire.close()


async def waiting(rig: Rig, size: int = len(FILE), *, path: str = PATH) -> Wire:
    """An upload whose client has sent the head, and waits to be asked for the rest."""
    head = ("Content-Type: text/csv", f"X-API-Key: {KEY}", f"Content-Length: {size}", "Expect: 100-continue")
    return await Wire.open(rig, *head, path=path)


async def test_a_length_above_the_cap_is_refused_before_the_body_is_asked_for(locked: Rig) -> None:
    wire = await waiting(locked, MOST + 1)
    assert (await wire.told()).status == 413
    wire.close()


async def test_a_good_head_is_asked_for_its_body(locked: Rig) -> None:
    wire = await waiting(locked)
    assert (await wire.told()).status == 100
    await wire.send(FILE)
    told = await wire.told()
    assert (told.status, told.body) == (200, OK)
    assert "Connection" not in told.headers
    wire.close()


async def test_a_path_without_its_slash_is_redirected_before_the_body_is_asked_for(locked: Rig) -> None:
    wire = await waiting(locked, path=PATH.rstrip("/"))
    told = await wire.told()
    assert (told.status, told.headers["Location"]) == (308, PATH)
    wire.close()


async def test_an_expectation_of_http_1_0_means_nothing(rig: Rig) -> None:
    assert rig.client.port is not None
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    head = f"POST {PATH} HTTP/1.0\r\nContent-Type: text/csv\r\nContent-Length: {len(FILE)}\r\nExpect: 100-continue"
    writer.write(head.encode() + b"\r\n\r\n" + FILE)
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.0 200 OK")
    writer.close()


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize(("status", "headers"), REFUSED_AT_ONCE)
async def test_a_client_that_sends_all_the_same_gets_its_answer(
    start: StartRig, status: int, headers: list[str], *, is_chunked: bool
) -> None:
    rig = await start(api_keys=KEY)
    wire = await Wire.open(rig, *headers, LENGTHS[is_chunked].replace("100000", "20000000"))
    piece = b"x" * 1_000_000
    for _ in range(20):
        await wire.send(b"f4240\r\n%s\r\n" % piece if is_chunked else piece)
    if is_chunked:
        await wire.send(b"0\r\n\r\n")
    assert (await wire.told()).status == status
    async with asyncio.timeout(5):
        assert await wire.reader.read() == b""
    wire.close()


@pytest.mark.parametrize("name", ["Content-Encoding", "Transfer-Encoding", "Content-Type"])
async def test_a_header_that_is_no_text_is_refused_like_any_other(rig: Rig, name: str) -> None:
    sent = {"Content-Type": "Content-Type: text/csv"} | {name: f"{name}: \xff"}
    head = "\r\n".join(
        [
            "POST /api/deals/ HTTP/1.1",
            "Host: x",
            f"X-API-Key: {KEY}",
            *sent.values(),
            "Content-Length: 0",
            "",
            "",
        ]
    )
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(head.encode("latin-1"))
    async with asyncio.timeout(5):
        status = int((await reader.readline()).split()[1])
    writer.close()
    assert status in {400, 415}


async def test_a_body_in_two_transfer_encodings_is_refused(rig: Rig) -> None:
    wire = await Wire.open(
        rig, "Content-Type: text/csv", f"X-API-Key: {KEY}", "Transfer-Encoding: gzip, chunked"
    )
    told = await wire.told()
    assert told.status == 415
    assert "gzip, chunked" in told.body["detail"]
    wire.close()


async def test_a_part_cannot_forge_lines_of_a_log(rig: Rig) -> None:
    body = (
        part(
            FILE,
            'Content-Disposition: form-data; name="deals"',
            "Content-Transfer-Encoding: a\nforged \x1b[31m",
        )
        + END
    )
    told = await post(rig, body, {**FORM, "X-API-Key": KEY})
    assert told.status in {400, 415}
    assert not {"\n", "\x1b"} & set(str(told.body))
