"""Fresh rates over HTTP: what is answered, and how each kind of failure looks."""

import asyncio

import pytest

from shared.domain.visit import FailureKind
from shared.messages import Role
from tests.api.conftest import StartRig
from tests.api.rig import COINS, KEY, Rig, coin, observed, renew_catalog, until

PATH = "/api/latestrate/1/"


async def test_a_worker_visits_stores_and_only_then_the_api_answers(rig: Rig) -> None:
    await rig.advance(seconds=3)
    body = await rig.get(PATH)
    assert body["fetched_at"] == "2026-11-20T12:00:03.250Z"
    stored = await rig.storage.rate(body["id"])
    assert stored is not None
    assert str(stored.price_usd) == body["price_usd"] == "101"


async def test_the_answer_says_how_fresh_it_is_and_is_stored_by_nobody(rig: Rig) -> None:
    status, headers = await rig.headers(PATH)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert headers["Age"] == "0"
    assert "Last-Modified" in headers


async def test_the_request_id_travels_in_the_command(rig: Rig) -> None:
    _, headers = await rig.headers(PATH, **{"X-Request-ID": "my-trace.1"})
    assert headers["X-Request-ID"] == "my-trace.1"
    assert rig.worker.commands[0].request_id == "my-trace.1"


async def test_an_unknown_currency_is_404_and_queues_nothing(rig: Rig) -> None:
    await rig.get("/api/latestrate/77/", status=404)
    assert (await rig.queue.depth(Role.PRICING)).accepted == 0


async def test_without_a_catalog_it_is_503(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    body = await rig.get(PATH, status=503)
    assert body["type"] == "/problems/catalog-not-loaded"
    assert (await rig.queue.depth(Role.PRICING)).accepted == 0


async def test_a_catalog_that_was_stored_a_moment_ago_is_enough(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    entries = [coin(1, "BTC", 1)]
    await rig.storage.record_catalog(entries[0].currency.kind, entries, stored_at=rig.clock())
    assert (await rig.get(PATH))["symbol"] == "BTC"
    assert not rig.api.catalog.is_loaded
    body = await rig.get("/api/latestrate/77/", status=503)
    assert body["type"] == "/problems/catalog-not-loaded"


async def test_a_new_currency_works_as_soon_as_the_catalog_says_so(rig: Rig) -> None:
    await renew_catalog(rig, coin(1, "BTC", 1), coin(42, "NEW", 3))
    await until(lambda: len(rig.api.catalog) == len(COINS) + 2)
    assert (await rig.get("/api/latestrate/42/"))["symbol"] == "NEW"


async def test_a_new_currency_works_even_before_the_catalog_was_read_again(rig: Rig) -> None:
    entries = [coin(1, "BTC", 1), coin(43, "NEWER", 3)]
    await rig.storage.record_catalog(entries[0].currency.kind, entries, stored_at=rig.clock())
    assert (await rig.get("/api/latestrate/43/"))["symbol"] == "NEWER"


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
    start: StartRig, kind: FailureKind, status: int
) -> None:
    rig = await start(refresh_timeout_seconds=0.1)
    await rig.store(observed(price="5"))
    rig.worker.failure = kind
    async with rig.client.get(PATH) as response:
        body = await response.json(content_type=None)
        assert response.status == status, body
        assert response.headers["Freshrate-Stale"] == "true"
        assert ("Retry-After" in response.headers) == (status == 503)
    assert body["last_rate"]["price_usd"] == "5"
    assert body["last_rate"]["stale"] is True


async def test_a_failure_without_any_rate_says_null(rig: Rig) -> None:
    rig.worker.failure = FailureKind.VISITED
    assert (await rig.get(PATH, status=502))["last_rate"] is None


async def test_retry_after_is_whole_seconds_rounded_up(rig: Rig) -> None:
    rig.worker.failure = FailureKind.NOT_TRIED
    _, headers = await rig.headers(PATH)
    assert headers["Retry-After"] == "8"


async def test_head_is_405_because_it_would_spend_credits(rig: Rig) -> None:
    async with rig.client.head(PATH) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET"
    assert rig.worker.visits == []


async def test_90_callers_share_one_visit(rig: Rig) -> None:
    rig.worker.hold.clear()
    calls = [asyncio.create_task(rig.get(PATH)) for _ in range(90)]
    await until(lambda: rig.worker.visits)
    rig.worker.hold.set()
    bodies = await asyncio.gather(*calls)
    assert len({body["id"] for body in bodies}) == 1
    assert rig.worker.visits == [(1,)]


async def test_the_limit_per_client_is_429_with_retry_after(start: StartRig) -> None:
    rig = await start(refreshes_per_minute=2)
    await rig.get(PATH)
    await rig.get("/api/lastrate/1/?max_age=0")
    status, headers = await rig.headers(PATH, **{"X-Forwarded-For": "10.1.2.3"})
    assert status == 429
    assert headers["Retry-After"] == "30"
    await rig.advance(seconds=30)
    await rig.get(PATH)


async def test_a_valid_key_has_a_limit_of_its_own_and_an_invalid_one_has_not(start: StartRig) -> None:
    rig = await start(refreshes_per_minute=1)
    await rig.get(PATH)
    assert (await rig.headers(PATH, **{"X-API-Key": KEY}))[0] == 200
    assert (await rig.headers(PATH, **{"X-API-Key": "made-up"}))[0] == 429


async def test_answers_from_memory_spend_nothing(start: StartRig) -> None:
    rig = await start(refreshes_per_minute=1)
    await rig.store(observed())
    for _ in range(3):
        await rig.get("/api/lastrate/1/?max_age=60")
    assert (await rig.get(PATH))["currency"] == 1


async def test_an_outage_of_the_queue_is_503_at_once_and_reads_still_work(rig: Rig) -> None:
    await rig.store(observed(price="5"))
    await rig.queue.close()
    body = await rig.get(PATH, status=503)
    assert body["type"] == "/problems/queue-unavailable"
    assert body["last_rate"]["price_usd"] == "5"
    assert (await rig.get("/api/lastrate/1/"))["price_usd"] == "5"
