"""Talking to the simulator: faults on demand, and the journal of calls."""

import aiohttp

from tests.e2e.processes import Stack


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
