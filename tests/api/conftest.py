"""The rig of the API's tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shared.errors import QueueUnavailable
from shared.ports import Queue, Storage
from shared.queue import open_queue
from shared.settings import Settings
from shared.storage import open_storage
from tests.api.rig import KEY, ManualClock, Rig, start_rig
from tests.servers import sqlite_url

StartRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def settings_in(
    folder: Path, *, sources: tuple[str, ...] = ("coinmarketcap", "another"), **changes: Any
) -> Settings:
    return Settings(
        **{
            "_env_file": None,
            "database_url": sqlite_url(folder / "api.db"),
            "refreshes_per_minute": 0,
            "api_keys": KEY,
            "log_format": "json",
            **changes,
        },
    ).model_copy(update={"sources": sources})


@pytest.fixture
def servers() -> dict[str, Any]:
    """What the settings say of database and queue: SQLite and in-process, where a suite does not say otherwise."""
    return {}


@pytest.fixture
def settings(tmp_path: Path, servers: dict[str, Any]) -> Settings:
    return settings_in(tmp_path, **servers)


@pytest.fixture
async def storage(settings: Settings, clock: ManualClock) -> AsyncIterator[Storage]:
    opened = await open_storage(settings, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def queue(settings: Settings, clock: ManualClock) -> AsyncIterator[Queue]:
    opened = await open_queue(settings, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def start(
    tmp_path: Path, servers: dict[str, Any], storage: Storage, queue: Queue, clock: ManualClock
) -> AsyncIterator[StartRig]:
    """Starts an API with changed settings."""
    started: list[tuple[Rig, asyncio.Task[None]]] = []

    async def go(*, has_catalog: bool = True, **changes: Any) -> Rig:
        both = await start_rig(
            storage,
            queue,
            settings_in(tmp_path, **{**servers, **changes}),
            clock,
            has_catalog=has_catalog,
        )
        started.append(both)
        return both[0]

    yield go
    for rig, worker in started:
        worker.cancel()
        with suppress(asyncio.CancelledError, QueueUnavailable):
            await worker
        await rig.client.close()


@pytest.fixture
async def rig(start: StartRig) -> Rig:
    return await start()
