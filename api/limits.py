"""How often one client may do something: a bucket of tokens per client, in bounded memory."""

from collections import OrderedDict
from dataclasses import dataclass

from shared.domain.times import Clock
from shared.errors import TooManyRequests

MAX_CLIENTS = 10_000
"""The bucket that was used least recently is forgotten first."""
_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """So many per minute and client; 0 = no limit."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, client: str) -> None:
        """Takes one token. Raises TooManyRequests with the seconds until the next."""
        if not self._per_minute:
            return
        now = self._clock().timestamp()
        bucket = self._filled(client, now)
        if bucket.tokens < 1:
            raise TooManyRequests(
                f"This client may ask {self._per_minute} times per minute. Wait as long as Retry-After says.",
                retry_after=(1 - bucket.tokens) * _MINUTE / self._per_minute,
            )
        bucket.tokens -= 1

    def _filled(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(float(self._per_minute), now)
            if len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        gained = max(0.0, now - bucket.filled_at) * self._per_minute / _MINUTE
        bucket.tokens = min(float(self._per_minute), bucket.tokens + gained)
        bucket.filled_at = now
        return bucket
