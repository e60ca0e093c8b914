"""The direct visit: with a key, without queue and worker."""

import asyncio

import pytest

from shared.domain.visit import FailureKind
from shared.messages import RatesStored
from shared.ports import Announced
from tests.api.conftest import StartRig
from tests.api.rig import KEY, Rig, observed, until

PATH = "/services/requestcurrency/1/"
WITH_KEY = {"X-API-Key": KEY}


async def test_it_visits_stores_and_shows_the_currency_in_detail(rig: Rig) -> None:
    async with rig.client.get(PATH, headers=WITH_KEY) as response:
        body = await response.json()
        assert response.headers["Cache-Control"] == "no-store"
    assert body["symbol"] == "BTC"
    stored = await rig.storage.rate(body["last_rate"]["id"])
    assert stored is not None
    assert body["last_rate"]["price_usd"] == str(stored.price_usd)
    assert rig.worker.visits == []


async def test_it_needs_no_queue(rig: Rig) -> None:
    await rig.queue.close()
    assert (await rig.headers(PATH, **WITH_KEY))[0] == 200


async def test_other_processes_hear_of_it(rig: Rig) -> None:
    heard = []

    async def listen() -> None:
        async for event in rig.queue.events():
            heard.append(event)  # noqa: PERF401 - grows while the test looks on

    listening = asyncio.create_task(listen())
    await until(lambda: heard)
    await rig.headers(PATH, **WITH_KEY)
    await until(lambda: len(heard) == 2)
    assert isinstance(heard[1], Announced)
    assert isinstance(heard[1].fact, RatesStored)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_whoever_asks_meanwhile_shares_the_visit_and_cancelling_one_fails_nobody(rig: Rig) -> None:
    rig.visitor.hold.clear()
    first = asyncio.create_task(rig.api.direct.visit(1))
    second = asyncio.create_task(rig.api.direct.visit(1))
    await until(lambda: rig.visitor.visits)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    rig.visitor.hold.set()
    assert (await second).currency_id == 1
    assert rig.visitor.visits == 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.VISITED, 502),
        (FailureKind.NOT_TRIED, 503),
        (FailureKind.DATABASE_AWAY, 503),
        (FailureKind.DEADLINE, 504),
    ],
)
async def test_failures_keep_their_kind_and_tell_the_last_rate(
    rig: Rig, kind: FailureKind, status: int
) -> None:
    await rig.store(observed(price="5"))
    rig.visitor.failure = kind
    async with rig.client.get(PATH, headers=WITH_KEY) as response:
        assert response.status == status
        assert (await response.json(content_type=None))["last_rate"]["price_usd"] == "5"


async def test_a_visit_that_never_ends_is_504(start: StartRig) -> None:
    rig = await start(refresh_timeout_seconds=0.05)
    rig.visitor.hold.clear()
    assert (await rig.headers(PATH, **WITH_KEY))[0] == 504


async def test_unknown_currencies_are_not_visited(rig: Rig) -> None:
    assert (await rig.headers("/services/requestcurrency/777/", **WITH_KEY))[0] == 404
    assert rig.visitor.visits == 0


async def test_without_a_catalog_it_is_503(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    assert (await rig.headers(PATH, **WITH_KEY))[0] == 503


async def test_it_counts_against_the_limit_of_the_key(start: StartRig) -> None:
    rig = await start(refreshes_per_minute=1)
    assert (await rig.headers(PATH, **WITH_KEY))[0] == 200
    assert (await rig.headers(PATH, **WITH_KEY))[0] == 429


async def test_head_is_405(rig: Rig) -> None:
    async with rig.client.head(PATH, headers=WITH_KEY) as response:
        assert response.status == 405
