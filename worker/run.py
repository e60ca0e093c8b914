"""The life of a worker: sign of life, schedules and consumers, and an orderly end.

On a stop the worker takes nothing more, finishes what is in hand for at most 6 s, gives back the rest, and says good-bye,
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
from shared.messages import Role
from shared.opening import World
from worker.consumer import Consumer
from worker.heartbeat import Heartbeat
from worker.jobs import JOBS
from worker.metrics import JobGauges
from worker.schedule import Scheduler

log = structlog.get_logger(__name__)

DRAIN = 6.0
"""Seconds for what is in hand at a stop. The process has 10: the rest is for saying good-bye and closing."""
LAST_WORDS = 1.0
"""Seconds for a cancelled task to end."""


def incarnation() -> str:
    """A name that no other worker has, not even this one after a restart."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


async def run_worker(world: World, stop: asyncio.Event, *, drain: float = DRAIN) -> None:
    """Works until `stop` is set; `drain`: seconds for what is in hand then."""
    roles, command_roles = world.settings.worker_roles, world.settings.command_roles
    worker = incarnation()
    # The simulator is both: forgiven once.
    for source in {one.name: one for one in (world.fiat_source, *world.sources)}.values():
        await world.upstream.forgive(source)
    consumers = [Consumer(role, worker, world) for role in command_roles]
    heart = Heartbeat(command_roles, worker, world.queue)
    await heart.beat()
    heartbeat = asyncio.create_task(heart.run(), name="heartbeat")
    schedulers = [Scheduler(job, world) for job in JOBS if job.role in roles]
    world.registry.register(JobGauges(schedulers))
    schedules = [asyncio.create_task(one.run(), name=f"schedule {one.name}") for one in schedulers]
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
        await asyncio.wait([*working, asyncio.create_task(_end([stopping, *schedules]))], timeout=drain)
        await _end([*working, heartbeat])
        await asyncio.gather(*(_retire(world, role, worker) for role in command_roles))
        log.info("worker stopped", worker=worker)


async def _retire(world: World, role: Role, worker: str) -> None:
    try:
        await world.queue.retire(role, worker)
    except FreshrateError as error:
        log.warning("could not say good-bye", role=role.value, error=str(error))


async def _end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """Cancels, and waits a little: what hangs in its own clean-up must not hold up the stop."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=LAST_WORDS)
