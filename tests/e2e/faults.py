"""Talking to the simulator: faults on demand, and the journal of calls."""

import aiohttp

from tests.e2e.processes import Stack
from tests.waiting import until


async def fault(http: aiohttp.ClientSession, stack: Stack, **what: object) -> None:
    async with http.post(f"{stack.simulator_url}/faults", json=what) as response:
        assert response.status < 300, await response.text()


async def heal(http: aiohttp.ClientSession, stack: Stack) -> None:
    async with http.delete(f"{stack.simulator_url}/faults") as response:
        assert response.status < 300, await response.text()


async def calls_of(http: aiohttp.ClientSession, stack: Stack, path: str) -> int:
    """How many upstream calls there were so far to paths that hold `path`."""
    async with http.get(f"{stack.simulator_url}/calls") as response:
        journal = await response.json()
    return sum(1 for call in journal["calls"] if path in call["path"])


async def visited(http: aiohttp.ClientSession, stack: Stack, *, since: int) -> None:
    """Returns when quotes have been asked for more than `since` times: a worker is in the middle of a visit."""

    async def has_grown() -> bool:
        return await calls_of(http, stack, "quotes") > since

    await until(has_grown, seconds=10, what="the next visit to the source")
