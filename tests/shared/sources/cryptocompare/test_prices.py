"""How CryptoCompare's prices are read."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.rate import Observation
from shared.errors import UpstreamError, UpstreamMalformed, UpstreamRejected
from shared.ports import Quotes, UpstreamAnswer
from shared.sources.cryptocompare import CryptoCompare
from shared.sources.cryptocompare.prices import parse_prices
from tests.shared.sources.cryptocompare.answers import TIME, answer, error, raw, recorded, unmarked, usd

ASKED = {"DASH": 131, "ALG": 7, "NOTE": 8, "BTX*": 9, "MED*": 2303, "NOSUCH": 10}


def prices(upstream: UpstreamAnswer, asked: dict[str, int] | None = None) -> Quotes:
    return parse_prices("cryptocompare", asked or {"BTC": 1, "ETH": 1027}, upstream).value


def one_price(**quote: object) -> Observation:
    (observation,) = prices(answer({"RAW": {"BTC": usd(**quote)}})).observations
    return observation


def test_recorded_prices_are_read_exactly_and_told_by_the_symbol_that_was_asked() -> None:
    quotes = prices(recorded("prices_2018"), ASKED)
    assert quotes.observations[0] == Observation(
        currency_id=131,
        source="cryptocompare",
        price_usd=Decimal("196.4"),
        volume_24h=Decimal("114048924.61153358"),
        market_cap=Decimal("1635056237.7647455"),
        percent_change_24h=3.259726603575193,
        observed_at=datetime(2018, 9, 17, 10, 53, 55, tzinfo=UTC),
    )
    assert {one.currency_id for one in quotes.observations} == {131, 7, 9, 2303}
    assert quotes.refused == {8: "there is no price"}


def test_a_dead_coin_is_older_than_the_source_may_be() -> None:
    by_id = {one.currency_id: one for one in prices(recorded("prices_2018"), ASKED).observations}
    now = by_id[131].observed_at + timedelta(minutes=1)
    refusals = {one: by_id[one].refusal(now=now, oldest=CryptoCompare.oldest_observation) for one in by_id}
    assert [one for one, refusal in refusals.items() if refusal] == [9]


def test_a_market_cap_of_zero_is_one_that_is_not_known() -> None:
    by_id = {one.currency_id: one for one in prices(recorded("prices_2018"), ASKED).observations}
    assert by_id[7].market_cap is None
    assert by_id[7].volume_24h == 0


def test_the_change_of_an_hour_and_a_price_with_an_exponent_are_read() -> None:
    observation = one_price(price="2.44e-06", CHANGEPCTHOUR=-0.5)
    assert observation.price_usd == Decimal("0.00000244")
    assert observation.percent_change_1h == -0.5


@pytest.mark.parametrize(
    "price", ["null", "0", "-1", "NaN", "Infinity", "1e400", "1e-400", "9" * 5000, "true", '"x"', "[1]", "{}"]
)
def test_a_bad_price_is_refused_with_its_reason_and_fails_no_neighbour(price: str) -> None:
    quotes = prices(answer({"RAW": {"BTC": usd(price), "ETH": usd()}}))
    assert [one.currency_id for one in quotes.observations] == [1027]
    assert quotes.refused.keys() == {1}
    assert quotes.refused[1]


@pytest.mark.parametrize("stated", [None, 5, "x", [], {}, {"EUR": {"PRICE": 1}}, {"USD": None}, {"USD": [1]}])
def test_a_coin_without_a_quote_in_usd_is_refused(stated: object) -> None:
    quotes = prices(answer({"RAW": {"BTC": stated, "ETH": usd()}}))
    assert quotes.refused == {1: "there is no quote in USD"}


@pytest.mark.parametrize("time", [None, "", -1, 1.5, "yesterday", True, [TIME], 10**10, "\uff11"])
def test_a_price_without_a_usable_time_is_refused(time: object) -> None:
    quotes = prices(answer({"RAW": {"BTC": usd(LASTUPDATE=time), "ETH": usd()}}))
    assert quotes.refused.keys() == {1}


@pytest.mark.parametrize("value", [None, -1, "1e400", "NaN", "x", [], True, float("nan"), float("inf")])
def test_a_volume_or_market_cap_that_cannot_be_is_left_out(value: object) -> None:
    observation = one_price(TOTALVOLUME24HTO=value, MKTCAP=value)
    assert (observation.volume_24h, observation.market_cap) == (None, None)


def test_symbols_that_nobody_asked_for_are_passed_over() -> None:
    assert [
        one.currency_id for one in prices(answer({"RAW": {"XXX": usd(), "BTC": usd()}})).observations
    ] == [1]


def test_the_part_for_people_is_never_read() -> None:
    with pytest.raises(UpstreamMalformed):
        prices(answer({"DISPLAY": {"BTC": usd()}}))


def test_where_it_knows_no_symbol_all_are_named_as_rejected() -> None:
    with pytest.raises(UpstreamRejected) as caught:
        prices(recorded("error_no_data"))
    assert caught.value.rejected == ("1", "1027")


def test_any_other_rejection_names_none() -> None:
    with pytest.raises(UpstreamRejected) as caught:
        prices(error(2, "fsyms param is too long."))
    assert caught.value.rejected == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html></html>",
        '{"RAW": {"BTC": {"USD": {"PRICE": 1',
        "[" * 100_000,
        "[]",
        "null",
        "{}",
        '{"RAW": null}',
        '{"RAW": []}',
        '{"RAW": {}}',
        '{"RAW": {"BTC": 1, "BTC": 2}}',
        '{"RAW": {"XXX": {"USD": {"PRICE": 1}}}}',
        b"\xff\xfe{}",
    ],
)
def test_what_is_no_answer_is_malformed(body: str | bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        prices(raw(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | unmarked | st.sampled_from(["1", TIME]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["RAW", "BTC", "ETH", "USD", "PRICE", "LASTUPDATE", "MKTCAP", "CHANGEPCTHOUR", "Err"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(json_values)
def test_whatever_the_prices_are_only_usable_observations_come_out(data: object) -> None:
    try:
        quotes = prices(answer({"RAW": {"BTC": data, "ETH": {"USD": data}}}))
    except UpstreamError:
        return
    for one in quotes.observations:
        assert one.price_usd > 0
        assert one.observed_at.tzinfo is UTC
        assert all(math.isfinite(change or 0) for change in (one.percent_change_1h, one.percent_change_24h))


@given(json_values | st.binary(max_size=100))
def test_whatever_the_body_is_nothing_but_an_upstream_error_comes_out(body: object) -> None:
    with pytest.raises(UpstreamError):
        prices(raw(body) if isinstance(body, bytes) else answer(body), {"NOSUCH": 1})
