"""The hand-made JSON of deals says what the schemas say."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema

from api.deals.encoding import converted_body, spenders_body, upload_json
from api.deals.schemas import DealsSchema, DealsUploadSchema, SpenderSchema
from api.examples import DEALS, DEALS_UPLOAD
from shared.domain.deals import BigSpender, DealsFile, DealsUpload, UploadState, gems_of
from shared.domain.spending import Spending
from tests.api.deals.ledger import exactly

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
amounts = st.decimals(min_value=0, max_value=Decimal("1e36"), allow_nan=False)
times = st.datetimes(timezones=st.just(UTC))
spenders = st.lists(
    st.builds(
        BigSpender, name=names, spent=amounts, items=st.lists(names, unique=True).map(sorted).map(tuple)
    ),
    unique_by=lambda one: one.name,
    max_size=5,
)
spendings = st.builds(Spending, amounts) | st.builds(
    Spending, st.none(), st.integers(1, 100_000), times, times
)
uploads = st.builds(
    DealsUpload,
    id=st.integers(1, 2**63 - 1),
    state=st.sampled_from(UploadState),
    file=st.builds(
        DealsFile,
        name=names,
        size=st.integers(0, 2**40),
        sha256=st.just("ab" * 32),
        charset=st.just("utf-8"),
        has_header=st.booleans(),
        received_at=times,
    ),
    rows=st.none() | st.integers(1, 2**40),
    error=st.none() | names,
)


def _wire(schema: type[Schema], *, required: bool = False) -> set[str]:
    return {one.data_key or name for name, one in schema().fields.items() if one.required or not required}


@given(spenders)
def test_those_who_spent_most_are_encoded_as_their_schema_dumps_them(some: list[BigSpender]) -> None:
    told = [
        {"name": one.name, "spent": one.spent, "gems": gems}
        for one, gems in zip(some, gems_of(some), strict=True)
    ]
    body = spenders_body(some).decode()
    assert exactly(body) == DealsSchema().dump({"response": told})
    assert all(row.keys() == _wire(SpenderSchema, required=True) for row in json.loads(body)["response"])


@given(spenders, st.data())
@settings(max_examples=30)
def test_what_they_spent_in_another_currency_is_encoded_as_its_schema_dumps_it(
    some: list[BigSpender], data: st.DataObject
) -> None:
    found = {one.name: data.draw(spendings) for one in some}
    told: list[dict[str, Any]] = []
    for one, gems in zip(some, gems_of(some), strict=True):
        spending = found[one.name]
        told.append({"name": one.name, "spent": spending.amount, "gems": gems, "currency": "BTC"})
        if spending.amount is None:
            told[-1] |= {
                name: getattr(spending, name) for name in ("unpriced", "unpriced_from", "unpriced_to")
            }
    body = converted_body(some, found, "BTC").decode()
    assert exactly(body) == DealsSchema().dump({"response": told})
    for row in json.loads(body)["response"]:
        missing = _wire(SpenderSchema) - row.keys()
        assert bool(missing) is (row["spent_money"] is not None)


@given(amounts)
def test_amounts_keep_every_digit_and_have_no_exponent(amount: Decimal) -> None:
    body = spenders_body([BigSpender("a", amount)])
    number = body.split(b'"spent_money":')[1].partition(b",")[0].decode()
    assert Decimal(number) == amount
    assert set(number) <= set("0123456789.")


@given(uploads)
def test_an_upload_is_encoded_as_its_schema_dumps_it(upload: DealsUpload) -> None:
    schema = DealsUploadSchema()
    of_file = {"name", "size", "sha256", "charset", "received_at"}
    dumped = schema.dump(
        {name: getattr(upload.file if name in of_file else upload, name) for name in schema.fields}
    )
    assert upload_json(upload) == dumped
    assert upload_json(upload).keys() == _wire(DealsUploadSchema)


def test_the_examples_have_the_fields_of_the_schemas() -> None:
    assert DEALS_UPLOAD.keys() == _wire(DealsUploadSchema)
    assert all(row.keys() == _wire(SpenderSchema, required=True) for row in DEALS["response"])


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_dates_of_any_year_can_be_told(year: int) -> None:
    date = datetime(year, 1, 1, tzinfo=UTC)
    (row,) = json.loads(
        converted_body([BigSpender("a", Decimal(1))], {"a": Spending(None, 1, date, date)}, "X")
    )["response"]
    assert row["unpriced_from"] == row["unpriced_to"] == f"{year:04}-01-01T00:00:00.000Z"
