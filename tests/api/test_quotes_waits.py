"""How long a request for quotes takes at most."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from api.asking import BRIEFLY, Asking
from shared.domain.rate import Rate
from shared.errors import DeadlineExceeded
from tests.api.conftest import StartRig
from tests.api.flights import submits
from tests.api.quotes import (
    BTC,
    EUR,
    HIT,
    PATH,
    STALE_HIT,
    STORE,
    asked,
    open_market,
    quotes,
    trade,
    way,
)
from tests.api.renewals import nothing
from tests.api.rig import Rig, observed, recorded, until
from tests.waiting import BUSY


class Hanging:
    """A store that does not answer until it is told to; the listing of all does."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: list[list[int]] = []
        self.goes_on = asyncio.Event()
        original = rig.storage.last_rates

        async def read(currency_ids: Collection[int] | None = None) -> list[Rate]:
            if currency_ids is not None:
                self.reads.append(sorted(currency_ids))
                await self.goes_on.wait()
            return await original(currency_ids)

        monkeypatch.setattr(rig.storage, "last_rates", read)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + 0.25 + BUSY


async def test_whatever_a_request_waits_for_it_has_one_deadline(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=1))
    await trade(rig, EUR)
    hanging = Hanging(rig, monkeypatch)
    rig.worker.hold.clear()
    rig.worker.renewal_hold.clear()
    loop = asyncio.get_running_loop()
    loop.call_later(0.7, rig.worker.renewal_hold.set)
    loop.call_later(0.9, hanging.goes_on.set)
    async with within(1):
        status, _ = await rig.headers(f"{PATH}?symbol=BTC,NOPE&convert=EUR")
    assert (status, asked(rig)) == (504, [[BTC]])


@pytest.mark.parametrize(
    ("path", "in_the_end"), [(f"{PATH}?symbol=BTC&max_age=5", 200), ("/api/lastrate/1/?max_age=5", 504)]
)
async def test_max_age_leaves_a_store_that_hangs_to_the_worker_within_the_same_deadline(
    start: StartRig, monkeypatch: pytest.MonkeyPatch, path: str, in_the_end: int
) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=1))
    Hanging(rig, monkeypatch)
    async with within(0.5):
        assert (await rig.headers(path))[0] == 200
    await rig.advance(seconds=6)
    rig.worker.hold.clear()
    async with within(1):
        assert (await rig.headers(path))[0] == in_the_end
    assert asked(rig) == [[BTC], [BTC]]


async def test_where_no_time_is_left_no_worker_is_asked(rig: Rig) -> None:
    over = asyncio.get_running_loop().time()
    sent: list[Any] = []

    async def noted(_original: Any, _role: Any, commands: Any, **_options: Any) -> Any:
        sent.extend(commands)
        return []

    async with submits(rig, noted):
        outcomes = await rig.api.refresher.refresh([BTC], request_id="late", deadline=over)
        await asyncio.sleep(0.01)
    assert [type(one) for one in outcomes.values()] == [DeadlineExceeded]
    assert sent == []
    late = Asking("late", nothing, arrived_at=rig.clock(), patience=0)
    assert isinstance(await rig.api.symbols.seek(["NOPE"], late), DeadlineExceeded)


async def test_while_the_store_hangs_what_memory_holds_is_answered_soon_and_as_stale(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_market(rig)
    await trade(rig)
    await rig.get(f"{PATH}?symbol=BTC&convert=EUR")
    await rig.advance(seconds=61)
    hanging = Hanging(rig, monkeypatch)
    for _ in range(2):  # whoever comes in the pause after it does not wait at all
        async with within(0.5):
            status, headers = await rig.headers(f"{PATH}?symbol=BTC&convert=EUR")
        assert (status, headers["Cache-Status"], headers["Freshrate-Stale"]) == (200, STALE_HIT, "true")
    await rig.advance(seconds=2)
    async with within(0.5):  # and who waits for the next read does not wait longer
        assert {await way(rig, "symbol=BTC") for _ in range(2)} == {STALE_HIT}
    assert hanging.reads == [[BTC, EUR]]
    hanging.goes_on.set()
    await until(lambda: rig.api.memory.live(BTC, rig.clock().timestamp()))
    assert await way(rig, "symbol=BTC") == HIT
    assert not (await quotes(rig, "symbol=BTC"))["BTC", "USD"]["stale"]


async def test_while_the_store_hangs_who_needs_it_is_told_at_the_deadline(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=1))
    Hanging(rig, monkeypatch)

    async def one(delay: float) -> str:
        await asyncio.sleep(delay)
        async with within(1):
            said: str = (await rig.get(f"{PATH}?symbol=BTC", status=503))["type"]
        return said

    said = await asyncio.gather(one(0), one(0.1), one(0.8))
    assert set(said) == {"/problems/database-unavailable"}
    assert asked(rig) == []


async def test_a_slow_store_is_waited_for_where_memory_holds_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(rig.storage, observed(BTC, "7"))
    hanging = Hanging(rig, monkeypatch)
    asyncio.get_running_loop().call_later(BRIEFLY + 0.2, hanging.goes_on.set)
    assert await way(rig, "symbol=BTC") == STORE
    assert asked(rig) == []


async def test_while_the_store_hangs_a_currency_says_what_memory_knows(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_market(rig)
    await trade(rig)

    async def hang(_ids: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(rig.storage, "descriptions", hang)
    async with within(0.5):
        (row,) = (await rig.get(f"{PATH}?symbol=BTC"))["results"]
    assert (row["name"], row["first_seen"]) == ("Bitcoin", None)


async def test_while_the_store_hangs_an_unknown_id_is_unknown_soon(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_id: int) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(rig.storage, "currency", hang)
    async with within(0.5):
        await rig.get(f"{PATH}?id=777,778", status=404)
    task = rig.api.catalog._looking
    assert task is not None
    task.cancel()


async def test_a_store_that_is_well_is_looked_into_though_the_time_is_up(start: StartRig) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=0.3))
    await trade(rig)
    await rig.advance(seconds=timedelta(minutes=2).total_seconds())
    rig.worker.renewal_hold.clear()
    found = await quotes(rig, "symbol=BTC,NOPE")
    assert not found["BTC", "USD"]["stale"]
    rig.worker.renewal_hold.set()
