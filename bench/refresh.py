"""The forced refresh over the source's own latency, beside the bare path and beside Celery.

python -m bench.refresh [--rounds 5] [--quick] [--without-peers]

The source is the simulator with a latency of 5 ms. One by one, in turn: the source itself by the same client, the same hops
with the least code (`bench.peers.bare_refresh`), `latestrate`, and Celery's `delay().get()` of a task that does the same and
of one that does nothing (`bench.peers.celery_refresh`). The overhead is the time minus the source's median of the same
round; of the task that does nothing, all of its time. Then 32 callers at once. Celery is asked without HTTP in front of it,
which flatters it. Absolutes drift with the machine; the ratio to the bare path holds.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from bench.part import Options, run_part
from bench.rig import PEERS_PYTHON, Dialogue, Rig, ask_peer, first_rate, serve_peer
from bench.table import Goal, Series, percentile, print_table
from tests.e2e.processes import Running, Stack

LATENCY_MS = 5
REQUESTS = 200
"""Of each in a round."""
WARM_UP = 50
CALLERS = 32
BURST = 600
"""Requests of 32 callers in a round."""
CURRENCIES = (1, 1027, 1839, 52, 5426, 74, 2010, 1958)
CELERY_WORKERS = 8
EMPTY = "Celery, empty task"

Ask = Callable[[], Awaitable[float]]
"""One request. Gives its seconds."""


async def measure(rig: Rig, options: Options) -> list[Goal]:
    async with rig.stack() as stack, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await stack.simulator("--latency-ms", str(LATENCY_MS))
        api = await stack.api()
        await stack.worker()
        await first_rate(http, api)
        source = f"{stack.simulator_url}/public-api/v3/cryptocurrency/quotes/latest"
        bare = await _bare(stack, source)

        def get(url: str) -> Ask:
            return lambda: _timed(http, url)

        asks = {
            "source alone": get(f"{source}?id=1"),
            "bare path": get(f"{bare.url}/1/"),
            "latestrate": get(f"{api.url}/api/latestrate/1/"),
        }
        if not options.with_peers:
            goals = await _one_by_one(asks, options)
            return goals + await _at_once(http, source, api, None, options)
        async with _celery(stack, source) as celery:
            asks["Celery task"] = lambda: _first(celery.ask("refresh"))
            asks[EMPTY] = lambda: _first(celery.ask("nothing"))
            goals = await _one_by_one(asks, options)
            return goals + await _at_once(http, source, api, celery, options)


async def _one_by_one(asks: dict[str, Ask], options: Options) -> list[Goal]:
    rounds: dict[str, list[list[float]]] = {name: [] for name in asks}
    for _ in range(options.sized(WARM_UP, 5)):
        for ask in asks.values():
            await ask()
    for _ in range(options.rounds):
        times: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(options.sized(REQUESTS, 10)):
            for name, ask in asks.items():
                times[name].append(await ask() * 1000)
        for name, taken in times.items():
            rounds[name].append(taken)
    alone = [percentile(taken, 0.5) for taken in rounds["source alone"]]
    over = {
        name: [
            [value - (0.0 if name == EMPTY else source) for value in taken]
            for taken, source in zip(by_round, alone, strict=True)
        ]
        for name, by_round in rounds.items()
        if name != "source alone"
    }
    p50 = {name: Series(name, [percentile(taken, 0.5) for taken in one]) for name, one in over.items()}
    p99 = {name: Series(name, [percentile(taken, 0.99) for taken in one]) for name, one in over.items()}
    print_table("the source alone", "ms", [Series("p50", alone)])
    print_table("over the source, p50", "ms", p50.values(), base=p50["bare path"])
    print_table("over the source, p99", "ms", p99.values(), base=p99["bare path"])
    pooled = list(itertools.chain.from_iterable(over["latestrate"]))
    return [
        Goal(what="refresh over the source, p50", seen=percentile(pooled, 0.5), target=3, unit="ms"),
        Goal(what="refresh over the source, p99", seen=percentile(pooled, 0.99), target=8, unit="ms"),
    ]


async def _at_once(
    http: aiohttp.ClientSession, source: str, api: Running, celery: Dialogue | None, options: Options
) -> list[Goal]:
    """Bare is left out: its worker takes one command at a time."""
    burst = options.sized(BURST, CALLERS)
    alone, ours, theirs = Series("source alone"), Series("latestrate"), Series("Celery task")
    for _ in range(options.rounds):
        alone.values.append(await _burst(http, [f"{source}?id={one}" for one in CURRENCIES], burst))
        urls = [f"{api.url}/api/latestrate/{one}/" for one in CURRENCIES]
        ours.values.append(await _burst(http, urls, burst))
        if celery is not None:
            theirs.values.append(burst / await _first(celery.ask(f"burst {CALLERS} {burst}")))
    shown = [alone, ours] if celery is None else [alone, ours, theirs]
    print_table(f"{CALLERS} at once", "answers/s", shown, base=alone)
    return [Goal(what="refresh, 32 at once", seen=ours.median, target=600, unit="/s", at_least=True)]


async def _burst(http: aiohttp.ClientSession, urls: list[str], requests: int) -> float:
    """Answers per second to 32 callers."""
    left = iter(range(requests))

    async def ask(number: int) -> None:
        for _ in left:
            await _timed(http, urls[number % len(urls)])

    started = time.perf_counter()
    await asyncio.gather(*(ask(number) for number in range(CALLERS)))
    return requests / (time.perf_counter() - started)


async def _timed(http: aiohttp.ClientSession, url: str) -> float:
    """Seconds for one request that must succeed."""
    started = time.perf_counter()
    async with http.get(url) as response:
        body = await response.read()
        if response.status != 200:
            raise RuntimeError(f"{url}: {response.status} {body[:300]!r}")
    return time.perf_counter() - started


async def _first(answer: Awaitable[list[float]]) -> float:
    return (await answer)[0]


async def _bare(stack: Stack, source: str) -> Running:
    """The peer's two processes."""
    redis, database = stack.env["REDIS_URL"], stack.env["DATABASE_URL"]
    worker = ("-m", "bench.peers.bare_refresh", "worker", redis, database, source)
    stack.processes.append(await Running.start("bare-worker", *worker, folder=stack.folder, env={}))
    return await serve_peer(stack, "bare_refresh", redis, path="/")


@asynccontextmanager
async def _celery(stack: Stack, source: str) -> AsyncIterator[Dialogue]:
    """The worker with its children, which only itself can end, and a client."""
    where = (stack.env["REDIS_URL"].replace("/0", "/1"), stack.env["DATABASE_URL"], source)
    worker = await Running.start(
        "celery",
        *("-m", "bench.peers.celery_refresh", str(CELERY_WORKERS), *where),
        folder=stack.folder,
        env={},
        python=str(PEERS_PYTHON),
    )
    try:
        async with ask_peer(stack.folder, "celery_refresh", "client", *where) as client:
            yield client
    finally:
        await worker.stop()


if __name__ == "__main__":
    run_part(measure, __doc__)
