"""What answers with quotes look like; see `api.schemas`."""

from marshmallow import Schema, fields

from api.fields import SymbolOrId
from api.schemas import CurrencySchema, MetadataSchema, ProfileSchema, derived
from shared.domain.quote import Leg, Quote

_age = {
    "description": "Whole seconds since it was fetched; of a past moment: from the time that its source states."
}

LegSchema = derived(
    "LegSchema",
    Leg,
    names={"observed_at": "actual_date"},
    docs={
        "pair": "BTC/USD: a price of Bitcoin as it is stated. USD/BTC: the same, divided by.",
        "source": "The upstream that stated it.",
        "actual_date": "The time that the source states for it.",
    },
    without=frozenset({"since", "is_stale"}),
    age=fields.Integer(required=True, metadata=_age),
)

QuoteSchema = derived(
    "QuoteSchema",
    Quote,
    names={"currency_id": "currency", "observed_at": "actual_date", "is_stale": "stale"},
    docs={
        "currency": "The id of the currency in which the price is.",
        "price": "Of the amount, as text, without exponent: exact in USD, else rounded to 28 significant digits. Null "
        "where a rate that it needs cannot be had.",
        "actual_date": "Of the oldest leg; null also where there is none.",
        "age": "Whole seconds, of the oldest leg; 0 where there is none.",
        "stale": "A leg is older than STALE_AFTER_SECONDS (a fiat currency's rate than that and the interval of "
        "FIAT_SCHEDULE), or could not be renewed when it was due, or there is no price.",
    },
    without=frozenset({"path"}),
    path=fields.List(
        fields.Nested(LegSchema),
        required=True,
        metadata={"description": "The rates that the price is made of, from the currency through USD."},
    ),
)


class QuotedCurrencySchema(CurrencySchema, MetadataSchema, ProfileSchema):  # type: ignore[misc, valid-type]
    """A currency with its prices."""

    also = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "The ids of all others of that symbol; empty where an id was asked for."},
    )
    quotes = fields.List(fields.Nested(QuoteSchema), required=True)


class QuotesSchema(Schema):
    """Prices of currencies in currencies."""

    results = fields.List(fields.Nested(QuotedCurrencySchema), required=True)
    not_found = fields.List(
        SymbolOrId(),
        required=True,
        data_key="unknown",
        metadata={"description": "The symbols or ids that there are not."},
    )
