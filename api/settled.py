"""When a moment is past, for requests that ask what was known then."""

import asyncio
from datetime import datetime

from shared.domain.times import Clock, iso
from shared.errors import InvalidInput

SETTLED_AFTER = 1.0
"""Seconds until a moment is past for good: what was stored by then, by the time that its row says, may be committed a little
later. Who asks sooner waits so long, so that the same question is never answered in two ways."""


async def settled(moment: datetime, clock: Clock) -> None:
    """Returns when the moment is past for good. Raises InvalidInput for the future."""
    now = clock()
    if moment > now:
        raise InvalidInput({"datetime": [f"Must not be in the future. It is {iso(now)} here."]})
    await asyncio.sleep(max(0.0, SETTLED_AFTER - (now - moment).total_seconds()))
