"""Hot `lastrate`, with metrics and request log on, beside a bare handler of the same body and beside FastAPI + SQLAlchemy.

python -m bench.lastrate [--rounds 5] [--quick] [--without-peers]

Everybody is loaded in turn, with 64 connections from the same machine, by one process and by two; two processes listen on
two ports, with half of the connections each. CACHE_TTL_SECONDS is 1, so entries expire all the time. FastAPI reads the
last rate from the same database at every request (`bench.peers.fastapi_rates`).
"""

import statistics
from collections.abc import Sequence

import aiohttp

from bench.load import QUICK_SECONDS, load
from bench.part import Options, run_part
from bench.rig import PEERS_PYTHON, Rig, first_rate, serve_peer
from bench.table import Goal, Series, print_table
from tests.e2e.processes import Stack

SECONDS = 2


class _Contender:
    """The URLs of its two processes, and what was measured: of one process, and of both."""

    def __init__(self, name: str, urls: Sequence[str]) -> None:
        self.urls = urls
        self.one, self.p99, self.two = Series(name), Series(name), Series(name)

    async def take_turn(self, seconds: float) -> None:
        alone = await load(self.urls[:1], seconds)
        self.one.values.append(alone.rate)
        self.p99.values.append(alone.p99_ms)
        self.two.values.append((await load(self.urls, seconds)).rate)


async def measure(rig: Rig, options: Options) -> list[Goal]:
    seconds = options.sized(SECONDS, QUICK_SECONDS)
    async with rig.stack(TRACKED_TOP="100") as stack:
        contenders = await _started(stack, options)
        for contender in contenders if not options.is_quick else ():
            await load(contender.urls, 1)
        for _ in range(options.rounds):
            for contender in contenders:
                await contender.take_turn(seconds)
    bare, ours, *_ = contenders
    print_table("one process", "requests/s", [one.one for one in contenders], base=bare.one)
    print_table("one process, p99", "ms", [one.p99 for one in contenders], base=bare.p99)
    print_table("two processes", "requests/s", [one.two for one in contenders], base=bare.two)
    print_table("two processes over one", "times", [_scaling(one) for one in contenders])
    return [
        Goal(
            what="lastrate over bare",
            seen=statistics.median(ours.one.over(bare.one)),
            target=0.75,
            at_least=True,
        ),
        Goal(what="lastrate p99 over bare", seen=statistics.median(ours.p99.over(bare.p99)), target=1.3),
        Goal(what="two API processes over one", seen=_scaling(ours).median, target=1.5, at_least=True),
    ]


def _scaling(contender: _Contender) -> Series:
    return Series(contender.one.name, contender.two.over(contender.one))


async def _started(stack: Stack, options: Options) -> list[_Contender]:
    await stack.simulator()
    apis = [await stack.api(CACHE_TTL_SECONDS="1") for _ in range(2)]
    await stack.worker()
    async with aiohttp.ClientSession() as http:
        bodies = [await first_rate(http, api) for api in apis]
    file = stack.folder / "body.json"
    file.write_bytes(bodies[0])
    bare = [await serve_peer(stack, "bare", str(file), path="/1/") for _ in range(2)]
    contenders = [
        _Contender("bare aiohttp + uvloop", [f"{peer.url}/1/" for peer in bare]),
        _Contender("lastrate", [f"{api.url}/api/lastrate/1/" for api in apis]),
    ]
    if options.with_peers:
        database, python = stack.env["DATABASE_URL"], str(PEERS_PYTHON)
        peers = [
            await serve_peer(stack, "fastapi_rates", database, path="/lastrate/1/", python=python)
            for _ in range(2)
        ]
        contenders.append(_Contender("FastAPI + SQLAlchemy", [f"{peer.url}/lastrate/1/" for peer in peers]))
    return contenders


if __name__ == "__main__":
    run_part(measure, __doc__)
