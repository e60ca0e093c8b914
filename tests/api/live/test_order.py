"""Whatever clients do while rates flow: nothing is missed, nothing comes twice, and nothing goes back."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from api.live import groups, hub, states
from tests.api.live.listeners import Talk, connected, heard_all, next_rate, streaming, tell
from tests.api.rig import Rig

CURRENCIES = (1, 1027, 5, 6)


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So clients come and go in the middle of everything."""
    monkeypatch.setattr(hub, "TURN", 2)
    monkeypatch.setattr(groups, "CHUNK", 1000)
    monkeypatch.setattr(states, "PART", 1)


class Flow:
    """Rates that keep coming."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig = rig
        self._random = random.Random(seed)
        self.told: dict[int, list[int]] = {one: [] for one in CURRENCIES}
        self._task = asyncio.create_task(self._flow())
        self._is_over = False

    async def end(self) -> None:
        self._is_over = True
        await self._task

    async def _flow(self) -> None:
        while not self._is_over:
            for _ in range(self._random.randint(1, 6)):
                rate = next_rate(self._random.choice(CURRENCIES))
                self.told[rate.currency_id] += tell(self._rig.api.memory, rate)
            await asyncio.sleep(self._random.choice([0, 0, 0.001]))

    def is_run(self, currency_id: int, heard: list[int]) -> bool:
        """Whether these are some that followed each other."""
        told = self.told[currency_id]
        start = told.index(heard[0])
        return told[start : start + len(heard)] == heard


def by_currency(rates: Iterator[tuple[int, int]]) -> dict[int, list[int]]:
    sorted_: dict[int, list[int]] = {}
    for currency_id, rate_id in rates:
        sorted_.setdefault(currency_id, []).append(rate_id)
    return sorted_


async def hear_streams(rig: Rig, query: str, rounds: int) -> list[tuple[int, int]]:
    """Comes, hears some events, goes, and comes back for what it missed."""
    heard: list[tuple[int, int]] = []
    event_id = None
    for number in range(rounds):
        async with streaming(rig, query, **({"Last-Event-ID": event_id} if event_id else {})) as stream:
            assert (await stream.begun()).data["resumed"] is (number > 0)
            # Past the current rates: of these only the last has an id.
            while len(heard) < 12 * (number + 1) or event_id is None:
                event = await stream.next()
                heard.append((event.data["currency"], event.data["id"]))
                event_id = event.id or event_id
    return heard


@pytest.mark.parametrize("seed", range(3))
async def test_streams_that_come_and_go_hear_everything_once(rig: Rig, seed: int) -> None:
    flow = Flow(rig, seed)
    async with asyncio.timeout(30):
        all_heard = await asyncio.gather(
            *(
                hear_streams(rig, query, 4)
                for query in ("", "?currency=1", "?currency=5,6,1027", "", "?currency=1")
            )
        )
    await flow.end()
    for heard in all_heard:
        for currency_id, rates in by_currency(iter(heard)).items():
            assert flow.is_run(currency_id, rates)


async def change_of_mind(talk: Talk, random_: random.Random) -> list[list[tuple[int, int]]]:
    """Subscribes and unsubscribes at random. Gives what was heard between one answer and the next."""
    parts: list[list[tuple[int, int]]] = []
    for _ in range(15):
        some = random_.sample(CURRENCIES, random_.randint(1, 3))
        await talk.say(**{random_.choice(["subscribe", "subscribe", "unsubscribe"]): some})
        # An error tells where in the order of things the last word was obeyed.
        await talk.say(mark=1)
        heard: list[tuple[int, int]] = []
        while "rate" in (said := await talk.next()):
            heard.append((said["rate"]["currency"], said["rate"]["id"]))
        parts.append(heard)
        await asyncio.sleep(random_.choice([0, 0.002]))
    return parts


@pytest.mark.parametrize("seed", range(3))
async def test_sockets_that_change_their_mind_never_hear_anything_go_back(rig: Rig, seed: int) -> None:
    flow = Flow(rig, seed)
    async with connected(rig) as one, connected(rig) as another, asyncio.timeout(30):
        all_parts = await asyncio.gather(
            change_of_mind(one, random.Random(seed)), change_of_mind(another, random.Random(seed + 100))
        )
        await one.say(subscribe=list(CURRENCIES))
        await flow.end()
        await heard_all(rig, one)
        last = {one: told[-1] for one, told in flow.told.items()}
        told = tell(rig.api.memory, *[next_rate(currency_id) for currency_id in CURRENCIES])
        assert await one.rate_ids(4) == told
    for parts in all_parts:
        for currency_id, rates in by_currency(item for part in parts for item in part).items():
            assert rates == sorted(rates)
            assert set(rates) <= set(flow.told[currency_id])
    assert all(last.values())


async def test_sockets_hear_everything_once_whatever_is_added(rig: Rig) -> None:
    """One currency stays subscribed while others are added and left."""
    flow = Flow(rig, 7)
    heard: list[int] = []
    async with connected(rig, 1) as talk, asyncio.timeout(30):
        for number in range(20):
            other = CURRENCIES[1 + number % 3]
            await talk.say(**{"subscribe" if number % 2 else "unsubscribe": [other]})
            while len(heard) < 4 * (number + 1):
                rate = (await talk.next())["rate"]
                if rate["currency"] == 1:
                    heard.append(rate["id"])
    await flow.end()
    assert flow.is_run(1, heard)
