"""Server-sent events: what a stream begins with, and what follows."""

import asyncio
import resource
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from api.live import event_stream, filters, places
from shared.errors import StorageUnavailable
from tests.api.live.listeners import connected, heard_all, next_rate, streaming, tell
from tests.api.rig import Rig, observed, until


async def test_it_begins_with_the_current_rates_and_goes_on_with_every_new_one(rig: Rig) -> None:
    await rig.store(observed(), observed(1027, "3000.5"))
    async with streaming(rig) as stream:
        assert (await stream.begun()).data == {"resumed": False, "reason": "first", "unknown": []}
        current = await stream.rates(2)
        assert [event.data for event in current] == [
            await rig.get("/api/lastrate/1/"),
            await rig.get("/api/lastrate/1027/"),
        ]
        assert current[0].id is None
        assert current[1].id
        rig.clock.advance(seconds=1)
        await rig.store(observed(1027, "3000.75", observed_at=rig.clock()))
        (new,) = await stream.rates(1)
        assert new.data == await rig.get("/api/lastrate/1027/")
        assert new.data["price_usd"] == "3000.75"
        assert new.id not in {None, current[1].id}
        assert stream.retry is not None
        assert event_stream.RETRY_MS[0] <= stream.retry <= event_stream.RETRY_MS[1]


async def test_its_head_is_that_of_a_stream_that_nobody_stores_or_holds_back(rig: Rig) -> None:
    async with streaming(rig) as stream:
        headers = stream.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "X-Request-ID" in headers


async def test_only_what_was_asked_for_is_told(rig: Rig) -> None:
    await rig.store(observed(), observed(1027))
    async with streaming(rig, "?currency=1027,5") as stream:
        await stream.begun()
        (current,) = await stream.rates(1)
        assert current.data["currency"] == 1027
        tell(rig.api.memory, next_rate(1), next_rate(6))
        told = tell(rig.api.memory, next_rate(5), next_rate(1), next_rate(1027))
        assert [event.data["id"] for event in await stream.rates(2)] == [told[0], told[2]]


async def test_a_rate_that_is_only_confirmed_is_not_told(rig: Rig) -> None:
    (rate,) = await rig.store(observed())
    async with streaming(rig) as stream:
        await stream.begun()
        await stream.rates(1)
        rig.clock.advance(seconds=10)
        (confirmed,) = await rig.store(observed())
        assert confirmed.id == rate.id
        await until(lambda: rig.api.memory.known(1).rate.fetched_at == rig.clock())  # type: ignore[union-attr] # it is known
        (told,) = tell(rig.api.memory, next_rate())
        assert [event.data["id"] for event in await stream.rates(1)] == [told]


async def test_the_rate_of_a_source_that_is_not_preferred_is_not_told_while_the_preferred_is_not_stale(
    rig: Rig,
) -> None:
    async with streaming(rig) as stream:
        await stream.begun()
        (first,) = tell(rig.api.memory, next_rate(source="coinmarketcap"))
        tell(rig.api.memory, next_rate(source="another"))
        (last,) = tell(rig.api.memory, next_rate(source="coinmarketcap"))
        assert [event.data["id"] for event in await stream.rates(2)] == [first, last]
        assert (await rig.get("/api/lastrate/1/"))["id"] == last


async def test_many_rates_of_one_currency_at_once_are_all_told_in_order(rig: Rig) -> None:
    async with streaming(rig) as stream:
        await stream.begun()
        told = tell(rig.api.memory, *[next_rate() for _ in range(500)])
        assert [event.data["id"] for event in await stream.rates(500)] == told


async def test_before_any_rate_there_is_nothing_but_the_state(rig: Rig) -> None:
    async with streaming(rig, "?currency=1") as stream:
        assert (await stream.begun()).data["reason"] == "first"
        (told,) = tell(rig.api.memory, next_rate())
        assert (await stream.next()).data["id"] == told


# What is asked for


async def test_unknown_currencies_are_named_where_others_exist(rig: Rig) -> None:
    async with streaming(rig, "?currency=777,1,778") as stream:
        assert (await stream.begun()).data["unknown"] == [777, 778]


async def test_only_unknown_currencies_are_404(rig: Rig) -> None:
    problem = await rig.get("/api/stream/?currency=777,778", status=404)
    assert problem["type"] == "/problems/unknown-currency"
    assert problem["unknown"] == [777, 778]


@pytest.mark.parametrize(
    "query",
    [
        "?currency=",
        "?currency=0",
        "?currency=1,",
        "?currency=abc",
        "?currency=BTC",
        "?currency=1&currency=2",
        "?currencies=1",
        "?currency=" + ",".join(["1"] * 1001),
    ],
)
async def test_what_cannot_be_used_is_400(rig: Rig, query: str) -> None:
    assert (await rig.get(f"/api/stream/{query}", status=400))["errors"]


async def test_a_thousand_currencies_may_be_named(rig: Rig) -> None:
    many = ",".join(map(str, range(1, 1001)))
    async with streaming(rig, f"?currency={many}") as stream:
        assert len((await stream.begun()).data["unknown"]) == 997


async def test_what_somebody_listens_to_is_asked_for(rig: Rig) -> None:
    async with streaming(rig, "?currency=1027") as stream:
        await stream.begun()
        assert rig.api.memory.asked_since(rig.clock().timestamp()).keys() == {1027}


