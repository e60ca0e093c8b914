"""The protocols between the processes and the world, in the domain's verbs.

Adapters: `shared.storage` (PostgreSQL, SQLite), `shared.queue` (Redis, in process), `shared.sources` (one file each).
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar, runtime_checkable

from shared.domain.allowance import Allowance
from shared.domain.currency import CatalogEntry, Currency, CurrencyDetail, CurrencyKind
from shared.domain.page import Cursor, Page
from shared.domain.rate import Observation, Rate, RecordedRate
from shared.domain.schedule import ScheduleState
from shared.domain.visit import Visit
from shared.messages import Command, Fact, Role

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Connections:
    """Of this process to its database."""

    used: int
    idle: int
    waiting: int
    """Statements that wait for one."""


class Storage(Protocol):
    """The truth. Every method may raise StorageUnavailable; after an outage the next call works again."""

    async def ping(self) -> None:
        """Raises StorageUnavailable where the database does not answer."""

    async def close(self) -> None: ...

    def connections(self) -> Connections: ...

    # Currencies

    async def record_catalog(
        self, kind: CurrencyKind, entries: Sequence[CatalogEntry], *, stored_at: datetime
    ) -> None:
        """Renews all currencies of a kind; those that `entries` lacks become inactive and lose their rank."""

    async def catalog(self) -> list[Currency]:
        """Every currency, by rank (unranked last), then id."""

    async def currency(self, currency_id: int) -> CurrencyDetail | None: ...

    async def currencies_page(
        self, *, symbol: str | None, text: str | None, cursor: Cursor | None, limit: int
    ) -> Page[Currency]:
        """By rank (unranked last), then id. `symbol`: exact, any case; `text`: part of name, symbol or slug, any
        case. Cursor key: (rank, or 2**31 - 1 where it has none; id)."""

    # Rates

    async def record_rates(
        self,
        observations: Sequence[Observation],
        *,
        fetched_at: datetime,
        stored_at: datetime,
        visit: Visit | None = None,
    ) -> list[RecordedRate]:
        """Stores in one transaction what is new, moves the last rates forward (never back), and journals the visit.

        One answer per (currency, source), in the order given: the last rate that holds now. An observation that is
        known already, or older than the last one, confirms the last rate: its `fetched_at` moves (never back). Older
        observations that are unknown are kept in history all the same. Currencies must exist; at most one
        observation per (currency, source).
        """

    async def rate(self, rate_id: int) -> Rate | None: ...

    async def last_rates(self, currency_ids: Collection[int] | None = None) -> list[Rate]:
        """The last rate of every (currency, source), of these currencies or of all."""

    async def settle_kind(self, *, is_simulated: bool) -> bool:
        """Whether the rates of this store are simulated. The first who asks decides, for good: once mixed, the two
        kinds could never be told apart again."""

    async def rates_page(
        self,
        *,
        currency_id: int | None,
        source: str | None,
        since: datetime | None,
        until: datetime | None,
        cursor: Cursor | None,
        limit: int,
    ) -> Page[Rate]:
        """Newest first by (observed_at, id); `since` inclusive, `until` exclusive, both on observed_at. Cursor key:
        (observed_at in microseconds, id)."""

    # Visits and schedules

    async def record_visit(self, visit: Visit) -> None:
        """Journals a visit that brought no rates."""

    async def visits(self, *, limit: int) -> list[Visit]:
        """The newest visits first, by started_at."""

    async def forget_visits(self, *, before: datetime) -> int:
        """Deletes older visits, and says how many."""

    async def schedule_state(self, job: str) -> ScheduleState: ...

    async def claim_tick(self, state: ScheduleState, *, due: datetime, until: datetime) -> bool:
        """Claims the tick that is due at `due` for one worker until `until`, if the job is still in this state; else
        False. One conditional UPDATE: of many who saw the same state one wins."""

    async def finish_tick(self, job: str, *, now: datetime, done_at: datetime | None) -> None:
        """Ends the claim; `done_at` where all of the job was covered. It never moves back, but for one that lies in the
        future of `now`: a clock that was ahead."""

    # Allowances of the sources, shared by all processes

    async def allowance(self, source: str) -> tuple[Allowance, int]:
        """The state and its version; a new source starts with Allowance() and version 0."""

    async def replace_allowance(self, source: str, allowance: Allowance, *, version: int) -> bool:
        """Stores the state as version + 1 if `version` is still the current one, else changes nothing: False."""

    # Upkeep

    async def prepare_partitions(self, *, now: datetime) -> None:
        """Makes the partitions of this month and of the next three, where the database has partitions."""


# The queue


@dataclass(frozen=True, slots=True)
class LostClaim:
    """Another command already refreshes this currency."""

    currency_id: int
    holder: str
    """The id of the command that holds the claim."""
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class Delivery:
    """A command in a worker's hands."""

    payload: bytes
    """As it stands on the worker's list."""
    command: Command | None
    """None where the payload is no command."""
    attempt: int
    """1 at first; more when it came back from a worker that died or gave it back."""
    time_left: timedelta
    """Until its deadline, by the queue's clock; zero or less where nobody waits any more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that a worker holds now."""

    deliveries: tuple[Delivery, ...]
    others_at_work: bool
    """Another worker of the role holds commands: more of the same burst may follow."""
    was_waited_for: bool = False
    """Nothing was there when the worker asked."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    delivery: Delivery
    reason: str


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The books of a role: accepted = waiting + processing + done + dead."""

    accepted: int
    waiting: int
    processing: int
    done: int
    dead: int
    workers: int
    """Alive now."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A fact and its place in the stream."""

    id: str
    """Milliseconds since 1970 by the queue's clock, a dash, and a number."""
    fact: Fact

    @property
    def announced_at(self) -> float:
        """Seconds since 1970, by the queue's clock."""
        return int(self.id.partition("-")[0]) / 1000


