"""What a symbol names, and what is done about one that names nothing.

It may be new at the source, so the catalog is renewed, and those who asked wait for it. What the catalog lacks after that
is unknown for a minute; then it may be sought again. A renewal that failed says nothing about any symbol, so the next who
asks tries again.

What a client can do by asking nonsense in a loop:

- Memory: nothing. No symbol is remembered, only when the catalog was last renewed for somebody: what it lacks since then
  is unknown, whatever it is called.
- Renewals: one a minute, over all processes and clients. A process asks for none for a minute after it was told of one,
  its own or another's. Those who ask at once share a command, over all processes; and the workers do not visit the source
  within a minute of the last visit or try, whoever asks. CoinMarketCap documents its map as free of credits. Where a source
  bills a renewal all the same, that one serves commands for as long as it takes for all of them together to cost no more
  than a twentieth of the month: an hour with the free plan's 15,000. A new currency is found by then, or by the daily
  renewal.
- Refresh limit: each request that waits for a renewal spends one, as for rates; while a symbol is known to be unknown it
  is answered from memory and spends nothing. Where renewals fail, every request with unknown symbols asks the worker: the
  limit, and that there is one command at a time, are what bounds them.
"""

from collections.abc import Collection

from api.asking import Asking
from api.catalog import Catalog
from api.catalog_renewals import CatalogRenewals
from shared.domain.times import Clock
from shared.errors import CatalogNotLoaded, FreshrateError

UNKNOWN_FOR = 60.0
"""Seconds after a renewal for which what it did not bring does not exist."""


class Symbols:
    """Seeks what the catalog lacks."""

    def __init__(self, *, catalog: Catalog, renewals: CatalogRenewals, clock: Clock) -> None:
        self._catalog = catalog
        self._renewals = renewals
        self._clock = clock

    async def seek(self, symbols: Collection[str], asking: Asking) -> FreshrateError | None:
        """Renews the catalog where it lacks one of these and may have it after that; to be looked up again then.

        Gives the reason where it could not be renewed. Raises TooManyRequests.
        """
        if all(self._catalog.base(one) for one in symbols):
            return None
        if not self._catalog.is_loaded:
            return CatalogNotLoaded(retry_after=5.0)
        if self._was_renewed():
            return None
        if not self._renewals.is_refusing:
            asking.spend()
        return await self._renewals.renew(request_id=asking.request_id, deadline=asking.deadline)

    def _was_renewed(self) -> bool:
        last = self._renewals.last
        return last is not None and 0 <= (self._clock() - last.told_at).total_seconds() < UNKNOWN_FOR
