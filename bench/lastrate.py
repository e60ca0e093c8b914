"""Hot `lastrate`, with metrics and request log on, beside a bare aiohttp + uvloop handler of the same body.

python -m bench.lastrate [--rounds 7] [--seconds 3]

Starts PostgreSQL, Valkey, the simulator, a worker and an API as processes, and loads both servers in turn by wrk (64
connections, one thread) from the same machine. CACHE_TTL_SECONDS is 1, so entries expire all the time.
"""

import argparse
import asyncio
import re
import shutil
import statistics
import tempfile
from pathlib import Path

import aiohttp
import uvloop

from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from tests.e2e.processes import Running, Stack, free_port, until

CONNECTIONS = 64
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


async def load(url: str, seconds: int) -> tuple[float, float]:
    """Requests per second, and the p99 in ms."""
    process = await asyncio.create_subprocess_exec(
        "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", url, stdout=asyncio.subprocess.PIPE
    )
    output = (await process.communicate())[0].decode()
    if "Non-2xx" in output:
        raise RuntimeError(output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    if not rate or not p99:
        raise RuntimeError(output)
    return float(rate[1]), float(p99[1]) * _UNITS[p99[2]]


async def bare(stack: Stack, body: bytes) -> Running:
    """The peer, as a process of its own."""
    port = free_port()
    file = stack.folder / "body.json"
    file.write_bytes(body)
    url = f"http://127.0.0.1:{port}"
    running = await Running.start(
        "bare", "-m", "bench.peers.bare", str(port), str(file), folder=stack.folder, env={}, url=url
    )
    stack.processes.append(running)
    return await running.ready("/1/")


async def measure(stack: Stack, rounds: int, seconds: int) -> None:
    await stack.simulator()
    api = await stack.api(CACHE_TTL_SECONDS="1")
    await stack.worker()
    url = f"{api.url}/api/lastrate/1/"
    async with aiohttp.ClientSession() as http:

        async def polled() -> bytes:
            async with http.get(url) as response:
                return await response.read() if response.status == 200 else b""

        body = await until(polled, seconds=20, what="the first poll")
    peer = await bare(stack, body)
    for warmed in (url, f"{peer.url}/1/"):
        await load(warmed, 1)
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(await load(f"{peer.url}/1/", seconds))
        ours.append(await load(url, seconds))
    ratios = [one[0] / other[0] for one, other in zip(ours, theirs, strict=True)]
    tails = [one[1] / other[1] for one, other in zip(ours, theirs, strict=True)]
    print(f"bare aiohttp + uvloop  {statistics.median(rate for rate, _ in theirs):8.0f} /s")
    print(f"lastrate               {statistics.median(rate for rate, _ in ours):8.0f} /s")
    print(
        f"  ratio                {statistics.median(ratios):8.2f}  ({min(ratios):.2f} to {max(ratios):.2f}; target 0.75)"
    )
    print(
        f"  p99 ratio            {statistics.median(tails):8.2f}  ({min(tails):.2f} to {max(tails):.2f}; target 1.3)"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("bench.lastrate needs wrk (Debian's package of that name).")
    with tempfile.TemporaryDirectory(prefix="freshrate-bench-") as folder:
        postgres, valkey = PostgresServer(), ValkeyServer(Path(folder) / "valkey")
        postgres.start()
        valkey.start()
        env = {"DATABASE_URL": postgres.url("postgres"), "REDIS_URL": valkey.url, "TRACKED_TOP": "100"}
        stack = Stack(Path(folder), env)
        try:
            await measure(stack, arguments.rounds, arguments.seconds)
        finally:
            await stack.close()
            valkey.stop()
            postgres.remove()


if __name__ == "__main__":
    uvloop.run(main())
