"""Files of deals through real processes, on both databases."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.e2e.deals import (
    HEADER,
    PATH,
    Sent,
    answered,
    expected,
    form,
    made,
    read_json,
    sample,
    upload,
    upload_bare,
)
from tests.e2e.processes import NOBODY, Running, Stack
from tests.waiting import until

Start = Callable[[], Awaitable[Running]]
FULL = sample("full.csv")
OLD_RUSSIAN = FULL.decode().removeprefix(HEADER).encode("cp1251")
"""As one of the known copies of that file is: without its first line, as it came out of a program of Windows."""
REFUSED = {
    "line 3: ": FULL.replace(b",8502,", b',"85,02",'),
    "line 768: ": FULL.removesuffix(b"\n") + b",more\n",
    "line 769: ": FULL + b"cut,off",
    "item": FULL.replace(b"item", b"thing", 1),
    "UTF-8": FULL.decode().encode("cp1251"),
    "no deal": HEADER.encode(),
    "empty": b"",
}
"""By what the answer to it must say."""


@pytest.fixture(params=["PostgreSQL", "SQLite"])
def start(request: pytest.FixtureRequest, stack: Stack) -> Start:
    """Starts a process that takes deals, every time on the same database."""
    if request.param == "PostgreSQL":
        return stack.api
    return lambda: stack.standalone(COINMARKETCAP_URL=NOBODY)


async def uploads(http: aiohttp.ClientSession, api: Running) -> list[dict[str, Any]]:
    async with http.get(f"{api.url}{PATH}uploads/") as response:
        body = await response.read()
        assert response.status == 200, body
        results: list[dict[str, Any]] = read_json(body)["results"]
        return results


def test_the_known_file_is_the_one_that_is_known() -> None:
    known = "1d786f96fa4c"
    assert hashlib.sha256(FULL).hexdigest().startswith(known)


async def test_every_known_file_gives_its_known_answer(start: Start, http: aiohttp.ClientSession) -> None:
    api = await start()
    assert await answered(http, api) == (None, [])
    old = "text/csv; charset=windows-1251; header=absent"
    sends: list[tuple[str, Callable[[], Awaitable[Sent]]]] = [
        ("full.csv", lambda: upload(http, api, form(FULL))),
        ("decimal-totals.csv", lambda: upload_bare(http, api, sample("decimal-totals.csv"))),
        ("full.csv", lambda: upload(http, api, form(b"\xef\xbb\xbf" + FULL, name="../../x"))),
        ("iso-dates.csv", lambda: upload(http, api, form(sample("iso-dates.csv")))),
        ("full.csv", lambda: upload(http, api, form(OLD_RUSSIAN, content_type=old))),
        ("decimal-totals.csv", lambda: upload(http, api, form(sample("decimal-totals.csv")))),
        ("full.csv", lambda: upload_bare(http, api, OLD_RUSSIAN, old)),
    ]
    for name, send in sends:
        sent = await send()
        assert (sent.status, sent.body) == (200, {"Status": "OK"})
        assert await answered(http, api) == (sent.upload, expected(name))


async def test_a_refused_file_leaves_the_old_answer_and_is_noted(
    start: Start, http: aiohttp.ClientSession
) -> None:
    api = await start()
    good = await upload(http, api, form(FULL))
    for saying, content in REFUSED.items():
        sent = await upload(http, api, form(content, name=saying))
        assert (sent.status, sent.body["Status"]) == (400, "Error")
        assert saying in sent.body["Desc"]
        assert await answered(http, api) == (good.upload, expected("full.csv"))
    noted = await uploads(http, api)
    assert [one["file_name"] for one in noted] == [*reversed(REFUSED), "deals.csv"]
    assert [one["state"] for one in noted] == ["refused"] * len(REFUSED) + ["current"]


async def test_the_same_file_again_is_recognised(start: Start, http: aiohttp.ClientSession) -> None:
    api = await start()
    first, again = [await upload(http, api, form(FULL)) for _ in range(2)]
    assert first.upload is not None
    assert again == first
    assert [one["id"] for one in await uploads(http, api)] == [first.upload]


async def test_a_restart_keeps_everything(start: Start, http: aiohttp.ClientSession) -> None:
    api = await start()
    for content in (FULL, sample("iso-dates.csv"), b"nothing"):
        await upload(http, api, form(content))
    before = await answered(http, api), await answered(http, api, "?top=7"), await uploads(http, api)
    assert await api.stop() == 0
    again = await start()
    assert (
        await answered(http, again),
        await answered(http, again, "?top=7"),
        await uploads(http, again),
    ) == before
    assert before[0][1] == expected("iso-dates.csv")


async def test_of_two_uploads_at_once_by_two_processes_one_follows_the_other_whole(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    apis = list(await asyncio.gather(stack.api(), stack.api(), stack.api()))
    files = [made(seed, 20_000) for seed in (1, 2)]
    seen: list[tuple[int | None, Any]] = []
    sending = [
        asyncio.create_task(upload(http, api, form(file.content)))
        for api, file in zip(apis, files, strict=False)
    ]
    while not all(task.done() for task in sending):
        seen.append(await answered(http, apis[2]))
    sent = [await task for task in sending]
    assert [one.status for one in sent] == [200, 200]
    known = {one.upload: file.answer for one, file in zip(sent, files, strict=True)} | {None: []}
    assert len(known) == 3
    ended = [await answered(http, api) for api in apis]
    assert ended[0] == ended[1] == ended[2]
    assert ended[0][0] is not None
    assert [answer for upload_id, answer in [*seen, *ended] if answer != known[upload_id]] == []
    states = {one["id"]: one["state"] for one in await uploads(http, apis[2])}
    assert states == {one.upload: "current" if one.upload == ended[0][0] else "replaced" for one in sent}
    await only_deals_are_left(stack, ended[0][0], 20_000)


async def only_deals_are_left(stack: Stack, upload_id: int, rows: int) -> None:
    """Those of this upload, in the end."""
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])

    async def is_so() -> bool:
        found = await connection.fetch("SELECT upload_id, count(*) FROM deals GROUP BY upload_id")
        return [tuple(one) for one in found] == [(upload_id, rows)]

    try:
        await until(is_so, seconds=20, what="the deals of the replaced uploads are gone")
    finally:
        await connection.close()
