"""The hand-made JSON says what the schemas say."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema

from api.catalog import Base
from api.encoding import currency_json, detail_json, rate_json
from api.errors import PROBLEMS, problem_body, problem_of
from api.examples import CURRENCY, CURRENCY_DETAIL, QUOTES, RATE
from api.examples import PROFILE as EXAMPLE_PROFILE
from api.lookup import Way
from api.quotes.answer import composed
from api.quotes.cards import Card
from api.quotes.schemas import LegSchema, QuotedCurrencySchema, QuoteSchema, QuotesSchema
from api.quotes.sides import bare_side, known_side
from api.quotes.wanted import Wanted
from api.schemas import (
    CurrencyDetailSchema,
    CurrencySchema,
    RateSchema,
    derived,
)
from shared import errors
from shared.domain.currency import (
    USD_ID,
    Currency,
    CurrencyAlias,
    CurrencyDetail,
    CurrencyKind,
    CurrencyMetadata,
    CurrencyProfile,
)
from shared.domain.quote import quote_of
from shared.domain.rate import Rate

times = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zones
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=3))]),
)
prices = st.decimals(min_value=Decimal("1e-30"), max_value=Decimal("1e30"), allow_nan=False)
percents = st.none() | st.floats(allow_nan=False, allow_infinity=False)
all_rates = st.builds(
    Rate,
    id=st.integers(1, 2**63 - 1),
    currency_id=st.integers(1, 2**63 - 1),
    symbol=st.text(max_size=20).filter(str.isprintable),
    price_usd=prices,
    percent_change_1h=percents,
    percent_change_24h=percents,
    volume_24h=st.none() | prices,
    market_cap=st.none() | prices,
    source=st.sampled_from(["coinmarketcap", "simulator"]),
    observed_at=times,
    fetched_at=times,
    stored_at=times,
)


@given(all_rates, st.booleans())
def test_a_rate_is_encoded_as_its_schema_dumps_it(rate: Rate, is_stale: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    dumped = RateSchema(exclude=("stale",)).dump(rate)
    encoded = rate_json(rate, is_stale=is_stale)
    assert encoded == {**dumped, "stale": is_stale}
    assert orjson.loads(orjson.dumps(encoded))["price_usd"] == encoded["price_usd"]


@given(prices)
def test_prices_keep_every_digit_and_have_no_exponent(price: Decimal) -> None:
    encoded = rate_json(_rate(price), is_stale=False)["price_usd"]
    assert Decimal(encoded) == price
    assert "E" not in encoded.upper()


def _rate(price: Decimal) -> Rate:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Rate(
        id=1,
        currency_id=1,
        symbol="BTC",
        price_usd=price,
        percent_change_1h=None,
        percent_change_24h=None,
        volume_24h=None,
        market_cap=None,
        source="simulator",
        observed_at=now,
        fetched_at=now,
        stored_at=now,
    )


def test_a_currency_is_encoded_as_its_schema_dumps_it() -> None:
    currency = Currency(id=1, name="Bitcoin", symbol="BTC", slug="bitcoin", rank=1, is_active=True)
    assert currency_json(currency) == CurrencySchema().dump(currency) == CURRENCY


def test_a_detail_has_the_fields_of_its_schema() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    detail = CurrencyDetail(
        currency=Currency(
            id=1, name="B", symbol="B", slug="b", rank=None, is_active=True, kind=CurrencyKind.FIAT
        ),
        metadata=CurrencyMetadata(first_seen=now, platform="X", sign="$"),
        profile=CurrencyProfile(
            circulating_supply=Decimal("1e-8"),
            max_supply=Decimal(21000000),
            tags=("mineable",),
            links={"website": ("https://bitcoin.org/",)},
        ),
        profiled_at=now,
        aliases=(CurrencyAlias(source="s", source_id="1", symbol="IOT", decided_by="hand", decided_at=now),),
        merged_into=None,
    )
    body = orjson.loads(orjson.dumps(detail_json(detail, None)))
    assert body.keys() == CurrencyDetailSchema().fields.keys() == CURRENCY_DETAIL.keys()
    assert CurrencyDetailSchema().fields["aliases"] is not None
    assert {name: body[name] for name in EXAMPLE_PROFILE} == {
        "circulating_supply": "0.00000001",
        "total_supply": None,
        "max_supply": "21000000",
        "tags": ["mineable"],
        "links": {"website": ["https://bitcoin.org/"]},
    }
    assert body["aliases"] == [
        {
            "source": "s",
            "source_id": "1",
            "symbol": "IOT",
            "decided_by": "hand",
            "decided_at": "2026-11-20T12:00:00.000Z",
        }
    ]


def _wire(schema: type[Schema]) -> set[str]:
    return {field.data_key or name for name, field in schema().fields.items()}


_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
_CURRENCIES = {
    symbol: Currency(id=number, name=symbol, symbol=symbol, slug=symbol, rank=None, is_active=True)
    for number, symbol in ((1, "BTC"), (2, "EUR"), (USD_ID, "USD"), (4, "NEW"))
}
_SIDES = {
    "BTC": known_side(_CURRENCIES["BTC"], Decimal("42885.1"), "s", _NOON, since=7, is_stale=False, tag="a"),
    "EUR": known_side(_CURRENCIES["EUR"], Decimal("1.08"), "t", _NOON, since=5, is_stale=True, tag="b"),
    "USD": bare_side(_CURRENCIES["USD"]),
    "NEW": bare_side(_CURRENCIES["NEW"]),
}


@pytest.mark.parametrize("target", _SIDES)
@pytest.mark.parametrize("base", _SIDES)
def test_a_quote_is_encoded_as_its_schema_dumps_it(base: str, target: str) -> None:
    second, amount = 10, Decimal("3.0")
    quote = quote_of(amount, _SIDES[base].side, _SIDES[target].side, second)
    wanted = Wanted(
        bases=(Base(_CURRENCIES[base], (5, 6)),),
        targets=(_CURRENCIES[target],),
        unknown=("NOPE", 7),
    )
    told = {name: value for name, value in QUOTES["results"][0].items() if name not in {"also", "quotes"}}
    answer = composed(
        amount,
        second,
        wanted,
        {side.side.currency_id: side for side in _SIDES.values()},
        {_CURRENCIES[base].id: Card(orjson.dumps(told)[:-1], b"")},
        Way.HIT,
    )
    legs = [{**LegSchema(exclude=("age",)).dump(leg), "age": leg.age(second)} for leg in quote.path]
    quoted = {**QuoteSchema(exclude=("path",)).dump(quote), "path": legs}
    assert orjson.loads(answer.body) == {
        "results": [{**told, "also": [5, 6], "quotes": [quoted]}],
        "unknown": ["NOPE", 7],
    }
    assert quoted.keys() == _wire(QuoteSchema)
    assert all(leg.keys() == _wire(LegSchema) for leg in legs)


def test_the_example_of_quotes_has_the_fields_of_its_schema() -> None:
    assert QUOTES.keys() == _wire(QuotesSchema)
    (row,) = QUOTES["results"]
    assert row.keys() == _wire(QuotedCurrencySchema)
    (quote,) = row["quotes"]
    assert quote.keys() == _wire(QuoteSchema)
    assert [leg.keys() for leg in quote["path"]] == [_wire(LegSchema)] * 2


def test_the_examples_have_the_fields_of_the_schemas() -> None:
    wire = {field.data_key for field in RateSchema().fields.values()} - {None}
    assert RATE.keys() == wire | {"stale"}


def test_only_dataclasses_can_be_derived_from() -> None:
    with pytest.raises(TypeError):
        derived("X", int)


def test_every_error_that_can_reach_a_client_has_a_problem() -> None:
    internal = {errors.FreshrateError, errors.RetryableError, errors.SettingsError, errors.SchemaOutdated}
    for name in dir(errors):
        one = getattr(errors, name)
        if isinstance(one, type) and issubclass(one, errors.FreshrateError) and one not in internal:
            assert problem_of(one).status < 600, name
            assert problem_of(one) is not problem_of(errors.SettingsError), name


def test_problems_have_names_of_their_own() -> None:
    slugs = [problem.slug for problem in PROBLEMS.values()]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("The source answered 500", "The source answered 500."),
        ("The source answered 500.", "The source answered 500."),
        ("The source answered 500. ", "The source answered 500."),
        ('The source says "down."', 'The source says "down."'),
    ],
)
def test_what_a_source_said_does_not_run_into_our_advice(said: str, told: str) -> None:
    advice = PROBLEMS[errors.UpstreamError].advice
    assert problem_body(errors.UpstreamError(said))["detail"] == f"{told} {advice}"
