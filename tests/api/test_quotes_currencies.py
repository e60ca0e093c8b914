"""Which currencies an answer with quotes is about, and what there is not."""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.currency import CurrencyKind, CurrencyProfile
from shared.domain.visit import FailureKind
from tests.api.conftest import StartRig
from tests.api.quotes import (
    BTC,
    DUP,
    DUP_UNRANKED,
    ETH,
    EUR,
    PATH,
    open_market,
    quotes,
    renew_catalog,
    trade,
)
from tests.api.rig import COINS, START, Rig, coin, observed

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
