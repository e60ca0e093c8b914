"""Coming back with Last-Event-ID."""

from dataclasses import replace

import pytest

from api.live import latecomers, recent
from tests.api.conftest import StartRig
from tests.api.live.listeners import next_rate, streaming, tell
from tests.api.rig import Rig


async def last_heard(rig: Rig, query: str = "") -> str:
    """The id of the last event of a stream that was read to its newest rate."""
    async with streaming(rig, query) as stream:
        await stream.begun()
        number = len(rig.api.memory.currency_ids()) if not query else 1
        event_id = (await stream.rates(number))[-1].id
    assert event_id
    return event_id


async def test_what_was_missed_is_told_and_nothing_twice(rig: Rig) -> None:
    tell(rig.api.memory, next_rate(1), next_rate(1027))
    heard = await last_heard(rig)
    missed = tell(rig.api.memory, next_rate(1), next_rate(1), next_rate(1027))
    async with streaming(rig, **{"Last-Event-ID": heard}) as stream:
        assert (await stream.begun()).data == {"resumed": True, "reason": None, "unknown": []}
        events = await stream.rates(3)
        assert [event.data["id"] for event in events] == missed
        assert all(event.id for event in events)
        live = tell(rig.api.memory, next_rate(1))
        assert [event.data["id"] for event in await stream.rates(1)] == live


async def test_only_what_it_listens_to_was_missed(rig: Rig) -> None:
    tell(rig.api.memory, next_rate(1), next_rate(1027))
    heard = await last_heard(rig, "?currency=1027")
    tell(rig.api.memory, next_rate(1))
    missed = tell(rig.api.memory, next_rate(1027))
    tell(rig.api.memory, next_rate(1))
    async with streaming(rig, "?currency=1027", **{"Last-Event-ID": heard}) as stream:
        await stream.begun()
        assert [event.data["id"] for event in await stream.rates(1)] == missed
        live = tell(rig.api.memory, next_rate(1027))
        assert [event.data["id"] for event in await stream.rates(1)] == live


async def test_whoever_missed_nothing_is_told_nothing_before_the_next(rig: Rig) -> None:
    tell(rig.api.memory, next_rate())
    heard = await last_heard(rig)
    async with streaming(rig, **{"Last-Event-ID": heard}) as stream:
        assert (await stream.begun()).data["resumed"] is True
        live = tell(rig.api.memory, next_rate())
        assert [event.data["id"] for event in await stream.rates(1)] == live


async def test_any_event_can_be_the_last_that_was_heard(rig: Rig) -> None:
    told = tell(rig.api.memory, next_rate())
    heard = [await last_heard(rig)]
    async with streaming(rig) as stream:
        await stream.begun()
        await stream.rates(1)
        for _ in range(5):
            told += tell(rig.api.memory, next_rate())
            heard.append((await stream.rates(1))[0].id or "")
    for number, event_id in enumerate(heard):
        async with streaming(rig, **{"Last-Event-ID": event_id}) as stream:
            await stream.begun()
            missed = [event.data["id"] for event in await stream.rates(5 - number)]
            assert missed == told[number + 1 :]


async def test_what_was_missed_is_told_as_stale_as_it_is_now(rig: Rig) -> None:
    tell(rig.api.memory, next_rate(5))
    async with streaming(rig) as stream:
        await stream.begun()
        await stream.rates(1)
        tell(rig.api.memory, next_rate(1), next_rate(1027))
        events = await stream.rates(2)
        assert [event.data["stale"] for event in events] == [False, False]
    rig.clock.advance(hours=10)
    confirmed = rig.api.memory.known(1027)
    assert confirmed
    rig.api.memory.learn([replace(confirmed.rate, fetched_at=rig.clock())], prolong=True)
    before = rig.api.live.recent.event_id(rig.api.live.recent.latest - 2)
    async with streaming(rig, **{"Last-Event-ID": before}) as stream:
        await stream.begun()
        first, second = await stream.rates(2)
        assert first.data == await rig.get("/api/lastrate/1/")
        assert second.data == await rig.get("/api/lastrate/1027/")
        assert (first.data["stale"], second.data["stale"]) == (True, False)


async def test_who_missed_more_than_is_looked_at_in_one_go_is_told_all(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latecomers, "LOOKED_AT", 3)
    tell(rig.api.memory, next_rate(1))
    heard = await last_heard(rig)
    told = tell(rig.api.memory, *[next_rate(1 if number % 7 == 0 else 1027) for number in range(30)])
    async with streaming(rig, "?currency=1", **{"Last-Event-ID": heard}) as stream:
        assert (await stream.begun()).data["resumed"] is True
        assert [event.data["id"] for event in await stream.rates(5)] == told[::7]


async def refused(rig: Rig, heard: str) -> str:
    """Why all current rates come."""
    current = tell(rig.api.memory, next_rate(1), next_rate(1027))
    async with streaming(rig, "?currency=1,1027", **{"Last-Event-ID": heard}) as stream:
        state = (await stream.begun()).data
        assert state["resumed"] is False
        assert [event.data["id"] for event in await stream.rates(2)] == current
    return str(state["reason"])


async def test_what_is_held_no_more_is_too_old(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 4)
    tell(rig.api.memory, next_rate())
    heard = await last_heard(rig)
    tell(rig.api.memory, *[next_rate() for _ in range(4)])
    async with streaming(rig, **{"Last-Event-ID": heard}) as stream:
        assert (await stream.begun()).data["resumed"] is True
        await stream.rates(4)
    tell(rig.api.memory, next_rate())
    assert await refused(rig, heard) == "too-old"


async def test_the_ids_of_another_process_are_told_apart(rig: Rig, start: StartRig) -> None:
    tell(rig.api.memory, next_rate())
    heard = await last_heard(rig)
    another = await start()
    assert await refused(another, heard) == "another-process"


@pytest.mark.parametrize(
    "heard", ["", "1", "5f0e4a7c9b12", "5f0e4a7c9b12-", "5f0e4a7c9b12-1G", "x" * 5000, "é"]
)
async def test_what_is_no_id_of_ours_is_refused(rig: Rig, heard: str) -> None:
    assert await refused(rig, heard) == ("not-ours" if heard else "first")


async def test_an_id_of_the_future_is_not_ours(rig: Rig) -> None:
    tell(rig.api.memory, next_rate())
    ahead = rig.api.live.recent.event_id(rig.api.live.recent.latest + 100)
    assert await refused(rig, ahead) == "not-ours"
