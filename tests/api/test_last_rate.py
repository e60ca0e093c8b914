"""The last rate from memory: what is served, how old it says it is, and how it is renewed."""

from collections.abc import Collection
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.rate import Rate
from shared.errors import StorageUnavailable
from shared.ports import Storage
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, observed, recorded, until

PATH = "/api/lastrate/1/"
EURO = CatalogEntry(
    Currency(
        id=2790, name="Euro", symbol="EUR", slug="euro", rank=None, is_active=True, kind=CurrencyKind.FIAT
    ),
    CurrencyMetadata(sign="€"),
)


async def test_the_last_rate_has_every_field_exactly(rig: Rig) -> None:
    (rate,) = await rig.store(observed())
    assert await rig.get(PATH) == {
        "id": rate.id,
        "currency": 1,
        "symbol": "BTC",
        "price_usd": "42885.00187617128",
        "percent_change_1h": -0.12,
        "percent_change_24h": None,
        "volume_24h": "21987345123.4518",
        "market_cap": None,
        "source": "coinmarketcap",
        "actual_date": "2026-11-20T11:59:00.250Z",
        "fetched_at": "2026-11-20T12:00:00.250Z",
        "date_added": "2026-11-20T12:00:00.250Z",
        "stale": False,
    }


async def test_no_digit_is_lost(rig: Rig) -> None:
    await rig.store(observed(price="0.0000000000000000000000123456789012345678"))
    assert (await rig.get(PATH))["price_usd"] == "0.0000000000000000000000123456789012345678"


async def test_a_currency_without_rate_is_404_that_names_latestrate(rig: Rig) -> None:
    body = await rig.get(PATH, status=404)
    assert "/api/latestrate/1/" in body["detail"]


async def test_an_unknown_currency_is_404(rig: Rig) -> None:
    body = await rig.get("/api/lastrate/999/", status=404)
    assert body["type"] == "/problems/unknown-currency"


async def test_age_is_judged_against_the_answers_own_date(rig: Rig) -> None:
    await rig.store(observed())
    await rig.advance(seconds=41)
    _, headers = await rig.headers(PATH)
    date = parsedate_to_datetime(headers["Date"])
    modified = parsedate_to_datetime(headers["Last-Modified"])
    assert int(headers["Age"]) == 41 == (date - modified).total_seconds()
    assert headers["Cache-Control"] == "no-cache"
    assert headers["ETag"].startswith('W/"')
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_rate_from_a_clock_ahead_has_age_zero(rig: Rig) -> None:
    await rig.store(observed(), fetched_at=START + timedelta(seconds=30))
    _, headers = await rig.headers(PATH)
    assert headers["Age"] == "0"


async def test_what_was_served_as_fresh_becomes_stale_when_its_time_comes(rig: Rig) -> None:
    await rig.store(observed())
    await rig.advance(seconds=900)
    assert (await rig.get(PATH))["stale"] is False
    await rig.advance(seconds=1)
    assert (await rig.get(PATH))["stale"] is True
    _, headers = await rig.headers(PATH)
    assert headers["Freshrate-Stale"] == "true"


async def test_fresh_answers_do_not_say_stale(rig: Rig) -> None:
    await rig.store(observed())
    _, headers = await rig.headers(PATH)
    assert "Freshrate-Stale" not in headers


async def test_the_first_preferred_source_wins_while_it_is_not_stale(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=600)
    await rig.store(observed(price="2", source="another", observed_at=rig.clock()))
    assert (await rig.get(PATH))["source"] == "coinmarketcap"
    await rig.advance(seconds=400)
    assert (await rig.get(PATH))["source"] == "another"


async def test_where_all_are_stale_the_newest_wins(rig: Rig) -> None:
    await rig.store(
        observed(price="1"),
        observed(price="2", source="another", observed_at=START - timedelta(seconds=10)),
    )
    await rig.advance(days=1)
    assert (await rig.get(PATH))["source"] == "another"


