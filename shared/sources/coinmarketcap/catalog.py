"""CoinMarketCap's maps as catalog entries.

A line that is junk is dropped; a list that is empty or mostly junk is UpstreamMalformed, so it never replaces a good
one. Where an id stands twice, the first line counts.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from unicodedata import normalize

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.domain.times import time_from_iso
from shared.errors import UpstreamError, UpstreamMalformed
from shared.ports import Parsed, UpstreamAnswer
from shared.sources.coinmarketcap.answers import contents_of, is_not_offered_without_key
from shared.sources.coinmarketcap.fiats import FIATS
from shared.sources.coinmarketcap.quotes import id_of
from shared.sources.values import text_from, text_or_none

_SMALLEST_SHARE = 0.5
"""Of the lines that a map has, at least so many must be usable."""
_LARGEST_RANK = 2**31 - 2
_NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")


def parse_map(answer: UpstreamAnswer) -> Parsed[list[CatalogEntry]]:
    contents = contents_of(answer)
    return Parsed(_entries(contents.data, _crypto), contents.credits)


def parse_fiat_map(answer: UpstreamAnswer) -> Parsed[list[CatalogEntry]]:
    contents = contents_of(answer)
    return Parsed(_entries(contents.data, _fiat), contents.credits)


def parse_keyless_fiat_map(answer: UpstreamAnswer) -> Parsed[list[CatalogEntry]]:
    """The fiat map is not among the endpoints that the keyless API promises: where CoinMarketCap says so, the list of
    its documentation stands in. Its ids are fixed."""
    try:
        return parse_fiat_map(answer)
    except UpstreamError:
        if not is_not_offered_without_key(answer):
            raise
        return Parsed(_entries(list(FIATS), _fiat), 0)


def _entries(data: Any, read: Callable[[dict[str, Any]], CatalogEntry]) -> list[CatalogEntry]:  # noqa: ANN401 - JSON
    if not isinstance(data, list):
        raise UpstreamMalformed("CoinMarketCap answered with a map that is no list.")
    entries: dict[int, CatalogEntry] = {}
    usable = 0
    for line in data:
        try:
            entry = read(line if isinstance(line, dict) else {})
        except ValueError:
            continue
        usable += 1
        entries.setdefault(entry.currency.id, entry)
    if not entries or usable < len(data) * _SMALLEST_SHARE:
        raise UpstreamMalformed(
            f"CoinMarketCap answered with a map of which {usable} of {len(data)} lines hold."
        )
    return list(entries.values())


def _crypto(line: dict[str, Any]) -> CatalogEntry:
    is_active = line.get("is_active", "1")
    if is_active not in ("0", "1"):
        raise ValueError("is_active is neither 0 nor 1")
    platform = line.get("platform")
    return CatalogEntry(
        Currency(
            id=_id(line),
            name=text_from(line.get("name")),
            symbol=text_from(line.get("symbol")),
            slug=text_from(line.get("slug")),
            rank=_rank(line.get("rank")),
            is_active=is_active == "1",
            kind=CurrencyKind.CRYPTO,
        ),
        CurrencyMetadata(
            first_seen=_time(line.get("first_historical_data")),
            platform=text_or_none(platform.get("name")) if isinstance(platform, dict) else None,
        ),
    )


def _fiat(line: dict[str, Any]) -> CatalogEntry:
    name = text_from(line.get("name"))
    return CatalogEntry(
        Currency(
            id=_id(line),
            name=name,
            symbol=text_from(line.get("symbol")),
            slug=_slug(name),
            rank=None,
            is_active=True,
            kind=CurrencyKind.FIAT,
        ),
        CurrencyMetadata(sign=text_or_none(line.get("sign"))),
    )


def _slug(name: str) -> str:
    """As CoinMarketCap makes it of a fiat currency's name: Polish Złoty is polish-zloty."""
    plain = normalize("NFKD", name.lower().replace("ł", "l")).encode("ascii", "ignore").decode()
    return _NOT_IN_SLUGS.sub("-", plain).strip("-")


def _id(line: dict[str, Any]) -> int:
    currency_id = id_of(line.get("id"))
    if currency_id is None:
        raise ValueError("no id")
    return currency_id


def _rank(value: object) -> int | None:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > 10:  # noqa: PLR2004 - 32 bits
        return None
    return int(value) if 0 < int(value) <= _LARGEST_RANK else None


def _time(value: object) -> datetime | None:
    try:
        return time_from_iso(value) if isinstance(value, str) else None
    except ValueError:
        return None
