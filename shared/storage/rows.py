"""From rows to domain values: the one place where the answers of both databases become the same.

PostgreSQL gives aware datetimes, Decimals and booleans; SQLite gives microseconds, texts and 0 or 1. Values are taken
by position, so each SELECT says which columns it gives, in the order of the function that reads them.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.candle import Candle
from shared.domain.currency import Currency, CurrencyAlias, CurrencyKind, CurrencyMetadata, CurrencyProfile
from shared.domain.deals import BigSpender, DealsFile, DealsUpload, PricedDeal, UploadState
from shared.domain.ranking import Ranking, TopRow
from shared.domain.rate import Rate
from shared.domain.schedule import ScheduleState
from shared.domain.times import time_from_micros
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.storage.engine import Row


def time_of(value: datetime | int) -> datetime:
    return value if isinstance(value, datetime) else time_from_micros(value)


def maybe_time_of(value: datetime | int | None) -> datetime | None:
    return None if value is None else time_of(value)


def decimal_of(value: Decimal | str) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def maybe_decimal_of(value: Decimal | str | None) -> Decimal | None:
    return None if value is None else decimal_of(value)


def ids_of(value: Sequence[int] | str) -> Sequence[int]:
    """SQLite has no arrays: there they are JSON."""
    return json.loads(value) if isinstance(value, str) else value


def texts_of(value: Sequence[str] | str) -> Sequence[str]:
    """The same of texts."""
    return json.loads(value) if isinstance(value, str) else value


def rate_of(row: Row) -> Rate:
    """id, currency_id, symbol, price_usd, percent_change_1h, percent_change_24h, volume_24h, market_cap, source,
    observed_at, fetched_at, stored_at."""
    (
        number,
        currency_id,
        symbol,
        price,
        change_1h,
        change_24h,
        volume,
        cap,
        source,
        observed,
        fetched,
        stored,
    ) = row
    return Rate(
        id=number,
        currency_id=currency_id,
        symbol=symbol,
        price_usd=decimal_of(price),
        percent_change_1h=change_1h,
        percent_change_24h=change_24h,
        volume_24h=maybe_decimal_of(volume),
        market_cap=maybe_decimal_of(cap),
        source=source,
        observed_at=time_of(observed),
        fetched_at=time_of(fetched),
        stored_at=time_of(stored),
    )


def currency_of(row: Row) -> Currency:
    """id, name, symbol, slug, rank, is_active, kind; further columns are left alone."""
    number, name, symbol, slug, rank, is_active, kind, *_ = row
    return Currency(
        id=number,
        name=name,
        symbol=symbol,
        slug=slug,
        rank=rank,
        is_active=bool(is_active),
        kind=CurrencyKind(kind),
    )


def metadata_of(row: Row) -> CurrencyMetadata:
    """first_seen, platform, sign."""
    first_seen, platform, sign = row
    return CurrencyMetadata(first_seen=maybe_time_of(first_seen), platform=platform, sign=sign)


def profile_of(row: Row) -> CurrencyProfile:
    """circulating_supply, total_supply, max_supply, tags, links."""
    circulating, total, most, tags, links = row
    return CurrencyProfile(
        circulating_supply=maybe_decimal_of(circulating),
        total_supply=maybe_decimal_of(total),
        max_supply=maybe_decimal_of(most),
        tags=tuple(json.loads(tags)),
        links={kind: tuple(addresses) for kind, addresses in json.loads(links).items()},
    )


def alias_of(row: Row) -> CurrencyAlias:
    """source, source_id, symbol, decided_by, decided_at."""
    source, source_id, symbol, decided_by, decided_at = row
    return CurrencyAlias(
        source=source,
        source_id=source_id,
        symbol=symbol,
        decided_by=decided_by,
        decided_at=time_of(decided_at),
    )


def ranking_of(row: Row) -> Ranking:
    """id, source, observed_at, stored_at, currency_ids, is_whole."""
    number, source, observed_at, stored_at, currency_ids, is_whole = row
    return Ranking(
        id=number,
        source=source,
        observed_at=time_of(observed_at),
        stored_at=time_of(stored_at),
        currency_ids=tuple(ids_of(currency_ids)),
        is_whole=bool(is_whole),
    )


def top_row_of(row: Row, *, rank: int) -> TopRow:
    """currency_id, symbol, name, price_usd, source, observed_at."""
    currency_id, symbol, name, price, source, observed_at = row
    return TopRow(
        rank=rank,
        currency_id=currency_id,
        symbol=symbol,
        name=name,
        price_usd=maybe_decimal_of(price),
        source=source,
        observed_at=maybe_time_of(observed_at),
    )


def candle_of(row: Row) -> Candle:
    """time, open, high, low, close, count, sources."""
    time, opened, high, low, closed, count, sources = row
    return Candle(
        time=time_of(time),
        open=decimal_of(opened),
        high=decimal_of(high),
        low=decimal_of(low),
        close=decimal_of(closed),
        count=count,
        sources=frozenset(texts_of(sources)),
    )


def visit_of(row: Row) -> Visit:
    """source, reason, what, started_at, duration, outcome, credits, rates_stored, error."""
    source, reason, what, started_at, duration, outcome, credits, rates_stored, error = row
    return Visit(
        source=source,
        reason=VisitReason(reason),
        what=what,
        started_at=time_of(started_at),
        duration=duration if isinstance(duration, timedelta) else timedelta(microseconds=duration),
        outcome=VisitOutcome(outcome),
        credits=credits,
        rates_stored=rates_stored,
        error=error,
    )


def schedule_of(row: Row) -> ScheduleState:
    """job, done_at, claimed_for, claimed_until."""
    job, done_at, claimed_for, claimed_until = row
    return ScheduleState(
        job=job,
        done_at=maybe_time_of(done_at),
        claimed_for=maybe_time_of(claimed_for),
        claimed_until=maybe_time_of(claimed_until),
    )


def upload_of(row: Row | Sequence[Any]) -> DealsUpload:
    """id, state, name, size, sha256, charset, has_header, received_at, rows, error."""
    number, state, name, size, sha256, charset, has_header, received_at, rows, error = row
    file = DealsFile(
        name=name,
        size=size,
        sha256=sha256,
        charset=charset,
        has_header=bool(has_header),
        received_at=time_of(received_at),
    )
    return DealsUpload(id=number, state=UploadState(state), file=file, rows=rows, error=error)


def spenders_of(summary: str) -> tuple[BigSpender, ...]:
    """JSON of [name, spent, items]."""
    return tuple(BigSpender(name, Decimal(spent), tuple(items)) for name, spent, items in json.loads(summary))


def priced_deal_of(row: Row) -> PricedDeal:
    """customer, total, date, then prices."""
    customer, total, date, *prices = row
    return PricedDeal(
        customer, decimal_of(total), time_of(date), tuple(maybe_decimal_of(one) for one in prices)
    )
