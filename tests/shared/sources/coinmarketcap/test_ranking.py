"""CoinMarketCap's listing by volume as a ranking."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currency import FIRST_LOCAL_ID
from shared.domain.ranking import RankingPage
from shared.errors import UpstreamError, UpstreamMalformed
from shared.ports import RankingSource, UpstreamAnswer
from shared.sources.coinmarketcap import CoinMarketCap
from shared.sources.coinmarketcap.ranking import parse_ranking
from tests.shared.sources.coinmarketcap.answers import coin, good, raw, recorded, unmarked

SOURCE = CoinMarketCap(base_url="https://example.test", api_key="secret")


def page(answer: UpstreamAnswer) -> RankingPage:
    return parse_ranking("coinmarketcap", 200, answer).value


def ranked(coin_id: object, **more: object) -> dict[str, object]:
    return {**coin(coin_id), "symbol": "BTC", "slug": "bitcoin", **more}


def test_a_ranking_is_one_listing_by_volume_at_a_credit_per_200_places() -> None:
    (call,) = SOURCE.ranking(5000)
    assert call.path == "/v3/cryptocurrency/listings/latest"
    assert call.params == (("start", "1"), ("limit", "5000"), ("sort", "volume_24h"), ("convert", "USD"))
    assert (call.what, call.credits) == ("ranking of 5000", 25)
    assert SOURCE.ranking(100)[0].credits == 1


def test_without_a_key_it_is_asked_of_the_keyless_api() -> None:
    (call,) = CoinMarketCap(base_url="https://example.test").ranking(200)
    assert call.path == "/public-api/v3/cryptocurrency/listings/latest"


def test_it_follows_and_knows_currencies_by_our_ids() -> None:
    assert isinstance(SOURCE, RankingSource)
    assert (SOURCE.leads_ranking, SOURCE.has_own_ids, SOURCE.by_hand) == (False, False, {})


def test_local_currencies_are_in_no_call() -> None:
    assert SOURCE.plan([FIRST_LOCAL_ID, FIRST_LOCAL_ID + 5], {}, {FIRST_LOCAL_ID: "X"}) == []
    (call,) = SOURCE.plan([FIRST_LOCAL_ID, 1], {}, {})
    assert call.currency_ids == (1,)


def test_a_recorded_listing_keeps_its_order_names_and_digits() -> None:
    parsed = parse_ranking("coinmarketcap", 200, recorded("listing_v1"))
    first, second, third = parsed.value.coins
    assert (first.source_id, first.symbol, first.name, first.slug) == ("1", "BTC", "Bitcoin", "bitcoin")
    assert (second.source_id, third.source_id) == ("1027", "825")
    assert first.price is not None
    assert first.price.price_usd == Decimal("42526.841141993944")
    assert first.price.volume_24h == Decimal("22887534028.142235")
    assert (parsed.value.size, parsed.credits) == (200, 1)


@pytest.mark.parametrize("quote", [None, [], {}, {"USD": {"price": None}}, [{"symbol": "USD", "price": -1}]])
def test_a_coin_without_a_usable_price_keeps_its_place(quote: object) -> None:
    ranking = page(good([ranked(5), ranked(7, quote=quote), ranked(6)]))
    assert [(one.source_id, one.price is None) for one in ranking.coins] == [
        ("5", False),
        ("7", True),
        ("6", False),
    ]


def test_a_coin_that_stands_twice_is_left_for_the_merge_to_see() -> None:
    assert [one.source_id for one in page(good([ranked(5), ranked(5)])).coins] == ["5", "5"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"name": None}, ("BTC", "BTC", "bitcoin")),
        ({"symbol": "a\x00"}, ("Bitcoin", "Bitcoin", "bitcoin")),
        ({"slug": None}, ("BTC", "Bitcoin", "")),
    ],
)
def test_one_odd_name_does_not_fail_the_ranking(names: dict[str, object], expected: tuple[str, ...]) -> None:
    (one,) = page(good([ranked(5, **names)])).coins
    assert (one.symbol, one.name, one.slug) == expected


@pytest.mark.parametrize("bad", [None, "x", [], {}, ranked(None), ranked(0), ranked(10**9), ranked("x")])
def test_a_coin_without_an_id_fails_the_ranking(bad: object) -> None:
    with pytest.raises(UpstreamMalformed, match="without an id"):
        page(good([ranked(5), bad]))


def test_a_coin_without_any_name_fails_the_ranking() -> None:
    with pytest.raises(UpstreamMalformed, match="neither name nor symbol"):
        page(good([ranked(5, name="", symbol=None)]))


@pytest.mark.parametrize("data", [{}, {"1": ranked(1)}, "x", 5, [], None])
def test_what_is_no_list_of_coins_is_malformed(data: object) -> None:
    with pytest.raises(UpstreamMalformed):
        page(good(data))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | unmarked,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "symbol", "slug", "quote", "USD", "price", "last_updated"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(st.lists(json_values, max_size=3) | json_values)
def test_whatever_the_data_are_each_coin_has_an_id_a_symbol_and_a_name(data: object) -> None:
    try:
        coins = page(good(data)).coins
    except UpstreamError:
        return
    assert all(one.source_id.isdecimal() and one.symbol and one.name for one in coins)


@given(st.binary(max_size=200), st.integers(min_value=100, max_value=599))
def test_whatever_the_bytes_are_nothing_but_an_upstream_error_comes_out(body: bytes, status: int) -> None:
    with pytest.raises(UpstreamError):
        page(raw(body, status=status))
