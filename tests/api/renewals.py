"""Symbols that are sought, and renewals of the catalog without HTTP."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from api.asking import Asking
from shared.errors import FreshrateError
from shared.messages import CatalogStored, RenewCatalog, Role
from tests.api.rig import Rig, until


def nothing() -> None:
    """Spends nothing."""


def asking(rig: Rig, spend: Callable[[], None] = nothing) -> Asking:
    return Asking("test", spend, arrived_at=rig.clock(), patience=rig.api.settings.refresh_timeout_seconds)


async def seek(rig: Rig, *symbols: str, spend: Callable[[], None] = nothing) -> FreshrateError | None:
    return await rig.api.symbols.seek(symbols, asking(rig, spend))


def renewing(rig: Rig) -> "asyncio.Task[FreshrateError | None]":
    return asyncio.create_task(rig.api.renewals.renew(request_id="test"))


async def renewed(rig: Rig, *command_ids: str) -> None:
    """A renewal for others ends well, and this process knows it."""
    await rig.queue.announce([CatalogStored(currencies=1, command_ids=command_ids)])
    await until(lambda: rig.api.renewals.last and rig.api.renewals.last.command_ids == set(command_ids))


async def renewal_of_another(rig: Rig, *, wait: float = 10) -> RenewCatalog:
    """Another process' command, at which the worker is until `renewal_hold` is set; its claim is for `wait` seconds."""
    rig.worker.renewal_hold.clear()
    other = RenewCatalog(id="other", created_at=rig.clock(), request_id="other")
    await rig.queue.submit(Role.CATALOG, [other], wait=timedelta(seconds=wait))
    await until(lambda: rig.worker.renewals)
    return other


async def depends_on(rig: Rig, command_id: str) -> None:
    """Until a claim was lost to this command."""
    await until(lambda: any(one.command_id == command_id for one in rig.api.renewals._flights.values()))
