"""What the market and the status look like, with an example of each."""

from marshmallow import Schema, fields

from api.examples import RATE
from api.fields import UtcTime
from api.schemas import RateSchema
from shared import __version__


class MarketRowSchema(Schema):
    rank = fields.Integer(required=True)
    currency = fields.Integer(
        required=True,
        metadata={"description": "The currency's id: CoinMarketCap's, or a local one from 1 000 000 000 up."},
    )
    symbol = fields.String(required=True, metadata={"description": "Not unique: never an identity."})
    name = fields.String(required=True)
    rate = fields.Nested(
        RateSchema,
        required=True,
        allow_none=True,
        metadata={"description": "As `lastrate` gives it; null where no rate is known."},
    )


class MarketSchema(Schema):
    """The newest ranking that is known, with the last rates."""

    moment = UtcTime(
        required=True, data_key="datetime", metadata={"description": "When the answer was made."}
    )
    ranked_at = UtcTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "When the ranking's source stated it; null before the first one: then the order is the catalog's."
        },
    )
    ranked_by = fields.String(
        required=True, allow_none=True, metadata={"description": "The source of the ranking."}
    )
    stale = fields.Boolean(
        required=True,
        metadata={
            "description": "The ranking, or the newest of the rates, is older than STALE_AFTER_SECONDS. Each rate says so "
            "of itself, too."
        },
    )
    stale_after = fields.Integer(required=True, metadata={"description": "STALE_AFTER_SECONDS."})
    results = fields.List(fields.Nested(MarketRowSchema), required=True)


class WorkersSchema(Schema):
    pricing = fields.Integer(required=True)
    ranking = fields.Integer(required=True)


class StatusSchema(Schema):
    """How the service is. `ok`, or what is wrong, for each part that it needs."""

    moment = UtcTime(
        required=True, data_key="datetime", metadata={"description": "When the answer was made."}
    )
    version = fields.String(required=True)
    simulated = fields.Boolean(
        required=True, metadata={"description": "The rates are the simulator's, not market prices."}
    )
    sources = fields.List(fields.String(), required=True, metadata={"description": "The preferred first."})
    stale_after = fields.Integer(required=True, metadata={"description": "STALE_AFTER_SECONDS."})
    refresh_timeout = fields.Float(
        required=True, metadata={"description": "Seconds that a client waits for a fresh rate at most."}
    )
    upload_needs_key = fields.Boolean(
        required=True, metadata={"description": "Whether an upload of deals needs a key."}
    )
    upload_max_bytes = fields.Integer(
        required=True, metadata={"description": "A file of deals may be so large: DEALS_MAX_BYTES."}
    )
    deals_currency = fields.String(
        required=True,
        metadata={"description": "Symbol of the currency that totals of deals are in: DEALS_CURRENCY."},
    )
    newest_rate_at = UtcTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "When the newest rate of a cryptocurrency was fetched; null before the first."
        },
    )
    ranked_at = UtcTime(
        required=True,
        allow_none=True,
        metadata={"description": "Of the newest ranking; null before the first."},
    )
    database = fields.String(required=True)
    queue = fields.String(required=True)
    stream = fields.String(required=True)
    catalog = fields.String(required=True)
    workers = fields.Nested(
        WorkersSchema,
        required=True,
        allow_none=True,
        metadata={"description": "How many are alive, by role; null where the queue does not answer."},
    )


MARKET = {
    "datetime": "2026-11-20T12:00:07.512Z",
    "ranked_at": "2026-11-20T11:58:00.214Z",
    "ranked_by": "coinmarketcap",
    "stale": False,
    "stale_after": 900,
    "results": [{"rank": 1, "currency": 1, "symbol": "BTC", "name": "Bitcoin", "rate": RATE}],
}

STATUS = {
    "datetime": "2026-11-20T12:00:07.512Z",
    "version": __version__,
    "simulated": False,
    "sources": ["coinmarketcap", "cryptocompare"],
    "stale_after": 900,
    "refresh_timeout": 10.0,
    "upload_needs_key": False,
    "upload_max_bytes": 268_435_456,
    "deals_currency": "USD",
    "newest_rate_at": "2026-11-20T12:00:00.214Z",
    "ranked_at": "2026-11-20T11:58:00.214Z",
    "database": "ok",
    "queue": "ok",
    "stream": "ok",
    "catalog": "ok",
    "workers": {"pricing": 1, "ranking": 1},
}
