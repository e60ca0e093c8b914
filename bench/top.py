"""The hot top list of 200, as JSON and as CSV, with metrics and request log on, beside bare handlers of the same bodies.

python -m bench.top [--rounds 5] [--quick] [--without-peers]

Ranking and prices come from two sources (both are the simulator), through a worker of each role. CACHE_TTL_SECONDS is 4
and the list is in demand, so it is renewed from the sources every 3 seconds while it is measured: in every turn.
"""

import re
import statistics

import aiohttp

from bench.load import QUICK_SECONDS, load
from bench.part import Options, run_part
from bench.rig import FIRST_RATE_SECONDS, Rig, serve_peer
from bench.table import Goal, Series, print_table
from tests.e2e.processes import Running, Stack
from tests.waiting import until

SECONDS = 3
TTL = "4"
"""Less, and workers that share two cores with the load would not be back before the list is due."""
PATH = "/api/top/?limit=200"
FORMS = {"JSON": f"{PATH}&format=json", "CSV": f"{PATH}&format=csv"}
_RENEWALS = re.compile(r'^freshrate_top_renewals_total\{outcome="renewed"\} ([\d.]+)$', re.MULTILINE)


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
    seconds = options.sized(SECONDS, QUICK_SECONDS)
    async with rig.stack(
        CRYPTOCOMPARE_CALLS_PER_MINUTE="0", CRYPTOCOMPARE_CREDITS_PER_MONTH="1000000000"
    ) as stack:
        api = await _started(stack)
        async with aiohttp.ClientSession() as http:
            pairs = {form: await _pair(stack, http, api, form, path) for form, path in FORMS.items()}
            contenders = [one for pair in pairs.values() for one in pair]
            for contender in contenders if not options.is_quick else ():
                await load([contender.url], 1)
            before = await _renewals(http, api)
            for _ in range(options.rounds):
                for contender in contenders:
                    await contender.take_turn(seconds)
            renewals = await _renewals(http, api) - before
    print(f"\nrenewals of the list from the sources meanwhile: {renewals:.0f}")
    for form, (bare, ours) in pairs.items():
        print_table(f"top 200, {form}", "requests/s", [bare.rate, ours.rate], base=bare.rate)
        print_table(f"top 200, {form}, p99", "ms", [bare.p99, ours.p99], base=bare.p99)
    return [goal for form, pair in pairs.items() for goal in _goals(form, *pair)]


def _goals(form: str, bare: _Contender, ours: _Contender) -> list[Goal]:
    return [
        Goal(
            what=f"top list as {form} over bare",
            seen=statistics.median(ours.rate.over(bare.rate)),
            target=0.75,
            at_least=True,
        ),
        Goal(
            what=f"top list as {form}, p99 over bare",
            seen=statistics.median(ours.p99.over(bare.p99)),
            target=1.3,
        ),
    ]


async def _started(stack: Stack) -> Running:
    simulator = await stack.simulator()
    stack.env.update(CRYPTOCOMPARE_URL=simulator.url, CRYPTOCOMPARE_API_KEY="a-key")
    api = await stack.api(CACHE_TTL_SECONDS=TTL)
    for role in ("pricing", "ranking"):
        await stack.worker(WORKER_ROLES=role)
    return api


async def _pair(
    stack: Stack, http: aiohttp.ClientSession, api: Running, form: str, path: str
) -> tuple[_Contender, _Contender]:
    """A bare handler of the body that our list has now, and our list."""

    async def listed() -> bytes:
        async with http.get(f"{api.url}{path}") as response:
            body = await response.read()
            is_whole = response.status == 200 and body.count(b"\n" if form == "CSV" else b'"rank":') >= 200
            return body if is_whole else b""

    body: bytes = await until(listed, seconds=FIRST_RATE_SECONDS, what=f"a list of 200 as {form}")
    file = stack.folder / f"top.{form}"
    file.write_bytes(body)
    bare = await serve_peer(stack, "bare", str(file), path="/1/")
    return (
        _Contender(f"bare aiohttp + uvloop, {form}", f"{bare.url}/1/"),
        _Contender(f"top list, {form}", f"{api.url}{path}"),
    )


async def _renewals(http: aiohttp.ClientSession, api: Running) -> float:
    async with http.get(f"{api.url}/metrics") as response:
        found = _RENEWALS.search(await response.text())
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    run_part(measure, __doc__)
