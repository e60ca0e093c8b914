"""Waiting for what happens in another process or task."""

import asyncio
import time
from typing import Any

BUSY = 0.5
"""Seconds that a busy machine may take beyond what is promised."""


async def until(condition: Any, *, seconds: float, what: str) -> Any:
    """The first true value of an async condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = await condition()
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")
