"""The ends of quotes, with the parts of their bytes that do not change while the rate is the same."""

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson

from api.answers import RateAnswer
from api.encoding import iso_quickly
from shared.domain.currency import Currency
from shared.domain.quote import Leg, Side
from shared.domain.rate import Rate

MOST = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedSide:
    """Bytes without the ages, which change every second."""

    side: Side
    quote: bytes
    """How a quote in this currency begins."""
    outward: bytes = b""
    """The leg from it to the dollar, up to its age."""
    inward: bytes = b""
    """The leg from the dollar to it, up to its age."""
    date: bytes = b"null"
    """When its rate was observed, as JSON."""
    observed_at: datetime | None = None
    tag: bytes
    """Another one whenever these bytes would be others."""


def known_side(
    currency: Currency,
    price_usd: Decimal,
    source: str,
    observed_at: datetime,
    *,
    since: int,
    is_stale: bool,
    tag: str,
) -> EncodedSide:
    """A currency with a rate. `since`: the second from which its age counts."""

    def leg(pair: str) -> tuple[Leg, bytes]:
        made = Leg(pair=pair, source=source, observed_at=observed_at, since=since, is_stale=is_stale)
        text = orjson.dumps({"pair": pair, "source": source, "actual_date": iso_quickly(observed_at)})
        return made, text[:-1] + b',"age":'

    outward, outward_bytes = leg(f"{currency.symbol}/USD")
    inward, inward_bytes = leg(f"USD/{currency.symbol}")
    return EncodedSide(
        side=Side(
            currency_id=currency.id,
            symbol=currency.symbol,
            price_usd=price_usd,
            outward=(outward,),
            inward=(inward,),
        ),
        quote=_quote(currency),
        outward=outward_bytes,
        inward=inward_bytes,
        date=orjson.dumps(iso_quickly(observed_at)),
        observed_at=observed_at,
        tag=f"{currency.id} {currency.symbol} {tag}\n".encode(),
    )


def bare_side(currency: Currency) -> EncodedSide:
    """The dollar, or a currency whose rate is not known."""
    return EncodedSide(
        side=Side(currency_id=currency.id, symbol=currency.symbol),
        quote=_quote(currency),
        tag=f"{currency.id} {currency.symbol}\n".encode(),
    )


def _quote(currency: Currency) -> bytes:
    return orjson.dumps({"currency": currency.id, "symbol": currency.symbol})[:-1] + b',"price":'


class Sides:
    """Those of the rates that are served now, by currency. The first to come is the first to be forgotten."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[RateAnswer | None, Currency, EncodedSide]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, currency: Currency, answer: RateAnswer | None) -> EncodedSide:
        """The same one as long as currency and answer are the same objects."""
        known = self._known.get(currency.id)
        if known is not None and known[0] is answer and known[1] is currency:
            return known[2]
        side = bare_side(currency) if answer is None else _side_of(currency, answer.rate, answer)
        if known is None and len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[currency.id] = (answer, currency, side)
        return side


def _side_of(currency: Currency, rate: Rate, answer: RateAnswer) -> EncodedSide:
    return known_side(
        currency,
        rate.price_usd,
        rate.source,
        rate.observed_at,
        since=math.floor(rate.fetched_at.timestamp()),
        is_stale=answer.is_stale,
        tag=answer.etag,
    )