async def test_listening_to_all_asks_for_nothing(rig: Rig) -> None:
    async with streaming(rig) as stream:
        await stream.begun()
        assert rig.api.memory.asked_since(0.0) == {}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_pages_of_another_origin_may_not_listen(rig: Rig, origin: str) -> None:
    for path in ("/api/stream/", "/api/ws/"):
        problem = await rig.get(path, status=403, Origin=origin)
        assert problem["title"] == "Another origin may not listen"


async def test_our_own_page_may_listen(rig: Rig) -> None:
    async with streaming(rig, Origin=f"http://{rig.client.host}:{rig.client.port}") as stream:
        await stream.begun()
        assert stream.retry


async def test_head_is_no_way_to_ask(rig: Rig) -> None:
    async with rig.client.head("/api/stream/") as response:
        assert response.status == 405


async def test_beyond_the_places_a_stream_is_refused_until_one_ends(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_CLIENTS", 1)
    async with streaming(rig) as stream:
        await stream.begun()
        async with rig.client.get("/api/stream/") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
            assert (await response.json(content_type=None))["type"] == "/problems/streams-busy"
    await until(lambda: not rig.api.live.open_now())
    async with streaming(rig) as stream:
        await stream.begun()
        assert stream.retry


async def test_those_who_waited_for_a_process_that_starts_share_its_places(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_CLIENTS", 5)
    rig.api.top.is_listed.clear()
    async with aiohttp.ClientSession() as http:
        address = f"http://{rig.client.host}:{rig.client.port}/api/stream/"
        opening = [asyncio.create_task(http.get(address).__aenter__()) for _ in range(20)]
        await until(lambda: len(rig.api.top.is_listed._waiters) == 20)
        rig.api.top.is_listed.set()
        responses = await asyncio.gather(*opening)
        assert sorted(one.status for one in responses) == [200] * 5 + [503] * 15
        assert sum(rig.api.live.open_now().values()) == 5
        for one in responses:
            one.close()


async def test_more_currencies_than_streams_may_name_together_are_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MOST_NAMED", 3)
    async with streaming(rig, "?currency=1,5") as stream, connected(rig, 1, 5) as talk:
        await stream.begun()
        await heard_all(rig, talk)
        assert rig.api.live.filters.named == 2
        async with streaming(rig, "?currency=5,1") as same:
            await same.begun()
            problem = await rig.get("/api/stream/?currency=1,6", status=503)
            assert problem["type"] == "/problems/streams-busy"
            await talk.say(subscribe=[6, 1027])
            assert (await talk.error())["type"] == "/problems/streams-busy"
        await talk.say(unsubscribe="all")
        await heard_all(rig, talk)
        (told,) = tell(rig.api.memory, next_rate(5))
        assert (await stream.next()).data["id"] == told
    await until(lambda: not rig.api.live.open_now())
    assert rig.api.live.filters.named == 0
    assert not rig.api.live.filters._users


def test_a_system_that_refuses_more_files_does_not_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(_which: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    places.raise_limit_of_files()
    assert asked == [(4096, 4096)]


def test_places_leave_files_for_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"soft": 1024}
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (limits["soft"], 4096))
    assert places.places() == 1024 - places.KEPT_FILES
    limits["soft"] = 100
    assert places.places() == 0
    for plenty in (1_000_000, resource.RLIM_INFINITY):
        limits["soft"] = plenty
        assert places.places() == places.MOST_CLIENTS


# HTTP


async def test_clients_of_http_1_0_are_served_too(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port)
    writer.write(b"GET /api/stream/ HTTP/1.0\r\n\r\n")
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200 OK")
        assert b"chunked" not in head
        await reader.readuntil(b"event: state\n")
    writer.close()


async def test_what_a_client_sends_behind_its_request_harms_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no beginning of another head, for which there is a deadline."""
    monkeypatch.setattr("api.protocol.HEAD_SECONDS", 0.01)
    async with streaming(rig) as stream:
        await stream.begun()
        assert stream.response.connection is not None
        assert stream.response.connection.transport is not None
        stream.response.connection.transport.write(b"GET")
        await asyncio.sleep(0.05)
        (told,) = tell(rig.api.memory, next_rate())
        assert (await stream.next()).data["id"] == told


# Before the process knows anything


async def test_a_process_that_has_just_started_is_given_a_moment_to_know_the_rates(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.api.top.is_listed.clear()
    opening = asyncio.create_task(rig.client.get("/api/stream/").__aenter__())
    await until(lambda: rig.api.top.is_listed._waiters)
    assert not opening.done()
    rig.api.top.is_listed.set()
    response = await opening
    assert response.status == 200
    response.close()


async def test_without_a_catalog_all_may_exist(start: Any) -> None:
    """A browser that is answered by an error does not come back."""
    rig = await start(has_catalog=False)
    async with streaming(rig, "?currency=1,5") as stream:
        assert (await stream.begun()).data["unknown"] == []


async def test_with_the_database_away_streams_are_opened_and_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_args: object) -> None:
        raise StorageUnavailable

    await rig.store(observed())
    monkeypatch.setattr(rig.storage, "last_rates", down)
    monkeypatch.setattr(rig.storage, "currency", down)
    async with streaming(rig, "?currency=1,777") as stream:
        assert (await stream.begun()).data["unknown"] == [777]
        await stream.rates(1)
        rig.clock.advance(seconds=5)
        tell(rig.api.memory, next_rate(observed_at=rig.clock() + timedelta(seconds=1)))
        await stream.rates(1)
