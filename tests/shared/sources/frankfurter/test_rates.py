"""How Frankfurter's rates are read."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import plain
from shared.domain.rate import Observation
from shared.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.ports import Quotes, UpstreamAnswer
from shared.sources.frankfurter.currencies import SYMBOLS
from shared.sources.frankfurter.rates import parse_rates

EUR, GBP, JPY, PLN = 2790, 2791, 2797, 2805
_MARKED = re.compile(r'"#(.*?)#"')
RATES = {"USD": "#1.1225#", "GBP": "#0.8712#", "JPY": "#172.55#"}


def answer(**changes: object) -> UpstreamAnswer:
    """A good answer but for the changes; None takes a field away. A text like "#1.50#" stands in it as the bare 1.50."""
    body = {"amount": 1.0, "base": "EUR", "date": "2026-10-02", "rates": RATES, **changes}
    text = json.dumps({name: value for name, value in body.items() if value is not None})
    return raw(_MARKED.sub(lambda marked: json.loads(f'"{marked[1]}"'), text))


def raw(body: str | bytes, *, status: int = 200) -> UpstreamAnswer:
    return UpstreamAnswer(status, {}, body.encode() if isinstance(body, str) else body)


def read(given: UpstreamAnswer, *asked: int) -> Quotes:
    return parse_rates("frankfurter", asked or (EUR, GBP, JPY), given).value


def prices(given: UpstreamAnswer, *asked: int) -> dict[int, Decimal]:
    return {one.currency_id: one.price_usd for one in read(given, *asked).observations}


def test_the_dollar_of_a_euro_is_exact_and_the_others_have_40_digits() -> None:
    quotes = read(answer())
    assert quotes.observations[0] == Observation(
        currency_id=EUR,
        source="frankfurter",
        price_usd=Decimal("1.1225"),
        observed_at=datetime(2026, 10, 2, 14, tzinfo=UTC),
    )
    assert {one.currency_id: plain(one.price_usd) for one in quotes.observations[1:]} == {
        GBP: "1.288452708907254361799816345270890725436",
        JPY: "0.006505360764995653433787308026658939437844",
    }
    assert quotes.refused == {}


@pytest.mark.parametrize(
    ("day", "observed_at"),
    [
        ("2026-10-24", datetime(2026, 10, 24, 14, tzinfo=UTC)),
        ("2026-10-26", datetime(2026, 10, 26, 15, tzinfo=UTC)),
        ("2026-12-31", datetime(2026, 12, 31, 15, tzinfo=UTC)),
        ("2027-03-29", datetime(2027, 3, 29, 14, tzinfo=UTC)),
        ("1999-01-04", datetime(1999, 1, 4, 15, tzinfo=UTC)),
    ],
)
def test_rates_are_of_four_o_clock_in_frankfurt_in_summer_and_in_winter(
    day: str, observed_at: datetime
) -> None:
    observations = read(answer(date=day)).observations
    assert {one.observed_at for one in observations} == {observed_at}
    assert {one.observed_at.utcoffset() for one in observations} == {timedelta(0)}


@pytest.mark.parametrize("amount", ["#1#", "#1.0#", "#1.000#", "#1e0#"])
def test_one_euro_may_be_written_in_any_way(amount: str) -> None:
    assert len(prices(answer(amount=amount))) == 3


@pytest.mark.parametrize(
    "rate",
    [
        "null",
        "0",
        "0.0",
        "-1",
        "NaN",
        "Infinity",
        "1e400",
        "1e-400",
        "9" * 41,
        '"abc"',
        "true",
        "[1]",
        "{}",
        '""',
    ],
)
def test_a_bad_rate_is_refused_with_its_reason_and_fails_no_neighbour(rate: str) -> None:
    quotes = read(answer(rates={**RATES, "GBP": f"#{rate}#"}))
    assert [one.currency_id for one in quotes.observations] == [EUR, JPY]
    assert quotes.refused.keys() == {GBP}
    assert quotes.refused[GBP]


def test_a_price_beyond_all_bounds_is_refused() -> None:
    quotes = read(answer(rates={**RATES, "USD": "#1e10#", "GBP": "#1e-25#"}))
    assert "between 1e-30 and 1e30" in quotes.refused[GBP]
    assert [one.currency_id for one in quotes.observations] == [EUR, JPY]


@pytest.mark.parametrize("usd", ["null", "0", "-1", "NaN", "1e400", '"abc"', "true"])
def test_without_a_usable_dollar_nothing_is(usd: str) -> None:
    with pytest.raises(UpstreamMalformed, match="rates that cannot be used"):
        read(answer(rates={**RATES, "USD": f"#{usd}#"}))


def test_a_dollar_that_is_missing_is_told() -> None:
    with pytest.raises(UpstreamMalformed, match="there is none of USD"):
        read(answer(rates={"GBP": 1}))


def test_what_was_not_asked_for_is_ignored_and_what_is_missing_is_in_neither_part() -> None:
    quotes = read(answer(rates={**RATES, "XYZ": -1, "": None, "EUR": 7}), EUR, PLN)
    assert [(one.currency_id, one.price_usd) for one in quotes.observations] == [(EUR, Decimal("1.1225"))]
    assert quotes.refused == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None},
        {"amount": 10},
        {"amount": "#1.0000001#"},
        {"amount": "one"},
        {"amount": True},
        {"base": None},
        {"base": "USD"},
        {"base": "eur"},
        {"base": ["EUR"]},
        {"date": None},
        {"date": 20261002},
        {"date": "20261002"},
        {"date": "2026-W40-5"},
        {"date": "2026-02-29"},
        {"date": "2026-10-02T16:00:00Z"},
        {"date": "1998-12-31"},
        {"date": "0001-01-01"},
        {"date": "\uff12\uff10\uff12\uff16-10-02"},
        {"date": True},
        {"rates": None},
        {"rates": []},
        {"rates": "USD"},
        {"rates": {}},
    ],
    ids=str,
)
def test_rates_of_something_else_or_of_no_day_are_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(UpstreamMalformed):
        read(answer(**changes))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>Bad gateway</body></html>",
        '{"amount": 1.0, "base": "EUR", "da',
        "[" * 100_000,
        '{"rates":' * 100_000,
        "[]",
        "null",
        "1",
        "{}",
        b"\xff\xfe{}",
        '{"message":"not found"}',
        '{"amount":1.0,"base":"USD","date":"2026-10-01","rates":{"EUR":0.88511}}',
        '{"amount":1.0,"base":"EUR","date":"2026-10-01","rates":{"USD":1.1,"USD":1.2}}',
        '{"amount":1.0,"base":"EUR","date":"2026-10-01","date":"2026-10-02","rates":{"USD":1.1}}',
    ],
)
def test_what_is_no_answer_is_malformed(body: str | bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        read(raw(body))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, UpstreamRejected),
        (422, UpstreamRejected),
        (429, UpstreamLimited),
        (403, UpstreamRefused),
        (500, UpstreamBroken),
        (503, UpstreamBroken),
        (301, UpstreamMalformed),
        (204, UpstreamMalformed),
    ],
)
@pytest.mark.parametrize(
    "body",
    ['{"message":"not found"}', "<html>Just a moment...</html>", "", "[]", '{"message":[1]}', "[" * 9999],
)
def test_the_status_says_what_an_error_is(status: int, kind: type[UpstreamError], body: str) -> None:
    with pytest.raises(kind, match=f"Frankfurter answered {status}"):
        read(raw(body, status=status))


def test_the_reason_of_an_error_is_told_as_one_short_line() -> None:
    with pytest.raises(UpstreamRejected, match="Frankfurter answered 404: not found") as caught:
        read(raw('{"message":"not found\\n' + "x" * 1000 + '"}', status=404))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_good_body_under_an_error_is_no_answer() -> None:
    with pytest.raises(UpstreamBroken):
        read(raw(answer().body, status=500))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_characters="#", exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(["EUR", "2026-10-02", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["USD", "GBP", "JPY", "EUR", "x"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(
    st.dictionaries(st.sampled_from(["amount", "base", "date", "rates"]), json_values, max_size=2),
    st.booleans(),
)
def test_whatever_the_answer_says_only_usable_rates_come_out(
    changes: dict[str, object],
    is_whole: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    given_answer = answer(**changes) if is_whole else raw(json.dumps(changes))
    try:
        quotes = read(given_answer, *SYMBOLS)
    except UpstreamError:
        return
    assert quotes.observations
    for one in quotes.observations:
        assert one.price_usd > 0
        assert one.observed_at.tzinfo is UTC


@given(st.decimals(min_value=Decimal("1e-6"), max_value=Decimal("1e6"), allow_nan=False, places=6))
def test_a_price_is_the_quotient_within_half_of_its_last_digit(rate: Decimal) -> None:
    if rate <= 0:
        return
    price = prices(answer(rates={"USD": "#1.1225#", "GBP": f"#{rate}#"}), GBP)[GBP]
    assert len(price.as_tuple().digits) <= 40
    with localcontext(prec=80):
        assert abs(price * rate - Decimal("1.1225")) <= Decimal("1e-38")


@given(st.binary(max_size=200), st.integers(min_value=100, max_value=599))
def test_whatever_the_bytes_are_nothing_but_an_upstream_error_comes_out(body: bytes, status: int) -> None:
    with pytest.raises(UpstreamError):
        read(raw(body, status=status))
