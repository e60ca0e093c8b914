"""How observations are stored: what both databases share of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from shared.domain.rate import Observation, RecordedRate
from shared.domain.visit import Visit
from shared.errors import UnknownCurrency
from shared.storage.engine import Engine, OnEngine, UnknownReference
from shared.storage.visits import write_visit

Key = tuple[int, str]
"""Of a last rate: currency id and source."""


class RateWriter(Protocol):
    """The bulk write, which each database needs said in its own way."""

    async def write(
        self,
        observations: Sequence[Observation],
        *,
        fetched_at: datetime,
        stored_at: datetime,
        visit: Visit | None,
    ) -> Iterable[RecordedRate]:
        """See Storage.record_rates. `observations`: one or more, ordered by (currency id, source); answers in any
        order. Raises UnknownReference for a currency that does not exist."""

    async def prepare_partitions(self, *, now: datetime) -> None:
        """See Storage.prepare_partitions."""


class Recording(OnEngine):
    """The methods of the storage that write rates."""

    def __init__(self, engine: Engine, writer: RateWriter) -> None:
        super().__init__(engine)
        self._writer = writer

    async def record_rates(
        self,
        observations: Sequence[Observation],
        *,
        fetched_at: datetime,
        stored_at: datetime,
        visit: Visit | None = None,
    ) -> list[RecordedRate]:
        """Rows are written in the order of their keys, so workers that store overlapping sets never deadlock. The
        visit's `rates_stored` is counted here."""
        keys = [key_of(observation) for observation in observations]
        if len(set(keys)) != len(keys):
            raise ValueError("more than one observation of a currency and source")
        if not observations:
            if visit is not None:
                await write_visit(self._engine, visit)
            return []
        try:
            written = await self._writer.write(
                sorted(observations, key=key_of), fetched_at=fetched_at, stored_at=stored_at, visit=visit
            )
        except UnknownReference as error:
            raise UnknownCurrency from error
        recorded = {(one.rate.currency_id, one.rate.source): one for one in written}
        return [recorded[key] for key in keys]

    async def prepare_partitions(self, *, now: datetime) -> None:
        await self._writer.prepare_partitions(now=now)


def key_of(observation: Observation) -> Key:
    return (observation.currency_id, observation.source)
