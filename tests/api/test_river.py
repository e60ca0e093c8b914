"""The river of facts and the listing: they survive everything, and truth wins in the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import river
from shared.domain.rate import Rate
from shared.errors import StorageUnavailable
from shared.messages import CatalogStored
from shared.ports import Gap, StreamEvent
from tests.api.rig import Rig, coin, observed, recorded, renew_catalog, until


async def test_the_listing_finds_what_no_fact_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(river, "LISTING_SECONDS", 0.02)
    rig.api.river._take(Gap())
    await recorded(rig.storage, observed(price="7"))
    await until(lambda: rig.api.memory.known(1))
    assert (await rig.get("/api/lastrate/1/"))["price_usd"] == "7"


@pytest.mark.parametrize("error", [StorageUnavailable("down"), ValueError("a defect")])
async def test_a_listing_that_fails_is_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(river, "RETRY_SECONDS", 0.01)
    original, failures = rig.storage.last_rates, [error, error, error]

    async def down(currency_ids: Any = None) -> list[Rate]:
        if failures:
            raise failures.pop()
        return await original(currency_ids)

    monkeypatch.setattr(rig.storage, "last_rates", down)
    await recorded(rig.storage, observed(price="7"))
    rig.api.river._take(Gap())
    await until(lambda: rig.api.memory.known(1))
    assert not failures


async def test_a_stream_that_breaks_is_read_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(river, "RETRY_SECONDS", 0.01)
    original, opened = rig.queue.events, []

    def breaking() -> AsyncIterator[StreamEvent]:
        opened.append(True)
        if len(opened) == 1:
            raise ValueError("a defect")
        return original()

    monkeypatch.setattr(rig.queue, "events", breaking)
    reading = asyncio.create_task(rig.api.river._read())
    await until(lambda: len(opened) == 2)
    await rig.store(observed(price="7"))
    assert rig.api.river.is_flowing
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_catalog_that_cannot_be_read_now_is_read_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(river, "RETRY_SECONDS", 0.01)
    original, failures = rig.storage.catalog, [StorageUnavailable(), StorageUnavailable()]

    async def down() -> Any:
        if failures:
            raise failures.pop()
        return await original()

    monkeypatch.setattr(rig.storage, "catalog", down)
    known = len(rig.api.catalog)
    await renew_catalog(rig, coin(42, "NEW", 1))
    await until(lambda: len(rig.api.catalog) == known + 1)
    assert not failures


async def test_many_rates_are_learned_in_turns(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(river, "CHUNK", 1)
    await recorded(rig.storage, observed(1), observed(1027), observed(5))
    rig.api.river._take(Gap())
    await until(lambda: rig.api.memory.known(5))
    assert rig.api.memory.known(1027) is not None


# The catalog


async def test_a_catalog_that_nobody_asked_for_is_read_and_ends_no_renewal(rig: Rig) -> None:
    rig.worker.renewal_hold.clear()
    waiting = asyncio.create_task(rig.api.renewals.renew(request_id="test"))
    await until(lambda: rig.worker.renewals)
    await renew_catalog(rig, coin(42, "NEW", 1))
    await until(lambda: rig.api.catalog.named("new"))
    assert rig.api.renewals.last is None
    assert not waiting.done()
    rig.worker.renewal_hold.set()
    assert await waiting is None


async def test_a_catalog_that_was_asked_for_by_another_process_is_noted_once_it_was_read(rig: Rig) -> None:
    await rig.storage.add_currencies([coin(42, "NEW", 1)], stored_at=rig.clock())
    told = rig.clock()
    await rig.queue.announce([CatalogStored(currencies=1, command_ids=("another",))])
    await until(lambda: rig.api.renewals.last)
    assert rig.api.renewals.last is not None
    assert (rig.api.renewals.last.told_at, rig.api.renewals.last.command_ids) == (
        told,
        frozenset({"another"}),
    )
    assert rig.api.catalog.get(42)


async def test_guessing_ids_asks_the_store_at_most_once_a_second(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, asked = rig.storage.currency, []

    async def counted(currency_id: int) -> Any:
        asked.append(currency_id)
        return await original(currency_id)

    monkeypatch.setattr(rig.storage, "currency", counted)
    for number in range(500, 520):
        await rig.get(f"/api/lastrate/{number}/", status=404)
    assert len(asked) == 1
    rig.clock.advance(seconds=1)
    await rig.get("/api/lastrate/600/", status=404)
    assert len(asked) == 2


async def test_an_unknown_id_stays_404_while_the_database_is_down(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_currency_id: int) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(rig.storage, "currency", down)
    assert (await rig.headers("/api/lastrate/777/"))[0] == 404
    assert (await rig.headers("/api/currencies/1/"))[0] == 503
