"""The forced refresh over the source's own latency, through real processes and servers.

python -m bench.refresh [--latency-ms 5] [--requests 500] [--no-budget]

Starts PostgreSQL (fsync on), Valkey, the simulator, one worker and one API, and beside them the same hops with the least
code (`bench.peers.bare_refresh`). Asks for fresh rates one by one, in turn with the source itself and with the bare path, and
32 at once. The overhead is the time of a refresh minus the median time that the source takes for the same HTTP request by
the same client. Absolutes drift with the machine; the ratio to the bare path holds.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import uvloop

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from tests.e2e.processes import Running, Stack, free_port, until

WARM_UP = 50
CURRENCIES = (1, 1027, 1839, 52, 5426, 74, 2010, 1958)


async def timed(http: aiohttp.ClientSession, url: str) -> float:
    """Seconds for one request that must succeed."""
    started = time.perf_counter()
    async with http.get(url) as response:
        body = await response.read()
        if response.status != 200:
            raise RuntimeError(f"{url}: {response.status} {body[:300]!r}")
    return time.perf_counter() - started


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def bare(stack: Stack, source_url: str) -> Running:
    """The peer's two processes."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    redis, database = stack.env["REDIS_URL"], stack.env["DATABASE_URL"]
    module = ("-m", "bench.peers.bare_refresh")
    worker = await Running.start(
        "bare-worker", *module, "worker", redis, database, source_url, folder=stack.folder, env={}
    )
    serving = await Running.start(
        "bare-api", *module, "api", redis, str(port), folder=stack.folder, env={}, url=url
    )
    stack.processes += [worker, serving]
    return await serving.ready("/")


async def measure(stack: Stack, http: aiohttp.ClientSession, requests: int, latency_ms: int) -> None:
    await stack.simulator("--latency-ms", str(latency_ms))
    api = await stack.api()
    await stack.worker()

    async def polled() -> bool:
        async with http.get(f"{api.url}/api/lastrate/1/") as response:
            return response.status == 200

    await until(polled, seconds=20, what="the first poll")
    source_url = f"{stack.simulator_url}/public-api/v3/cryptocurrency/quotes/latest"
    peer = await bare(stack, source_url)
    urls = {
        "source": f"{source_url}?id=1",
        "bare": f"{peer.url}/1/",
        "fresh": f"{api.url}/api/latestrate/1/",
    }
    times: dict[str, list[float]] = {name: [] for name in urls}
    for number in range(WARM_UP + requests):
        for name, url in urls.items():
            seconds = await timed(http, url)
            if number >= WARM_UP:
                times[name].append(seconds * 1000)
    source = statistics.median(times["source"])
    print(f"{'source alone':<22}p50 {source:6.2f} ms   p99 {percentile(times['source'], 0.99):6.2f} ms")
    over = {name: [value - source for value in times[name]] for name in ("bare", "fresh")}
    for name, label in (("bare", "bare path"), ("fresh", "refresh")):
        p50, p99 = statistics.median(over[name]), percentile(over[name], 0.99)
        print(f"{label + ', over it':<22}p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    ratio = statistics.median(over["fresh"]) / statistics.median(over["bare"])
    print(f"{'  ratio':<22}{ratio:10.2f}         (targets: p50 3 ms, p99 8 ms)")
    started = time.perf_counter()
    left = iter(range(requests * 4))

    async def ask(number: int) -> None:
        for _ in left:
            await timed(http, f"{api.url}/api/latestrate/{CURRENCIES[number % len(CURRENCIES)]}/")

    await asyncio.gather(*(ask(number) for number in range(32)))
    rate = requests * 4 / (time.perf_counter() - started)
    print(f"refresh, 32 at once   {rate:6.0f} /s   (target 600)")


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency-ms", type=int, default=5)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--no-budget", action="store_true", help="without the round trip that keeps a budget")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshrate-bench-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        postgres, valkey = PostgresServer(durable=True), ValkeyServer(path / "valkey")
        postgres.start()
        valkey.start()
        env = {
            "DATABASE_URL": postgres.url("postgres"),
            "REDIS_URL": valkey.url,
            "REFRESHES_PER_MINUTE": "0",
            "COINMARKETCAP_CALLS_PER_MINUTE": "0",
            "COINMARKETCAP_CREDITS_PER_MONTH": "0" if arguments.no_budget else "1000000000",
            "PRICE_SCHEDULE": "1h",
        }
        stack = Stack(path, env)
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
                await measure(stack, http, arguments.requests, arguments.latency_ms)
        finally:
            await stack.close()
            valkey.stop()
            postgres.remove()


if __name__ == "__main__":
    uvloop.run(main())
