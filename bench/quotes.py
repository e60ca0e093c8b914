"""Hot quotes from memory, with metrics and request log on, beside bare handlers of the same bodies.

python -m bench.quotes [--rounds 5] [--quick] [--without-peers]

One currency in USD, the same in EUR, and ten in three currencies, each computed at every request, for a conversion is never
kept; then two as of a past moment, which are read from PostgreSQL at every request. CACHE_TTL_SECONDS is 1, so entries
expire all the time. Everybody is loaded in turn, with 64 connections from the same machine.
"""

import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bench.load import QUICK_SECONDS, load
from bench.part import Options, run_part
from bench.rig import FIRST_RATE_SECONDS, Rig, serve_peer
from bench.table import Goal, Series, print_table
from shared.domain.times import iso
from tests.e2e.processes import Running, Stack
from tests.waiting import until

SECONDS = 2
TEN = "BTC,ETH,USDT,BNB,SOL,XRP,ADA,DOGE,TRX,LINK"


@dataclass(frozen=True, slots=True)
class _Case:
    """What is asked for."""

    name: str
    query: str
    target: float = 0.0
    """Of the bare handler's requests per second."""


ONE = (
    _Case("a quote in USD", "symbol=BTC", target=0.6),
    _Case("a quote in EUR", "symbol=BTC&convert=EUR", target=0.4),
)
"""For these there are targets."""
MANY = _Case("ten currencies in three", f"symbol={TEN}&convert=USD,EUR,ETH")
PAST = _Case("two as of a moment", "symbol=BTC,ETH&datetime={moment}")


class _Contender:
    """A URL, and what was measured there."""

    def __init__(self, name: str, url: str) -> None:
        self.url = url
        self.rate, self.p99 = Series(name), Series(name)

    async def take_turn(self, seconds: float) -> None:
        seen = await load([self.url], seconds)
        self.rate.values.append(seen.rate)
        self.p99.values.append(seen.p99_ms)


async def measure(rig: Rig, options: Options) -> list[Goal]:
    async with rig.stack(TRACKED_TOP="100") as stack, aiohttp.ClientSession() as http:
        await stack.simulator()
        api = await stack.api(CACHE_TTL_SECONDS="1")
        await stack.worker()
        await _priced(http, f"{api.url}/api/quotes/?{MANY.query}")
        moment = iso(datetime.now(UTC))
        pairs = {case: await _pair(stack, http, api, case, moment) for case in (*ONE, MANY, PAST)}
        contenders = [one for pair in pairs.values() for one in pair]
        for contender in contenders if not options.is_quick else ():
            await load([contender.url], 1)
        for _ in range(options.rounds):
            for contender in contenders:
                await contender.take_turn(options.sized(SECONDS, QUICK_SECONDS))
    for case, (bare, ours) in pairs.items():
        print_table(case.name, "requests/s", [bare.rate, ours.rate], base=bare.rate)
        print_table(f"{case.name}, p99", "ms", [bare.p99, ours.p99], base=bare.p99)
    return [goal for case in ONE for goal in _goals(case, *pairs[case])]


def _goals(case: _Case, bare: _Contender, ours: _Contender) -> list[Goal]:
    return [
        Goal(
            what=f"{case.name} over bare",
            seen=statistics.median(ours.rate.over(bare.rate)),
            target=case.target,
            at_least=True,
        )
    ]


async def _pair(
    stack: Stack, http: aiohttp.ClientSession, api: Running, case: _Case, moment: str
) -> tuple[_Contender, _Contender]:
    """A bare handler of the body that ours has now, and ours."""
    url = f"{api.url}/api/quotes/?{case.query.format(moment=moment)}"
    file = stack.folder / f"{case.name}.json"
    file.write_bytes(await _priced(http, url))
    bare = await serve_peer(stack, "bare", str(file), path="/1/")
    return _Contender("bare aiohttp + uvloop", f"{bare.url}/1/"), _Contender(case.name, url)


async def _priced(http: aiohttp.ClientSession, url: str) -> bytes:
    """The body, once it has a price for everything: the polls have come."""

    async def asked() -> bytes:
        async with http.get(url) as response:
            body = await response.read()
            return body if response.status == 200 and _is_whole(await response.json()) else b""

    priced: bytes = await until(asked, seconds=FIRST_RATE_SECONDS, what=f"prices at {url}")
    return priced


def _is_whole(answer: dict[str, Any]) -> bool:
    return not answer["unknown"] and all(
        quote["price"] for result in answer["results"] for quote in result["quotes"]
    )


if __name__ == "__main__":
    run_part(measure, __doc__)
