"""What requests for candles and sparklines may say."""

from dataclasses import dataclass
from datetime import datetime

from marshmallow import fields, validate

from api.fields import Choice, CursorText, IdList, Moment, PlainInteger
from api.queries import DEFAULT_LIMIT, MAX_LIMIT, QuerySchema
from api.top.formats import Format
from shared.domain.candle import Interval
from shared.domain.page import Cursor
from shared.settings import RATE_SOURCES

MOST_SPARKLINES = 100
"""Currencies of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesQuery:
    interval: Interval
    limit: int
    format: Format
    cursor: Cursor | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None


class CandlesQuerySchema(QuerySchema):
    made_of = CandlesQuery
    interval = Choice(
        Interval, load_default=Interval.HOUR, metadata={"description": "The length of a candle."}
    )
    since = Moment(
        data_key="from",
        metadata={
            "description": "Candles that begin at or after this: ISO 8601 (without zone: UTC) or Unix seconds."
        },
    )
    until = Moment(
        data_key="to",
        metadata={
            "description": "Candles that begin before this: ISO 8601 (without zone: UTC) or Unix seconds."
        },
    )
    source = fields.String(
        validate=validate.OneOf(RATE_SOURCES),
        metadata={"description": "Of the rates of this source only. Without: of all."},
    )
    limit = PlainInteger(
        minimum=1,
        maximum=MAX_LIMIT,
        load_default=DEFAULT_LIMIT,
        metadata={"description": "Candles per page."},
    )
    cursor = CursorText(metadata={"description": "Where the page begins; taken from `next` or `previous`."})
    format = Choice(Format, load_default=Format.JSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class SparklinesQuery:
    currency_ids: tuple[int, ...]


class SparklinesQuerySchema(QuerySchema):
    made_of = SparklinesQuery
    currency_ids = IdList(
        most=MOST_SPARKLINES,
        data_key="currency",
        required=True,
        error_messages={"required": "Is needed. Say which currencies, as currency=1,1027."},
        metadata={
            "description": f"1 to {MOST_SPARKLINES} ids of currencies, comma-separated.",
            "example": "1,1027",
        },
    )
