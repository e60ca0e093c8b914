"""The storage over one engine: the methods of every noun, under the one name that the port asks for."""

from shared.ports import Connections
from shared.storage.allowances import Allowances
from shared.storage.candles import Candles
from shared.storage.currencies import Currencies
from shared.storage.deals import Deals, DealsWriter
from shared.storage.demand import Demand
from shared.storage.engine import Engine
from shared.storage.identities import Identities
from shared.storage.profiles import Profiles
from shared.storage.rankings import Rankings
from shared.storage.rates import Rates
from shared.storage.recording import RateWriter, Recording
from shared.storage.schedules import Schedules
from shared.storage.visits import Visits


class SqlStorage(
    Recording,
    Rates,
    Candles,
    Rankings,
    Currencies,
    Profiles,
    Demand,
    Identities,
    Deals,
    Visits,
    Schedules,
    Allowances,
):
    """See `shared.ports.Storage`."""

    def __init__(self, engine: Engine, rates: RateWriter, deals: DealsWriter) -> None:
        super().__init__(engine, rates)
        self._deals_writer = deals

    async def ping(self) -> None:
        await self._engine.fetchval("SELECT 1")

    async def is_outdated(self, revision: str) -> bool:
        """Whether the schema is older than this revision. Revisions are numbers of four digits, so text compares."""
        if not await self._engine.has_table("alembic_version"):
            return True
        version = await self._engine.fetchval("SELECT version_num FROM alembic_version")
        return version is None or str(version) < revision

    async def close(self) -> None:
        await self._engine.close()

    def connections(self) -> Connections:
        return self._engine.connections()
