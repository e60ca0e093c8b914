"""The queue between the API and the workers: in Redis, or inside the one process of the standalone form."""

from shared.domain.times import Clock, utc_now
from shared.ports import Queue
from shared.queue.in_process import InProcessQueue
from shared.queue.redis import RedisQueue
from shared.settings import Settings


async def open_queue(settings: Settings, *, clock: Clock = utc_now) -> Queue:
    """The queue that the settings name. Connects nothing yet. SettingsError where REDIS_URL cannot be understood."""
    if settings.redis_url:
        return RedisQueue(settings.redis_url, clock=clock)
    return InProcessQueue(clock=clock)
