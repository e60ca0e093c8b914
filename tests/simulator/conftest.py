import pytest
from pytest_aiohttp.plugin import AiohttpClient

from simulator.app import create_simulator
from tests.simulator.visitor import SetClock, Visitor


@pytest.fixture
async def visitor(aiohttp_client: AiohttpClient) -> Visitor:
    """Of a simulator whose clock stands still, with observations of 100 ms."""
    clock = SetClock()
    client = await aiohttp_client(create_simulator(tick_ms=100, clock=clock))
    return Visitor(client, clock)
