"""Clients that do not take what they are sent."""

import asyncio
import socket

import pytest

from api.live import client, groups, hub, states
from api.live.wire import End, Kind
from tests.api.live.listeners import (
    SOCKET_OF_ALL,
    STREAM_OF_ALL,
    connected,
    deaf,
    next_rate,
    read_until,
    streaming,
    tell,
)
from tests.api.rig import Rig, until

BURST = 200
PAUSED_AT = 64 * 1024
"""Bytes that a transport of asyncio keeps before it asks for a pause."""


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BOUND", 20_000)
    monkeypatch.setattr(groups, "CHUNK", 10_000)
    monkeypatch.setattr(states, "MOST_BEHIND", 0)


def ended(rig: Rig, kind: Kind, end: End) -> float:
    value = rig.api.registry.get_sample_value(
        "freshrate_live_ended_total", {"kind": kind.value, "reason": end.value}
    )
    assert value is not None
    return value


def only_client(rig: Rig, kind: Kind) -> client.Client:
    (found,) = (one for one in rig.api.live._clients if one.wire.kind is kind)
    return found


def with_small_buffer(one: client.Client) -> None:
    """The system takes little from the server for it."""
    one.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


async def stalled(rig: Rig, kind: Kind) -> client.Client:
    """The deaf client of this kind, which is out of its group for it takes nothing."""
    await until(lambda: kind in rig.api.live.open_now())
    one = only_client(rig, kind)
    await until(lambda: one.group)
    with_small_buffer(one)
    for _ in range(100):
        tell(rig.api.memory, *[next_rate() for _ in range(BURST)])
        await until(lambda: not rig.api.live._fresh)
        if one.group is None and one._connection.writing_paused:
            return one
        await asyncio.sleep(0.001)
    raise AssertionError("it takes everything")


@pytest.mark.parametrize(
    ("kind", "request_", "last_word"),
    [
        (Kind.SSE, STREAM_OF_ALL, b'event: end\ndata: {"reason":"slow",'),
        (Kind.WEBSOCKET, SOCKET_OF_ALL, (1013).to_bytes(2, "big") + b"slow: Too slow"),
    ],
)
async def test_who_takes_nothing_is_told_so_and_dropped_and_others_are_unharmed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, kind: Kind, request_: bytes, last_word: bytes
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    monkeypatch.setattr(client, "LAST_SECONDS", 60.0)
    async with deaf(rig, request_) as connection:
        one = await stalled(rig, kind)
        async with streaming(rig) as stream, connected(rig, 5) as talk:
            await stream.begun()
            await stream.rates(1)
            told = tell(rig.api.memory, next_rate(5))
            assert [event.data["id"] for event in await stream.rates(1)] == told
            assert await talk.rate_ids(1) == told
            await until(lambda: one.end is End.SLOW)
            assert ended(rig, kind, End.SLOW) == 1
            told = tell(rig.api.memory, next_rate(5))
            assert await talk.rate_ids(1) == told
        await read_until(connection, last_word)


async def test_who_does_not_take_even_the_last_word_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.05)
    monkeypatch.setattr(client, "LAST_SECONDS", 0.05)
    async with deaf(rig, STREAM_OF_ALL):
        one = await stalled(rig, Kind.SSE)
        await until(lambda: one.end is End.SLOW)
        await until(lambda: one.transport.is_closing() and not rig.api.live.open_now())
        await until(lambda: one._connection.transport is None)
        assert one.transport.get_write_buffer_size() == 0


async def test_what_waits_for_a_client_is_bounded(rig: Rig) -> None:
    async with deaf(rig, STREAM_OF_ALL):
        one = await stalled(rig, Kind.SSE)
        for _ in range(20):
            tell(rig.api.memory, *[next_rate() for _ in range(BURST)])
            await until(lambda: not rig.api.live._fresh)
            assert one.transport.get_write_buffer_size() <= PAUSED_AT + 2 * groups.CHUNK
        assert one.end is None


async def test_who_takes_it_late_misses_nothing(rig: Rig) -> None:
    async with deaf(rig, STREAM_OF_ALL) as connection:
        one = await stalled(rig, Kind.SSE)
        first = next(iter(rig.api.live.recent.after(0))).rate.id
        (last,) = tell(rig.api.memory, next_rate())
        reader, writer = await asyncio.open_connection(sock=connection)
        heard: list[int] = []
        async with asyncio.timeout(20):
            while not heard or heard[-1] != last:
                line = await reader.readuntil(b"\n")
                if line.startswith(b'data: {"id":'):
                    heard.append(int(line[12:].partition(b",")[0]))
        assert heard == list(range(first, last + 1))
        await until(lambda: one.group)
        writer.close()


@pytest.mark.parametrize(
    "said",
    [b"\x8a\x80\0\0\0\0", b"\x89\x80\0\0\0\0", b"\x81\x93\0\0\0\0" + b'{"subscribe":"all"}'],
    ids=["pong", "ping", "order"],
)
async def test_who_says_something_while_it_is_waited_for_stays(rig: Rig, said: bytes) -> None:
    """Then two wait for it: what brings it up to date, and what answers it."""
    async with deaf(rig, SOCKET_OF_ALL) as connection:
        one = await stalled(rig, Kind.WEBSOCKET)
        await until(lambda: one._room._waiters)
        await asyncio.get_running_loop().sock_sendall(connection, said)
        await until(lambda: len(one._room._waiters) == 2 or one.following is None)
        (last,) = tell(rig.api.memory, next_rate())
        await read_until(connection, b'"id":%d,' % last)
        await until(lambda: one.group)
        assert one.end is None
        (last,) = tell(rig.api.memory, next_rate())
        await read_until(connection, b'"id":%d,' % last)


async def test_who_sends_no_more_and_takes_nothing_is_cut_off_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.05)
    monkeypatch.setattr(client, "LAST_SECONDS", 0.05)
    async with deaf(rig, STREAM_OF_ALL) as connection:
        one = await stalled(rig, Kind.SSE)
        connection.shutdown(socket.SHUT_WR)
        await until(lambda: one._connection.transport is None)
        assert one.end
        assert not rig.api.live.open_now()


async def test_who_falls_behind_what_is_held_is_dropped(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live.recent.MOST", 300)
    async with deaf(rig, STREAM_OF_ALL) as connection:
        one = await stalled(rig, Kind.SSE)
        tell(rig.api.memory, *[next_rate() for _ in range(301)])
        await read_until(connection, b'{"reason":"slow",')
        assert one.end is End.SLOW


async def test_one_that_leaves_while_it_is_waited_for_leaves_no_task(rig: Rig) -> None:
    async with deaf(rig, STREAM_OF_ALL) as connection:
        one = await stalled(rig, Kind.SSE)
        task = one.following
        assert task is not None
        # With an RST, for there is unread data.
        connection.close()
        await until(lambda: one.end is End.LEFT)
        await until(task.done)
    assert not rig.api.live.open_now()
