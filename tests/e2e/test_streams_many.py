"""Many clients of the streams of one process, half of them by SSE and half by WebSocket, while rates flow.

Some come and go, and go on where they were. Some stop reading for a moment, and miss nothing. Some stop reading for good: they
are told and dropped, and nobody else notices. Whoever listens hears of each of its currencies every rate that is served
from then on, in order, once; no confirmation, and no rate of a source that is not the served one.
"""

import asyncio
import resource
from collections.abc import Awaitable, Sequence
from pathlib import Path

import aiohttp
import pytest

from bench.memory import megabytes
from tests.e2e.crowds import CURRENCIES, PATIENCE, Crowd, Story, gathered
from tests.e2e.feed import Feed
from tests.e2e.listening import Listener, SocketListener, SseListener
from tests.e2e.processes import NOBODY, Running, Stack
from tests.shared.scraping import Target
from tests.waiting import until

LIMIT = 10.0
"""Seconds that a process has between SIGTERM and its end."""
OPENED_AT_ONCE = 50
LOOK_SECONDS = 0.1
KINDS = {"sse": SseListener, "websocket": SocketListener}
OWN_MB, SLOW_MB, EACH_MB = 30.0, 0.5, 0.05
"""By which the API may grow: what it keeps for those who come back, what waits for a slow client, and every client."""


@pytest.fixture
def clients(pytestconfig: pytest.Config) -> int:
    """How many. Each is an open file here and in the API."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(pytestconfig.getoption("--clients"))


async def test_each_of_many_clients_hears_every_rate_once_and_in_order(
    stack: Stack, http: aiohttp.ClientSession, clients: int
) -> None:
    async with Feed.opened(stack.env, CURRENCIES) as feed, gathered(clients) as crowd:
        story = Story(feed)
        await story.go_on()
        api = await started(stack, http)
        await in_turns([one.connect(api.url) for one in (*crowd.steady, *crowd.leaving)])
        await in_turns([one.connect(api.url, is_slow=True) for one in (*crowd.halting, *crowd.slow)])
        before = megabytes(api, "VmRSS")
        async with story.going_on(crowd.steady):
            await asyncio.gather(
                halt(story, crowd.halting),
                *(drop(http, api, kind, crowd) for kind in KINDS),
                *(come_and_go(story, api, one) for one in crowd.leaving),
            )
        grown = megabytes(api, "VmHWM") - before
        assert grown < OWN_MB + SLOW_MB * len(crowd.slow) + EACH_MB * clients
        in_time = [one for one in crowd.late if not one.is_lost.is_set()]
        await story.was_heard_by([*crowd.loyal, *in_time])
        assert [one for one in (*crowd.loyal, *in_time) if not story.is_told_by(one)] == []
        assert [one for one in crowd.slow if not story.is_told_by(one, to_its_end=False)] == []
        assert await asyncio.wait_for(api.stop(), LIMIT) == 0
        await asyncio.wait_for(asyncio.gather(*(one.is_lost.wait() for one in crowd.loyal)), LIMIT)
        assert {one.reason for one in crowd.loyal} == {"stopping"}
        await story.go_on()
        await take_over(story, await started(stack, http), crowd.loyal)


async def started(stack: Stack, http: aiohttp.ClientSession) -> Running:
    """An API that knows the currencies."""
    api = await stack.api(COINMARKETCAP_URL=NOBODY)

    async def has_rates() -> bool:
        async with http.get(f"{api.url}/api/lastrate/1/") as response:
            return response.status == 200

    await until(has_rates, seconds=10, what="the API has rates")
    return api


async def in_turns(waiting: Sequence[Awaitable[None]]) -> None:
    for start in range(0, len(waiting), OPENED_AT_ONCE):
        await asyncio.gather(*waiting[start : start + OPENED_AT_ONCE])


async def halt(story: Story, halting: Sequence[Listener]) -> None:
    """For so long that they leave their group, and come back to it before patience is over."""
    await story.after(28)
    for one in halting:
        one.read_on()


async def come_and_go(story: Story, api: Running, one: SseListener) -> None:
    for missed in (1, 3, 9):
        await story.reaches(one)
        one.leave()
        await one.is_lost.wait()
        async with story.missed(missed):
            await one.connect(api.url)
        assert one.state["resumed"], one.state


async def drop(http: aiohttp.ClientSession, api: Running, kind: str, crowd: Crowd) -> None:
    """Until those of this kind that are slow are gone. Whoever is late reads on as soon as one of them must have been told: that
    one reads it, and whoever was not told yet stays."""
    deaf = [one for one in crowd.deaf if isinstance(one, KINDS[kind])]
    late = [one for one in crowd.late if isinstance(one, KINDS[kind])]
    target = Target(http, api.url)

    async def one_is_told() -> bool:
        await asyncio.sleep(LOOK_SECONDS)
        told = (await target.scrape()).value("freshrate_live_ended_total", 0.0, kind=kind, reason="slow")
        return told > len(deaf)

    async def one_has_read_it() -> bool:
        return "slow" in {one.reason for one in late}

    async def are_cut_off() -> bool:
        return connected(api).isdisjoint(one.port for one in deaf)

    await until(one_is_told, seconds=PATIENCE, what=f"slow clients by {kind} are told")
    for one in late:
        one.read_on()
    await until(one_has_read_it, seconds=PATIENCE, what=f"a slow client by {kind} reads why it is dropped")
    await until(are_cut_off, seconds=PATIENCE, what=f"slow clients by {kind} are cut off")


async def take_over(story: Story, api: Running, loyal: Sequence[Listener]) -> None:
    """Another process knows what was stored meanwhile, and says that it cannot tell what was missed."""
    before = [{currency: heard[-1] for currency, heard in one.heard.items()} for one in loyal]
    for one in loyal:
        one.heard = {currency: [] for currency in one.wanted}
    await in_turns([one.connect(api.url) for one in loyal])
    resumed = [one.state for one in loyal if isinstance(one, SseListener)]
    assert {(state["resumed"], state["reason"]) for state in resumed} == {(False, "another-process")}
    for _ in range(3):
        await story.go_on()
    await story.was_heard_by(loyal)
    for one, last in zip(loyal, before, strict=True):
        assert story.is_told_by(one)
        assert all(one.heard[currency][0] > rate_id for currency, rate_id in last.items())


def connected(api: Running) -> set[int]:
    """The ports of those whose connections the process still has open."""
    port = f":{int(api.url.rpartition(':')[2]):04X}"
    rows = Path(f"/proc/{api.process.pid}/net/tcp").read_text().splitlines()[1:]
    ends = [(row[1], row[2], row[9]) for row in map(str.split, rows)]
    return {int(there[-4:], 16) for here, there, inode in ends if here.endswith(port) and inode != "0"}
