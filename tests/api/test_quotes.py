"""What an answer with quotes says: currencies, prices in every direction, the way of each, and its headers."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from yarl import URL

from api.known_paths import MOST
from api.quotes import cards, sides
from shared.domain.currency import CurrencyKind, CurrencyProfile
from shared.domain.identity import DecidedBy
from shared.domain.visit import FailureKind
from shared.errors import StorageUnavailable
from tests.api.conftest import StartRig
from tests.api.quotes import (
    BTC,
    DUP,
    DUP_UNRANKED,
    ECB,
    ETH,
    EUR,
    HIT,
    PATH,
    UPSTREAM,
    open_market,
    prices,
    quotes,
    renew_catalog,
    trade,
    way,
)
from tests.api.rig import COINS, START, Rig, coin, observed, until
from tests.api.test_merged import decide

PROFILE = CurrencyProfile(
    circulating_supply=Decimal("19987654.5"),
    max_supply=Decimal(21000000),
    tags=("mineable", "pow"),
    links={"website": ("https://bitcoin.org/",)},
)


@pytest.fixture
async def market(rig: Rig) -> Rig:
    await open_market(rig)
    await trade(rig)
    return rig


async def test_an_answer_says_everything_of_the_currency_and_of_its_price(market: Rig) -> None:
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await market.advance(seconds=12)
    assert await market.get(f"{PATH}?symbol=BTC&convert=EUR") == {
        "results": [
            {
                "id": 1,
                "name": "Bitcoin",
                "symbol": "BTC",
                "slug": "btc-1",
                "rank": 1,
                "is_active": True,
                "first_seen": "2010-07-13T00:00:00.000Z",
                "platform": None,
                "sign": None,
                "circulating_supply": "19987654.5",
                "total_supply": None,
                "max_supply": "21000000",
                "tags": ["mineable", "pow"],
                "links": {"website": ["https://bitcoin.org/"]},
                "also": [],
                "quotes": [
                    {
                        "currency": EUR,
                        "symbol": "EUR",
                        "price": "39708.33507052896296296296296",
                        "actual_date": "2026-11-19T15:00:00.000Z",
                        "age": 12,
                        "stale": False,
                        "path": [
                            {
                                "pair": "BTC/USD",
                                "source": "coinmarketcap",
                                "actual_date": "2026-11-20T11:59:00.250Z",
                                "age": 12,
                            },
                            {
                                "pair": "USD/EUR",
                                "source": "frankfurter",
                                "actual_date": "2026-11-19T15:00:00.000Z",
                                "age": 12,
                            },
                        ],
                    }
                ],
            }
        ],
        "unknown": [],
    }


# Prices


@pytest.mark.parametrize(
    ("base", "target", "price", "pairs"),
    [
        ("BTC", "USD", "42885.00187617128", ["BTC/USD"]),
        ("BTC", "EUR", "39708.33507052896296296296296", ["BTC/USD", "USD/EUR"]),
        ("EUR", "BTC", "0.00002518362953832802924167639776", ["EUR/USD", "USD/BTC"]),
        ("BTC", "ETH", "17.15057063634124375124975005", ["BTC/USD", "USD/ETH"]),
        ("USD", "EUR", "0.9259259259259259259259259259", ["USD/EUR"]),
        ("USD", "BTC", "0.00002331817549845187892747814607", ["USD/BTC"]),
        ("EUR", "USD", "1.08", ["EUR/USD"]),
        ("EUR", "EUR", "1", []),
        ("USD", "USD", "1", []),
    ],
)
async def test_every_direction_leads_through_the_dollar(
    market: Rig, base: str, target: str, price: str, pairs: list[str]
) -> None:
    (quote,) = (await quotes(market, f"symbol={base}&convert={target}")).values()
    assert quote["price"] == price
    assert [leg["pair"] for leg in quote["path"]] == pairs


async def test_fiat_in_fiat_goes_the_same_way(market: Rig) -> None:
    await market.store(observed(2806, "0.0125", observed_at=START))
    found = await quotes(market, "symbol=EUR,RUB&convert=RUB,EUR")
    assert (found["EUR", "RUB"]["price"], found["RUB", "RUB"]["price"]) == ("86.4", "1")
    assert found["RUB", "EUR"]["price"] == "0.01157407407407407407407407407"


async def test_there_and_back_again_is_one(market: Rig) -> None:
    there = (await prices(market, "symbol=BTC&convert=ETH"))["BTC", "ETH"]
    assert there is not None
    back = (await prices(market, f"symbol=ETH&convert=BTC&amount={there}"))["ETH", "BTC"]
    assert back is not None
    assert abs(back - 1) < Decimal("1e-27")


@pytest.mark.parametrize(
    ("amount", "price"),
    [
        ("0", "0"),
        ("0.000", "0"),
        ("1", "42885.00187617128"),
        ("2.5", "107212.504690428200"),
        ("007", "300195.01313319896"),
        ("0.000000000000000000000000000001", "0.00000000000000000000000004288500187617128"),
        ("9" * 30, "42885001876171279999999999999957114.99812382872"),
    ],
)
async def test_an_amount_is_multiplied_exactly(market: Rig, amount: str, price: str) -> None:
    (quote,) = (await quotes(market, f"symbol=BTC&amount={amount}")).values()
    assert quote["price"] == price


async def test_a_quote_is_as_old_as_its_oldest_leg(market: Rig) -> None:
    await market.advance(seconds=20)
    await market.store(observed(EUR, "1.1", source="frankfurter", observed_at=ECB + timedelta(hours=1)))
    await market.advance(seconds=5)
    query = "symbol=EUR,BTC&convert=BTC,USD"
    found = await quotes(market, query)
    assert {pair: (one["age"], one["actual_date"]) for pair, one in found.items()} == {
        ("EUR", "BTC"): (25, "2026-11-20T11:59:00.250Z"),
        ("EUR", "USD"): (5, "2026-11-19T16:00:00.000Z"),
        ("BTC", "BTC"): (0, None),
        ("BTC", "USD"): (25, "2026-11-20T11:59:00.250Z"),
    }
    assert [leg["age"] for leg in found["EUR", "BTC"]["path"]] == [5, 25]
    _, headers = await market.headers(f"{PATH}?{query}")
    assert headers["Age"] == "25"


async def test_stale_legs_make_stale_quotes(market: Rig) -> None:
    await market.advance(minutes=14)
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    await market.advance(minutes=2)
    found = await quotes(market, "symbol=BTC,ETH&convert=USD,ETH")
    assert {pair: one["stale"] for pair, one in found.items()} == {
        ("BTC", "USD"): False,
        ("BTC", "ETH"): True,
        ("ETH", "USD"): True,
        ("ETH", "ETH"): False,
    }
    for query, stale in (("symbol=BTC", None), ("symbol=BTC&convert=ETH", "true")):
        _, headers = await market.headers(f"{PATH}?{query}")
        assert headers.get("Freshrate-Stale") == stale


# Currencies


async def test_symbols_are_found_in_any_case_and_each_once(market: Rig) -> None:
    body = await market.get(f"{PATH}?symbol=eth , BTC,Eth,btc&convert=eur,%20EUR")
    assert [row["id"] for row in body["results"]] == [ETH, BTC]
    assert [[one["currency"] for one in row["quotes"]] for row in body["results"]] == [[EUR]] * 2


async def test_of_many_of_one_symbol_the_best_ranked_is_meant_and_the_others_are_named(market: Rig) -> None:
    body = await market.get(f"{PATH}?symbol=dup")
    assert [(row["id"], row["also"]) for row in body["results"]] == [(DUP, [DUP_UNRANKED])]
    body = await market.get(f"{PATH}?id={DUP_UNRANKED},{DUP}")
    assert [(row["id"], row["also"]) for row in body["results"]] == [(DUP_UNRANKED, []), (DUP, [])]


async def test_a_fiat_currency_wins_over_a_coin_of_its_code_in_convert_alone(market: Rig) -> None:
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS, coin(77, "EUR", 3)), stored_at=START)
    await renew_catalog(market)
    await market.store(observed(77, "5", observed_at=START))
    body = await market.get(f"{PATH}?symbol=EUR&convert=EUR")
    assert [(row["id"], row["also"]) for row in body["results"]] == [(77, [EUR])]
    assert [one["currency"] for one in body["results"][0]["quotes"]] == [EUR]


async def test_ids_are_exact_and_may_be_inactive(market: Rig) -> None:
    await market.advance(seconds=1)
    await market.storage.record_catalog(CurrencyKind.CRYPTO, COINS[:2], stored_at=market.clock())
    await renew_catalog(market)
    await market.store(observed(DUP, "3", observed_at=START))
    body = await market.get(f"{PATH}?id={DUP},{DUP}&convert_id={BTC},{BTC}")
    assert [(row["id"], row["is_active"]) for row in body["results"]] == [(DUP, False)]
    assert [one["currency"] for one in body["results"][0]["quotes"]] == [BTC]
    body = await market.get(f"{PATH}?symbol=BTC,DUP")
    assert (len(body["results"]), body["unknown"]) == (1, ["DUP"])


async def test_what_there_is_not_is_named_beside_what_there_is(market: Rig) -> None:
    body = await market.get(f"{PATH}?symbol=nope,BTC,Nada,NOPE")
    assert ([row["id"] for row in body["results"]], body["unknown"]) == ([BTC], ["nope", "Nada"])
    body = await market.get(f"{PATH}?id=777,{BTC},778")
    assert ([row["id"] for row in body["results"]], body["unknown"]) == ([BTC], [777, 778])
    assert market.worker.commands == []


@pytest.mark.parametrize(("query", "unknown"), [("symbol=NOPE,NADA", ["NOPE", "NADA"]), ("id=777", [777])])
async def test_where_all_is_unknown_that_is_404(market: Rig, query: str, unknown: list[Any]) -> None:
    body = await market.get(f"{PATH}?{query}", status=404)
    assert (body["type"], body["unknown"]) == ("/problems/unknown-currency", unknown)
    assert "/api/currencies/" in body["detail"]


@pytest.mark.parametrize(
    ("query", "name"), [("symbol=BTC&convert=EUR,NOPE", "convert"), ("id=1&convert_id=777", "convert_id")]
)
async def test_an_unknown_currency_to_convert_to_is_400(market: Rig, query: str, name: str) -> None:
    body = await market.get(f"{PATH}?{query}", status=400)
    (said,) = body["errors"][name]
    assert ("NOPE" if name == "convert" else "777") in said


async def test_what_is_wrong_with_convert_is_told_before_what_is_unknown(market: Rig) -> None:
    assert "convert" in (await market.get(f"{PATH}?symbol=NOPE&convert=NADA", status=400))["errors"]


async def test_a_symbol_that_is_new_is_found_by_a_renewed_catalog(market: Rig) -> None:
    market.worker.newcomers = (coin(99, "NEW", 50), coin(100, "NEWER", 51))
    found = await quotes(market, "symbol=NEW,NOPE&convert=NEWER")
    assert found["NEW", "NEWER"]["price"] is not None
    assert len(market.worker.renewals) == 1
    assert [sorted(one.currency_ids) for one in market.worker.commands] == [[99, 100]]


async def test_where_the_catalog_cannot_be_renewed_that_is_the_answer_only_where_there_is_no_other(
    market: Rig,
) -> None:
    market.worker.renewal_failure = FailureKind.NOT_TRIED
    body = await market.get(f"{PATH}?symbol=BTC,NOPE")
    assert (len(body["results"]), body["unknown"]) == (1, ["NOPE"])
    for query in ("symbol=NOPE", "symbol=BTC&convert=NOPE"):
        status, headers = await market.headers(f"{PATH}?{query}")
        assert (status, headers["Retry-After"]) == (503, "8")
    assert "convert_id" in (await market.get(f"{PATH}?symbol=NOPE&convert_id=777", status=400))["errors"]
    market.worker.renewal_failure = None
    assert (await market.get(f"{PATH}?symbol=NOPE", status=404))["unknown"] == ["NOPE"]


async def test_ids_never_renew_the_catalog(market: Rig) -> None:
    await market.get(f"{PATH}?id=777", status=404)
    assert market.worker.renewals == []


async def test_without_a_catalog_nothing_can_be_looked_up(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    body = await rig.get(f"{PATH}?symbol=BTC", status=503)
    assert body["type"] == "/problems/catalog-not-loaded"


# What is told of currencies


async def test_what_is_told_of_a_currency_is_read_once_until_the_catalog_changes(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, read = market.storage.descriptions, []

    async def counted(currency_ids: Any) -> Any:
        read.append(sorted(currency_ids))
        return await original(currency_ids)

    monkeypatch.setattr(market.storage, "descriptions", counted)
    for _ in range(3):
        await market.get(f"{PATH}?symbol=BTC,ETH")
        await market.get(f"{PATH}?symbol=ETH,DUP")
    assert read == [[BTC, ETH], [DUP]]
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await renew_catalog(market)
    body = await market.get(f"{PATH}?symbol=BTC")
    assert body["results"][0]["tags"] == ["mineable", "pow"]
    assert read == [[BTC, ETH], [DUP], [BTC]]


async def test_without_the_store_a_currency_says_what_memory_knows_and_that_is_not_kept(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_ids: Any) -> Any:
        raise StorageUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(market.storage, "descriptions", away)
        (row,) = (await market.get(f"{PATH}?symbol=BTC"))["results"]
    assert (row["name"], row["rank"], row["first_seen"], row["tags"], row["links"]) == (
        "Bitcoin",
        1,
        None,
        [],
        {},
    )
    (row,) = (await market.get(f"{PATH}?symbol=BTC"))["results"]
    assert row["first_seen"] == "2010-07-13T00:00:00.000Z"


async def test_what_is_told_is_kept_within_a_bound(market: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = market.api.quotes.cards
    await market.get(f"{PATH}?symbol=BTC,ETH,DUP,EUR")
    assert (len(kept), kept.bytes) == (4, sum(len(one.body) for one in kept._cards.values()))
    monkeypatch.setattr(cards, "LARGEST_CACHE", kept.bytes)
    await market.get(f"{PATH}?symbol=RUB&convert=RUB")
    assert (list(kept._cards)[-1], BTC in kept._cards) == (2806, False)
    assert kept.bytes == sum(len(one.body) for one in kept._cards.values()) <= cards.LARGEST_CACHE


async def test_names_that_change_in_the_catalog_change_in_ready_answers(market: Rig) -> None:
    for _ in range(2):
        assert "Bitcoin" in (await market.get(f"{PATH}?symbol=BTC"))["results"][0]["name"]
    renamed = coin(BTC, "BTC", 1, "Bitcoin Classic Coke")
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (renamed, *COINS[1:]), stored_at=START)
    await renew_catalog(market)
    for _ in range(2):
        assert (await market.get(f"{PATH}?symbol=BTC"))["results"][0]["name"] == "Bitcoin Classic Coke"


async def test_a_symbol_that_goes_to_another_currency_takes_ready_answers_with_it(market: Rig) -> None:
    for _ in range(2):
        assert (await market.get(f"{PATH}?symbol=DUP"))["results"][0]["id"] == DUP
    better = coin(DUP_UNRANKED, "DUP", 3)
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS[:3], better), stored_at=START)
    await renew_catalog(market)
    body = await market.get(f"{PATH}?symbol=DUP")
    assert (body["results"][0]["id"], body["results"][0]["also"]) == (DUP_UNRANKED, [DUP])


async def test_a_merged_currency_answers_as_its_successor(market: Rig) -> None:
    local = await decide(market, None, DecidedBy.NONE)
    await until(lambda: market.api.catalog.get(local))
    await market.store(observed(local, "3", observed_at=START))
    path = f"{PATH}?id={local}"
    for _ in range(2):
        assert (await market.get(path))["results"][0]["id"] == local
    await decide(market, ETH, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: local in market.api.catalog.merged())
    body = await market.get(f"{path},{ETH}&convert_id={local},{BTC}")
    assert [row["id"] for row in body["results"]] == [ETH]
    assert [one["currency"] for one in body["results"][0]["quotes"]] == [ETH, BTC]
    assert (await market.get(path))["results"][0]["id"] == ETH


# Headers


async def test_an_answer_says_how_old_it_is_and_what_may_be_done_with_it(market: Rig) -> None:
    await market.advance(seconds=12)
    for _ in range(2):
        status, headers = await market.headers(f"{PATH}?symbol=BTC&convert=EUR", **{"X-Request-ID": "mine"})
        assert status == 200
        assert headers["Date"] == "Fri, 20 Nov 2026 12:00:12 GMT"
        assert headers["Age"] == "12"
        assert headers["Cache-Status"] == HIT
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-ID"] == "mine"
        assert headers["ETag"].startswith('W/"')
        assert "Last-Modified" not in headers
        assert "Freshrate-Stale" not in headers


async def test_ready_answers_are_what_others_are_and_go_ahead_of_the_router(market: Rig) -> None:
    counted: list[str] = []
    original = market.api.request_metrics.count

    def count(route: str, status: int, seconds: float) -> None:
        counted.append(route)
        original(route, status, seconds)

    market.api.request_metrics.count = count  # type: ignore[method-assign]
    path = f"{PATH}?symbol=BTC,eth,DUP&convert=EUR,ETH,USD,BTC&amount=3"
    await market.store(observed(DUP, "0.1", observed_at=START))
    await market.advance(minutes=14)
    await market.store(observed(ETH, "2600", observed_at=market.clock()))
    await market.advance(minutes=1, seconds=10)
    seen = []
    await market.get(path)
    await market.get(path)
    for more in ({}, {}, {"Connection": "close"}):
        async with market.client.get(path, headers=more) as response:
            headers = {
                k: v for k, v in response.headers.items() if k not in {"X-Request-ID", "Server", "Connection"}
            }
            seen.append((response.status, dict(sorted(headers.items())), await response.read()))
    via_application = URL(f"{market.client.make_url(path)}&max_age=86400", encoded=True)
    async with market.client.session.get(via_application) as response:
        body = await response.read()
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1]["Freshrate-Stale"] == "true"
    assert orjson.loads(body) == orjson.loads(seen[0][2])
    assert counted == [PATH] * 6
    assert market.api.quotes.paths.get(path) is not None


async def test_the_etag_is_another_whenever_the_body_is_but_for_its_ages(market: Rig) -> None:
    path = f"{PATH}?symbol=BTC,NEW&convert=EUR,USD"

    async def tag() -> str:
        _, headers = await market.headers(path)
        said: str = headers["ETag"]
        return said

    await market.get(path)
    seen = [await tag()]
    await market.advance(seconds=7)
    assert await tag() == seen[0]
    status, headers = await market.headers(path, **{"If-None-Match": seen[0]})
    assert (status, headers["Age"], headers["Cache-Status"]) == (304, "7", HIT)
    assert (await market.headers(f"{path}&max_age=60", **{"If-None-Match": seen[0]}))[0] == 200
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    seen.append(await tag())
    await market.store(observed(EUR, "1.2", source="frankfurter", observed_at=market.clock()))
    seen.append(await tag())
    await market.advance(minutes=16)
    seen.append(await tag())
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await renew_catalog(market)
    seen.append(await tag())
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS, coin(78, "NEW", 3)), stored_at=START)
    await renew_catalog(market)
    await market.store(observed(78, "1", observed_at=START))
    seen.append(await tag())
    assert len(set(seen)) == len(seen) == 6
    assert (await market.headers(path, **{"If-None-Match": seen[0]}))[0] == 200


async def test_head_is_not_offered_for_it_may_spend_credits(market: Rig) -> None:
    async with market.client.head(f"{PATH}?symbol=BTC") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET"


async def test_paths_are_remembered_within_a_bound(market: Rig) -> None:
    for number in range(1, MOST + 10):
        await market.get(f"{PATH}?symbol=BTC&amount={number}")
    assert len(market.api.quotes.paths) == MOST
    long = f"{PATH}?symbol=BTC&amount=1&convert=EUR{'%20' * 400}"
    await market.get(long)
    assert market.api.quotes.paths.get(long) is None


async def test_the_largest_request_is_answered_whole(market: Rig) -> None:
    coins = tuple(coin(10_000 + one, f"C{one}", 10 + one) for one in range(100))
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS, *coins), stored_at=START)
    await renew_catalog(market)
    symbols, targets = ",".join(f"C{one}" for one in range(100)), ",".join(f"C{one}" for one in range(10))
    path = f"{PATH}?symbol={symbols}&convert={targets}"
    for status in (UPSTREAM, HIT, HIT):
        assert await way(market, path.partition("?")[2]) == status
    body = await market.get(path)
    assert (len(body["results"]), {len(row["quotes"]) for row in body["results"]}) == (100, {10})
    assert all(one["price"] for row in body["results"] for one in row["quotes"])
    assert [len(one.currency_ids) for one in market.worker.commands] == [100]


async def test_fiat_of_the_catalog_says_its_sign(market: Rig) -> None:
    (row,) = (await market.get(f"{PATH}?symbol=EUR"))["results"]
    assert (row["sign"], row["rank"], row["platform"]) == ("€", None, None)


async def test_encoded_rates_are_kept_within_a_bound(market: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "MOST", 2)
    before = await market.get(f"{PATH}?symbol=BTC,ETH&convert=EUR,USD")
    assert len(market.api.quotes._sides) == 2
    assert await market.get(f"{PATH}?symbol=BTC,ETH&convert=EUR,USD") == before
