"""When a renewal that failed is tried again. All times in seconds."""

import random

from shared.errors import FreshrateError, QueueUnavailable, RetryableError, WorkerGone

SHORTEST = 5.0
LONGEST = 60.0
COLD = 1.0
"""While there is no list at all."""
_SPREAD = 0.2


def jitter() -> float:
    """A factor around 1, so that processes do not go in step."""
    return random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - no secret


def pause(failure: FreshrateError, failures: int, *, is_cold: bool) -> float:
    """Until another try makes sense. `failures`: in a row. It doubles with each, for every try may cost a visit; but not
    where none was made because the queue or the workers were away: those return from one moment to the next."""
    if is_cold:
        return COLD * jitter()
    least = failure.retry_after if isinstance(failure, RetryableError) else 0.0
    if isinstance(failure, QueueUnavailable | WorkerGone):
        return min(least, LONGEST) * jitter()
    doubled: float = min(SHORTEST * 2.0 ** min(failures - 1, 10), LONGEST) * jitter()
    return max(doubled, min(least, LONGEST) * (1 + _SPREAD * random.random()))  # noqa: S311 - no secret
