"""The answer: its body is joined of bytes that are there already, but for prices and ages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b

import orjson

from api import request_ids
from api.answers import Answer, http_date
from api.errors import STALE_HEADER
from api.quotes.cards import Card
from api.quotes.lookup import Way
from api.quotes.sides import EncodedSide
from api.quotes.wanted import Wanted
from shared.domain.money import plain
from shared.domain.quote import Leg, quote_of

_STATUSES: Mapping[Way, str] = {
    Way.HIT: "freshrate; hit",
    Way.STALE: "freshrate; hit; detail=stale",
    Way.STORE: "freshrate; fwd=miss; detail=store",
    Way.UPSTREAM: "freshrate; fwd=miss; detail=upstream",
}
"""Cache-Status, as RFC 9211 writes it."""
_CACHE_STATUS = {way: {"Cache-Status": text} for way, text in _STATUSES.items()}
_STATUS_BYTES = {way: text.encode() for way, text in _STATUSES.items()}
_STALE = f"{STALE_HEADER}: true\r\n".encode()
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\n%b%bETag: %b\r\nCache-Control: no-cache\r\n"
    b"X-Content-Type-Options: nosniff\r\nCache-Status: %b\r\nContent-Length: %d\r\n"
    + request_ids.HEADER.encode()
    + b": %b\r\n\r\n"
)


@dataclass(slots=True, kw_only=True)
class QuotesAnswer(Answer):
    """Quotes of one second, in which they are sent."""

    second: int
    """Since 1970; of which its ages are."""
    way: Way
    is_priced: bool
    """Whether there is any price at all."""

    def head(self, second: int, request_id: str) -> bytes:
        """The same as `Answer.head` makes of the headers, at a tenth of its price: it serves one request only."""
        age = b"" if self.fetched_second is None else b"Age: %d\r\n" % max(0, second - self.fetched_second)
        return _HEAD % (
            http_date(second).encode(),
            age,
            _STALE if self.is_stale else b"",
            self.etag.encode(),
            _STATUS_BYTES[self.way],
            len(self.body),
            request_id.encode(),
        )


class Composer:
    """Puts one answer together."""

    def __init__(self, amount: Decimal, second: int) -> None:
        """`second`: of which the ages are (since 1970)."""
        self._amount = amount
        self._second = second
        self._is_stale = False
        self._is_priced = False
        self._age = -1

    def compose(
        self,
        wanted: Wanted,
        sides: Mapping[int, EncodedSide],
        cards: Mapping[int, Card],
        way: Way,
        *,
        is_of_now: bool = True,
    ) -> QuotesAnswer:
        """`is_of_now`: False where ages are those at a past moment, so that they say nothing of the answer's own."""
        targets = [sides[one.id] for one in wanted.targets]
        unknown = orjson.dumps(wanted.unknown) if wanted.unknown else b"[]"
        results, tags = [], [unknown, *[side.tag for side in targets]]
        for one in wanted.bases:
            card, side = cards[one.currency.id], sides[one.currency.id]
            also = orjson.dumps(one.also) if one.also else b"[]"
            quotes = b",".join([self._quote(side, target) for target in targets])
            results.append(b'%b,"also":%b,"quotes":[%b]}' % (card.body, also, quotes))
            tags += (card.tag, also, side.tag)
        return QuotesAnswer(
            body=b'{"results":[%b],"unknown":%b}' % (b",".join(results), unknown),
            etag=f'W/"{blake2b(b"".join(tags), digest_size=12).hexdigest()}"',
            last_modified=None,
            fetched_second=self._second - self._age if is_of_now and self._age >= 0 else None,
            modified_second=None,
            is_stale=self._is_stale,
            more_headers=_CACHE_STATUS[way],
            second=self._second,
            way=way,
            is_priced=self._is_priced,
        )

    def _quote(self, base: EncodedSide, target: EncodedSide) -> bytes:
        quote = quote_of(self._amount, base.side, target.side, self._second)
        if quote.is_stale:
            self._is_stale = True
        path = self._path(quote.path, base, target)
        if quote.price is None or quote.age is None:
            return b'%bnull,"actual_date":null,"age":null,"stale":true,"path":[%b]}' % (target.quote, path)
        self._is_priced = True
        return b'%b"%b","actual_date":%b,"age":%d,"stale":%b,"path":[%b]}' % (
            target.quote,
            plain(quote.price).encode(),
            self._date(quote.observed_at, base, target),
            quote.age,
            b"true" if quote.is_stale else b"false",
            path,
        )

    def _date(self, observed_at: datetime | None, base: EncodedSide, target: EncodedSide) -> bytes:
        if observed_at is None:
            return b"null"
        return target.date if observed_at is target.observed_at else base.date

    def _path(self, path: Sequence[Leg], base: EncodedSide, target: EncodedSide) -> bytes:
        if not path:
            return b""
        ages = [leg.age(self._second) for leg in path]
        self._age = max(self._age, *ages)
        if len(ages) == 1:
            return b"%b%d}" % (base.outward or target.inward, ages[0])
        return b"%b%d},%b%d}" % (base.outward, ages[0], target.inward, ages[1])
