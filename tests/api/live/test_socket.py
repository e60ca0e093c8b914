"""WebSockets: what is said, and what is told."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from api.live import pace
from tests.api.live.listeners import SOCKET_OF_ALL, connected, heard_all, next_rate, tell
from tests.api.rig import Rig, observed


async def test_the_current_rates_of_what_is_subscribed_come_at_once_and_then_every_new_one(rig: Rig) -> None:
    await rig.store(observed(), observed(1027))
    async with connected(rig, 1, 1027) as talk:
        assert [await talk.next(), await talk.next()] == [
            {"rate": await rig.get("/api/lastrate/1/")},
            {"rate": await rig.get("/api/lastrate/1027/")},
        ]
        told = tell(rig.api.memory, next_rate(1027), next_rate(5), next_rate(1))
        assert await talk.rate_ids(2) == [told[0], told[2]]


async def test_what_is_added_is_told_and_the_rest_goes_on(rig: Rig) -> None:
    current = tell(rig.api.memory, next_rate(1), next_rate(1027))
    async with connected(rig, 1) as talk:
        assert await talk.rate_ids(1) == current[:1]
        await talk.say(subscribe=[1027, 1])
        assert await talk.rate_ids(1) == current[1:]
        told = tell(rig.api.memory, next_rate(1), next_rate(1027))
        assert await talk.rate_ids(2) == told


async def test_what_is_unsubscribed_is_told_no_more(rig: Rig) -> None:
    async with connected(rig, 1, 1027) as talk:
        await talk.say(unsubscribe=[1, 5])
        await heard_all(rig, talk)
        told = tell(rig.api.memory, next_rate(1), next_rate(1027))
        assert await talk.rate_ids(1) == told[1:]
        await talk.say(unsubscribe="all", subscribe=[5])
        await heard_all(rig, talk)
        told = tell(rig.api.memory, next_rate(1), next_rate(1027), next_rate(5))
        assert await talk.rate_ids(1) == told[2:]


async def test_all_can_be_subscribed_and_left(rig: Rig) -> None:
    current = tell(rig.api.memory, next_rate(1), next_rate(1027), next_rate(5))
    async with connected(rig) as talk:
        await talk.say(subscribe="all")
        assert sorted(await talk.rate_ids(3)) == sorted(current)
        told = tell(rig.api.memory, next_rate(6), next_rate(1))
        assert await talk.rate_ids(2) == told
        await talk.say(subscribe=[1])
        await talk.say(unsubscribe=[1])
        assert 'unsubscribe "all" first' in (await talk.error())["errors"]["unsubscribe"][0]
        await talk.say(unsubscribe="all")
        await heard_all(rig, talk)
        tell(rig.api.memory, next_rate(6))
        await talk.say(subscribe=[6])
        last = rig.api.memory.known(6)
        assert last
        assert await talk.rate_ids(1) == [last.rate.id]


async def test_all_after_some_goes_not_back(rig: Rig) -> None:
    """What others were given of all a moment ago may be older than what this one was told since."""
    tell(rig.api.memory, next_rate(1), next_rate(1027))
    async with connected(rig) as other, connected(rig, 1) as talk:
        await other.say(subscribe="all")
        await other.rate_ids(2)
        await talk.rate_ids(1)
        (newer,) = tell(rig.api.memory, next_rate(1))
        assert await talk.rate_ids(1) == [newer]
        await talk.say(subscribe="all")
        told = [await talk.next(), await talk.next()]
        assert {one["rate"]["currency"]: one["rate"]["id"] for one in told}[1] == newer


async def test_unknown_currencies_are_named_and_the_others_subscribed(rig: Rig) -> None:
    (current,) = tell(rig.api.memory, next_rate(1))
    async with connected(rig, 777, 1, 778) as talk:
        assert await talk.rate_ids(1) == [current]
        problem = await talk.error()
        assert (problem["type"], problem["status"]) == ("/problems/unknown-currency", 404)
        assert problem["unknown"] == [777, 778]
        told = tell(rig.api.memory, next_rate(1))
        assert await talk.rate_ids(1) == told


async def test_what_somebody_subscribes_to_is_asked_for(rig: Rig) -> None:
    async with connected(rig, 1027, 777) as talk:
        await heard_all(rig, talk)
        assert rig.api.memory.asked_since(rig.clock().timestamp()).keys() == {1027}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "hello",
        "{",
        "[]",
        "{}",
        "1",
        "null",
        '"all"',
        '{"subscribe": 1}',
        '{"subscribe": []}',
        '{"subscribe": [0]}',
        '{"subscribe": [-1]}',
        '{"subscribe": [1.0]}',
        '{"subscribe": ["1"]}',
        '{"subscribe": [true]}',
        '{"subscribe": [null]}',
        '{"subscribe": [9223372036854775808]}',
        '{"subscribe": "everything"}',
        '{"subscribe": {"1": 1}}',
        '{"unsubscribe": [1, "1027"]}',
        '{"listen": [1]}',
        '{"subscribe": [1], "and": 2}',
        '{"subscribe": [1' + ", 1" * 1000 + "]}",
        "[" * 5000,
        "\ud7ff" * 100,
    ],
)
async def test_what_cannot_be_used_is_told_and_the_connection_stays(rig: Rig, said: str) -> None:
    async with connected(rig, 1) as talk:
        await talk.ws.send_str(said)
        problem = await talk.error()
        assert (problem["type"], problem["status"]) == ("/problems/invalid-parameters", 400)
        assert all(problem["errors"].values())
        assert len(str(problem)) < 1500
        told = tell(rig.api.memory, next_rate(1))
        assert await talk.rate_ids(1) == told


async def test_of_many_unknown_words_some_are_named(rig: Rig) -> None:
    async with connected(rig) as talk:
        await talk.say(**{f"word{number}": 1 for number in range(1000)})
        assert list((await talk.error())["errors"]) == [f"word{number}" for number in range(10)]


def test_orders_beyond_those_at_once_wait_for_their_turn() -> None:
    one = pace.Pace()
    assert [one.delay(100.0) for _ in range(pace.AT_ONCE)] == [0.0] * pace.AT_ONCE
    assert one.delay(100.0) == pytest.approx(pace.SECONDS_EACH)
    assert one.delay(100.0 + pace.SECONDS_EACH) == pytest.approx(pace.SECONDS_EACH)
    assert one.delay(200.0) == 0.0


async def test_a_client_that_gives_many_orders_waits_and_is_refused_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "AT_ONCE", 1)
    async with connected(rig) as talk:
        began = asyncio.get_running_loop().time()
        for currency_id in (777, 778, 779):
            await talk.say(subscribe=[currency_id])
        assert [(await talk.error())["unknown"] for _ in range(3)] == [[777], [778], [779]]
        assert asyncio.get_running_loop().time() - began > 1.9 * pace.SECONDS_EACH


async def test_bytes_are_no_text(rig: Rig) -> None:
    async with connected(rig) as talk:
        await talk.ws.send_bytes(b'{"subscribe": [1]}')
        assert (await talk.error())["errors"] == {"message": ["Send text, not bytes."]}


async def test_a_thousand_currencies_may_be_named_on_one_connection(start: Any) -> None:
    rig = await start(has_catalog=False)
    async with connected(rig) as talk:
        await talk.say(subscribe=list(range(1, 1001)))
        await talk.say(subscribe=[1000])
        await talk.say(subscribe=[1001])
        assert "These would be 1001" in (await talk.error())["errors"]["subscribe"][0]
        await talk.say(unsubscribe=[1], subscribe=[1001])
        await talk.say(subscribe=[1])
        assert "These would be 1001" in (await talk.error())["errors"]["subscribe"][0]
        told = tell(rig.api.memory, next_rate(1), next_rate(1001))
        assert await talk.rate_ids(1) == told[1:]


async def test_a_message_that_is_too_long_ends_the_connection(rig: Rig) -> None:
    async with connected(rig) as talk:
        await talk.ws.send_str(" " * 70_000)
        assert await talk.close_code() == 1009


async def test_a_ping_is_answered_with_what_it_says(rig: Rig) -> None:
    async with rig.client.ws_connect("/api/ws/", autoping=False) as ws:
        await ws.ping(b"are you there")
        message = await ws.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_a_close_is_answered_with_its_code(rig: Rig, code: int) -> None:
    async with connected(rig, 1) as talk:
        await talk.ws.close(code=code)
        assert talk.ws.close_code == code
    assert not rig.api.live.open_now()


async def test_frames_that_break_the_protocol_end_the_connection(rig: Rig) -> None:
    async with connected(rig) as talk:
        transport = talk.ws._writer.transport  # a client that keeps to the protocol cannot send this
        transport.write(b"\x83\x80\0\0\0\0")
        assert await talk.close_code() == 1002


async def test_nothing_is_compressed(rig: Rig) -> None:
    async with rig.client.ws_connect("/api/ws/", compress=15) as ws:
        assert not ws.compress


# The handshake


async def test_a_plain_request_is_told_to_upgrade(rig: Rig) -> None:
    async with rig.client.get("/api/ws/") as response:
        assert response.status == 426
        assert response.headers["Upgrade"] == "websocket"
        problem = await response.json(content_type=None)
    assert problem["type"] == "/problems/upgrade-required"
    assert "/api/stream/" in problem["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": ""},
        {"Upgrade": "h2c"},
    ],
)
async def test_a_handshake_that_is_none_is_refused(rig: Rig, headers: dict[str, str]) -> None:
    whole = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        **headers,
    }
    status, answered = await rig.headers("/api/ws/", **whole)
    assert (status, answered["Sec-WebSocket-Version"]) == (426, "13")


async def test_a_foreign_origin_is_refused_before_the_upgrade(rig: Rig) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await rig.client.ws_connect("/api/ws/", origin="https://evil.example")
    assert refused.value.status == 403


async def test_queries_are_refused(rig: Rig) -> None:
    assert (await rig.get("/api/ws/?currency=1", status=400))["errors"]


async def test_what_is_said_with_the_handshake_is_heard(rig: Rig) -> None:
    (current,) = tell(rig.api.memory, next_rate(1))
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(SOCKET_OF_ALL)
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(f'"id":{current},'.encode())
    writer.close()
