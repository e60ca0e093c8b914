"""The life of a worker: sign of life, schedules and consumers, and an orderly end.

On a stop the worker takes nothing more, finishes what is in hand for at most 8 s, gives back the rest, and says good-bye,
so that the API knows at once.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from typing import Any

import structlog

from shared.errors import FreshrateError
from shared.opening import World
from worker.consumer import Consumer
from worker.heartbeat import Heartbeat
from worker.jobs import JOBS
from worker.schedule import Scheduler

log = structlog.get_logger(__name__)

DRAIN = 8.0
"""Seconds for what is in hand at a stop."""


def incarnation() -> str:
    """A name that no other worker has, not even this one after a restart."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


async def run_worker(world: World, stop: asyncio.Event) -> None:
    """Works until `stop` is set."""
    roles = world.settings.worker_roles
    worker = incarnation()
    for source in world.sources:
        await world.upstream.forgive(source)
    consumers = [Consumer(role, worker, world) for role in roles]
    heart = Heartbeat(roles, worker, world.queue)
    await heart.beat()
    heartbeat = asyncio.create_task(heart.run(), name="heartbeat")
    schedules = [
        asyncio.create_task(Scheduler(job, world).run(), name=f"schedule {job.name}")
        for job in JOBS
        if job.role in roles
    ]
    working = [asyncio.create_task(consumer.run(), name="consumer") for consumer in consumers]
    log.info("worker ready", worker=worker, roles=[role.value for role in roles], pid=os.getpid())
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({stopping, heartbeat, *schedules, *working}, return_when=asyncio.FIRST_COMPLETED)
        for task in (heartbeat, *schedules, *working):
            if task.done():
                task.result()
    finally:
        for consumer in consumers:
            consumer.stop()
        await _end([stopping, *schedules])
        await asyncio.wait(working, timeout=DRAIN)
        await _end([*working, heartbeat])
        for role in roles:
            try:
                await world.queue.retire(role, worker)
            except FreshrateError as error:
                log.warning("could not say good-bye", role=role.value, error=str(error))
        log.info("worker stopped", worker=worker)


async def _end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
