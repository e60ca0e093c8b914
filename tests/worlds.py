"""A whole small world in one process: SQLite, the in-process queue, and the simulator over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from shared.opening import World, open_world
from shared.settings import read_settings
from simulator.app import create_simulator
from tests.servers import sqlite_url


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
        return len(await self.called_at(path))

    async def called_at(self, path: str = "") -> list[datetime]:
        """When, by the simulator's clock."""
        async with self._session.get(f"{self.url}/calls") as response:
            journal = await response.json()
        return [datetime.fromisoformat(call["time"]) for call in journal["calls"] if path in call["path"]]


@asynccontextmanager
async def small_world(
    folder: Path, *, sources: tuple[str, ...] = ("coinmarketcap",), **settings: Any
) -> AsyncIterator[tuple[World, Upstreams]]:
    """A world whose sources are the simulator under their names. `sources`: also together, as no user may set them;
    CryptoCompare too, which is on where it is among them."""
    server = TestServer(create_simulator())
    await server.start_server()
    url = str(server.make_url("")).rstrip("/")
    try:
        chosen = read_settings(
            _env_file=None,
            **{
                "database_url": sqlite_url(folder / "test.db"),
                "coinmarketcap_url": url,
                "coinmarketcap_calls_per_minute": 0,
                "cryptocompare_url": url,
                "cryptocompare_calls_per_minute": 0,
                "cryptocompare_api_key": "key-of-the-test",
                "frankfurter_url": url,
                "simulator_url": url,
                "tracked_top": 20,
                **settings,
            },
        ).model_copy(update={"sources": sources})
        async with aiohttp.ClientSession() as session, open_world(chosen) as world:
            yield world, Upstreams(url, session)
    finally:
        await server.close()
