"""Live streams through real processes and servers: what is stored is told, whatever restarts meanwhile."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any

import aiohttp

from deploy.servers.valkey import ValkeyServer
from tests.e2e.processes import Running, Stack
from tests.e2e.test_rates import catalog_ready, get
from tests.waiting import until

PATIENCE = 15.0
EACH = 50
"""Clients of each kind."""


class Events:
    """An open stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._lines = response.content
        self.last_id = ""

    async def next(self) -> tuple[str, Any]:
        """Name and data of the next event."""
        name, data = "", None
        async with asyncio.timeout(PATIENCE):
            while line := (await self._lines.readuntil(b"\n")).decode().rstrip("\n"):
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    self.last_id = value
                elif field == "data":
                    data = json.loads(value)
        return (name, data) if name else await self.next()

    async def rate(self) -> Any:
        name, data = await self.next()
        assert name == "rate", (name, data)
        return data

    async def rate_with(self, rate_id: int) -> Any:
        """Reads on until this is told."""
        while (rate := await self.rate())["id"] != rate_id:
            pass
        return rate


@asynccontextmanager
async def events(
    http: aiohttp.ClientSession, api: Running, query: str = "", *, heard: str = ""
) -> AsyncIterator[tuple[Events, Any]]:
    """A stream, and the state with which it began."""
    headers = {"Last-Event-ID": heard} if heard else {}
    timeout = aiohttp.ClientTimeout(total=None)
    async with http.get(f"{api.url}/api/stream/{query}", headers=headers, timeout=timeout) as response:
        assert response.status == 200, await response.text()
        stream = Events(response)
        name, state = await stream.next()
        assert name == "state"
        yield stream, state


async def refreshed(http: aiohttp.ClientSession, api: Running, currency_id: int = 1) -> Any:
    """A new rate: stored, and announced to all."""
    status, rate = await get(http, api, f"/api/latestrate/{currency_id}/")
    assert status == 200, rate
    return rate


async def test_a_stream_tells_what_is_stored_and_resumes_but_not_in_another_process(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api, another = await stack.api(), await stack.api()
    await stack.worker()
    for one in (api, another):
        await catalog_ready(http, one)
    async with events(http, api, "?currency=1") as (stream, state):
        assert (state["resumed"], state["reason"]) == (False, "first")
        assert await stream.rate() == (await get(http, api, "/api/lastrate/1/"))[1]
        told = await refreshed(http, another)
        assert (await stream.rate_with(told["id"]))["price_usd"] == told["price_usd"]
        heard = stream.last_id
    missed = [await refreshed(http, another) for _ in range(2)]
    async with events(http, api, "?currency=1", heard=heard) as (stream, state):
        assert state["resumed"] is True
        assert [(await stream.rate())["id"] for _ in missed] == [one["id"] for one in missed]
        heard = stream.last_id
    async with events(http, another, "?currency=1", heard=heard) as (stream, state):
        assert (state["resumed"], state["reason"]) == (False, "another-process")
        assert (await stream.rate())["id"] == missed[-1]["id"]


async def test_a_poll_reaches_all_who_listen(stack: Stack, http: aiohttp.ClientSession) -> None:
    await stack.simulator()
    api = await stack.api()
    async with events(http, api) as (stream, _), http.ws_connect(f"{api.url}/api/ws/") as ws:
        await ws.send_json({"subscribe": [1027]})
        await stack.worker()
        polled = (await ws.receive_json(timeout=PATIENCE))["rate"]
        await stream.rate_with(polled["id"])
        status, stored = await get(http, api, f"/api/ratecurrency/{polled['id']}/")
        assert (status, stored["price_usd"]) == (200, polled["price_usd"])


async def test_a_restart_of_the_api_ends_all_in_order_and_who_comes_back_hears_the_state(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api, other = await stack.api(), await stack.api()
    await stack.worker()
    for one in (api, other):
        await catalog_ready(http, one)
    async with AsyncExitStack() as clients:
        streams = [
            (await clients.enter_async_context(events(http, api, "?currency=1")))[0] for _ in range(EACH)
        ]
        sockets = [
            await clients.enter_async_context(http.ws_connect(f"{api.url}/api/ws/")) for _ in range(EACH)
        ]
        for ws in sockets:
            await ws.send_json({"subscribe": [1]})
        firsts = await asyncio.gather(*(stream.rate() for stream in streams))
        assert {one["id"] for one in firsts} == {
            (await ws.receive_json(timeout=PATIENCE))["rate"]["id"] for ws in sockets
        }
        told = await refreshed(http, api)
        await asyncio.gather(*(stream.rate_with(told["id"]) for stream in streams))
        for ws in sockets:
            assert (await ws.receive_json(timeout=PATIENCE))["rate"]["id"] == told["id"]
        heard = streams[0].last_id
        began = monotonic()
        stopping = asyncio.create_task(api.stop())
        for name, data in await asyncio.gather(*(stream.next() for stream in streams)):
            assert (name, data["reason"]) == ("end", "stopping")
        for ws in sockets:
            assert (await ws.receive(timeout=PATIENCE)).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1001
        assert await stopping == 0
        assert monotonic() - began < 10
        assert "Traceback" not in api.log_text()
    missed = await refreshed(http, other)
    again = await stack.api()
    async with events(http, again, "?currency=1", heard=heard) as (stream, state):
        assert (state["resumed"], state["reason"]) == (False, "another-process")
        assert (await stream.rate())["id"] == missed["id"]


async def test_streams_stay_open_without_redis_and_hear_what_was_missed_when_it_is_back(
    stack: Stack, http: aiohttp.ClientSession, own_valkey: ValkeyServer
) -> None:
    own_valkey.start()
    try:
        stack.env |= {"REDIS_URL": own_valkey.url, "API_KEYS": "a-key-that-is-long-enough"}
        await stack.simulator()
        api, other = await stack.api(), await stack.api()
        await stack.worker()
        await catalog_ready(http, api)
        key = {"X-API-Key": stack.env["API_KEYS"]}
        async with events(http, api, "?currency=1") as (stream, _):
            await stream.rate()
            await asyncio.to_thread(own_valkey.kill)
            # Another process stores a rate, and cannot announce it.
            status, _ = await get(http, other, "/services/requestcurrency/1/", **key)
            assert status == 200
            (missed,) = (await get(http, other, "/api/ratescurrency/1/?limit=1"))[1]["results"]
            assert (await stream.rate_with(missed["id"]))["price_usd"] == missed["price_usd"]
            await asyncio.to_thread(own_valkey.start)

            async def works() -> bool:
                return (await get(http, api, "/api/latestrate/1/"))[0] == 200

            await until(works, seconds=PATIENCE, what="refreshes after Redis is back")
            last = (await get(http, api, "/api/lastrate/1/"))[1]["id"]
            await stream.rate_with(last)
    finally:
        own_valkey.stop()


async def test_a_client_that_takes_nothing_does_not_hold_up_the_end(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    await catalog_ready(http, api)
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as deaf:
        deaf.sendall(
            b"GET /api/ws/ HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )

        async def is_open() -> bool:
            async with http.get(f"{api.url}/metrics") as response:
                return 'freshrate_live_clients{kind="websocket"} 1.0' in await response.text()

        await until(is_open, seconds=PATIENCE, what="the socket")
        assert await asyncio.wait_for(api.stop(), 10) == 0
    assert '"ended: stopping"' in api.log_text()
