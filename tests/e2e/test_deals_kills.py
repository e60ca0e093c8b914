"""Uploads that are ended in the middle by force, again and again, while others read.

How it is made sure where a blow falls: while the body is received, because the client has sent only a part of it; while
the deals are loaded, because a gate in the database holds the load before a deal anywhere in the file; and in the middle of
the commit, because a gate holds that. Some blows fall at any moment between the last byte and the answer.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import cycle
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.deals import answered, form, key_of, made, upload
from tests.e2e.kills import COMMITTING, LOADING, MARK, Gates, Readers, Sending, Uploaders, some_of
from tests.e2e.processes import NOBODY, Running, Stack
from tests.waiting import until

ROWS = 10_000
ROWS_ON_SQLITE = 60_000
"""More than SQLite keeps in memory before it writes to its log."""
LEAST_ON_SQLITE = 3
"""Kills."""
READERS = 2


class Blow(StrEnum):
    """What ends an upload."""

    KILL = "SIGKILL for the API process"
    LEAVE = "the client goes"
    TERMINATE = "the session in the database is ended"


class Moment(StrEnum):
    """Where it falls."""

    RECEIVING = "receiving"
    LOADING = "loading"
    COMMITTING = "committing"
    ANY = "any"


GATES = {Moment.LOADING: LOADING, Moment.COMMITTING: COMMITTING}
OTHER_BLOWS = (
    (Blow.LEAVE, Moment.LOADING),
    (Blow.TERMINATE, Moment.COMMITTING),
    (Blow.LEAVE, Moment.RECEIVING),
    (Blow.TERMINATE, Moment.LOADING),
    (Blow.LEAVE, Moment.COMMITTING),
)


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--kills"))


def plan(kills: int) -> Iterator[tuple[Blow, Moment]]:
    """Kills at all moments in turn, and another blow after every second."""
    others = cycle(OTHER_BLOWS)
    for _, moment in zip(range(kills), cycle(Moment), strict=False):
        yield Blow.KILL, moment
        if moment in {Moment.LOADING, Moment.ANY}:
            yield next(others)


class Strikes:
    """Uploads that are struck, one after another."""

    def __init__(self, gates: Gates, uploaders: Uploaders, readers: Readers, usual: float) -> None:
        self._gates, self._uploaders, self._readers, self._usual = gates, uploaders, readers, usual
        self._chance = random.Random(1)

    async def strike(self, number: int, blow: Blow, moment: Moment) -> bool:
        """Whether the new file has become the current one all the same; it, or the old one, as a whole."""
        file = made(number, ROWS, mark=MARK)
        self._readers.know(number, file.answer)
        old, _ = await self._readers.read()
        self._readers.seen.clear()
        sending = await Sending.begun(await self._uploaders.one(), len(file.content))
        await self._send_and_strike(sending, file.content, blow, moment)
        status, upload_id = await sending.answer()
        await self._gates.settled()
        now = await self._readers.read()
        assert now[0] in (old, number)
        assert self._readers.seen <= {old, number}
        if status == 200:
            assert now == (number, upload_id)
        else:
            assert status in (None, 503)
        if moment is Moment.RECEIVING or (blow, moment) == (Blow.KILL, Moment.LOADING):
            assert now[0] == old
        stored = await self._gates.deals_by_state()
        assert stored["current"] == [ROWS]
        assert set(stored) <= {"current", "replaced"}
        return now[0] == number

    async def _send_and_strike(self, sending: Sending, content: bytes, blow: Blow, moment: Moment) -> None:
        if moment in GATES:
            async with self._gates.shut(GATES[moment]):
                await sending.send(content)
                backend = await self._gates.caught(GATES[moment])
                await self._blow(blow, sending, backend)
            return
        if moment is Moment.RECEIVING:
            await sending.send(some_of(content, self._chance))
        else:
            await sending.send(content)
            # A process that was just started takes longer than usual.
            await asyncio.sleep(self._chance.uniform(0, 2 * self._usual))
        await self._blow(blow, sending)

    async def _blow(self, blow: Blow, sending: Sending, backend: int = 0) -> None:
        match blow:
            case Blow.KILL:
                await self._uploaders.kill()
            case Blow.LEAVE:
                sending.leave()
            case Blow.TERMINATE:
                await self._gates.terminate(backend)


async def test_whatever_ends_an_upload_readers_see_the_old_file_or_the_new_one_as_a_whole(
    stack: Stack, http: aiohttp.ClientSession, kills: int
) -> None:
    readers = Readers(http, (await stack.api()).url)
    uploaders = Uploaders(stack)
    became_current: Counter[tuple[Blow, Moment]] = Counter()
    async with Gates.built(stack.env["DATABASE_URL"]) as gates:
        first = made(0, ROWS, mark=MARK)
        readers.know(0, first.answer)
        uploader = await uploaders.one()
        started = time.monotonic()
        assert (await upload(http, uploader, form(first.content))).status == 200
        strikes = Strikes(gates, uploaders, readers, time.monotonic() - started)
        async with readers.reading(READERS):
            number = 0
            for number, (blow, moment) in enumerate(plan(kills), 1):
                became_current[blow, moment] += await strikes.strike(number, blow, moment)
        last = made(number + 1, ROWS)
        assert (await upload(http, await uploaders.one(), form(last.content))).status == 200

        async def is_alone() -> bool:
            return await gates.deals_by_state() == {"current": [ROWS]}

        await until(is_alone, seconds=20, what="the deals of all other uploads are gone")
    await uploaders.close()
    assert became_current[Blow.KILL, Moment.LOADING] == 0
    assert became_current[Blow.KILL, Moment.COMMITTING] > 0
    assert readers.answers > number


async def test_a_killed_process_on_sqlite_comes_back_with_the_old_file_or_the_new_one_as_a_whole(
    stack: Stack, http: aiohttp.ClientSession, kills: int
) -> None:
    chance = random.Random(1)
    running = await stack.standalone(COINMARKETCAP_URL=NOBODY)
    old = made(0, ROWS_ON_SQLITE)
    assert (await upload(http, running, form(old.content))).status == 200
    for number in range(1, 1 + max(LEAST_ON_SQLITE, kills // 10)):
        new = made(number, ROWS_ON_SQLITE)
        sending = await Sending.begun(running, len(new.content))
        written = bytes_written(running)
        await sending.send(new.content)
        # First come the bytes of the file, as they are received, and then those of the database.
        await has_written(running, written + int(len(new.content) * chance.uniform(1, 2)))
        await running.kill()
        status, _ = await sending.answer()
        running = await stack.standalone(COINMARKETCAP_URL=NOBODY)
        _, now = await answered(http, running)
        assert key_of(now) in (key_of(old.answer), key_of(new.answer))
        if status == 200:
            assert key_of(now) == key_of(new.answer)
        old = new if key_of(now) == key_of(new.answer) else old


def bytes_written(running: Running) -> int:
    """By the process, so far, to files and sockets."""
    lines = Path(f"/proc/{running.process.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


async def has_written(running: Running, count: int) -> None:
    async def is_so() -> bool:
        return bytes_written(running) >= count

    await until(is_so, seconds=20, what=f"{count} bytes are written")
