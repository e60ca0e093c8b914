"""The sources, as pure functions. Adapters: `shared.sources` (one file or package each)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Protocol, TypeVar, runtime_checkable

from shared.domain.currency import CatalogEntry, CurrencyKind, CurrencyProfile
from shared.domain.ranking import RankingPage
from shared.domain.rate import Observation

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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
    def has_own_ids(self) -> bool:
        """Whether it knows currencies by ids of its own, so that aliases say which is which. Else by CoinMarketCap's."""

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
    """A source of prices."""

    def plan(
        self, currency_ids: Collection[int], ranks: Mapping[int, int], symbols: Mapping[int, str]
    ) -> list[Call[Quotes]]:
        """The calls that cover these currencies in as few credits as possible. `ranks`: CoinMarketCap's, of those that have
        one; `symbols`: the source's own, of those that have an alias. Those that it cannot know are in no call."""


@runtime_checkable
class RankingSource(Source, Protocol):
    """A source of the ranking by the volume of 24 hours, all currencies of which it knows by ids that never change."""

    @property
    def leads_ranking(self) -> bool:
        """Whether its ranking is preferred to that of sources that are preferred for prices."""

    @property
    def pages_per_second(self) -> int:
        """So many pages of a ranking it takes at once, and then no more within this second."""

    @property
    def by_hand(self) -> Mapping[str, int]:
        """Currencies by the source's ids, as people have looked them up; empty where its ids are CoinMarketCap's."""

    def ranking(self, length: int) -> list[Call[RankingPage]]:
        """The pages of the top `length`, in their order; the last may bring more than is wanted. They may be asked for side by
        side, and `shared.domain.ranking.merged` makes one list of them."""


@runtime_checkable
class CatalogSource(Source, Protocol):
    """A source of the catalog."""

    def catalog(self) -> dict[CurrencyKind, Call[list[CatalogEntry]]]: ...


@runtime_checkable
class ProfileSource(Source, Protocol):
    """A source of profiles."""

    def profiles(self, currency_ids: Collection[int]) -> list[Call[dict[int, CurrencyProfile]]]:
        """The calls that bring the profiles of these currencies. One brings the tags and links of a currency and another
        its supplies; `shared.domain.currency.merged_profiles` makes one of them."""
