"""What answers look like: derived from the domain's dataclasses, so a field is defined once.

The schemas feed the OpenAPI document, and a test holds the hand-made JSON of `api.encoding` to them.
"""

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from marshmallow import Schema, fields, validate

from api.fields import DecimalText, SymbolOrId, UtcTime
from shared.domain.currency import (
    Currency,
    CurrencyAlias,
    CurrencyKind,
    CurrencyMetadata,
    CurrencyProfile,
)
from shared.domain.ranking import TopRow
from shared.domain.rate import Rate

_SIMPLE: dict[type, type[fields.Field[Any]]] = {
    int: fields.Integer,
    str: fields.String,
    bool: fields.Boolean,
    float: fields.Float,
    Decimal: DecimalText,
    datetime: UtcTime,
}


def derived(
    name: str,
    dataclass: type,
    *,
    names: Mapping[str, str] | None = None,
    docs: Mapping[str, str] | None = None,
    without: frozenset[str] = frozenset(),
    **more: fields.Field[Any],
) -> type[Schema]:
    """A schema with the dataclass' fields under the names of the wire. `docs`: by the names of the wire."""
    if not is_dataclass(dataclass):
        raise TypeError(f"{dataclass} is no dataclass")
    hints = get_type_hints(dataclass)
    made: dict[str, fields.Field[Any]] = {}
    for one in dataclass_fields(dataclass):
        if one.name not in without:
            wire = (names or {}).get(one.name, one.name)
            made[one.name] = _field(hints[one.name], wire, (docs or {}).get(wire))
    return Schema.from_dict({**made, **more}, name=name)


def _field(hint: Any, data_key: str, doc: str | None) -> fields.Field[Any]:  # noqa: ANN401 - a type hint
    allow_none = isinstance(hint, UnionType) and NoneType in get_args(hint)
    if allow_none:
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
    options: dict[str, Any] = {
        "required": True,
        "allow_none": allow_none,
        "data_key": data_key,
        "metadata": {"description": doc} if doc else {},
    }
    if get_origin(hint) in {tuple, Mapping}:
        return _composed(hint, options)
    if issubclass(hint, StrEnum):
        return fields.String(validate=validate.OneOf([one.value for one in hint]), **options)
    return _SIMPLE[hint](**options)


def _composed(hint: Any, options: dict[str, Any]) -> fields.Field[Any]:  # noqa: ANN401 - a type hint
    """A tuple of any length, or a mapping from texts."""
    if get_origin(hint) is tuple:
        return fields.List(_SIMPLE[get_args(hint)[0]](), **options)
    _, values = get_args(hint)
    return fields.Dict(keys=fields.String(), values=_field(values, "", None), **options)


RateSchema = derived(
    "RateSchema",
    Rate,
    names={"currency_id": "currency", "observed_at": "actual_date", "stored_at": "date_added"},
    docs={
        "id": "The row, never changed.",
        "currency": "The currency's id: CoinMarketCap's, or a local one from 1 000 000 000 up.",
        "price_usd": "Exact, as text, without exponent.",
        "source": "The upstream that stated the price.",
        "actual_date": "The time that the source states for it.",
        "fetched_at": "When we last asked and got it.",
        "date_added": "When the row was stored.",
    },
    stale=fields.Boolean(
        required=True,
        metadata={"description": "Older than STALE_AFTER_SECONDS, or could not be renewed when it was due."},
    ),
)

CurrencySchema = derived(
    "CurrencySchema",
    Currency,
    docs={
        "symbol": "Not unique: never an identity.",
        "rank": "CoinMarketCap's; null for fiat and unranked ones.",
    },
    without=frozenset({"kind"}),
)

AliasSchema = derived("AliasSchema", CurrencyAlias)

MetadataSchema = derived(
    "MetadataSchema",
    CurrencyMetadata,
    docs={
        "first_seen": "The first time that the source has data of it.",
        "platform": "The chain that it is a token of.",
        "sign": "A fiat currency's sign.",
    },
)


ProfileSchema = derived(
    "ProfileSchema",
    CurrencyProfile,
    docs={
        "circulating_supply": "In units of the currency; null, like the two below, where its source does not say.",
        "tags": "Its source's words for what it is; empty where there are none.",
        "links": "Addresses by the source's name for their kind; empty where there are none.",
    },
)


def _nullable(schema: type[Schema], doc: str) -> fields.Nested:
    return fields.Nested(schema, required=True, allow_none=True, metadata={"description": doc})


class CurrencyDetailSchema(CurrencySchema, MetadataSchema, ProfileSchema):  # type: ignore[misc, valid-type]
    kind = fields.String(required=True, validate=validate.OneOf([one.value for one in CurrencyKind]))
    aliases = fields.List(fields.Nested(AliasSchema), required=True)
    last_rate = _nullable(RateSchema, "As `lastrate` gives it.")


def page_of(name: str, rows: type[Schema]) -> type[Schema]:
    """A page of a list."""
    link = {"description": "The path of the neighbouring page, relative to the root; null at the end."}
    return Schema.from_dict(
        {
            "next": fields.String(required=True, allow_none=True, metadata=link),
            "previous": fields.String(required=True, allow_none=True, metadata=link),
            "results": fields.List(fields.Nested(rows), required=True),
        },
        name=name,
    )


TopRowSchema = derived(
    "TopRowSchema",
    TopRow,
    names={"currency_id": "currency", "observed_at": "actual_date"},
    docs={
        "rank": "The place by the volume of 24 hours.",
        "currency": "The currency's id: CoinMarketCap's, or a local one from 1 000 000 000 up.",
        "price_usd": "Exact, as text, without exponent; null where no price is known.",
        "source": "The upstream that stated the price.",
        "actual_date": "The time that the source states for the price.",
    },
)


class TopSourcesSchema(Schema):
    ranking = fields.String(
        required=True, allow_none=True, metadata={"description": "Null before the first ranking."}
    )
    prices = fields.List(
        fields.String(), required=True, metadata={"description": "All that a price of the list is from."}
    )


class TopSchema(Schema):
    """A top list."""

    moment = UtcTime(
        required=True,
        allow_none=True,
        data_key="datetime",
        metadata={
            "description": "The moment that was asked for; in the list of now, when its newest part was fetched."
        },
    )
    stale = fields.Boolean(
        required=True,
        metadata={
            "description": "The ranking or a price is older than STALE_AFTER_SECONDS, or the list could not be renewed "
            "when it was due."
        },
    )
    sources = fields.Nested(TopSourcesSchema, required=True)
    results = fields.List(fields.Nested(TopRowSchema), required=True)


RatesPageSchema = page_of("RatesPageSchema", RateSchema)
CurrenciesPageSchema = page_of("CurrenciesPageSchema", CurrencySchema)


class ProblemSchema(Schema):
    """RFC 9457."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What is wrong, and what to do."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong, by parameter; for 400."},
    )
    not_found = fields.List(
        SymbolOrId(),
        data_key="unknown",
        metadata={"description": "The symbols or ids that there are not, where all are unknown."},
    )


class RefreshProblemSchema(ProblemSchema):
    """A refresh that brought no rate."""

    last_rate = _nullable(RateSchema, "The last rate that is known; null where there is none.")


class ReadinessSchema(Schema):
    ready = fields.Boolean(required=True)
    dependencies = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "`ok`, or what is wrong, by dependency."},
    )


class LivenessSchema(Schema):
    alive = fields.Boolean(required=True)
