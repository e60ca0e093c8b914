"""What customers spent in another currency: at the rates of the dates of their deals, or not at all."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from api.deals import converter
from shared.domain.currency import CurrencyKind
from shared.domain.times import iso
from shared.domain.visit import FailureKind
from tests.api.conftest import StartRig
from tests.api.deals.ledger import PATH, Row, gems, replace_deals, rows, spent
from tests.api.quotes import BTC, DUP, EUR, open_market, renew_catalog
from tests.api.rig import COINS, START, Rig, coin, observed, recorded

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DATE = datetime.fromisoformat("2026-11-10T12:00:00Z")
A_SECOND = timedelta(seconds=1)


def bought(customer: str, total: str, date: datetime = DATE, item: str = "ruby") -> Row:
    return (customer, item, total, date.isoformat())


async def stated(
    rig: Rig,
    price: str,
    at: datetime,
    *,
    currency_id: int = BTC,
    stored_at: datetime | None = None,
    **changes: Any,
) -> None:
    """A rate as a poll of that moment stored it."""
    await recorded(
        rig.storage, observed(currency_id, price, observed_at=at, **changes), fetched_at=stored_at or at
    )


@pytest.fixture
async def market(rig: Rig) -> Rig:
    return await open_market(rig)


@pytest.fixture
async def european(start: StartRig) -> Rig:
    """A market in which deals are in euros."""
    return await open_market(await start(deals_currency="EUR"))


async def test_each_deal_counts_at_the_rate_of_its_own_date(market: Rig) -> None:
    await stated(market, "20000", DATE - HOUR)
    await stated(market, "40000", DATE + DAY)
    await replace_deals(market, bought("a", "100"), bought("a", "100", DATE + DAY + HOUR), bought("b", "3"))
    assert await rows(market, "convert=BTC") == [
        {"username": "a", "spent_money": Decimal("0.0075"), "gems": ["ruby"], "currency": "BTC"},
        {"username": "b", "spent_money": Decimal("0.00015"), "gems": ["ruby"], "currency": "BTC"},
    ]


async def test_deals_in_another_currency_go_through_the_dollar(european: Rig) -> None:
    await stated(european, "20000", DATE - HOUR)
    await stated(european, "1.25", DATE - HOUR, currency_id=EUR, source="frankfurter")
    await replace_deals(european, bought("a", "100"))
    assert await spent(european, "convert=btc") == {"a": Decimal("0.00625")}
    assert await spent(european, "convert=USD") == {"a": 125}
    assert await spent(european, "convert=EUR") == {"a": 100}
    assert await spent(european) == {"a": 100}


async def test_the_own_currency_is_the_plain_sum_without_any_rate(market: Rig) -> None:
    total = "0." + "0" * 29 + "1"
    await replace_deals(market, bought("a", "1" + "0" * 30), bought("a", total), bought("b", "1"))
    assert await rows(market, "convert=usd&top=1") == [
        {
            "username": "a",
            "spent_money": Decimal("1" + "0" * 30 + total[1:]),
            "gems": [],
            "currency": "USD",
        }
    ]


async def test_customers_and_gems_are_the_same_and_in_the_same_order(market: Rig) -> None:
    await stated(market, "10000", DATE - HOUR)
    await stated(market, "1", DATE + DAY)
    await replace_deals(
        market, bought("a", "100"), bought("b", "50", DATE + DAY + HOUR), bought("c", "1", item="x")
    )
    assert await spent(market, "convert=BTC&top=2") == {"a": Decimal("0.01"), "b": 50}
    assert list(await spent(market, "convert=BTC&top=2")) == ["a", "b"]
    assert await gems(market, "convert=BTC") == await gems(market)


async def test_a_sum_has_28_digits(market: Rig) -> None:
    await stated(market, "3", DATE)
    await replace_deals(market, bought("a", "1"), bought("b", "0.3"))
    text = await (await market.client.get(f"{PATH}?convert=BTC")).text()
    assert f'"spent_money":0.{"3" * 28},' in text
    assert '"spent_money":0.1,' in text


async def test_who_has_a_deal_older_than_history_is_told_so(market: Rig) -> None:
    await stated(market, "100", DATE - HOUR)
    old = DATE - 400 * DAY
    await replace_deals(
        market,
        bought("a", "7"),
        bought("a", "1", old),
        bought("a", "1", old + DAY),
        bought("a", "1", DATE - 2 * HOUR),
        bought("b", "7"),
        bought("c", "0", old),
    )
    assert await rows(market, "convert=BTC") == [
        {
            "username": "a",
            "spent_money": None,
            "gems": ["ruby"],
            "currency": "BTC",
            "unpriced_deals": 3,
            "unpriced_from": iso(old),
            "unpriced_to": iso(DATE - 2 * HOUR),
        },
        {"username": "b", "spent_money": Decimal("0.07"), "gems": ["ruby"], "currency": "BTC"},
        {
            "username": "c",
            "spent_money": None,
            "gems": ["ruby"],
            "currency": "BTC",
            "unpriced_deals": 1,
            "unpriced_from": iso(old),
            "unpriced_to": iso(old),
        },
    ]


async def test_a_rate_holds_for_a_day(market: Rig) -> None:
    await stated(market, "2", DATE)
    await replace_deals(market, bought("a", "1", DATE + DAY), bought("b", "1", DATE + DAY + A_SECOND))
    assert await spent(market, "convert=BTC") == {"a": Decimal("0.5"), "b": None}


async def test_a_fiat_currencys_rate_holds_for_a_week(market: Rig) -> None:
    await stated(market, "1.25", DATE, currency_id=EUR, source="frankfurter")
    week = 7 * DAY
    await replace_deals(market, bought("a", "1", DATE + week), bought("b", "1", DATE + week + A_SECOND))
    assert await spent(market, "convert=EUR") == {"a": Decimal("0.8"), "b": None}


async def test_a_rate_is_of_the_first_source_that_has_one_of_that_day(market: Rig) -> None:
    await stated(market, "2", DATE, source="another")
    await stated(market, "4", DATE - HOUR)
    await replace_deals(
        market, bought("a", "1", DATE + HOUR), bought("b", "1", DATE + DAY), bought("c", "1", DATE - HOUR)
    )
    assert await spent(market, "convert=BTC") == {
        "a": Decimal("0.25"),
        "b": Decimal("0.5"),
        "c": Decimal("0.25"),
    }


async def test_a_rate_of_a_source_that_is_not_asked_any_more_is_better_than_none(market: Rig) -> None:
    await stated(market, "8", DATE, source="bygone")
    await replace_deals(market, bought("a", "1"))
    assert await spent(market, "convert=BTC") == {"a": Decimal("0.125")}


async def test_a_rate_that_was_not_known_yet_does_not_count(market: Rig) -> None:
    await stated(market, "2", DATE - 2 * HOUR)
    await stated(market, "4", DATE - HOUR, stored_at=DATE + HOUR)
    await replace_deals(market, bought("a", "1"), bought("b", "1", DATE + HOUR))
    assert await spent(market, "convert=BTC") == {"a": Decimal("0.5"), "b": Decimal("0.25")}


async def test_a_deal_of_the_future_has_no_rate_yet(market: Rig) -> None:
    later = START + A_SECOND
    await stated(market, "2", START - HOUR)
    await replace_deals(market, bought("a", "7", START), bought("a", "1", later), bought("b", "1", START))
    future, present = await rows(market, "convert=BTC")
    assert future["spent_money"] is None
    assert (future["unpriced_deals"], future["unpriced_to"]) == (1, iso(later))
    assert present["spent_money"] == Decimal("0.5")
    assert await spent(market, "convert=USD") == {"a": 8, "b": 1}


async def test_before_the_first_upload_there_is_nobody(market: Rig) -> None:
    async with market.client.get(f"{PATH}?convert=BTC") as response:
        assert await response.text() == '{"response":[]}'


async def test_more_deals_than_are_converted_at_once_is_an_error_that_says_what_to_do(
    market: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converter, "MOST_DEALS", 3)
    await stated(market, "2", DATE)
    await replace_deals(market, *[bought("a", "9")] * 4, *[bought("b", "8")] * 2)
    (said,) = (await market.get(f"{PATH}?convert=BTC", status=400))["errors"]["top"]
    assert said == (
        "These 2 customers have more than 3 deals, and no more are converted at once. Ask for fewer customers."
    )
    (said,) = (await market.get(f"{PATH}?convert=BTC&top=1", status=400))["errors"]["top"]
    assert said.endswith("Ask without `convert`.")
    assert await spent(market, "convert=USD") == {"a": 36, "b": 16}
    monkeypatch.setattr(converter, "MOST_DEALS", 6)
    assert await spent(market, "convert=BTC") == {"a": 18, "b": 8}


# Currencies


async def test_a_fiat_currency_wins_over_a_coin_of_its_code(market: Rig) -> None:
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS, coin(77, "EUR", 3)), stored_at=START)
    await renew_catalog(market)
    await stated(market, "5", DATE, currency_id=77)
    await stated(market, "2", DATE, currency_id=EUR, source="frankfurter")
    await replace_deals(market, bought("a", "1"))
    assert await spent(market, "convert=eur") == {"a": Decimal("0.5")}


async def test_of_many_coins_of_one_symbol_the_best_ranked_is_meant(market: Rig) -> None:
    await stated(market, "5", DATE, currency_id=DUP)
    await replace_deals(market, bought("a", "1"))
    (row,) = await rows(market, "convert=dup")
    assert (row["currency"], row["spent_money"]) == ("DUP", Decimal("0.2"))


async def test_an_unknown_currency_is_400_and_sought_once(market: Rig) -> None:
    await replace_deals(market, bought("a", "1"))
    for _ in range(2):
        body = await market.get(f"{PATH}?convert=NOPE", status=400)
        assert body["errors"] == {
            "convert": ["There is no currency NOPE. GET /api/currencies/ lists those that exist."]
        }
    assert len(market.worker.renewals) == 1


async def test_a_symbol_that_is_new_is_found_by_a_renewed_catalog(market: Rig) -> None:
    market.worker.newcomers = (coin(99, "NEW", 50),)
    await stated(market, "4", DATE)
    await replace_deals(market, bought("a", "1"))
    async with market.client.get(f"{PATH}?convert=NEW") as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
        (row,) = (await response.json())["response"]
    assert (row["currency"], row["spent_money"], row["unpriced_deals"]) == ("NEW", None, 1)
    assert (await market.headers(f"{PATH}?convert=NEW"))[1]["Cache-Control"] == "no-cache"


async def test_where_the_catalog_cannot_be_renewed_that_is_the_answer(market: Rig) -> None:
    market.worker.renewal_failure = FailureKind.NOT_TRIED
    status, headers = await market.headers(f"{PATH}?convert=NOPE")
    assert (status, headers["Retry-After"]) == (503, "8")


async def test_seeking_counts_against_the_limit_of_refreshes(start: StartRig) -> None:
    market = await open_market(await start(refreshes_per_minute=1))
    market.worker.renewal_failure = FailureKind.NOT_TRIED
    assert (await market.headers(f"{PATH}?convert=NOPE"))[0] == 503
    assert (await market.headers(f"{PATH}?convert=NOPE"))[0] == 429
    assert (await market.headers(f"{PATH}?convert=BTC"))[0] == 200


async def test_without_a_catalog_only_the_dollar_is_known(start: StartRig) -> None:
    rig = await start(has_catalog=False)
    await replace_deals(rig, bought("a", "1"))
    body = await rig.get(f"{PATH}?convert=BTC", status=503)
    assert body["type"] == "/problems/catalog-not-loaded"


async def test_without_a_catalog_the_currency_of_the_deals_is_not_known_yet(start: StartRig) -> None:
    rig = await start(has_catalog=False, deals_currency="EUR")
    await replace_deals(rig, bought("a", "1"))
    body = await rig.get(f"{PATH}?convert=USD", status=503)
    assert body["type"] == "/problems/catalog-not-loaded"


async def test_a_currency_of_the_deals_that_there_is_not_is_an_error_that_names_the_setting(
    start: StartRig,
) -> None:
    rig = await open_market(await start(deals_currency="XYZ"))
    await replace_deals(rig, bought("a", "1"))
    (said,) = (await rig.get(f"{PATH}?convert=BTC", status=400))["errors"]["convert"]
    assert "XYZ, by DEALS_CURRENCY" in said
    assert await spent(rig) == {"a": 1}
    assert rig.worker.renewals == []


async def test_what_is_no_symbol_is_400_and_sought_nowhere(market: Rig) -> None:
    for value in ("", ",", "BTC,ETH", "A" * 65, "%00", "%C4%B1", "BTC&convert=ETH", "A%0D%0AB", "%FF"):
        url = URL(f"{market.client.make_url(PATH)}?convert={value}", encoded=True)
        async with market.client.session.get(url) as response:
            assert response.status == 400, value
            assert list((await response.json(content_type=None))["errors"]) == ["convert"]
    assert market.worker.renewals == []
