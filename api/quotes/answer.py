"""The answer: its body is joined of bytes that are there already, but for prices and ages."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

import orjson

from api.answers import Answer
from api.lookup import Way
from api.quotes.cards import Card
from api.quotes.sides import EncodedSide
from api.quotes.wanted import Wanted
from shared.domain.money import plain
from shared.domain.quote import Quote, quote_of

_CACHE_STATUS: Mapping[Way, Mapping[str, str]] = {
    Way.HIT: {"Cache-Status": "freshrate; hit"},
    Way.STALE: {"Cache-Status": "freshrate; hit; detail=stale"},
    Way.STORE: {"Cache-Status": "freshrate; fwd=miss; detail=store"},
    Way.UPSTREAM: {"Cache-Status": "freshrate; fwd=miss; detail=upstream"},
}
"""As RFC 9211 writes it."""


@dataclass(slots=True, kw_only=True)
class QuotesAnswer(Answer):
    """Quotes of one second, in which they are sent."""

    second: int
    """Since 1970; of which its ages are."""
    is_priced: bool
    """Whether there is any price at all."""


def composed(
    amount: Decimal,
    second: int,
    wanted: Wanted,
    sides: Mapping[int, EncodedSide],
    cards: Mapping[int, Card],
    way: Way,
    *,
    is_of_now: bool = True,
) -> QuotesAnswer:
    """`second`: of which the ages are (since 1970). `is_of_now`: False where that is past, so they say nothing of the answer's
    own age."""
    targets = [sides[one.id] for one in wanted.targets]
    unknown = orjson.dumps(wanted.unknown) if wanted.unknown else b"[]"
    results, tags = [], [unknown, *[one.tag for one in targets]]
    is_stale, is_priced, fetched = False, False, math.inf
    for base in wanted.bases:
        card, side = cards[base.currency.id], sides[base.currency.id]
        also = orjson.dumps(base.also) if base.also else b"[]"
        quotes = []
        for target in targets:
            quote = quote_of(amount, side.side, target.side, second)
            quotes.append(_encoded(quote, side, target, second))
            is_stale = is_stale or quote.is_stale
            is_priced = is_priced or quote.price is not None
            for leg in quote.path:
                fetched = min(fetched, leg.since)
        results.append(b'%b,"also":%b,"quotes":[%b]}' % (card.body, also, b",".join(quotes)))
        tags += (card.tag, also, side.tag)
    return QuotesAnswer(
        body=b'{"results":[%b],"unknown":%b}' % (b",".join(results), unknown),
        etag=f'W/"{blake2b(b"".join(tags), digest_size=12).hexdigest()}"',
        last_modified=None,
        fetched_second=int(fetched) if is_of_now and fetched < math.inf else None,
        modified_second=None,
        is_stale=is_stale,
        more_headers=_CACHE_STATUS[way],
        second=second,
        is_priced=is_priced,
    )


def _encoded(quote: Quote, base: EncodedSide, target: EncodedSide, second: int) -> bytes:
    path = _path(quote, base, target, second)
    if quote.price is None or quote.age is None:
        return b'%bnull,"actual_date":null,"age":null,"stale":true,"path":[%b]}' % (target.quote, path)
    observed_at = quote.observed_at
    return b'%b"%b","actual_date":%b,"age":%d,"stale":%b,"path":[%b]}' % (
        target.quote,
        plain(quote.price).encode(),
        b"null" if observed_at is None else target.date if observed_at is target.observed_at else base.date,
        quote.age,
        b"true" if quote.is_stale else b"false",
        path,
    )


def _path(quote: Quote, base: EncodedSide, target: EncodedSide, second: int) -> bytes:
    legs = quote.path
    if not legs:
        return b""
    if len(legs) == 1:
        return b"%b%d}" % (base.outward or target.inward, legs[0].age(second))
    return b"%b%d},%b%d}" % (base.outward, legs[0].age(second), target.inward, legs[1].age(second))
