"""Talking to simulators: faults on demand, and the journal of calls."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from tests.e2e.processes import Stack
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Call:
    """What a simulator was asked for."""

    path: str
    time: datetime
    ids: frozenset[int]
    """Of the currencies that it names."""
    status: int | None
    """None while it is unanswered, and for good where no answer goes out."""


class Vendor:
    """A simulator that stands for one source, so it can be slowed, broken or asked for its calls by itself."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._http = http

    async def fault(self, **what: object) -> None:
        async with self._http.post(f"{self.url}/faults", json=what) as response:
            assert response.status < 300, await response.text()

    async def heal(self) -> None:
        async with self._http.delete(f"{self.url}/faults") as response:
            assert response.status < 300, await response.text()

    async def calls(self, path: str = "") -> list[Call]:
        """All so far, the oldest first, to paths that hold `path`."""
        async with self._http.get(f"{self.url}/calls") as response:
            journal: list[dict[str, Any]] = (await response.json())["calls"]
        return [
            Call(one["path"], datetime.fromisoformat(one["time"]), frozenset(one["ids"]), one["status"])
            for one in journal
            if path in one["path"]
        ]


async def fault(http: aiohttp.ClientSession, stack: Stack, **what: object) -> None:
    await Vendor(http, stack.simulator_url).fault(**what)


async def heal(http: aiohttp.ClientSession, stack: Stack) -> None:
    await Vendor(http, stack.simulator_url).heal()


async def calls_of(http: aiohttp.ClientSession, stack: Stack, path: str) -> int:
    """How many upstream calls there were so far to paths that hold `path`."""
    return len(await Vendor(http, stack.simulator_url).calls(path))


async def visited(http: aiohttp.ClientSession, stack: Stack, *, since: int) -> None:
    """Returns when quotes have been asked for more than `since` times: a worker is in the middle of a visit."""

    async def has_grown() -> bool:
        return await calls_of(http, stack, "quotes") > since

    await until(has_grown, seconds=10, what="the next visit to the source")
