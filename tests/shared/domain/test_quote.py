"""Conversions: exact but for one division, whatever the way they are computed."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currency import USD_ID
from shared.domain.money import plain
from shared.domain.quote import Leg, Side, oldest, price_of, quote_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = int(NOON.timestamp())


def _decimals(exponents: st.SearchStrategy[int]) -> st.SearchStrategy[Decimal]:
    """Of 1 to 40 digits, around these powers of ten."""
    return st.builds(
        lambda digits, exponent: Decimal((0, tuple(map(int, str(digits))), exponent - len(str(digits)))),
        st.integers(1, 10**40 - 1),
        exponents,
    )


prices = _decimals(st.integers(-29, 30))
amounts = _decimals(st.integers(0, 30)).filter(lambda one: one > 0)


def rounded(exact: Fraction, digits: int = 28) -> Decimal:
    """The nearest decimal of so many digits, half to even, by whole numbers alone."""
    exponent = len(str(exact.numerator)) - len(str(exact.denominator)) - digits
    scaled = exact / Fraction(10) ** exponent
    if scaled >= 10**digits:
        exponent += 1
        scaled = exact / Fraction(10) ** exponent
    if scaled < 10 ** (digits - 1):
        exponent -= 1
        scaled = exact / Fraction(10) ** exponent
    whole = round(scaled)
    return Decimal((0, tuple(map(int, str(whole))), exponent))


def side(
    currency_id: int, symbol: str, price: Decimal | None = None, *, since: int = SECOND, **leg: bool
) -> Side:
    def made(pair: str) -> tuple[Leg, ...]:
        seen = NOON - timedelta(minutes=currency_id)
        return (Leg(pair=pair, source="s", observed_at=seen, since=since, **leg),) if price else ()

    return Side(
        currency_id=currency_id,
        symbol=symbol,
        price_usd=price,
        outward=made(f"{symbol}/USD"),
        inward=made(f"USD/{symbol}"),
    )


BTC = side(1, "BTC", Decimal("42885.00187617128"), since=SECOND - 14)
EUR = side(2, "EUR", Decimal("1.08"), since=SECOND - 1203)
USD = Side(currency_id=USD_ID, symbol="USD")
UNKNOWN = Side(currency_id=3, symbol="NEW")


@given(amounts, prices, prices)
def test_a_conversion_is_the_exact_fraction_rounded_once(
    amount: Decimal, base: Decimal, target: Decimal
) -> None:
    exact = Fraction(amount) * Fraction(base) / Fraction(target)
    assert price_of(amount, base, target) == rounded(exact)


@given(amounts, prices)
def test_a_price_in_dollars_is_exact(amount: Decimal, base: Decimal) -> None:
    assert Fraction(price_of(amount, base, None)) == Fraction(amount) * Fraction(base)


@given(amounts, prices)
def test_dollars_in_a_currency_are_rounded_once(amount: Decimal, target: Decimal) -> None:
    assert price_of(amount, None, target) == rounded(Fraction(amount) / Fraction(target))


@given(prices, prices)
def test_there_and_back_again_is_the_same_within_the_last_digit(first: Decimal, second: Decimal) -> None:
    there = price_of(Decimal(1), first, second)
    back = price_of(there, second, first)
    assert abs(back - 1) <= Decimal("1e-27")


@given(amounts, prices, prices)
def test_the_way_through_dollars_is_the_same_in_two_steps(
    amount: Decimal, base: Decimal, target: Decimal
) -> None:
    assert price_of(price_of(amount, base, None), None, target) == price_of(amount, base, target)


@given(amounts | st.just(Decimal(0)), st.none() | prices, st.none() | prices)
def test_no_text_has_an_exponent(amount: Decimal, base: Decimal | None, target: Decimal | None) -> None:
    price = price_of(amount, base, target)
    text = plain(price)
    assert set(text) <= set("0123456789.")
    assert Decimal(text) == price


@given(amounts, prices, prices)
def test_contexts_of_others_change_nothing(amount: Decimal, base: Decimal, target: Decimal) -> None:
    expected = price_of(amount, base, target)
    with localcontext(Context(prec=3, rounding="ROUND_UP")):
        assert price_of(amount, base, target) == expected
        assert price_of(amount, base, None) == price_of(amount, base, None)


def test_halves_are_rounded_to_even() -> None:
    context = Context(prec=28, rounding=ROUND_HALF_EVEN)
    for digits in (10**28 + 5, 10**28 + 15):
        assert price_of(Decimal(digits), Decimal(1), Decimal(10)) == context.divide(
            Decimal(digits), Decimal(10)
        )
    assert plain(price_of(Decimal(10**28 + 5), None, Decimal(1))) == "10000000000000000000000000000"
    assert plain(price_of(Decimal(10**28 + 15), None, Decimal(1))) == "10000000000000000000000000020"


@pytest.mark.parametrize("zero", ["0", "0.000", "00.0", "0E+5"])
@pytest.mark.parametrize("target", [USD, EUR, BTC])
def test_nothing_costs_nothing(zero: str, target: Side) -> None:
    quote = quote_of(Decimal(zero), BTC, target, SECOND)
    assert quote.price is not None
    assert plain(quote.price) == "0"


def test_the_path_leads_through_the_dollar_and_the_oldest_leg_speaks() -> None:
    quote = quote_of(Decimal(1), BTC, EUR, SECOND)
    assert [leg.pair for leg in quote.path] == ["BTC/USD", "USD/EUR"]
    assert (quote.age, quote.observed_at) == (1203, NOON - timedelta(minutes=2))
    back = quote_of(Decimal(1), EUR, BTC, SECOND)
    assert [leg.pair for leg in back.path] == ["EUR/USD", "USD/BTC"]
    assert (back.age, back.observed_at) == (quote.age, quote.observed_at)


@pytest.mark.parametrize(
    ("base", "target", "pairs"),
    [
        (BTC, USD, ["BTC/USD"]),
        (USD, EUR, ["USD/EUR"]),
        (USD, USD, []),
        (BTC, BTC, []),
        (UNKNOWN, UNKNOWN, []),
    ],
)
def test_the_dollar_and_a_currency_in_itself_need_no_leg(base: Side, target: Side, pairs: list[str]) -> None:
    quote = quote_of(Decimal("2.50"), base, target, SECOND)
    assert [leg.pair for leg in quote.path] == pairs
    assert quote.price is not None
    if not pairs:
        assert (quote.price, quote.age, quote.observed_at, quote.is_stale) == (Decimal("2.5"), 0, None, False)


@pytest.mark.parametrize(("base", "target"), [(BTC, UNKNOWN), (UNKNOWN, BTC), (UNKNOWN, USD), (USD, UNKNOWN)])
def test_without_a_rate_there_is_no_price_but_what_is_known_is_told(base: Side, target: Side) -> None:
    quote = quote_of(Decimal(0), base, target, SECOND)
    assert (quote.price, quote.age, quote.observed_at, quote.is_stale) == (None, None, None, True)
    assert [leg.pair for leg in quote.path] == [
        one for one in ("BTC/USD", "USD/BTC") if one in {f"{base.symbol}/USD", f"USD/{target.symbol}"}
    ]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True), (False, False)])
def test_one_stale_leg_makes_a_stale_quote(*, first: bool, second: bool) -> None:
    base = side(1, "BTC", Decimal(2), is_stale=first)
    target = side(2, "EUR", Decimal(3), is_stale=second)
    assert quote_of(Decimal(1), base, target, SECOND).is_stale is (first or second)


def test_of_legs_of_one_age_the_one_observed_first_is_the_oldest() -> None:
    early = Leg(pair="A/USD", source="s", observed_at=NOON - timedelta(hours=1), since=SECOND)
    late = Leg(pair="B/USD", source="s", observed_at=NOON, since=SECOND)
    assert oldest([late, early]) is oldest([early, late]) is early
    assert oldest([late]) is late
    assert oldest([]) is None


def test_an_age_is_never_negative() -> None:
    assert BTC.outward[0].age(SECOND - 100) == 0
