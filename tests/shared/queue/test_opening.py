"""The settings name the queue."""

from shared.queue import open_queue
from shared.queue.in_process import InProcessQueue
from shared.queue.redis import RedisQueue
from shared.settings import Settings


async def test_without_a_redis_url_the_queue_is_in_process() -> None:
    queue = await open_queue(Settings(redis_url=""))
    assert isinstance(queue, InProcessQueue)


async def test_with_a_redis_url_the_queue_is_in_redis_and_connects_only_when_used() -> None:
    queue = await open_queue(Settings(redis_url="rediss://:geheim@nowhere.invalid:6379/0"))
    assert isinstance(queue, RedisQueue)
    await queue.close()