async def test_a_fact_renews_what_is_served(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    assert (await rig.get(PATH))["price_usd"] == "1"
    await rig.advance(seconds=5)
    (rate,) = await rig.store(observed(price="2", observed_at=rig.clock()))
    await until(lambda: rig.api.memory.fetched_since(1, rate.fetched_at))
    assert (await rig.get(PATH))["price_usd"] == "2"


async def test_past_its_life_the_store_is_read_again_while_the_old_is_served(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=30)
    await recorded(rig.storage, observed(price="2", observed_at=rig.clock()), fetched_at=rig.clock())
    assert (await rig.get(PATH))["price_usd"] == "1"
    await rig.advance(seconds=31)
    assert (await rig.get(PATH))["price_usd"] == "1"
    await until(lambda: rig.api.memory.fetched_since(1, START + timedelta(seconds=30)))
    assert (await rig.get(PATH))["price_usd"] == "2"


async def test_a_rate_that_only_the_store_has_is_found(rig: Rig) -> None:
    await recorded(rig.storage, observed(1027, "3000"))
    assert (await rig.get("/api/lastrate/1027/"))["price_usd"] == "3000"


async def test_a_currency_whose_absence_is_remembered_is_looked_up_again_after_the_ttl(rig: Rig) -> None:
    await rig.get("/api/lastrate/1027/", status=404)
    await recorded(rig.storage, observed(1027, "3000"))
    await rig.advance(seconds=61)
    assert (await rig.get("/api/lastrate/1027/"))["price_usd"] == "3000"


async def test_head_is_get_without_a_body(rig: Rig) -> None:
    await rig.store(observed())
    async with rig.client.head(PATH) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 100
        assert await response.read() == b""


async def test_http_1_0_and_closing_connections_get_the_same_answer(rig: Rig) -> None:
    await rig.store(observed())
    async with rig.client.get(PATH, headers={"Connection": "close"}) as response:
        assert response.headers["Connection"] == "close"
        assert await response.json() == await rig.get(PATH)


async def test_max_age_is_served_from_memory_where_the_rate_is_younger(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=10)
    assert (await rig.get(f"{PATH}?max_age=10"))["price_usd"] == "1"
    _, headers = await rig.headers(f"{PATH}?max_age=10")
    assert headers["Cache-Control"] == "no-store"
    assert rig.worker.visits == []


async def test_max_age_refreshes_an_older_rate_first(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=11)
    body = await rig.get(f"{PATH}?max_age=10")
    assert body["price_usd"] == "101"
    assert rig.worker.visits == [(1,)]


async def test_max_age_0_always_refreshes(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    assert (await rig.get(f"{PATH}?max_age=0"))["price_usd"] == "101"


async def test_without_a_catalog_the_store_still_tells_who_exists(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    assert (await rig.get(PATH, status=404))["type"] == "/problems/unknown-currency"


# max_age looks into the store


def reads_of(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Which currencies are read from the store from now on; the listing, which reads all, does not count."""
    reads: list[list[int]] = []
    original = rig.storage.last_rates

    async def counted(currency_ids: Collection[int] | None = None) -> list[Rate]:
        if currency_ids is not None:
            reads.append(sorted(currency_ids))
        return await original(currency_ids)

    monkeypatch.setattr(rig.storage, "last_rates", counted)
    return reads


async def test_max_age_finds_a_young_rate_that_another_process_stored(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=61)
    await recorded(rig.storage, observed(price="2", observed_at=rig.clock()), fetched_at=rig.clock())
    reads = reads_of(rig, monkeypatch)
    assert (await rig.get(f"{PATH}?max_age=10"))["price_usd"] == "2"
    assert reads == [[1]]
    assert rig.worker.visits == []


async def test_max_age_finds_the_first_rate_of_a_currency_in_the_store(rig: Rig) -> None:
    await recorded(rig.storage, observed(1027, "3000"))
    assert (await rig.get("/api/lastrate/1027/?max_age=10"))["price_usd"] == "3000"
    assert rig.worker.visits == []


async def test_max_age_refreshes_where_the_store_has_nothing_young_either(rig: Rig) -> None:
    await recorded(rig.storage, observed(1027, "3000"))
    await rig.advance(seconds=61)
    assert (await rig.get("/api/lastrate/1027/?max_age=60"))["price_usd"] == "101"
    assert rig.worker.visits == [(1027,)]


async def test_max_age_looks_into_the_store_also_within_the_life_of_what_memory_holds(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=20)
    reads = reads_of(rig, monkeypatch)
    await recorded(rig.storage, observed(price="2", observed_at=rig.clock()), fetched_at=rig.clock())
    assert (await rig.get(f"{PATH}?max_age=10"))["price_usd"] == "2"
    assert (reads, rig.worker.visits) == ([[1]], [])


async def test_max_age_counts_the_most_preferred_source_that_is_young_enough(rig: Rig) -> None:
    await rig.store(observed(price="1"))
    await rig.advance(seconds=30)
    await rig.store(observed(price="2", source="another", observed_at=rig.clock()))
    assert (await rig.get(f"{PATH}?max_age=10"))["source"] == "another"
    assert (await rig.get(f"{PATH}?max_age=30"))["source"] == "coinmarketcap"
    assert (await rig.get(PATH))["source"] == "coinmarketcap"
    assert rig.worker.visits == []


async def test_max_age_refreshes_though_the_store_cannot_be_read_here(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_currency_ids: object = None) -> list[Rate]:
        raise StorageUnavailable

    await rig.store(observed(price="1"))
    await rig.advance(seconds=61)
    monkeypatch.setattr(rig.storage, "last_rates", down)
    assert (await rig.get(f"{PATH}?max_age=10"))["price_usd"] == "101"


async def test_max_age_of_an_unknown_currency_costs_no_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = reads_of(rig, monkeypatch)
    body = await rig.get("/api/lastrate/999/?max_age=10", status=404)
    assert body["type"] == "/problems/unknown-currency"
    assert reads == []


# Fiat currencies are asked for less often, so they are stale later


@pytest.mark.parametrize(("currency_id", "fresh_at", "stale_at"), [(2790, 50, 76), (1, 14, 16)])
async def test_the_age_of_staleness_depends_on_how_often_a_currency_is_due(
    start: StartRig, storage: Storage, currency_id: int, fresh_at: int, stale_at: int
) -> None:
    await storage.record_catalog(CurrencyKind.FIAT, [EURO], stored_at=START)
    rig = await start(fiat_schedule="1h", stale_after_seconds=900)
    await rig.store(observed(), observed(2790, "1.0853"), fetched_at=START)
    path = f"/api/lastrate/{currency_id}/"
    await rig.advance(minutes=fresh_at)
    assert (await rig.get(path))["stale"] is False
    await rig.advance(minutes=stale_at - fresh_at)
    assert (await rig.get(path))["stale"] is True


async def test_a_cron_expression_gives_fiat_currencies_the_time_between_its_ticks(
    start: StartRig, storage: Storage
) -> None:
    await storage.record_catalog(CurrencyKind.FIAT, [EURO], stored_at=START)
    rig = await start(fiat_schedule="0 */2 * * *", stale_after_seconds=900)
    await rig.store(observed(2790, "1.0853"), fetched_at=START)
    await rig.advance(minutes=134)
    assert (await rig.get("/api/lastrate/2790/"))["stale"] is False
    await rig.advance(minutes=2)
    assert (await rig.get("/api/lastrate/2790/"))["stale"] is True


async def test_the_source_of_fiat_currencies_goes_before_all_others(
    start: StartRig, storage: Storage
) -> None:
    await storage.record_catalog(CurrencyKind.FIAT, [EURO], stored_at=START)
    rig = await start()
    await rig.store(
        observed(2790, "1.08", source="frankfurter", observed_at=START - timedelta(hours=20)),
        observed(2790, "1.09"),
    )
    assert (await rig.get("/api/lastrate/2790/"))["source"] == "frankfurter"
