"""SIGTERM of an API whose clients keep their connections: none of their requests is dropped."""

import asyncio
import re
from dataclasses import dataclass

import aiohttp
import pytest

from tests.e2e.faults import calls_of, fault, visited
from tests.e2e.processes import Running, Stack
from tests.e2e.test_rates import catalog_ready, get
from tests.waiting import until

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)


@dataclass
class Client:
    """Asks again and again on one connection, until an answer says that it was the last."""

    api: Running
    path: str
    pause: float
    answered: int = 0

    async def ask_until_told(self) -> None:
        """Raises IncompleteReadError or ConnectionError for a request without its whole answer."""
        port = int(self.api.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        while True:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            assert length is not None, head
            assert head.startswith(b"HTTP/1.1 200 "), head
            await reader.readexactly(int(length[1]))
            self.answered += 1
            if CLOSE.search(head):
                assert await reader.read() == b""
                writer.close()
                return
            await asyncio.sleep(self.pause)


async def test_whoever_waits_for_a_slow_answer_is_told_by_it_to_go(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    before = await calls_of(http, stack, "quotes")
    await fault(http, stack, path="quotes", kind="latency", ms=1500)
    client = Client(api, "/api/latestrate/1/", pause=0)
    asking = asyncio.create_task(client.ask_until_told())
    await visited(http, stack, since=before)
    assert await asyncio.wait_for(api.stop(), 10) == 0
    await asking
    assert client.answered == 1


@pytest.mark.parametrize("path", ["/api/lastrate/1/", "/api/currencies/1/", "/health/live"])
async def test_whoever_keeps_asking_is_told_to_go_and_loses_nothing(
    stack: Stack, http: aiohttp.ClientSession, path: str
) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    assert (await get(http, api, "/api/latestrate/1/"))[0] == 200
    clients = [Client(api, path, pause=number * 0.002) for number in range(8)]
    asking = [asyncio.create_task(client.ask_until_told()) for client in clients]

    async def all_were_answered() -> bool:
        return all(client.answered for client in clients)

    await until(all_were_answered, seconds=10, what="an answer for each")
    assert await asyncio.wait_for(api.stop(), 10) == 0
    assert await asyncio.gather(*asking) == [None] * len(clients)
