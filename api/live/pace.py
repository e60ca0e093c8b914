"""How often a client may give orders: an order can cost what thousands of messages cost. Who gives more is made to wait, for
nothing more is read of it meanwhile; nothing is refused."""

AT_ONCE = 50
SECONDS_EACH = 0.1
"""After those at once, one in so many seconds."""


class Pace:
    """Of one client."""

    def __init__(self) -> None:
        self._paid_until = 0.0

    def delay(self, now: float) -> float:
        """Counts one order. Seconds for which it has to wait, after what came before it has waited."""
        begin = max(self._paid_until, now)
        self._paid_until = begin + SECONDS_EACH
        return max(0.0, begin - now - (AT_ONCE - 1) * SECONDS_EACH)
