"""How CryptoCompare's top list is read."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ranking import RankingPage
from shared.domain.rate import StatedPrice
from shared.errors import UpstreamError, UpstreamMalformed
from shared.ports import UpstreamAnswer
from shared.sources.cryptocompare.ranking import parse_page
from tests.shared.sources.cryptocompare.answers import element, raw, recorded, top_list, unmarked


def page(upstream: UpstreamAnswer) -> RankingPage:
    return parse_page(100, upstream).value


def test_a_recorded_page_keeps_its_order_names_and_digits() -> None:
    ranking = page(recorded("top_list_2019"))
    assert [(coin.source_id, coin.symbol, coin.name) for coin in ranking.coins] == [
        ("1182", "BTC", "Bitcoin"),
        ("24854", "ZEC", "ZCash"),
        ("868276", "HOT*", "Holo"),
        ("318199", "HSR", "Hshare"),
    ]
    assert ranking.coins[0].price == StatedPrice(
        price_usd=Decimal("3976.03"),
        volume_24h=Decimal("1268547859.472486"),
        market_cap=Decimal("69794634215.5"),
        percent_change_24h=-0.4155166281789825,
        observed_at=datetime(2019, 2, 23, 13, 23, 45, tzinfo=UTC),
    )
    assert (ranking.size, ranking.is_full) == (100, False)


def test_a_recorded_element_without_the_newer_fields_is_read() -> None:
    (coin,) = page(recorded("top_list_2026")).coins
    assert coin.price is not None
    assert coin.price.price_usd == Decimal("73828.0890914787")
    assert (coin.price.market_cap, coin.price.volume_24h) == (None, None)


@pytest.mark.parametrize(
    "stated",
    [
        None,
        {},
        [],
        "x",
        {"EUR": {"PRICE": 1}},
        {"USD": {"PRICE": None, "LASTUPDATE": 1}},
        {"USD": {"PRICE": 0, "LASTUPDATE": 1}},
        {"USD": {"PRICE": -1, "LASTUPDATE": 1}},
        {"USD": {"PRICE": float("nan"), "LASTUPDATE": 1}},
        {"USD": {"PRICE": "1e400", "LASTUPDATE": 1}},
        {"USD": {"PRICE": 1}},
    ],
)
def test_a_coin_without_a_usable_price_keeps_its_place(stated: object) -> None:
    ranking = page(top_list([element("1"), element("2", RAW=stated), element("3")]))
    assert [coin.source_id for coin in ranking.coins] == ["1", "2", "3"]
    assert [coin.price is None for coin in ranking.coins] == [False, True, False]


def test_a_coin_without_any_raw_keeps_its_place() -> None:
    bare = element("2")
    del bare["RAW"]
    assert [coin.source_id for coin in page(top_list([element("1"), bare])).coins] == ["1", "2"]


def test_advertising_is_no_part_of_the_ranking() -> None:
    ranking = page(top_list([element("1")], SponsoredData=[element("2")]))
    assert [coin.source_id for coin in ranking.coins] == ["1"]


def test_the_end_of_the_paging_is_an_empty_page() -> None:
    assert page(top_list([])).coins == ()


@pytest.mark.parametrize("name", [None, "", "x" * 201, 5, "a\x00b"])
def test_without_a_usable_name_the_symbol_is_the_name(name: object) -> None:
    info = {"Id": "1182", "Name": "BTC", "FullName": name}
    assert page(top_list([element(CoinInfo=info)])).coins[0].name in {"BTC", "5"}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "x",
        {},
        {"CoinInfo": None},
        {"CoinInfo": []},
        element(None),
        element(""),
        element("x"),
        element("-1"),
        element("1" * 19),
        element([1]),
        element("1182", None),
        element("1182", ""),
        element("1182", "a\x00"),
        element("1182", ["BTC"]),
    ],
)
def test_a_coin_that_cannot_be_told_fails_the_page(bad: object) -> None:
    with pytest.raises(UpstreamMalformed, match="without id or symbol"):
        page(top_list([element("1"), bad]))


@pytest.mark.parametrize(
    "envelope", [{"Data": {}}, {"Data": None}, {"Data": "x"}, {"Type": None}, {"Type": 101}, {"Type": {}}]
)
def test_what_is_no_list_under_a_success_is_malformed(envelope: dict[str, object]) -> None:
    with pytest.raises(UpstreamMalformed):
        page(top_list([element()], **envelope))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | unmarked,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["CoinInfo", "Id", "Name", "FullName", "RAW", "USD", "PRICE", "LASTUPDATE"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(st.lists(json_values, max_size=3) | json_values)
def test_whatever_the_list_holds_each_coin_has_an_id_a_symbol_and_a_name(data: object) -> None:
    try:
        coins = page(top_list(data)).coins
    except UpstreamError:
        return
    assert all(coin.source_id and coin.symbol and coin.name for coin in coins)


@given(json_values)
def test_whatever_a_price_is_the_coin_keeps_its_place(stated: object) -> None:
    assert len(page(top_list([element("1", RAW=stated), element("2", RAW={"USD": stated})])).coins) == 2


@given(st.binary(max_size=200), st.integers(min_value=100, max_value=599))
def test_whatever_the_bytes_are_nothing_but_an_upstream_error_comes_out(body: bytes, status: int) -> None:
    with pytest.raises(UpstreamError):
        page(raw(body, status=status))
