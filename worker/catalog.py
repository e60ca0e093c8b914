"""The catalog, without which no visit can say which currency a price is of."""

import asyncio
from datetime import timedelta

from shared.domain.currency import USD_ID, Currency, CurrencyKind
from shared.ports import Storage

PATIENCE = timedelta(seconds=10)
"""For a poll: the first one of all waits a little, so that a new installation has data at once."""
_CHECK = timedelta(seconds=0.1)
"""Between two looks for it."""


async def loaded_catalog(
    storage: Storage, *, kind: CurrencyKind = CurrencyKind.CRYPTO, patience: timedelta = timedelta(0)
) -> list[Currency]:
    """By rank; empty where nothing of the `kind` was loaded, not even after a while. The dollar is there from the start."""
    looks = max(1, patience // _CHECK)
    for look in range(looks):
        catalog = await storage.catalog()
        if any(one.kind is kind and one.id != USD_ID for one in catalog):
            return catalog
        if look < looks - 1:
            await asyncio.sleep(_CHECK.total_seconds())
    return []
