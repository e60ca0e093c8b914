"""One rate a second pushed to 1000 and to 5000 clients of one API process, by SSE and by WebSocket, beside plain aiohttp.

python -m bench.push [--rounds 5] [--quick] [--without-peers]

A rate is stored, and announced as a worker does it; its lag runs from the moment before the announcement, when it is
committed, to its arrival at each client. Every kind of client has a server process of its own, and in each second all of them
get their message, one after another, so what slows one down slows the others too. The peer (`bench.peers.bare_push`) sends
the same bytes by one `await send_str` per client. Processor time is that of the server process, the kernel's part included,
beyond what it takes with the same clients and nothing to say. Then `lastrate` is asked 200 times a second meanwhile, and last
a poll of 200 rates goes at once to 1000 clients without a filter. The clients are on the same machine (`bench.crowd`):
where they take more processor time than the server, they are the bottleneck of the lag, and the table shows it.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import aiohttp

from bench.listeners import SPARE_FILES, may_open
from bench.part import Options, run_part
from bench.pushed import Pushed, Tell, sleep_until
from bench.rig import Rig, first_rate, serve_peer
from bench.table import Goal, Series, print_table
from tests.e2e.feed import Feed
from tests.e2e.processes import NOBODY, Running, Stack

CROWDS = (1000, 5000)
MESSAGES = 5
"""To each client in a round."""
IDLE_SECONDS = 16.0
"""More than the 15 between two heartbeats."""
ASKED_SECONDS = 2
POLL = 200
"""Rates at once."""
POLLED_CLIENTS = 1000
BARE, SSE, WEBSOCKET = "bare aiohttp + uvloop, WebSocket", "SSE", "WebSocket"


async def measure(rig: Rig, options: Options) -> list[Goal]:
    goals = []
    for clients in options.sized(CROWDS, (50,)):
        if may_open(clients):
            goals = await _one_a_second(rig, clients, options)
        else:
            print(
                f"\n{clients} clients need {clients + SPARE_FILES} open files, and this machine allows fewer in a process: raise "
                "its hard limit (ulimit -Hn; LimitNOFILE= of a unit; --ulimit nofile= of a container)."
            )
    await _polls(rig, options.sized(POLLED_CLIENTS, 20), options)
    return goals


async def _one_a_second(rig: Rig, clients: int, options: Options) -> list[Goal]:
    """The targets are for the largest crowd."""
    second, messages = options.sized((1.0, MESSAGES), (0.2, 2))
    async with rig.stack(COINMARKETCAP_URL=NOBODY) as stack, AsyncExitStack() as open_clients:
        http = await open_clients.enter_async_context(aiohttp.ClientSession())
        feed = await open_clients.enter_async_context(Feed.opened(stack.env, (1, 2)))
        await feed.tell((1, 2))
        api = await stack.api()
        body = await first_rate(http, api)
        all_of_them = [
            await _bare(stack, http, [body]),
            _api(SSE, api, "/api/stream/?currency=1", _telling(feed, (1,))),
            _api(WEBSOCKET, await stack.api(), "/api/ws/", _telling(feed, (2,)), subscribe=(2,)),
        ]
        for one in all_of_them:
            await open_clients.enter_async_context(one.opened(clients, current=0 if one.name == BARE else 1))
        await asyncio.gather(*(one.idle(options.sized(IDLE_SECONDS, 0.3)) for one in all_of_them))
        for _ in range(options.rounds):
            await _round(all_of_them, messages, second)
        for _ in range(options.rounds):
            for one in all_of_them:
                await _asked(one, http, options)
    return _report(all_of_them, clients)


async def _round(all_of_them: Sequence[Pushed], messages: int, second: float) -> None:
    for one in all_of_them:
        await one.expect(messages)
    begun = time.perf_counter()
    for number in range(messages):
        for place, one in enumerate(all_of_them):
            await sleep_until(begun + second * (number + place / len(all_of_them)))
            await one.tell()
    await sleep_until(begun + second * messages)
    for one in all_of_them:
        await one.note()


async def _asked(one: Pushed, http: aiohttp.ClientSession, options: Options) -> None:
    seconds = options.sized(ASKED_SECONDS, 1)
    await one.ask(http, seconds, is_fed=False)

    async def feed() -> None:
        begun = time.perf_counter()
        for number in range(seconds):
            await sleep_until(begun + number + 0.5)
            await one.tell()

    await asyncio.gather(one.ask(http, seconds, is_fed=True), feed())


async def _polls(rig: Rig, clients: int, options: Options) -> None:
    rates = options.sized(POLL, 20)
    currency_ids = range(1, rates + 1)
    async with (
        rig.stack(COINMARKETCAP_URL=NOBODY) as stack,
        aiohttp.ClientSession() as http,
        Feed.opened(stack.env, currency_ids) as feed,
    ):
        await feed.tell(currency_ids)
        api = await stack.api()
        bodies = [await first_rate(http, api)] * rates
        all_of_them = [
            await _bare(stack, http, bodies),
            _api(SSE, api, "/api/stream/", _telling(feed, currency_ids)),
            _api(WEBSOCKET, api, "/api/ws/", _telling(feed, currency_ids), subscribe="all"),
        ]
        for _ in range(options.rounds):
            for one in all_of_them:
                async with one.opened(clients, current=0 if one.name == BARE else rates):
                    await one.expect(rates)
                    await one.tell(rates)
                    await one.note()
    bare = all_of_them[0]
    title = f"{rates} rates at once to {clients} clients"
    print_table(f"{title}, all of them at the last", "ms", [one.last for one in all_of_them], base=bare.last)
    print_table("processor time per rate and client", "us", [one.cpu for one in all_of_them], base=bare.cpu)


def _report(all_of_them: Sequence[Pushed], clients: int) -> list[Goal]:
    bare, *ours = all_of_them
    to_all = f"a rate to {clients} clients"
    print_table(f"{to_all}, lag p50", "ms", [one.p50 for one in all_of_them], base=bare.p50)
    print_table(f"{to_all}, lag p99", "ms", [one.p99 for one in all_of_them], base=bare.p99)
    spent: list[Series] = [one.cpu for one in all_of_them] + [one.listening for one in all_of_them]
    print_table("processor time per client and message", "us", spent, base=bare.cpu)
    print_table("processor, one message a second", "% of a core", [one.core for one in all_of_them])
    print_table(f"memory with {clients} clients", "KiB per client", [one.memory for one in all_of_them])
    answers = [one.answers[is_fed] for one in all_of_them for is_fed in (False, True)]
    print_table(f"a plain GET beside {clients} clients, p99", "ms", answers)
    return [goal for one in ours for goal in _goals(one, clients)]


def _goals(one: Pushed, clients: int) -> list[Goal]:
    what = f"push to {clients} by {one.name}"
    return [
        Goal(what=f"{what}, lag p99", seen=one.p99.median, target=120, unit="ms"),
        Goal(what=f"{what}, of a core", seen=one.core.median, target=10, unit="%"),
        Goal(what=f"{what}, per message", seen=one.cpu.median, target=15, unit="us"),
    ]


def _api(name: str, api: Running, path: str, tell: Tell, *, subscribe: object = None) -> Pushed:
    """`subscribe`: what a WebSocket asks for."""
    if subscribe is None:
        return Pushed(name, api, stream=api.url + path, asked=f"{api.url}/api/lastrate/1/", tell=tell)
    return Pushed(
        name,
        api,
        stream=api.url.replace("http", "ws", 1) + path,
        asked=f"{api.url}/api/lastrate/1/",
        tell=tell,
        subscribe=json.dumps({"subscribe": subscribe}),
    )


async def _bare(stack: Stack, http: aiohttp.ClientSession, bodies: Sequence[bytes]) -> Pushed:
    """Pushes these rates, as our WebSocket says them."""
    peer = await serve_peer(stack, "bare_push", path="/")
    text = b"\n".join(b'{"rate":%b}' % body for body in bodies)

    async def post() -> float:
        started = time.perf_counter()
        async with http.post(f"{peer.url}/", data=text) as response:
            await response.read()
        return started

    stream = peer.url.replace("http", "ws", 1) + "/ws/"
    return Pushed(BARE, peer, stream=stream, asked=f"{peer.url}/", tell=post)


def _telling(feed: Feed, currency_ids: Sequence[int]) -> Tell:
    async def tell() -> float:
        recorded = await feed.store(currency_ids)
        started = time.perf_counter()
        await feed.announce(recorded)
        return started

    return tell


if __name__ == "__main__":
    run_part(measure, __doc__)
