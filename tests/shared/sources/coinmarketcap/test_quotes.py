"""How CoinMarketCap's prices are read."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import LARGEST_PRICE, SMALLEST_PRICE, plain
from shared.domain.rate import Observation
from shared.errors import UpstreamError, UpstreamMalformed, UpstreamRejected
from shared.ports import Parsed, Quotes, UpstreamAnswer
from shared.sources.coinmarketcap.quotes import parse_listing, parse_quotes
from tests.shared.sources.coinmarketcap.answers import TIME, coin, error, good, raw, recorded, unmarked


def listing(answer: UpstreamAnswer) -> Parsed[Quotes]:
    return parse_listing("coinmarketcap", answer)


def observations(answer: UpstreamAnswer) -> dict[int, Observation]:
    return {one.currency_id: one for one in listing(answer).value.observations}


def one_quote(**quote: object) -> Observation:
    return observations(good([coin(**{"price": "1", **quote})]))[1]


def test_a_recorded_listing_is_read_exactly() -> None:
    parsed = listing(recorded("listing_v1"))
    first = parsed.value.observations[0]
    assert first == Observation(
        currency_id=1,
        source="coinmarketcap",
        price_usd=Decimal("42526.841141993944"),
        volume_24h=Decimal("22887534028.142235"),
        market_cap=Decimal("833508267636.6428"),
        percent_change_1h=-0.18351257,
        percent_change_24h=1.68834827,
        observed_at=datetime(2024, 1, 15, 23, 39, tzinfo=UTC),
    )
    assert [one.currency_id for one in parsed.value.observations] == [1, 1027, 825]
    assert parsed.credits == 1
    assert parsed.value.refused == {}


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("quotes_v2_by_id", {1, 2010}),
        ("quotes_v2_by_symbol", {3794, 1420}),
        ("quotes_v1_by_symbol", {1, 3437, 1876}),
    ],
)
def test_every_recorded_shape_is_read(name: str, ids: set[int]) -> None:
    assert observations(recorded(name)).keys() == ids


def test_the_time_of_a_dead_coin_is_that_of_its_quote_and_not_of_the_answer() -> None:
    dead = observations(recorded("quotes_v2_by_symbol"))[1420]
    assert dead.observed_at == datetime(2020, 9, 17, 5, 43, 16, tzinfo=UTC)
    reason = dead.refusal(now=datetime(2021, 4, 23, tzinfo=UTC), oldest=timedelta(hours=1))
    assert reason is not None


def test_a_market_cap_of_zero_and_a_price_with_an_exponent_are_read() -> None:
    coins = observations(recorded("quotes_v1_by_symbol"))
    assert coins[3437].market_cap == 0
    assert coins[1876].price_usd == Decimal("0.0000760565664799")


def test_fiat_currencies_are_coins_that_are_not_active() -> None:
    in_btc = recorded("quotes_v1_fiat_in_btc")
    assert parse_quotes("coinmarketcap", (2787, 2790), in_btc).value == Quotes(
        (), dict.fromkeys((2787, 2790), "there is no quote in USD")
    )
    in_usd = raw(in_btc.body.replace(b'"BTC"', b'"USD"'))
    euro = observations(in_usd)[2790]
    assert euro.price_usd == Decimal("0.00003550903404612331")
    assert euro.market_cap == 0
    assert euro.volume_24h == Decimal("0.00000001")
    assert euro.observed_at == datetime(2021, 5, 29, 17, 29, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.000029123550980711138", "0.000029123550980711138"),
        ("1e-8", "0.00000001"),
        ("6.315931E-8", "0.00000006315931"),
        ("123456789012345678901.234567890123456789", "123456789012345678901.234567890123456789"),
        ("1", "1"),
        ("1e30", "1" + "0" * 30),
    ],
)
def test_no_digit_of_a_price_is_lost(text: str, price: str) -> None:
    assert plain(one_quote(price=text).price_usd) == price


@given(
    st.decimals(min_value=SMALLEST_PRICE, max_value=LARGEST_PRICE, allow_nan=False, places=30).filter(
        lambda price: price > 0 and len(price.as_tuple().digits) <= 40
    )
)
def test_any_price_arrives_as_it_was_sent(price: Decimal) -> None:
    assert one_quote(price=str(price)).price_usd == price


@pytest.mark.parametrize(
    "quote",
    [
        {"USD": {"price": 2, "last_updated": TIME}, "BTC": {"price": 3, "last_updated": TIME}},
        [
            {"symbol": "BTC", "price": 3, "last_updated": TIME},
            {"symbol": "USD", "price": 2, "last_updated": TIME},
        ],
    ],
)
def test_the_quote_in_usd_is_taken(quote: object) -> None:
    assert observations(good([{"id": 1, "quote": quote}]))[1].price_usd == 2


@pytest.mark.parametrize(
    "price",
    [
        "null",
        "-1",
        "0",
        "0.0",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e-400",
        "1e99999999999999999999",
        "9" * 41,
        "9" * 5000,
        "true",
        '"abc"',
        '"\uff11"',
        '"1_0"',
        "[1]",
        "{}",
        '""',
    ],
)
def test_a_bad_price_is_refused_with_its_reason_and_fails_no_neighbour(price: str) -> None:
    quotes = listing(good([coin(1, price), coin(2)])).value
    assert [one.currency_id for one in quotes.observations] == [2]
    assert quotes.refused.keys() == {1}
    assert quotes.refused[1]


@pytest.mark.parametrize(
    "quote",
    [None, [], {}, {"EUR": {"price": 1, "last_updated": TIME}}, {"USD": None}, {"USD": [1]}, "USD", ["USD"]],
)
def test_a_coin_without_a_quote_in_usd_is_refused(quote: object) -> None:
    quotes = listing(good([{"id": 1, "quote": quote}, coin(2, "1")])).value
    assert quotes.refused == {1: "there is no quote in USD"}
    assert len(quotes.observations) == 1


@pytest.mark.parametrize(
    "time",
    [
        None,
        1705361940,
        "",
        "2026-11-20",
        "2026-13-20T12:00:00Z",
        "20261120T120000Z...",
        "yesterday",
        True,
        [TIME],
        "0001-01-01T00:00:00+14:00",
        "2026-11-20T12:00:00.000Z" * 9,
    ],
)
def test_a_quote_without_a_usable_time_is_refused(time: object) -> None:
    quotes = listing(good([coin(1, "1", last_updated=time)])).value
    assert quotes.observations == ()
    assert quotes.refused.keys() == {1}


@pytest.mark.parametrize("coin_id", [None, 0, -1, 1.5, "abc", "\uff11", True, [1], 10**9, 10**30])
def test_a_coin_without_a_usable_id_is_passed_over(coin_id: object) -> None:
    assert observations(good([coin(coin_id), coin(7)])).keys() == {7}


@pytest.mark.parametrize("value", [None, -1, "1e400", "NaN", "x", [], True, float("nan"), float("inf")])
def test_a_volume_or_market_cap_that_cannot_be_is_left_out(value: object) -> None:
    observation = one_quote(volume_24h=value, market_cap=value)
    assert observation.volume_24h is None
    assert observation.market_cap is None


@pytest.mark.parametrize("value", [None, "1e400", "x", [], True, float("nan"), float("-inf")])
def test_a_change_that_is_no_finite_number_is_left_out(value: object) -> None:
    observation = one_quote(percent_change_1h=value, percent_change_24h=value)
    assert observation.percent_change_1h is None
    assert observation.percent_change_24h is None


def test_of_a_coin_that_stands_twice_the_newest_quote_counts_and_then_the_first() -> None:
    later = "2026-11-20T12:01:00.000Z"
    coins = [coin(1, "1"), coin(1, "2", last_updated=later), coin(1, "3", last_updated=later), coin(1, "0")]
    quotes = listing(good(coins)).value
    assert [one.price_usd for one in quotes.observations] == [2]
    assert quotes.refused == {}


@pytest.mark.parametrize("code", [0, "0", None, ""])
def test_every_form_of_success_is_one(code: object) -> None:
    assert observations(good([coin()], error_code=code)).keys() == {1}


def test_an_answer_without_any_status_is_read_and_says_no_credits() -> None:
    parsed = listing(raw(good([coin()]).body.replace(b'"status"', b'"stat"')))
    assert parsed.credits is None
    assert len(parsed.value.observations) == 1


@pytest.mark.parametrize(
    ("stated", "credits"), [(25, 25), ("3", 3), (0, 0), (-1, None), (10**9, None), (1.5, None)]
)
def test_credits_are_believed_within_reason(stated: object, credits: int | None) -> None:
    assert listing(good([coin()], credit_count=stated)).credits == credits


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>Bad gateway</body></html>",
        '{"status": {"error_code": 0}, "data": [{"id": 1, "quo',
        "[" * 100000,
        '{"data":' * 100000,
        '{"data": [], "data": [1]}',
        "[]",
        "null",
        "1",
        '"x"',
        b"\xff\xfe{}",
        '{"data": [{"id": 1, "id": 2}]}',
        "{}",
        '{"data": null}',
        '{"data": {}}',
        '{"data": []}',
        '{"data": "x"}',
        '{"data": [1, null, "x", [[]]]}',
        '{"data": {"1": 5}}',
        '{"status": 500, "data": [1]}',
        '{"data": [{}]}',
    ],
)
def test_what_is_no_answer_is_malformed(body: str | bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        listing(raw(body))


def test_a_200_with_an_error_code_holds_no_data() -> None:
    with pytest.raises(UpstreamMalformed, match="code 9999: odd"):
        listing(good([coin()], error_code=9999, error_message="odd"))


def test_ids_that_the_source_names_as_invalid_are_handed_on() -> None:
    with pytest.raises(UpstreamRejected) as caught:
        parse_quotes("coinmarketcap", (1, 2, 3), error(400, 400, 'Invalid values for "id": "1,2"'))
    assert caught.value.rejected == ("1", "2")


@pytest.mark.parametrize("answer", [error(400, 400, 'Invalid value for "id"'), good([]), good({})])
def test_a_single_unknown_id_is_rejected_by_name_however_the_source_puts_it(answer: UpstreamAnswer) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        parse_quotes("coinmarketcap", (77,), answer)
    assert caught.value.rejected == ("77",)


def test_of_several_ids_none_is_blamed_without_being_named() -> None:
    with pytest.raises(UpstreamRejected) as caught:
        parse_quotes("coinmarketcap", (1, 2), error(400, 400, 'Invalid value for "id"'))
    assert caught.value.rejected == ()


def test_an_empty_answer_to_several_ids_is_malformed() -> None:
    with pytest.raises(UpstreamMalformed):
        parse_quotes("coinmarketcap", (1, 2), good([]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | unmarked | st.sampled_from(["1", TIME]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "quote", "USD", "symbol", "price", "last_updated", "volume_24h", "1"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(json_values)
def test_whatever_the_data_are_only_usable_observations_come_out(data: object) -> None:
    try:
        quotes = listing(good(data)).value
    except UpstreamError:
        return
    for one in quotes.observations:
        assert one.price_usd > 0
        assert one.observed_at.tzinfo is UTC
        assert all(math.isfinite(change or 0) for change in (one.percent_change_1h, one.percent_change_24h))


@given(st.binary(max_size=200), st.integers(min_value=100, max_value=599))
def test_whatever_the_bytes_are_nothing_but_an_upstream_error_comes_out(body: bytes, status: int) -> None:
    with pytest.raises(UpstreamError):
        listing(raw(body, status=status))
