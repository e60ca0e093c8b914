"""From which age a rate is called stale."""

from datetime import datetime

from api.catalog import Catalog
from shared.intervals import interval_of
from shared.settings import Settings


class Staleness:
    """Seconds since `fetched_at`, by currency id. A fiat currency's rate is not due before the interval of its schedule has
    passed, so it is given that time on top."""

    def __init__(self, settings: Settings, catalog: Catalog, *, now: datetime) -> None:
        self._catalog = catalog
        self._after = float(settings.stale_after_seconds)
        self._fiat_after = self._after + interval_of(settings.fiat_schedule, now).total_seconds()

    def __call__(self, currency_id: int) -> float:
        return self._fiat_after if self._catalog.is_fiat(currency_id) else self._after
