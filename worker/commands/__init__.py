"""The table of all commands: each role executes one kind. A new kind is one file here and one line below."""

from collections.abc import Mapping
from typing import Any

from shared.messages import Role
from worker.commands.catalog import CatalogRenewal
from worker.commands.handler import Handler, failed
from worker.commands.ranking import RankingRefresh
from worker.commands.rates import RatesRefresh

HANDLERS: Mapping[Role, Handler[Any]] = {
    Role.PRICING: RatesRefresh(),
    Role.RANKING: RankingRefresh(),
    Role.CATALOG: CatalogRenewal(),
}

__all__ = ["HANDLERS", "Handler", "failed"]
