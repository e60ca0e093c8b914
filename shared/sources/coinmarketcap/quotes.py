"""CoinMarketCap's coins as observations, in every shape that its quotes and listings have had.

v3: `data` is a list of coins and `quote` a list of `{"symbol", ...}`. v1 and v2: `data` is a list (listings) or an object
by id or symbol whose values are one coin or a list of coins, and `quote` an object by currency. All are read.

One bad coin never fails its neighbours. A coin that stands twice in an answer counts once: the newest quote, and of two
of the same time the first. The time is the quote's own `last_updated`: an inactive coin is answered with its last price,
years old, under a status of this second.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from shared.domain.currency import FIRST_LOCAL_ID
from shared.domain.money import price_from
from shared.domain.rate import Observation
from shared.domain.times import time_from_iso
from shared.errors import UpstreamMalformed, UpstreamRejected
from shared.ports import Parsed, Quotes, UpstreamAnswer
from shared.sources.coinmarketcap.answers import Contents, contents_of
from shared.sources.values import amount_or_none, percent_or_none

_USD = "USD"
_MAX_ID_DIGITS = 9
_TIME_LENGTHS = range(len("2026-11-20T12:00:00"), len("2026-11-20T12:00:00.000000+00:00") + 1)


def parse_listing(source: str, answer: UpstreamAnswer) -> Parsed[Quotes]:
    contents = contents_of(answer)
    return Parsed(quotes_of(source, contents.data), contents.credits)


def parse_quotes(source: str, asked: tuple[int, ...], answer: UpstreamAnswer) -> Parsed[Quotes]:
    contents = contents_about(asked, answer)
    return Parsed(quotes_of(source, contents.data), contents.credits)


def contents_about(asked: tuple[int, ...], answer: UpstreamAnswer) -> Contents:
    """Of an answer to a request by id. A single id that the source does not know comes back as a complaint without values,
    or, skipped, as no coin at all: both are UpstreamRejected, so asking for it says nothing against the source's health."""
    alone = (str(asked[0]),) if len(asked) == 1 else ()
    try:
        contents = contents_of(answer)
    except UpstreamRejected as error:
        if alone and not error.rejected and '"id"' in str(error):
            raise UpstreamRejected(str(error), rejected=alone) from error
        raise
    if alone and contents.data in ([], {}):
        raise UpstreamRejected(f"CoinMarketCap has no coin of id {alone[0]}.", rejected=alone)
    return contents


def coins_of(data: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every coin of an answer's data, whatever holds it."""
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            yield from (coin for coin in item if isinstance(coin, dict))


def id_of(value: object) -> int | None:
    """CoinMarketCap's id, None where it is none: its ids stay far below our local ones."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > _MAX_ID_DIGITS:
        return None
    number = int(value)
    return number if 0 < number < FIRST_LOCAL_ID else None


def quotes_of(source: str, data: Any) -> Quotes:  # noqa: ANN401 - JSON
    observations: dict[int, Observation] = {}
    refused: dict[int, str] = {}
    times: dict[str, datetime] = {}
    for coin in coins_of(data):
        currency_id = id_of(coin.get("id"))
        if currency_id is None:
            continue
        try:
            observation = _observation(source, currency_id, _usd_quote(coin.get("quote")), times)
        except ValueError as error:
            refused[currency_id] = str(error)
            continue
        known = observations.get(currency_id)
        if known is None or known.observed_at < observation.observed_at:
            observations[currency_id] = observation
    if not observations and not refused:
        raise UpstreamMalformed("CoinMarketCap answered without a single coin.")
    return Quotes(
        tuple(observations.values()),
        {one: reason for one, reason in refused.items() if one not in observations},
    )


def _usd_quote(quote: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if isinstance(quote, list):
        for one in quote:
            if isinstance(one, dict) and one.get("symbol") == _USD:
                return one
    elif isinstance(quote, dict) and isinstance(one := quote.get(_USD), dict):
        return one
    raise ValueError("there is no quote in USD")


def _observation(
    source: str, currency_id: int, quote: dict[str, Any], times: dict[str, datetime]
) -> Observation:
    """Raises ValueError, with the reason, for a quote that cannot be used. `times`: those read so far; most coins of an
    answer share one."""
    price = quote.get("price")
    if price is None:
        raise ValueError("there is no price")
    updated = quote.get("last_updated")
    observed_at = times.get(updated) if isinstance(updated, str) else None
    if observed_at is None:
        observed_at = _time(updated)
        times[str(updated)] = observed_at
    return Observation(
        currency_id=currency_id,
        source=source,
        price_usd=price_from(price),
        volume_24h=amount_or_none(quote.get("volume_24h")),
        market_cap=amount_or_none(quote.get("market_cap")),
        percent_change_1h=percent_or_none(quote.get("percent_change_1h")),
        percent_change_24h=percent_or_none(quote.get("percent_change_24h")),
        observed_at=observed_at,
    )


def _time(value: object) -> datetime:
    """Only the full form with date and time: a bare date or a number is no time of a price."""
    if not isinstance(value, str) or len(value) not in _TIME_LENGTHS or value[4] + value[10] != "-T":
        raise ValueError(f"last_updated is no time: {value!r:.40}")
    return time_from_iso(value)
