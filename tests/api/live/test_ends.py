"""How streams end, and what is told of that."""

import asyncio
import json
from io import StringIO
from typing import Any

import aiohttp
import pytest
import structlog
import structlog.testing
from aiohttp import web

from api.live import client, hub
from api.live.wire import End, Kind
from shared.domain.rate import Rate
from shared.settings import Settings
from tests.api.live.listeners import (
    SOCKET_OF_ALL,
    STREAM_OF_ALL,
    Stream,
    connected,
    heard_all,
    next_rate,
    streaming,
    tell,
)
from tests.api.rig import Rig, until
from tests.api.test_serving import serving


def value(rig: Rig, name: str, **labels: str) -> float:
    found = rig.api.registry.get_sample_value(f"freshrate_live_{name}", labels)
    assert found is not None
    return found


async def test_a_process_that_stops_tells_everybody_at_once(rig: Rig) -> None:
    async with streaming(rig) as stream, connected(rig, 1) as talk:
        await stream.begun()
        await heard_all(rig, talk)
        rig.api.live.stop()
        (end,) = await stream.rest()
        assert (end.name, end.data["reason"]) == ("end", "stopping")
        assert await talk.close_code() == 1001
        problem = await rig.get("/api/stream/", status=503)
        assert problem["detail"] == "This process is stopping. Connect again."
    assert not rig.api.live.open_now()
    for kind in Kind:
        assert value(rig, "ended_total", kind=kind.value, reason="stopping") == 1


async def test_a_stop_does_not_wait_for_those_who_listen(
    settings: Settings, storage: Any, queue: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for a socket that does not answer its close, which is cut off."""
    monkeypatch.setattr(client, "STOPPING_SECONDS", 0.05)
    stop = asyncio.Event()
    one_port = settings.model_copy(update={"api_port": (0,)})
    task, (address,) = await serving(one_port, storage, queue, clock, stop)
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{address}/api/stream/") as response,
        http.ws_connect(f"{address}/api/ws/", autoclose=False),
    ):
        stream = Stream(response)
        await stream.begun()
        stop.set()
        assert [event.data["reason"] for event in await stream.rest()] == ["stopping"]
        await asyncio.wait_for(task, 3)


async def test_who_leaves_is_forgotten_at_once(rig: Rig) -> None:
    async with streaming(rig, "?currency=1") as stream, connected(rig, 1, 1027) as talk:
        await stream.begun()
        await heard_all(rig, talk)
        assert value(rig, "clients", kind="sse") == value(rig, "clients", kind="websocket") == 1
        stream.response.close()
        await until(lambda: value(rig, "clients", kind="sse") == 0)
        assert talk.ws._response.connection is not None
        assert talk.ws._response.connection.transport is not None
        talk.ws._response.connection.transport.abort()
        await until(lambda: value(rig, "clients", kind="websocket") == 0)
    assert not rig.api.live.groups
    assert not rig.api.live.groups._by_currency
    for kind in Kind:
        assert value(rig, "ended_total", kind=kind.value, reason="left") == 1
    tell(rig.api.memory, next_rate())
    assert not rig.api.live._fresh


async def test_what_is_told_is_counted_once_for_each_client(rig: Rig) -> None:
    async with streaming(rig) as stream, connected(rig, 1) as talk, connected(rig, 1) as another:
        await stream.begun()
        await heard_all(rig, talk, another)
        tell(rig.api.memory, next_rate(), next_rate(), next_rate(5))
        await stream.rates(3)
        await talk.rate_ids(2)
        await another.rate_ids(2)
        await until(lambda: value(rig, "messages_total", kind="websocket") == 4)
        assert value(rig, "messages_total", kind="sse") == 3


async def test_the_head_is_measured_and_the_end_is_logged(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    written = StringIO()
    monkeypatch.setattr(rig.api.request_log, "_stream", written)
    async with streaming(rig, "?currency=1") as stream, connected(rig, 1) as talk:
        await stream.begun()
        await heard_all(rig, talk)
        await asyncio.sleep(0.1)
        for path, status in (("/api/stream/", "200"), ("/api/ws/", "101")):
            name = "freshrate_http_request_seconds"
            labels = {"route": path, "status": status}
            assert rig.api.registry.get_sample_value(f"{name}_count", labels) == 1
            taken = rig.api.registry.get_sample_value(f"{name}_sum", labels)
            assert taken is not None
            assert taken < 0.1
        rig.api.request_log.flush()
        assert not written.getvalue()
        rig.api.live.stop()
        await stream.rest()
        await talk.close_code()
    await until(lambda: written.getvalue().count("\n") == 2)
    ends = {line["path"]: line for line in map(json.loads, written.getvalue().splitlines())}
    assert ends.keys() == {"/api/stream/", "/api/ws/"}
    for line in ends.values():
        assert line["error"] == "ended: stopping"
        assert line["duration_ms"] >= 100


@pytest.mark.parametrize(("where", "request_"), [("stream", STREAM_OF_ALL), ("websocket", SOCKET_OF_ALL)])
@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "going"])
async def test_who_leaves_before_the_head_is_logged_and_is_no_defect(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, where: str, request_: bytes, *, is_gone: bool
) -> None:
    written = StringIO()
    monkeypatch.setattr(rig.api.request_log, "_stream", written)
    _, writer = await asyncio.open_connection(rig.client.host, rig.client.port)

    async def it_leaves(request: web.Request, _api: object) -> None:
        assert request.transport is not None
        request.transport.abort()
        if is_gone:
            await until(lambda: request.transport is None)

    monkeypatch.setattr(f"api.routes.{where}.check_listener", it_leaves)
    with structlog.testing.capture_logs() as logs:
        writer.write(request_)

        def is_logged() -> bool:
            rig.api.request_log.flush()
            return "ended: left" in written.getvalue()

        await until(is_logged)
        writer.close()
        await until(lambda: not rig.api.live.open_now())
    assert not logs
    assert written.getvalue().count("\n") == 1
    assert not rig.api.live.open_now()
    assert not list(rig.api.live.groups)
    for kind in Kind:
        assert value(rig, "ended_total", kind=kind.value, reason="broken") == 0


async def test_who_leaves_while_it_is_brought_up_to_date_joins_no_group(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "TURN", 1)
    tell(rig.api.memory, *[next_rate(one) for one in (1, 5, 6, 1027)])
    pay = rig.api.live.tell_served

    def it_leaves(currency_id: int) -> Rate | None:
        (one,) = rig.api.live._clients
        asyncio.get_running_loop().call_soon(rig.api.live.lost, one)
        return pay(currency_id)

    monkeypatch.setattr(rig.api.live._latecomers, "_tell_served", it_leaves)
    async with streaming(rig, "?currency=1") as stream:
        await stream.rest()
    assert not list(rig.api.live.groups)
    assert rig.api.live.filters.named == 0


async def test_after_a_defect_nobody_goes_on_as_if_nothing_had_been_missed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with streaming(rig) as stream, connected(rig, 1) as talk:
        await stream.begun()
        await heard_all(rig, talk)

        async def broken() -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
            patch.setattr(rig.api.live, "_tell", broken)
            tell(rig.api.memory, next_rate())
            (end,) = await stream.rest()
            assert await talk.close_code() == 1011
        assert end.data["reason"] == End.BROKEN
        assert [line["event"] for line in logs] == ["live streams broke"]
    async with streaming(rig) as stream:
        await stream.begun()
        await stream.rates(1)
        told = tell(rig.api.memory, next_rate())
        assert [event.data["id"] for event in await stream.rates(1)] == told
