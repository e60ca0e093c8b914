"""Load over HTTP: by wrk where it is installed, else, and for less than a second, by a generator of ours.

python -m bench.load URL [--seconds 2] [--connections 64]

runs ours. It is Python, so a fast server waits for it: such figures compare servers too kindly, and wrk's are the ones to
quote.
"""

import argparse
import asyncio
import json
import math
import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.table import percentile

ROOT = Path(__file__).parents[1]
CONNECTIONS = 64
QUICK_SECONDS = 0.3
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load."""

    rate: float
    """Requests per second."""
    p99_ms: float


def generator() -> str:
    """Which one this machine has."""
    return (
        "wrk"
        if shutil.which("wrk")
        else "bench.load (wrk is not installed), the bottleneck beside a fast server"
    )


async def load(urls: Sequence[str], seconds: float) -> Load:
    """Loads all of these at once, with CONNECTIONS among them. RuntimeError where an answer is not 200."""
    connections = CONNECTIONS // len(urls)
    parts = await asyncio.gather(*(_load_one(url, seconds, connections) for url in urls))
    return Load(sum(part.rate for part in parts), max(part.p99_ms for part in parts))


async def _load_one(url: str, seconds: float, connections: int) -> Load:
    # wrk counts in whole seconds.
    if shutil.which("wrk") and seconds >= 1:
        said = await _output("wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--latency", url)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
        if not rate or not p99 or "Non-2xx" in said:
            raise RuntimeError(f"{url}: {said}")
        return Load(float(rate[1]), float(p99[1]) * _MS[p99[2]])
    ours = ("-m", "bench.load", url, "--seconds", str(seconds), "--connections", str(connections))
    return Load(**json.loads(await _output(sys.executable, *ours)))


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said}")
    return said


class _Client(asyncio.Protocol):
    """One connection, that asks again as soon as it was answered."""

    def __init__(self, request: bytes, times: list[float], failure: asyncio.Future[None]) -> None:
        self._request = request
        self._times = times
        self._failure = failure
        self._transport: asyncio.WriteTransport | None = None
        self._got = b""
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by their methods alone.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._ask(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._got += data
            head, end, body = self._got.partition(_HEAD_END)
            if not end:
                return
            length = _LENGTH.search(head)
            if not length or not head.startswith(b"HTTP/1.1 200 "):
                self._fail(f"not an answer of 200 with a length: {head!r}")
                return
            self._got = b""
            self._missing = int(length[1]) - len(body)
        if not self._missing and self._transport is not None:
            self._times.append(time.perf_counter() - self._asked)
            self._ask(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection ended: {exc}")

    def _ask(self, transport: asyncio.WriteTransport) -> None:
        self._asked = time.perf_counter()
        transport.write(self._request)

    def _fail(self, why: str) -> None:
        if not self._failure.done():
            self._failure.set_exception(RuntimeError(why))


async def generate(url: str, seconds: float, connections: int) -> Load:
    """The load of this process."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    path = address.path + (f"?{address.query}" if address.query else "")
    request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    failure: asyncio.Future[None] = loop.create_future()
    times: list[float] = []
    opened = [
        await loop.create_connection(lambda: _Client(request, times, failure), host, port)
        for _ in range(connections)
    ]
    times.clear()
    started = time.perf_counter()
    await asyncio.wait([failure], timeout=seconds)
    took = time.perf_counter() - started
    if failure.done():
        failure.result()
    failure.cancel()
    for transport, _ in opened:
        transport.abort()
    if not times:
        raise RuntimeError(f"{url}: no answer within {seconds} s")
    return Load(len(times) / took, percentile(times, 0.99) * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    arguments = parser.parse_args()
    done = uvloop.run(generate(arguments.url, arguments.seconds, arguments.connections))
    print(json.dumps({"rate": done.rate, "p99_ms": done.p99_ms}))


if __name__ == "__main__":
    main()
