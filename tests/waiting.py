"""Waiting for what happens in another process or task."""

import asyncio
import time
from typing import Any

BUSY = 0.5
"""Seconds that a busy machine may take beyond what is promised."""
_SHARE, _SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 0.02, 0.2


async def until(condition: Any, *, seconds: float, what: str, pause: float | None = None) -> Any:
    """The first true value of an async condition. What takes long is looked at less often, for each look is work on both
    sides; every `pause` seconds where the moment is measured."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        value = await condition()
        if value:
            return value
        await asyncio.sleep(pause or min(max(_SHARE * waited, _SHORTEST_PAUSE), _LONGEST_PAUSE))
    raise AssertionError(f"not within {seconds} s: {what}")
