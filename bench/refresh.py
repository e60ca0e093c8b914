"""The forced refresh over the source's own latency, through real processes and servers.

python -m bench.refresh [--latency-ms 5] [--requests 500] [--no-budget]

Starts PostgreSQL (fsync on), Valkey, the simulator, one worker and one API, and asks for fresh rates one by one and 32 at
once. The overhead of a refresh is its time minus the median time that the source takes for the same HTTP request by the same
client.
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

from tests.e2e.processes import Stack, until
from tests.servers.postgresql import PostgresServer
from tests.servers.valkey import ValkeyServer

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


async def measure(stack: Stack, http: aiohttp.ClientSession, requests: int, latency_ms: int) -> None:
    await stack.simulator("--latency-ms", str(latency_ms))
    api = await stack.api()
    await stack.worker()

    async def polled() -> bool:
        async with http.get(f"{api.url}/api/lastrate/1/") as response:
            return response.status == 200

    await until(polled, seconds=20, what="the first poll")
    source_url = f"{stack.simulator_url}/public-api/v3/cryptocurrency/quotes/latest?id=1"
    fresh_url = f"{api.url}/api/latestrate/1/"
    for _ in range(50):
        await timed(http, source_url)
        await timed(http, fresh_url)
    source, fresh = [], []
    for _ in range(requests):
        source.append(await timed(http, source_url))
        fresh.append(await timed(http, fresh_url))
    base = statistics.median(source)
    over = [(value - base) * 1000 for value in fresh]
    print(f"source alone          p50 {base * 1000:6.2f} ms   p99 {percentile(source, 0.99) * 1000:6.2f} ms")
    print(
        f"refresh, one by one   p50 {statistics.median(fresh) * 1000:6.2f} ms   p99 {percentile(fresh, 0.99) * 1000:6.2f} ms"
    )
    print(
        f"  over the source     p50 {statistics.median(over):6.2f} ms   p99 {percentile(over, 0.99):6.2f} ms   (target 3 and 8)"
    )
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
