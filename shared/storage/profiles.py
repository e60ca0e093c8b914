"""Profiles: what a source tells of a currency when it is asked for just that. Columns of `currencies` that its renewal
leaves alone."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from shared.domain.currency import LARGEST_ID, CurrencyProfile
from shared.domain.rate import MAX_AHEAD
from shared.ports import Description
from shared.storage.currencies import alone_with_the_catalog
from shared.storage.engine import Dialect, OnEngine
from shared.storage.rates import LATEST
from shared.storage.rows import metadata_of, profile_of
from shared.storage.text import storable

_DESCRIPTIONS = """
    SELECT id, first_seen, platform, sign, circulating_supply, total_supply, max_supply, tags, links FROM currencies
"""
_PROFILED = "SELECT id FROM currencies"
_BEFORE = """
    AND (profiled_at IS NULL OR profiled_at < $2 OR profiled_at > $3)
    ORDER BY CASE WHEN profiled_at <= $3 THEN profiled_at END NULLS FIRST, id
"""
_AMONG = {
    Dialect.POSTGRESQL: " WHERE id = ANY($1::bigint[])",
    Dialect.SQLITE: " WHERE id IN (SELECT value FROM json_each($1))",
}


class Profiles(OnEngine):
    """The methods of the storage that keep profiles."""

    async def record_profiles(
        self, profiles: Mapping[int, CurrencyProfile], *, profiled_at: datetime
    ) -> None:
        rows = [(one, *_columns(profiles[one]), profiled_at) for one in _possible(profiles)]
        async with self._engine.transaction() as session:
            await alone_with_the_catalog(session, self._engine.dialect)
            await session.executemany(
                """
                UPDATE currencies SET circulating_supply = $2, total_supply = $3, max_supply = $4, tags = $5, links = $6,
                    profiled_at = $7
                WHERE id = $1
                """,
                rows,
            )

    async def profiled_before(
        self, moment: datetime, currency_ids: Collection[int], *, now: datetime | None = None
    ) -> list[int]:
        rows = await self._engine.fetch(
            _PROFILED + _AMONG[self._engine.dialect] + _BEFORE,
            _possible(currency_ids),
            moment,
            LATEST if now is None else now + MAX_AHEAD,
        )
        return [row[0] for row in rows]

    async def descriptions(self, currency_ids: Collection[int]) -> dict[int, Description]:
        rows = await self._engine.fetch(_DESCRIPTIONS + _AMONG[self._engine.dialect], _possible(currency_ids))
        described = {}
        for number, first_seen, platform, sign, *profile in rows:
            described[number] = Description(metadata_of((first_seen, platform, sign)), profile_of(profile))
        return described


def _possible(currency_ids: Iterable[int]) -> list[int]:
    """Each once, in the order of their ids."""
    return sorted({one for one in currency_ids if 0 < one <= LARGEST_ID})


def _columns(profile: CurrencyProfile) -> tuple[object, ...]:
    """circulating_supply, total_supply, max_supply, tags, links."""
    tags = [storable(tag) for tag in profile.tags]
    links = {storable(kind): [storable(link) for link in links] for kind, links in profile.links.items()}
    return (
        profile.circulating_supply,
        profile.total_supply,
        profile.max_supply,
        json.dumps(tags, ensure_ascii=False),
        json.dumps(links, ensure_ascii=False),
    )
