"""How many calls of this process reach a source within a second.

A place is kept from before a call until `_HELD` after its end. So all calls that the source receives within one second
hold their places at once, however long reservations, connects and answers take, and there are no more than places.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import DeadlineExceeded

_HELD = 1.1
"""Seconds: the second, and a tenth for a clock of the source that runs a little faster."""


class Gate:
    """For the calls to one source."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self, deadline: float) -> AsyncIterator[None]:
        """Around a call. `deadline`: by the loop's clock; raises DeadlineExceeded where no place is free by then."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError as error:
            raise DeadlineExceeded from error
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(_HELD, self._places.release)
