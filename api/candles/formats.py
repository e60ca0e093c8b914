"""A page of candles as JSON or CSV.

A page of a thousand has four thousand prices, so it is encoded in slices, and others are served between them.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

import orjson

from api.answers import JSON, Answer
from api.encoding import Json, iso_quickly
from api.etags import etag_of
from api.pages import Links
from api.top.formats import Format
from shared.domain.candle import Candle
from shared.domain.money import plain

AT_ONCE = 200
"""Candles that are encoded in one go: half a millisecond."""
CSV = "text/csv; charset=utf-8"
HEADER = b"Time,Open,High,Low,Close,Count\r\n"


def candle_json(candle: Candle) -> Json:
    return {
        "time": iso_quickly(candle.time),
        "open": _text(candle.open),
        "high": _text(candle.high),
        "low": _text(candle.low),
        "close": _text(candle.close),
        "count": candle.count,
    }


def _text(price: Decimal | None) -> str | None:
    return None if price is None else plain(price)


def _objects(candles: Sequence[Candle]) -> bytes:
    return orjson.dumps([candle_json(one) for one in candles])[1:-1]


def _lines(candles: Sequence[Candle]) -> bytes:
    return "".join(map(_line, candles)).encode()


def _line(candle: Candle) -> str:
    """No cell needs quotes, and none is taken for a formula."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    cells = [_text(price) or "" for price in prices]
    return f"{iso_quickly(candle.time)},{','.join(cells)},{candle.count}\r\n"


async def candles_answer(candles: Sequence[Candle], links: Links, *, form: Format, file_name: str) -> Answer:
    """`file_name`: of the CSV."""
    sources = sorted(frozenset[str]().union(*(one.sources for one in candles)))
    more = {"Freshrate-Price-Sources": ", ".join(sources)} if sources else {}
    if form is Format.CSV:
        body = HEADER + b"".join(await _encoded(candles, _lines))
        more["Content-Disposition"] = f'attachment; filename="{file_name}"'
        if links.header:
            more["Link"] = links.header
        return _answer(body, CSV, more)
    head = orjson.dumps({"next": links.next, "previous": links.previous, "sources": sources})
    objects = b",".join(await _encoded(candles, _objects))
    return _answer(head[:-1] + b',"results":[' + objects + b"]}", JSON, more)


async def _encoded(candles: Sequence[Candle], encode: Callable[[Sequence[Candle]], bytes]) -> list[bytes]:
    slices = []
    for start in range(0, len(candles), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        slices.append(encode(candles[start : start + AT_ONCE]))
    return slices


def _answer(body: bytes, content_type: str, more: dict[str, str]) -> Answer:
    return Answer(
        body=body,
        etag=etag_of(body),
        last_modified=None,
        fetched_second=None,
        modified_second=None,
        is_stale=False,
        content_type=content_type,
        more_headers=more,
    )
