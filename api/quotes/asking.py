"""What one request for quotes may cost."""

from collections.abc import Callable


class Asking:
    """One request. However often it has to ask a worker, that counts once against the limit of its client."""

    def __init__(self, request_id: str, spend: Callable[[], None]) -> None:
        """`spend` counts it, and raises TooManyRequests where the limit is reached."""
        self.request_id = request_id
        self._spend = spend
        self.has_spent = False
        """Whether a worker was asked."""

    def spend(self) -> None:
        if not self.has_spent:
            self._spend()
            self.has_spent = True
