"""The store, in the domain's verbs. Adapters: `shared.storage` (PostgreSQL, SQLite)."""

from collections.abc import AsyncIterable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.allowance import Allowance
from shared.domain.candle import Candle, Closes, Interval
from shared.domain.currency import (
    CatalogEntry,
    Currency,
    CurrencyDetail,
    CurrencyKind,
    CurrencyMetadata,
    CurrencyProfile,
)
from shared.domain.deals import (
    DealsBatch,
    DealsFile,
    DealsSummary,
    DealsUpload,
    PricedDeal,
    PriceRule,
    Replacement,
)
from shared.domain.identity import Identity
from shared.domain.page import Cursor, Page
from shared.domain.ranking import Ranking, TopRow
from shared.domain.rate import Observation, Rate, RecordedRate
from shared.domain.schedule import ScheduleState
from shared.domain.visit import Visit


@dataclass(frozen=True, slots=True)
class Connections:
    """Of this process to its database."""

    used: int
    idle: int
    waiting: int
    """Statements that wait for one."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a currency beyond its identity."""

    metadata: CurrencyMetadata
    profile: CurrencyProfile


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

    async def add_currencies(self, entries: Sequence[CatalogEntry], *, stored_at: datetime) -> int:
        """Adds those that are not there yet, and says how many; the others stay as they are."""

    async def record_profiles(
        self, profiles: Mapping[int, CurrencyProfile], *, profiled_at: datetime
    ) -> None:
        """Replaces the profiles of these currencies. Those that do not exist are left out. A renewal of the catalog leaves
        profiles as they are."""

    async def profiled_before(
        self, moment: datetime, currency_ids: Collection[int], *, now: datetime | None = None
    ) -> list[int]:
        """Those of these currencies, which exist, whose profile is older than that or was never asked for: the latter
        first, then the oldest, then by id. One asked for later than `now` and `MAX_AHEAD` counts as never asked for: a
        worker's clock was ahead. Without `now` all times count."""

    async def descriptions(self, currency_ids: Collection[int]) -> dict[int, Description]:
        """What is told of these currencies beyond identity; those that do not exist are left out."""

    # Demand

    async def record_demand(self, asked: Mapping[int, datetime], *, now: datetime | None = None) -> None:
        """When somebody last asked for each of these currencies; those that do not exist are left out. Moves forward only,
        but replaces a mark later than `now` and `MAX_AHEAD`: a clock was ahead."""

    async def in_demand_since(
        self, moment: datetime, *, limit: int, now: datetime | None = None
    ) -> list[int]:
        """The currencies that somebody asked for at or after that moment, the last asked first, then by id. Of any kind, also
        inactive ones, but none that is merged into another: whoever asks for that one asks for the other. A mark later
        than `now` and `MAX_AHEAD` does not count before its time: a clock was ahead. Without `now` all count."""

    async def forget_demand(self, *, before: datetime) -> int:
        """Deletes the marks of the currencies that nobody asked for since, and says how many."""

    # Identity

    async def aliases(self, source: str) -> dict[str, int]:
        """The currency of each of the source's ids that was decided on."""

    async def symbols(self, source: str, currency_ids: Collection[int]) -> dict[int, str]:
        """The source's own symbol of those currencies that have an alias there. Where several of its coins are one currency:
        the one by hand, else the one that was decided on first."""

    async def record_identities(
        self, source: str, identities: Sequence[Identity], *, decided_at: datetime
    ) -> dict[str, int]:
        """Keeps the decisions, and gives the currency of each source id.

        A coin that is none of the known currencies gets a local currency, once. A local one that now turned out to be a
        known currency is merged into it, and is no longer active; any other alias that there is stays as it is, but for its
        symbol. Of many who decide on one coin at once, one decides; and no currency is given to two coins of the source: the
        later one is local.
        A decision by hand replaces any other alias. Another coin of the source that was that currency is none from then on:
        it is what `identities` says of it, else its alias is gone until it is decided anew. History stays as it is.
        A decision for a currency that does not exist is refused with all the others: UnknownCurrency.
        """

    # Rankings

    async def record_ranking(
        self,
        source: str,
        currency_ids: Sequence[int],
        *,
        is_whole: bool,
        observed_at: datetime,
        stored_at: datetime,
    ) -> Ranking:
        """Keeps the snapshot. Currencies must exist, else UnknownCurrency; each at most once."""

    async def last_ranking(self, *, now: datetime | None = None) -> Ranking | None:
        """The newest by (observed_at, id), of whatever source. With `now` one that lies further in its future than
        `MAX_AHEAD` does not count before its time: a worker's clock was ahead."""

    async def ranking_as_of(
        self, moment: datetime, *, places: int = 1, within: timedelta = timedelta(0)
    ) -> Ranking | None:
        """The newest that was in force at that moment: observed and stored at or before it. Where that is too short for a
        list of so many `places`, the newest long enough that was observed `within` so much before the moment, if there is
        one: a client who asks for less must not cut the lists of others."""

    async def top_as_of(
        self,
        currency_ids: Sequence[int],
        moment: datetime,
        *,
        first_rank: int,
        sources: Sequence[str],
        stale_after: timedelta,
    ) -> list[TopRow]:
        """These currencies, ranked from `first_rank` on, with their prices in force at that moment (observed at or before it,
        and stored by then or backfilled).

        Of the first of `sources` whose newest price was observed within `stale_after` of the moment, else the newest of
        any source. One row for each id, in their order; a currency without a price keeps its rank.
        Currencies must exist, else UnknownCurrency.
        """

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
        """The last rate of every (currency, source), of these currencies or of all, but for those that are merged into
        another."""

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

    # Candles

    async def first_observed_at(self, currency_id: int, *, source: str | None = None) -> datetime | None:
        """When its first rate was observed; None where there is none. `source`: its first of that source."""

    async def candles(
        self,
        currency_id: int,
        *,
        interval: Interval,
        since: datetime,
        until: datetime,
        source: str | None = None,
    ) -> list[Candle]:
        """Those that have rates, oldest first: of all its rates, or of those of `source`. `since` (inclusive) and `until`
        (exclusive) are borders of candles."""

    async def closes(
        self, currency_ids: Sequence[int], *, interval: Interval, since: datetime, until: datetime
    ) -> dict[int, Closes]:
        """Of each of these currencies. `since` and `until` as above."""

    # Deals

    async def replace_deals(
        self, file: DealsFile, columns: Sequence[str], batches: AsyncIterable[DealsBatch]
    ) -> Replacement:
        """Makes the deals of this file the deals, at one moment, and sums them up: readers see the old ones or the new ones,
        each as a whole. Nobody else who writes waits for it. `columns`: those of COLUMNS, in the order of the cells of
        `batches`.

        Where the current deals are those of the same file, read in the same way (sha256, charset, has_header), `batches` are
        not asked for, and nothing changes. Of several who replace at once one follows another, over all processes. What
        `batches` raise passes through, and leaves the old deals. Raises InvalidDeals where the summary would be too long
        to be kept.
        """

    async def refuse_deals(self, file: DealsFile, *, error: str) -> DealsUpload:
        """Notes a file with which something is wrong. Of such notes only the newest hundred are kept."""

    async def current_upload(self) -> int | None:
        """The id of the upload whose deals are the deals; None before the first."""

    async def deals_summary(self) -> DealsSummary | None:
        """The current upload and its summary, as of one moment; None before the first."""

    async def uploads_page(self, *, cursor: Cursor | None, limit: int) -> Page[DealsUpload]:
        """The newest first. Cursor key: (id, 0)."""

    async def priced_deals(
        self,
        upload_id: int,
        customers: Sequence[str],
        rules: Sequence[PriceRule],
        *,
        now: datetime,
        limit: int,
    ) -> list[PricedDeal]:
        """The deals of these customers, in any order, each with the prices that these rules find for its date; at most `limit`
        of them. None of them where that upload is not the current one any more. A deal dated after `now` has no price:
        the rate of its date is not known yet."""

    async def forget_replaced_deals(self) -> int:
        """Deletes the deals of uploads that are not current, of which nobody can ask any more, and what loads left that were
        killed, and says how many deals these were. Harms no load at work."""

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
