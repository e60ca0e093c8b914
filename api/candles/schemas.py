"""What candles and sparklines are answered with."""

from typing import Any

from marshmallow import Schema, fields, validate

from api.fields import UtcTime
from api.schemas import derived, page_of
from shared.domain.candle import Candle, Interval

_PRICE = "Exact, as text, without exponent; null where no rate was observed."
_SOME = [42841.6, 42850.12, None, 42885.0]

CandleSchema = derived(
    "CandleSchema",
    Candle,
    docs={
        "time": "When it begins, in UTC; it ends where the next one begins.",
        "open": f"The price of the first rate by (actual_date, id). {_PRICE}",
        "high": _PRICE,
        "low": _PRICE,
        "close": f"The price of the last rate by (actual_date, id). {_PRICE}",
        "count": "Of the rates.",
    },
    without=frozenset({"sources"}),
)


class CandlesPageSchema(page_of("CandlesSchema", CandleSchema)):  # type: ignore[misc] # a class made of our own
    """Candles, newest first."""

    sources = fields.List(
        fields.String(), required=True, metadata={"description": "All that a rate of this page is from."}
    )


class SparklineSchema(Schema):
    """What a price did."""

    currency = fields.Integer(required=True)
    sources = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "All that have stated a price since the first interval began."},
    )
    closes = fields.List(
        fields.Float(allow_none=True),
        required=True,
        metadata={"description": "Oldest first, 7 significant digits; null where no rate was observed."},
    )


class SparklinesSchema(Schema):
    """What prices did, for drawing."""

    since = UtcTime(
        required=True, data_key="from", metadata={"description": "When the first interval begins."}
    )
    until = UtcTime(required=True, data_key="to", metadata={"description": "When the last one ends."})
    interval = fields.String(required=True, validate=validate.OneOf([*Interval]))
    results = fields.List(fields.Nested(SparklineSchema), required=True)


CANDLES: dict[str, Any] = {
    "next": "/api/candles/1/?interval=1h&limit=2&cursor=bjE3OTUxNjUyMDAwMDAwMDAuMA",
    "previous": None,
    "sources": ["coinmarketcap"],
    "results": [
        {
            "time": "2026-11-20T12:00:00.000Z",
            "open": "42871.15",
            "high": "42885.00187617128",
            "low": "42850.12",
            "close": "42885.00187617128",
            "count": 3,
        },
        {
            "time": "2026-11-20T11:00:00.000Z",
            "open": None,
            "high": None,
            "low": None,
            "close": None,
            "count": 0,
        },
    ],
}
CANDLES_CSV = (
    "Time,Open,High,Low,Close,Count\r\n"
    "2026-11-20T12:00:00.000Z,42871.15,42885.00187617128,42850.12,42885.00187617128,3\r\n"
    "2026-11-20T11:00:00.000Z,,,,,0\r\n"
)
SPARKLINES: dict[str, Any] = {
    "from": "2026-11-19T12:15:00.000Z",
    "to": "2026-11-20T12:15:00.000Z",
    "interval": "15m",
    "results": [{"currency": 1, "sources": ["coinmarketcap"], "closes": _SOME}],
}
