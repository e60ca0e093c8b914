"""The examples that the OpenAPI document shows."""

from collections.abc import Mapping
from typing import Any

CURRENCY = {"id": 1, "name": "Bitcoin", "symbol": "BTC", "slug": "bitcoin", "rank": 1, "is_active": True}

RATE = {
    "id": 48213,
    "currency": 1,
    "symbol": "BTC",
    "price_usd": "42885.00187617128",
    "percent_change_1h": -0.12,
    "percent_change_24h": 1.84,
    "volume_24h": "21987345123.4518",
    "market_cap": "839712345678.12",
    "source": "coinmarketcap",
    "actual_date": "2026-11-20T11:59:00.000Z",
    "fetched_at": "2026-11-20T12:00:00.214Z",
    "date_added": "2026-11-20T12:00:00.230Z",
    "stale": False,
}

PROFILE = {
    "circulating_supply": "19987654",
    "total_supply": "19987654",
    "max_supply": "21000000",
    "tags": ["mineable", "store-of-value"],
    "links": {"website": ["https://bitcoin.org/"]},
}

CURRENCY_DETAIL = {
    **CURRENCY,
    "kind": "crypto",
    "first_seen": "2010-07-13T00:05:00.000Z",
    "platform": None,
    "sign": None,
    **PROFILE,
    "aliases": [
        {
            "source": "coinmarketcap",
            "source_id": "1",
            "symbol": "BTC",
            "decided_by": "identity",
            "decided_at": "2026-11-20T12:00:00.000Z",
        }
    ],
    "last_rate": RATE,
}

TOP = {
    "datetime": "2026-11-20T12:00:00.214Z",
    "stale": False,
    "sources": {"ranking": "cryptocompare", "prices": ["coinmarketcap"]},
    "results": [
        {
            "rank": 1,
            "currency": 1,
            "symbol": "BTC",
            "name": "Bitcoin",
            "price_usd": "42885.00187617128",
            "source": "coinmarketcap",
            "actual_date": "2026-11-20T11:59:00.000Z",
        }
    ],
}


QUOTES: dict[str, Any] = {
    "results": [
        {
            **CURRENCY,
            "first_seen": "2010-07-13T00:05:00.000Z",
            "platform": None,
            "sign": None,
            **PROFILE,
            "also": [],
            "quotes": [
                {
                    "currency": 2790,
                    "symbol": "EUR",
                    "price": "39708.33507052896296296296296",
                    "actual_date": "2026-11-19T15:00:00.000Z",
                    "age": 1203,
                    "stale": False,
                    "path": [
                        {
                            "pair": "BTC/USD",
                            "source": "coinmarketcap",
                            "actual_date": "2026-11-20T11:59:00.000Z",
                            "age": 14,
                        },
                        {
                            "pair": "USD/EUR",
                            "source": "frankfurter",
                            "actual_date": "2026-11-19T15:00:00.000Z",
                            "age": 1203,
                        },
                    ],
                }
            ],
        }
    ],
    "unknown": [],
}

DEALS: dict[str, Any] = {
    "response": [
        {"username": "resplendent", "spent_money": 451731, "gems": ["Рубин", "Сапфир", "Танзанит"]},
        {"username": "bellwether", "spent_money": 217794, "gems": ["Петерсит", "Сапфир"]},
        {"username": "uvulaperfly117", "spent_money": 120419, "gems": ["Петерсит", "Танзанит"]},
        {"username": "braggadocio", "spent_money": 108957, "gems": ["Изумруд"]},
        {"username": "turophile", "spent_money": 100132, "gems": ["Изумруд", "Рубин"]},
    ]
}

DEALS_UPLOAD = {
    "id": 17,
    "state": "current",
    "file_name": "deals.csv",
    "size": 46184,
    "sha256": "1d786f96fa4ce56ce1ddb97f4ef93585deab7d638c8d194700e49dea651343fe",
    "charset": "utf-8",
    "rows": 767,
    "error": None,
    "date_added": "2026-11-20T12:00:00.230Z",
}


def page(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": [row]}
