"""Refreshes without HTTP, commands of other processes, and a submit that misbehaves."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.domain.rate import Rate
from shared.messages import Command, RefreshRates, Role
from shared.ports import LostClaim
from tests.api.rig import Rig, until


async def _refreshed(rig: Rig, currency_id: int) -> Rate:
    outcome = (await rig.api.refresher.refresh([currency_id], request_id="test"))[currency_id]
    if isinstance(outcome, Rate):
        return outcome
    raise outcome


def asking(rig: Rig, currency_id: int = 1) -> "asyncio.Task[Rate]":
    return asyncio.create_task(_refreshed(rig, currency_id))


async def overdue(rig: Rig, currency_id: int, *, after: float = 0.0) -> tuple[type, float]:
    """What came of it, and how many seconds after the deadline."""
    await asyncio.sleep(after)
    asked = time.monotonic()
    (outcome,) = await asyncio.gather(asyncio.wait_for(asking(rig, currency_id), 5), return_exceptions=True)
    return type(outcome), time.monotonic() - asked - rig.api.refresher.patience


def command(rig: Rig, *currency_ids: int) -> RefreshRates:
    """As another process sends it."""
    return RefreshRates(id=uuid4().hex, currency_ids=currency_ids, created_at=rig.clock(), request_id="other")


async def visited_for_another(rig: Rig, *, wait: float = 10) -> RefreshRates:
    """Another process' command, at which the worker is until `hold` is set; its claim is for `wait` seconds."""
    rig.worker.hold.clear()
    other = command(rig, 1)
    await rig.queue.submit(Role.PRICING, [other], wait=timedelta(seconds=wait))
    await until(lambda: rig.worker.visits)
    return other


@asynccontextmanager
async def submits(rig: Rig, replace: Callable[..., Any]) -> AsyncIterator[None]:
    """The queue's submit goes through `replace(original, role, commands, wait=...)`."""
    original = rig.queue.submit

    async def submit(role: Role, commands: Sequence[Command], *, wait: timedelta) -> list[LostClaim]:
        answer: list[LostClaim] = await replace(original, role, commands, wait=wait)
        return answer

    rig.queue.submit = submit  # type: ignore[method-assign]
    try:
        yield
    finally:
        rig.queue.submit = original  # type: ignore[method-assign]
