"""A whole small world in one process: SQLite, the in-process queue, and the simulator over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from shared.opening import World, open_world
from shared.settings import read_settings
from simulator.app import create_simulator


class Upstreams:
    """The simulator of a test: its URL, its faults and its journal."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def fault(self, **what: object) -> None:
        async with self._session.post(f"{self.url}/faults", json=what) as response:
            assert response.status < 300, await response.text()

    async def heal(self) -> None:
        async with self._session.delete(f"{self.url}/faults") as response:
            assert response.status < 300, await response.text()

    async def calls(self, path: str = "") -> int:
        async with self._session.get(f"{self.url}/calls") as response:
            journal = await response.json()
        return sum(1 for call in journal["calls"] if path in call["path"])


@asynccontextmanager
async def small_world(
    folder: Path, *, sources: tuple[str, ...] = ("coinmarketcap",), **settings: Any
) -> AsyncIterator[tuple[World, Upstreams]]:
    """A world whose first source is the simulator under CoinMarketCap's name. `sources`: also together, as no user may set
    them."""
    server = TestServer(create_simulator())
    await server.start_server()
    url = str(server.make_url("")).rstrip("/")
    try:
        chosen = read_settings(
            _env_file=None,
            **{
                "database_url": f"sqlite:///{folder}/test.db",
                "coinmarketcap_url": url,
                "coinmarketcap_calls_per_minute": 0,
                "tracked_top": 20,
                **settings,
            },
        ).model_copy(update={"sources": sources})
        async with aiohttp.ClientSession() as session, open_world(chosen) as world:
            yield world, Upstreams(url, session)
    finally:
        await server.close()
