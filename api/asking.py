"""What one request may cost: how often it counts against the limit of its client, and how long it may take."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime

BRIEFLY = 0.5
"""Seconds that are worth waiting for the database where there is another way to an answer."""
LAST_LOOK = 0.02
"""Seconds for a look into the database where the time is up: one that is well answers within that."""


class Asking:
    """One request. However often it has to ask a worker, that counts once; whatever it waits for, it has one deadline."""

    def __init__(
        self, request_id: str, spend: Callable[[], None], *, arrived_at: datetime, patience: float
    ) -> None:
        """`spend` counts it, and raises TooManyRequests where the limit is reached. `patience`: seconds."""
        self.request_id = request_id
        self.arrived_at = arrived_at
        self._spend = spend
        self.deadline = asyncio.get_running_loop().time() + patience
        """By the loop's clock."""
        self.has_spent = False
        """Whether a worker was asked."""

    def left(self, most: float = math.inf) -> float:
        """Seconds to wait for the database: what is left of the time, but no more than `most`."""
        return max(LAST_LOOK, min(most, self.deadline - asyncio.get_running_loop().time()))

    def spend(self) -> None:
        if not self.has_spent:
            self._spend()
            self.has_spent = True
