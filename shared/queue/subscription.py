"""What one reader of the in-process queue has not read yet.

Bounded: a reader that falls behind loses what it did not read and gets a Gap instead, as from a trimmed stream.
"""

import asyncio
from collections import deque

from shared.ports import Announced, Gap

MAX_UNREAD = 10_000


class Subscription:
    """Starts with a Gap."""

    def __init__(self) -> None:
        self._unread: deque[Announced] = deque()
        self._has_missed = True
        self._is_closed = False
        self._woken = asyncio.Event()

    def tell(self, announced: Announced) -> None:
        if len(self._unread) == MAX_UNREAD:
            self._unread.clear()
            self._has_missed = True
        self._unread.append(announced)
        self._woken.set()

    def close(self) -> None:
        self._is_closed = True
        self._woken.set()

    async def next(self) -> Announced | Gap | None:
        """Waits for the next event; None at the end."""
        while not self._is_closed:
            if self._has_missed:
                self._has_missed = False
                return Gap()
            if self._unread:
                return self._unread.popleft()
            self._woken.clear()
            await self._woken.wait()
        return None