@dataclass(frozen=True, slots=True)
class Gap:
    """Facts may have been missed (also at the start): list the truth again, and ask again."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The stream has been out of reach for a while; a Gap follows when it is back."""


StreamEvent = Announced | Gap | Outage


class Queue(Protocol):
    """Commands on a list per role, facts on one stream. Methods may raise QueueUnavailable."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...

    async def submit(self, role: Role, commands: Sequence[Command], *, wait: timedelta) -> list[LostClaim]:
        """Claims the currencies of each command for `wait` and pushes the command with those it won, all in one
        step. A command that won none is not pushed. Raises WorkerGone, and pushes nothing, where no worker of the
        role is alive."""

    async def take(self, role: Role, worker: str, *, block: timedelta | None) -> Batch:
        """Moves all that waits to the worker's own list and gives all that it holds, oldest first. `block`: wait so
        long for a first one where it holds none; None: do not wait. Redelivered commands come too."""

    async def finish(
        self,
        role: Role,
        worker: str,
        *,
        facts: Sequence[Fact] = (),
        done: Sequence[Delivery] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Announces the facts, takes the deliveries off the worker's list (dead ones to the dead letters), and
        releases the claims that they still hold, in one step. A delivery that is no longer on the worker's list was
        given to another: its books and claims are left alone, and a RefreshFailed of its command is not announced,
        for the other may succeed."""

    async def give_back(self, role: Role, worker: str, deliveries: Sequence[Delivery]) -> None:
        """Puts deliveries back to the head of the list, counting an attempt each."""

    async def announce(self, facts: Sequence[Fact]) -> None:
        """Announces facts that no command asked for."""

    async def heartbeat(self, role: Role, worker: str) -> None:
        """This worker is alive for the next 3 s."""

    async def retire(self, role: Role, worker: str) -> None:
        """This worker stops: whatever it still holds goes back at once."""

    async def rescue(self, role: Role) -> int:
        """Puts back what workers without heartbeat held, and says how many commands."""

    async def depth(self, role: Role) -> QueueDepth: ...

    def events(self) -> AsyncIterator[StreamEvent]:
        """Every fact from now on; a Gap first, and whenever something may have been missed. Reconnects by itself and
        ends only with `close` or cancellation."""


# The sources


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """What came back over HTTP, whatever the status. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T_co]):
    """What an answer said, and the credits that the source says it cost (None: it does not say)."""

    value: T_co
    credits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T_co]):
    """One GET request to a source, what it will cost, what it should bring, and how its answer is read."""

    what: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    credits: int
    currency_ids: tuple[int, ...] = ()
    """The currencies that the answer is expected to bring."""
    parse: Callable[[UpstreamAnswer], Parsed[T_co]] = field(repr=False)
    """Pure. Raises UpstreamError for every answer, of any status, that holds no value."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """The observations of one answer, and by currency id why others in it were refused."""

    observations: tuple[Observation, ...]
    refused: Mapping[int, str]


class Source(Protocol):
    """An upstream, as pure functions: it knows neither storage, nor schedule, nor sockets."""

    @property
    def name(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request; may hold the key, so never logged."""

    @property
    def oldest_observation(self) -> timedelta:
        """The source's own limit of staleness: a rate that it states as older than this is refused."""

    @property
    def calls_per_minute(self) -> int:
        """The budget; 0 = none."""

    @property
    def credits_per_month(self) -> int:
        """The budget; 0 = none."""


class PriceSource(Source, Protocol):
    """A source of prices by CoinMarketCap's ids."""

    def plan(self, currency_ids: Collection[int], ranks: Mapping[int, int]) -> list[Call[Quotes]]:
        """The calls that cover these currencies in as few credits as possible. `ranks`: of those that have one."""


@runtime_checkable
class CatalogSource(Source, Protocol):
    """A source of the catalog."""

    def catalog(self) -> dict[CurrencyKind, Call[list[CatalogEntry]]]: ...
