"""How the service is, as the dashboard asks it."""

import asyncio
from typing import Any

from api.market.schemas import STATUS, StatusSchema
from api.market.status import OK
from shared import __version__
from shared.ports import Queue, Storage
from tests.api.conftest import StartRig
from tests.api.rig import KEY, Rig, observed

PATH = "/api/status/"


async def asked_anew(rig: Rig) -> Any:
    """Past the second for which an answer serves all."""
    rig.api.status._made_at -= 2
    return await rig.get(PATH)


async def test_all_is_well(rig: Rig) -> None:
    await rig.store(observed(1))
    body = await rig.get(PATH)
    assert StatusSchema().validate(body) == {}
    assert body == {
        "datetime": "2026-11-20T12:00:00.250Z",
        "version": __version__,
        "simulated": False,
        "sources": ["coinmarketcap", "another"],
        "stale_after": 900,
        "refresh_timeout": 10.0,
        "upload_needs_key": True,
        "upload_max_bytes": 268_435_456,
        "deals_currency": "USD",
        "newest_rate_at": "2026-11-20T12:00:00.250Z",
        "ranked_at": None,
        "database": OK,
        "queue": OK,
        "stream": OK,
        "catalog": OK,
        "workers": {"pricing": 1, "ranking": 1},
    }


async def test_nobody_keeps_it(rig: Rig) -> None:
    _, headers = await rig.headers(PATH)
    assert headers["Cache-Control"] == "no-store"


async def test_it_says_that_rates_are_simulated_and_uploads_open(start: StartRig) -> None:
    rig = await start(sources=("simulator",), api_keys="")
    body = await rig.get(PATH)
    assert body["simulated"] is True
    assert body["upload_needs_key"] is False


async def test_it_says_what_deals_may_be(start: StartRig) -> None:
    rig = await start(deals_max_bytes=1000, deals_currency="EUR")
    body = await rig.get(PATH)
    assert body["upload_max_bytes"] == 1000
    assert body["deals_currency"] == "EUR"


async def test_it_says_that_a_database_does_not_answer(rig: Rig) -> None:
    await rig.storage.close()
    body = await rig.get(PATH)
    assert body["database"] == "The database does not answer."
    assert body["queue"] == OK


async def test_it_says_that_a_queue_does_not_answer(rig: Rig) -> None:
    await rig.queue.close()
    body = await rig.get(PATH)
    assert body["queue"].startswith("The command queue does not answer")
    assert body["workers"] is None
    assert body["database"] == OK


async def test_it_says_that_no_worker_is_alive(rig: Rig) -> None:
    rig.clock.advance(seconds=4)
    assert (await rig.get(PATH))["workers"] == {"pricing": 0, "ranking": 0}
    await rig.advance(seconds=0)
    assert (await asked_anew(rig))["workers"] == {"pricing": 1, "ranking": 1}


async def test_an_empty_store_is_told(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    body = await rig.get(PATH)
    assert body["catalog"] == "The catalog of currencies is not loaded yet."
    assert body["newest_rate_at"] is None


async def test_it_does_not_wait_for_what_hangs(start: StartRig, storage: Storage, queue: Queue) -> None:
    rig = await start()
    never = asyncio.Event()

    async def hang(*_arguments: object) -> None:
        await never.wait()

    storage.ping = hang  # type: ignore[method-assign]
    queue.depth = hang  # type: ignore[method-assign, assignment]
    body = await rig.get(PATH)
    assert body["database"] != OK
    assert body["queue"] != OK


async def test_many_who_ask_share_one_answer(rig: Rig, storage: Storage) -> None:
    ping, pings = storage.ping, 0

    async def count() -> None:
        nonlocal pings
        pings += 1
        await ping()

    storage.ping = count  # type: ignore[method-assign]
    await asyncio.gather(*(rig.get(PATH) for _ in range(10)))
    await rig.get(PATH)
    assert pings == 1
    await asked_anew(rig)
    assert pings == 2


async def test_one_who_leaves_ends_it_for_nobody_else(rig: Rig) -> None:
    leaving = asyncio.create_task(rig.api.status.encoded())
    staying = asyncio.create_task(rig.api.status.encoded())
    await asyncio.sleep(0)
    leaving.cancel()
    assert b'"database":"ok"' in await staying


async def test_no_secret_is_told(rig: Rig) -> None:
    async with rig.client.get(PATH) as response:
        assert KEY not in await response.text()


def test_the_example_is_one() -> None:
    assert StatusSchema().validate(STATUS) == {}
