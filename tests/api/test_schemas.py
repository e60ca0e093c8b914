"""The hand-made JSON says what the schemas say."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.encoding import currency_json, detail_json, rate_json
from api.errors import PROBLEMS, problem_of
from api.examples import CURRENCY, CURRENCY_DETAIL, RATE
from api.schemas import CurrencyDetailSchema, CurrencySchema, RateSchema, derived
from shared import errors
from shared.domain.currency import (
    Currency,
    CurrencyAlias,
    CurrencyDetail,
    CurrencyKind,
    CurrencyMetadata,
)
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
        aliases=(CurrencyAlias(source="s", source_id="1", symbol="IOT", decided_by="hand", decided_at=now),),
        merged_into=None,
    )
    body = orjson.loads(orjson.dumps(detail_json(detail, None)))
    assert body.keys() == CurrencyDetailSchema().fields.keys() == CURRENCY_DETAIL.keys()
    assert CurrencyDetailSchema().fields["aliases"] is not None
    assert body["aliases"] == [
        {
            "source": "s",
            "source_id": "1",
            "symbol": "IOT",
            "decided_by": "hand",
            "decided_at": "2026-11-20T12:00:00.000Z",
        }
    ]


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
