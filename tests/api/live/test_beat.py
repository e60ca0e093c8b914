"""What happens every 15 s."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import WSMsgType

from api.live import beat
from api.live.wire import End
from shared.domain.currency import Currency, CurrencyKind
from tests.api.live.listeners import connected, heard_all, next_rate, streaming, tell
from tests.api.rig import START, Rig, until

LOCAL = 1_000_000_000


async def test_a_comment_keeps_a_stream_open_and_a_ping_a_socket(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with streaming(rig) as stream, rig.client.ws_connect("/api/ws/", autoping=False) as ws:
        await stream.begun()
        await until(lambda: sum(len(group.members) for group in rig.api.live.groups) == 2)
        await rig.api.beat.tick()
        (told,) = tell(rig.api.memory, next_rate())
        assert (await stream.next()).data["id"] == told
        assert stream.comments == 1
        assert (await ws.receive(timeout=5)).type is WSMsgType.PING


async def test_it_beats_by_itself_and_a_defect_does_not_end_that(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beat, "BEAT_SECONDS", 0.005)
    ticks = []

    async def broken() -> None:
        ticks.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(rig.api.beat, "tick", broken)
    running = asyncio.create_task(rig.api.beat.run())
    await until(lambda: len(ticks) > 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_socket_that_answers_no_ping_is_cut_off_and_one_that_does_stays(rig: Rig) -> None:
    async with (
        rig.client.ws_connect("/api/ws/", autoping=False) as silent,
        connected(rig, 1) as talk,
        streaming(rig) as stream,
    ):
        await stream.begun()
        await heard_all(rig, talk)
        reading = asyncio.create_task(talk.next())
        await rig.api.beat.tick()
        await until(lambda: any(one.is_heard for one in rig.api.live._clients))
        await rig.api.beat.tick()
        assert (await silent.receive(timeout=5)).type is WSMsgType.PING
        assert (await silent.receive(timeout=5)).type in {WSMsgType.CLOSED, WSMsgType.ERROR}
        (told,) = tell(rig.api.memory, next_rate())
        assert (await reading)["rate"]["id"] == told
        assert rig.api.live.metrics._ended.total() == 1
        assert next(iter(rig.api.live.metrics._ended))[1] is End.SILENT


async def test_what_somebody_listens_to_stays_asked_for(rig: Rig) -> None:
    async with streaming(rig, "?currency=1"), connected(rig, 1027) as talk:
        await heard_all(rig, talk)
        rig.clock.advance(hours=1)
        assert rig.api.memory.asked_since(rig.clock().timestamp()) == {}
        await rig.api.beat.tick()
        assert rig.api.memory.asked_since(rig.clock().timestamp()).keys() == {1, 1027}


async def test_the_rate_of_another_source_is_told_when_that_of_the_preferred_becomes_stale(rig: Rig) -> None:
    async with streaming(rig) as stream:
        await stream.begun()
        (first,) = tell(rig.api.memory, next_rate(source="coinmarketcap"))
        later = START + timedelta(seconds=800)
        (second,) = tell(rig.api.memory, next_rate(source="another", fetched_at=later))
        assert (await stream.next()).data["id"] == first
        rig.clock.advance(seconds=950)
        assert (await rig.get("/api/lastrate/1/"))["id"] == second
        await rig.api.beat.tick()
        assert (await stream.next()).data["id"] == second


async def merged(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local currency turns out to be Ethereum."""
    known = [one for one in rig.api.catalog._by_id.values() if one.id != LOCAL]
    rig.api.catalog._successors[LOCAL] = 1027
    rig.api.catalog.learn([*known, local(is_active=False)])
    rig.api.memory.forget([LOCAL])


def local(*, is_active: bool = True) -> Currency:
    return Currency(
        id=LOCAL,
        name="Local",
        symbol="LOC",
        slug="local",
        rank=None,
        is_active=is_active,
        kind=CurrencyKind.LOCAL,
    )


async def test_whoever_listens_to_a_currency_that_turns_out_to_be_another_listens_to_that(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.api.catalog.learn([*rig.api.catalog._by_id.values(), local()])
    tell(rig.api.memory, next_rate(LOCAL))
    async with streaming(rig, f"?currency={LOCAL}") as stream, connected(rig, LOCAL) as talk:
        await stream.begun()
        await stream.rates(1)
        await talk.rate_ids(1)
        await merged(rig, monkeypatch)
        (current,) = tell(rig.api.memory, next_rate(1027))
        await rig.api.beat.tick()
        assert (await stream.next()).data["id"] == current
        assert await talk.rate_ids(1) == [current]
        (told,) = tell(rig.api.memory, next_rate(1027))
        assert (await stream.next()).data["id"] == told
        assert await talk.rate_ids(1) == [told]
        await talk.say(unsubscribe=[LOCAL], subscribe=[1])
        await heard_all(rig, talk)
        told_then = tell(rig.api.memory, next_rate(1027), next_rate(1))
        assert await talk.rate_ids(1) == told_then[1:]
    async with streaming(rig, f"?currency={LOCAL}") as stream:
        await stream.begun()
        (event,) = await stream.rates(1)
        assert event.data["currency"] == 1027


async def test_who_was_out_of_its_group_when_it_turned_out_listens_to_the_other_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.api.catalog.learn([*rig.api.catalog._by_id.values(), local()])
    async with streaming(rig, f"?currency={LOCAL}") as stream:
        await stream.begun()
        await until(lambda: list(rig.api.live.groups))
        (one,) = rig.api.live._clients
        rig.api.live.leave(one)
        await merged(rig, monkeypatch)
        await rig.api.beat.tick()
        assert one.ids == frozenset({LOCAL})
        rig.api.live.follow(one)
        await until(lambda: one.group)
        await rig.api.beat.tick()
        (told,) = tell(rig.api.memory, next_rate(1027))
        assert (await stream.next()).data["id"] == told


async def test_what_the_clock_makes_the_last_rate_is_told_once(rig: Rig) -> None:
    tell(rig.api.memory, next_rate(source="coinmarketcap"))
    later = START + timedelta(seconds=800)
    (second,) = tell(rig.api.memory, next_rate(source="another", fetched_at=later))
    rig.clock.advance(seconds=950)
    async with streaming(rig, "?currency=1") as one, streaming(rig) as all_:
        for stream in (one, all_):
            await stream.begun()
            assert [event.data["id"] for event in await stream.rates(1)] == [second]
        await rig.api.beat.tick()
        (third,) = tell(rig.api.memory, next_rate(source="coinmarketcap", fetched_at=rig.clock()))
        for stream in (one, all_):
            assert [event.data["id"] for event in await stream.rates(1)] == [third]
