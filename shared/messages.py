"""What travels through the queue: commands to the workers, facts to everybody.

The frozen dataclasses are the truth; pydantic reads and writes them as JSON. Unknown fields are ignored, so workers
can be upgraded first; an unknown kind or version is an error.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.domain.ranking import Ranking
from shared.domain.rate import Rate
from shared.domain.visit import Failure

MAX_MESSAGE_BYTES = 64 * 1024
"""A command is some hundred bytes; what is larger than this was not sent by us."""
MAX_RATES_PER_FACT = 500


class Role(StrEnum):
    """What a worker does. Each role has a command list of its own."""

    PRICING = "pricing"
    RANKING = "ranking"
    CATALOG = "catalog"
    """Done by every worker of the role pricing beside it: a renewal takes seconds, in which refreshes must not wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRates:
    """Visit the sources for these currencies now."""

    id: str
    """Unique. A claim holds it; facts name it."""
    currency_ids: tuple[int, ...]
    created_at: datetime
    request_id: str
    """The id of the HTTP request, for the logs of both sides."""
    traceparent: str = ""
    """The span of the HTTP request as W3C writes it, where traces are on."""
    deadline_ms: int = 0
    """Milliseconds since 1970 by the queue's clock after which nobody waits any more; set by the queue."""
    kind: Literal["refresh_rates"] = "refresh_rates"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRanking:
    """Visit the sources for the ranking now."""

    id: str
    """Unique. A claim holds it; facts name it."""
    length: int
    """How many places are wanted, 1 to LONGEST_RANKING."""
    created_at: datetime
    request_id: str
    """The id of the HTTP request, for the logs of both sides."""
    traceparent: str = ""
    """The span of the HTTP request as W3C writes it, where traces are on."""
    deadline_ms: int = 0
    """Milliseconds since 1970 by the queue's clock after which nobody waits any more; set by the queue."""
    kind: Literal["refresh_ranking"] = "refresh_ranking"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewCatalog:
    """Renew the catalog of cryptocurrencies, where that was not done or tried just before: somebody asks for a symbol that it
    lacks."""

    id: str
    """Unique. A claim holds it; facts name it."""
    created_at: datetime
    request_id: str
    """The id of the HTTP request, for the logs of both sides."""
    traceparent: str = ""
    """The span of the HTTP request as W3C writes it, where traces are on."""
    deadline_ms: int = 0
    """Milliseconds since 1970 by the queue's clock after which nobody waits any more; set by the queue."""
    kind: Literal["renew_catalog"] = "renew_catalog"
    version: Literal[1] = 1


Command = RefreshRates | RefreshRanking | RenewCatalog


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesStored:
    """These are now the last rates of their (currency, source), committed."""

    stored: tuple[Rate, ...]
    """New observations."""
    confirmed: tuple[Rate, ...] = ()
    """Known observations that a source stated again: only `fetched_at` moved."""
    command_ids: tuple[str, ...] = ()
    """The commands that this visit served; none where nobody asked."""
    kind: Literal["rates_stored"] = "rates_stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingStored:
    """This is a new ranking, committed; the prices that came with it were committed before."""

    ranking: Ranking
    command_ids: tuple[str, ...] = ()
    """The commands that this visit served; none where nobody asked."""
    kind: Literal["ranking_stored"] = "ranking_stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFailed:
    """A command ended without a rate for these currencies, without a ranking, or without a renewed catalog."""

    command_id: str
    failures: tuple[Failure, ...]
    kind: Literal["refresh_failed"] = "refresh_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStored:
    """The catalog, or what is told of its currencies, was renewed; who keeps it in memory reads it again."""

    currencies: int
    command_ids: tuple[str, ...] = ()
    """The commands that this renewal served; none where nobody asked."""
    kind: Literal["catalog_stored"] = "catalog_stored"


Fact = RatesStored | RankingStored | RefreshFailed | CatalogStored

COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
FACTS: TypeAdapter[Fact] = TypeAdapter(Annotated[Fact, Field(discriminator="kind")])
