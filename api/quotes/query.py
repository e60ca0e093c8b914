"""What a request for quotes may say."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, post_load, validates_schema

from api.fields import Amount, IdList, PastMoment, PlainInteger, SymbolList
from api.queries import MAX_AGE_LIMIT, QuerySchema
from shared.domain.currency import USD_ID

MOST_QUOTED = 100
"""Currencies of one request."""
MOST_TARGETS = 10
"""Currencies in which they are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotesQuery:
    symbols: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    convert: tuple[str, ...] = ()
    convert_ids: tuple[int, ...] = ()
    amount: Decimal = Decimal(1)
    moment: datetime | None = None
    max_age: int | None = None


class QuotesQuerySchema(QuerySchema):
    made_of = QuotesQuery
    symbols = SymbolList(
        most=MOST_QUOTED,
        data_key="symbol",
        metadata={
            "description": f"Up to {MOST_QUOTED} symbols in any case, comma-separated. Where several currencies share one, the best-ranked that is "
            "active is meant. Either this or `id` is needed.",
            "example": "BTC,ETH",
        },
    )
    ids = IdList(
        most=MOST_QUOTED,
        data_key="id",
        metadata={
            "description": f"Up to {MOST_QUOTED} ids instead, comma-separated: exactly these, active or not.",
            "example": "1,1027",
        },
    )
    convert = SymbolList(
        most=MOST_TARGETS,
        metadata={
            "description": f"In which currencies, up to {MOST_TARGETS}, comma-separated: codes of fiat currencies, else "
            "symbols. Without: in USD.",
            "example": "EUR,ETH",
        },
    )
    convert_ids = IdList(
        most=MOST_TARGETS,
        data_key="convert_id",
        metadata={"description": "Ids instead, comma-separated.", "example": "2790,1027"},
    )
    amount = Amount(
        load_default=Decimal(1), metadata={"description": "How much of each currency.", "example": "1.5"}
    )
    moment = PastMoment(
        data_key="datetime",
        metadata={
            "description": "Rates as they were known then: ISO 8601 (without zone: UTC) or Unix seconds. Without: now."
        },
    )
    max_age = PlainInteger(
        minimum=0,
        maximum=MAX_AGE_LIMIT,
        metadata={
            "description": "Seconds since a rate was fetched that it may be old when the request arrives; older ones are "
            "refreshed first. Not together with `datetime`."
        },
    )

    @validates_schema
    def check(self, data: dict[str, Any], **_options: Any) -> None:  # noqa: ANN401 - marshmallow's signature
        """What parameters say of each other."""
        if "symbols" not in data and "ids" not in data:
            raise ValidationError("Is needed, or `id`. Say which currencies, as symbol=BTC,ETH.", "symbol")
        for one, other, names in (
            ("symbols", "ids", ("symbol", "id")),
            ("convert", "convert_ids", ("convert", "convert_id")),
            ("moment", "max_age", ("datetime", "max_age")),
        ):
            if one in data and other in data:
                raise ValidationError(
                    f"Cannot be given together with `{names[0]}`. Leave one of both out.", names[1]
                )

    @post_load
    def make(self, data: dict[str, Any], **_options: Any) -> QuotesQuery:  # noqa: ANN401 - marshmallow's signature
        if "convert" not in data:
            data.setdefault("convert_ids", (USD_ID,))
        return QuotesQuery(**data)
