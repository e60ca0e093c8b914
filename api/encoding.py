"""Domain objects as JSON, by hand: ten times faster than a marshmallow dump, and a test holds it to the schemas.

Decimals become plain text, so no digit is lost; times become ISO 8601 with milliseconds and Z.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from shared.domain.currency import (
    Currency,
    CurrencyAlias,
    CurrencyDetail,
    CurrencyMetadata,
    CurrencyProfile,
)
from shared.domain.money import plain
from shared.domain.rate import Rate
from shared.domain.times import iso

Json = dict[str, Any]


def rate_json(rate: Rate, *, is_stale: bool) -> Json:
    return {
        "id": rate.id,
        "currency": rate.currency_id,
        "symbol": rate.symbol,
        "price_usd": plain(rate.price_usd),
        "percent_change_1h": rate.percent_change_1h,
        "percent_change_24h": rate.percent_change_24h,
        "volume_24h": _decimal(rate.volume_24h),
        "market_cap": _decimal(rate.market_cap),
        "source": rate.source,
        "actual_date": iso_quickly(rate.observed_at),
        "fetched_at": iso_quickly(rate.fetched_at),
        "date_added": iso_quickly(rate.stored_at),
        "stale": is_stale,
    }


def currency_json(currency: Currency) -> Json:
    return {
        "id": currency.id,
        "name": currency.name,
        "symbol": currency.symbol,
        "slug": currency.slug,
        "rank": currency.rank,
        "is_active": currency.is_active,
    }


def description_json(metadata: CurrencyMetadata, profile: CurrencyProfile) -> Json:
    """What is told of a currency beyond its identity."""
    return {
        "first_seen": _time(metadata.first_seen),
        "platform": metadata.platform,
        "sign": metadata.sign,
        "circulating_supply": _decimal(profile.circulating_supply),
        "total_supply": _decimal(profile.total_supply),
        "max_supply": _decimal(profile.max_supply),
        "tags": list(profile.tags),
        "links": {kind: list(addresses) for kind, addresses in profile.links.items()},
    }


def detail_json(detail: CurrencyDetail, last_rate: orjson.Fragment | None) -> Json:
    """`last_rate`: as it is encoded already."""
    return {
        **currency_json(detail.currency),
        "kind": detail.currency.kind.value,
        **description_json(detail.metadata, detail.profile),
        "aliases": [_alias_json(alias) for alias in detail.aliases],
        "last_rate": last_rate,
    }


def _alias_json(alias: CurrencyAlias) -> Json:
    return {
        "source": alias.source,
        "source_id": alias.source_id,
        "symbol": alias.symbol,
        "decided_by": alias.decided_by,
        "decided_at": iso(alias.decided_at),
    }


def iso_quickly(time: datetime) -> str:
    """What `iso` says, at a fifth of its price: a page of history has thousands of times."""
    if time.tzinfo is not UTC:
        return iso(time)
    text = orjson.dumps(time)
    return (text[1:24] if time.microsecond else text[1:20] + b".000").decode() + "Z"


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _time(value: datetime | None) -> str | None:
    return None if value is None else iso(value)
