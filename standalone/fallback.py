"""The loud fallback: with no key, no source URL and no source that answers, the simulator takes the sources' place.

Only the standalone process does this, and it keeps simulated rates in a database file of their own, so that they never
mix with real ones.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from shared.domain.allowance import Allowance
from shared.domain.currency import CurrencyKind
from shared.domain.times import utc_now
from shared.errors import UpstreamBroken, UpstreamError, UpstreamMalformed, UpstreamUnreachable
from shared.ports import CatalogSource
from shared.settings import Settings
from shared.sources import build_sources
from shared.upstream import Upstream
from simulator.app import create_simulator

log = structlog.get_logger(__name__)

PATIENCE = timedelta(seconds=2)
"""How long a source may take to answer at start."""
_NAMED_BY_THE_USER = {
    "coinmarketcap_api_key",
    "coinmarketcap_url",
    "cryptocompare_api_key",
    "cryptocompare_url",
    "frankfurter_url",
    "simulator_url",
}


class _OwnAllowance:
    """The probe's own: it must not touch the shared budgets of a database that may not be used."""

    async def allowance(self, _source: str) -> tuple[Allowance, int]:
        return Allowance(), 0

    async def replace_allowance(self, _source: str, _allowance: Allowance, *, version: int) -> bool:
        return version >= 0


async def is_any_source_answering(settings: Settings) -> bool:
    """An answer that says no (wrong key, limit reached) is an answer too: hiding it would help nobody."""
    async with Upstream(_OwnAllowance(), clock=utc_now, registry=CollectorRegistry()) as upstream:
        for source in build_sources(settings):
            if not isinstance(source, CatalogSource):
                continue
            try:
                await upstream.ask(
                    source, source.catalog()[CurrencyKind.FIAT], time_left=PATIENCE, attempts=1
                )
            except (UpstreamUnreachable, UpstreamBroken, UpstreamMalformed) as error:
                log.warning("source does not answer", source=source.name, error=str(error))
            except UpstreamError:
                return True
            else:
                return True
    return False


@asynccontextmanager
async def settings_that_work(settings: Settings) -> AsyncIterator[Settings]:
    """The settings to run with; the simulator of the fallback lives as long as the context."""
    if settings.model_fields_set & _NAMED_BY_THE_USER or await is_any_source_answering(settings):
        yield settings
        return
    async with _simulator() as url:
        log.warning(
            "NO SOURCE ANSWERS. THE RATES BELOW ARE SIMULATED, not market prices. "
            "They say source simulator and are kept in data/simulated.db, apart from real ones. "
            "Restart with a network, COINMARKETCAP_API_KEY or COINMARKETCAP_URL for real rates."
        )
        simulated = settings.model_copy(
            update={
                "sources": ("simulator",),
                "simulator_url": url,
                "database_url": "sqlite:///data/simulated.db",
                "redis_url": "",
            }
        )
        yield simulated


@asynccontextmanager
async def _simulator() -> AsyncIterator[str]:
    runner = web.AppRunner(create_simulator(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
