"""The bulk write on SQLite, which has neither array arguments nor statements that write two tables.

There is one writer, so nothing can happen between the statements of its transaction: what has an id above the largest
one before it is new. The new rows move the last rates; where that were not all, the others are confirmed. Both are
one statement for all rows, which takes a third of the time of one per row.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain.rate import Observation, RecordedRate, RecordOutcome
from shared.domain.visit import Visit
from shared.storage.engine import Engine
from shared.storage.rates import read_last_rates
from shared.storage.recording import key_of
from shared.storage.visits import write_visit


class SqliteRateWriter:
    """See `shared.storage.recording.RateWriter`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def write(
        self,
        observations: Sequence[Observation],
        *,
        fetched_at: datetime,
        stored_at: datetime,
        visit: Visit | None,
    ) -> Iterable[RecordedRate]:
        keys = [key_of(observation) for observation in observations]
        async with self._engine.transaction() as session:
            largest = await session.fetchval("SELECT coalesce(max(id), 0) FROM rates")
            await session.executemany(
                """
                INSERT INTO rates (currency_id, source, price_usd, percent_change_1h, percent_change_24h, volume_24h,
                                   market_cap, observed_at, stored_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                ON CONFLICT DO NOTHING
                """,
                [(*_columns(observation), stored_at) for observation in observations],
            )
            moved = await session.execute(
                """
                INSERT INTO last_rates AS l (currency_id, source, rate_id, price_usd, percent_change_1h,
                                             percent_change_24h, volume_24h, market_cap, observed_at, fetched_at,
                                             stored_at)
                SELECT currency_id, source, id, price_usd, percent_change_1h, percent_change_24h, volume_24h,
                    market_cap, observed_at, $2, stored_at
                FROM rates
                WHERE id > $1
                ON CONFLICT (currency_id, source) DO UPDATE SET
                    rate_id = excluded.rate_id,
                    price_usd = excluded.price_usd,
                    percent_change_1h = excluded.percent_change_1h,
                    percent_change_24h = excluded.percent_change_24h,
                    volume_24h = excluded.volume_24h,
                    market_cap = excluded.market_cap,
                    observed_at = excluded.observed_at,
                    stored_at = excluded.stored_at,
                    fetched_at = max(l.fetched_at, excluded.fetched_at)
                WHERE (excluded.observed_at, excluded.rate_id) > (l.observed_at, l.rate_id)
                """,
                largest,
                fetched_at,
            )
            if moved < len(keys):
                await session.execute(
                    """
                    UPDATE last_rates SET fetched_at = $1
                    WHERE fetched_at < $1 AND (currency_id, source) IN (
                        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($2)
                    )
                    """,
                    fetched_at,
                    json.dumps(keys),
                )
            if visit is not None:
                stored = await session.fetchval("SELECT count(*) FROM rates WHERE id > $1", largest)
                await write_visit(session, replace(visit, rates_stored=stored))
            last = await read_last_rates(session, {currency_id for currency_id, _ in keys})
        return [
            RecordedRate(rate, RecordOutcome.STORED if rate.id > largest else RecordOutcome.CONFIRMED)
            for rate in last
        ]

    async def prepare_partitions(self, *, now: datetime) -> None:
        """SQLite has no partitions."""


def _columns(observation: Observation) -> tuple[object, ...]:
    return (
        observation.currency_id,
        observation.source,
        observation.price_usd,
        observation.percent_change_1h,
        observation.percent_change_24h,
        observation.volume_24h,
        observation.market_cap,
        observation.observed_at,
    )
