"""SIGTERM in the middle of uploads: each client is told, the process ends in time, and nothing is left behind."""

import asyncio
from collections.abc import Sequence

import aiohttp

from tests.e2e.deals import answered, form, key_of, made, upload
from tests.e2e.kills import LOADING, MARK, Gates, Sending
from tests.e2e.processes import Running, Stack
from tests.e2e.test_stops import stopped

OLD, NEW = made(1, 100), made(2, 10_000, mark=MARK)


async def given_up(api: Running, sending: Sequence[Sending]) -> None:
    """The process is stopped. Whoever sends is told to try again, once, and the log has nothing to complain of."""
    answers = [asyncio.create_task(one.answer()) for one in sending]
    assert await stopped(api) == 0
    assert await asyncio.gather(*answers) == [(503, None)] * len(sending)
    lines = api.log_lines()
    assert [line for line in lines if line["level"] in {"warning", "error", "critical"}] == []
    requests = [line for line in lines if line["event"] == "request" and line["method"] == "POST"]
    assert [line["status"] for line in requests] == [200] + [503] * len(sending)
    assert {line["error"].partition(":")[0] for line in requests[1:]} == {"UploadStopped"}
    assert len(lines) == len(api.log_text().splitlines())


async def begun(api: Running, content: bytes, *, whole: bool) -> Sending:
    sending = await Sending.begun(api, len(content))
    await sending.send(content if whole else content[: len(content) // 2])
    return sending


async def test_uploads_that_arrive_wait_and_load_are_given_up(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    api = await stack.api()
    old = await upload(http, api, form(OLD.content))
    async with Gates.built(stack.env["DATABASE_URL"]) as gates:
        async with gates.shut(LOADING):
            sending = [await begun(api, NEW.content, whole=True)]
            await gates.caught(LOADING)
            sending += [await begun(api, NEW.content, whole=whole) for whole in (True, False)]
            await given_up(api, sending)
            await gates.settled()
        assert await gates.deals_by_state() == {"current": [100]}
    again = await stack.api()
    upload_id, answer = await answered(http, again)
    assert (upload_id, key_of(answer)) == (old.upload, key_of(OLD.answer))
    assert (await upload(http, again, form(NEW.content))).status == 200


async def test_an_upload_that_arrives_is_given_up_by_the_process_on_sqlite(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.standalone()
    old = await upload(http, api, form(OLD.content))
    await given_up(api, [await begun(api, NEW.content, whole=False)])
    again = await stack.standalone()
    upload_id, answer = await answered(http, again)
    assert (upload_id, key_of(answer)) == (old.upload, key_of(OLD.answer))
