"""Answers about deals as JSON, by hand; a test holds it to `api.deals.schemas`. Amounts become numbers with every digit."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import orjson

from api.answers import Answer
from api.deals.upload_schemas import UPLOAD_HEADER
from api.encoding import Json
from api.etags import etag_of
from shared.domain.deals import BigSpender, DealsUpload, gems_of
from shared.domain.money import plain
from shared.domain.spending import Spending
from shared.domain.times import iso

LONG = 100_000
"""Characters, with ten more for each item: to find the gems among these, to encode and to sum them up takes a millisecond."""


async def deals_answer(
    upload_id: int | None, spenders: Sequence[BigSpender], body: Callable[[], bytes]
) -> Answer:
    """The body of that upload (None: there was none yet), made beside the event loop where that takes long."""

    def answer() -> Answer:
        made = body()
        return Answer(
            body=made,
            etag=etag_of(b"%b %b" % (str(upload_id).encode(), made)),
            last_modified=None,
            fetched_second=None,
            modified_second=None,
            is_stale=False,
            more_headers={} if upload_id is None else {UPLOAD_HEADER: str(upload_id)},
        )

    return await asyncio.to_thread(answer) if _is_long(spenders) else answer()


def spenders_body(spenders: Sequence[BigSpender]) -> bytes:
    """With the sums as they are."""
    gems = gems_of(spenders)
    return _body([_row(one.name, one.spent, items) for one, items in zip(spenders, gems, strict=True)])


def converted_body(spenders: Sequence[BigSpender], spendings: Mapping[str, Spending], currency: str) -> bytes:
    """With the sums in that currency, a symbol."""
    gems = gems_of(spenders)
    return _body(
        [
            {
                **_row(one.name, spendings[one.name].amount, items),
                "currency": currency,
                **_unpriced(spendings[one.name]),
            }
            for one, items in zip(spenders, gems, strict=True)
        ]
    )


def upload_json(upload: DealsUpload) -> Json:
    file = upload.file
    return {
        "id": upload.id,
        "state": upload.state.value,
        "file_name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "charset": file.charset,
        "rows": upload.rows,
        "error": upload.error,
        "date_added": iso(file.received_at),
    }


def _is_long(spenders: Sequence[BigSpender]) -> bool:
    # Whether they are many is known without going through them.
    if 10 * sum(len(one.items) for one in spenders) > LONG:
        return True
    return sum(len(one.name) + sum(map(len, one.items)) + 10 * len(one.items) for one in spenders) > LONG


def _body(rows: Sequence[Json]) -> bytes:
    return orjson.dumps({"response": rows})


def _row(name: str, spent: Decimal | None, gems: Sequence[str]) -> Json:
    amount = None if spent is None else orjson.Fragment(plain(spent))
    return {"username": name, "spent_money": amount, "gems": gems}


def _unpriced(spending: Spending) -> Json:
    first, last = spending.unpriced_from, spending.unpriced_to
    if first is None or last is None:
        return {}
    return {"unpriced_deals": spending.unpriced, "unpriced_from": iso(first), "unpriced_to": iso(last)}
