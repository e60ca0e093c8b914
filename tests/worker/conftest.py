"""Small worlds for the worker's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.opening import World
from tests.worlds import Upstreams, small_world
from worker.jobs.catalog import renew_catalog


@pytest.fixture
async def world_and_upstreams(tmp_path: Path) -> AsyncIterator[tuple[World, Upstreams]]:
    async with small_world(tmp_path) as both:
        yield both


@pytest.fixture
def world(world_and_upstreams: tuple[World, Upstreams]) -> World:
    return world_and_upstreams[0]


@pytest.fixture
def upstreams(world_and_upstreams: tuple[World, Upstreams]) -> Upstreams:
    return world_and_upstreams[1]


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[World, Upstreams]]:
    """With a second source, CryptoCompare, and a catalog."""
    async with small_world(tmp_path, sources=("coinmarketcap", "cryptocompare")) as (world, upstreams):
        await renew_catalog(world)
        yield world, upstreams
