"""Currencies and what is known of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

FIRST_LOCAL_ID = 1_000_000_000
"""Ids from here up are ours: currencies that CoinMarketCap does not know."""
LARGEST_ID = 2**63 - 1
USD_ID = 2781
"""Every price is in USD, so the dollar is 1 by definition and has no rates."""


class CurrencyKind(StrEnum):
    CRYPTO = "crypto"
    FIAT = "fiat"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """A cryptocurrency or fiat currency. `id` is CoinMarketCap's; the symbol is never an identity."""

    id: int
    name: str
    symbol: str
    slug: str
    rank: int | None
    """CoinMarketCap's rank; None for fiat and unranked ones."""
    is_active: bool
    kind: CurrencyKind = CurrencyKind.CRYPTO


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyMetadata:
    """What a source tells beyond identity; None where it does not."""

    first_seen: datetime | None = None
    """The first time that the source has data of it."""
    platform: str | None = None
    """The name of the chain that it is a token of."""
    sign: str | None = None
    """A fiat currency's sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyProfile:
    """What a source tells of a cryptocurrency when it is asked for just that; None, or nothing, where it does not say."""

    circulating_supply: Decimal | None = None
    """In units of the currency, like the two below."""
    total_supply: Decimal | None = None
    max_supply: Decimal | None = None
    tags: tuple[str, ...] = ()
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """http and https addresses by the source's name for their kind: website, source_code."""


def merged_profiles(parts: Iterable[Mapping[int, CurrencyProfile]]) -> dict[int, CurrencyProfile]:
    """One profile for each currency: of each field what the first part says that says anything."""
    merged: dict[int, CurrencyProfile] = {}
    for part in parts:
        for currency_id, profile in part.items():
            known = merged.get(currency_id, CurrencyProfile())
            merged[currency_id] = CurrencyProfile(
                circulating_supply=_first(known.circulating_supply, profile.circulating_supply),
                total_supply=_first(known.total_supply, profile.total_supply),
                max_supply=_first(known.max_supply, profile.max_supply),
                tags=known.tags or profile.tags,
                links=known.links or profile.links,
            )
    return merged


def _first(known: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if known is None else known


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One line of a source's catalog."""

    currency: Currency
    metadata: CurrencyMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyAlias:
    """The name under which a source knows a currency, and who decided that."""

    source: str
    source_id: str
    """The source's own id, which never changes."""
    symbol: str
    """The source's symbol for it."""
    decided_by: str
    """The rule, as `shared.domain.identity` names it."""
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyDetail:
    """A currency with everything that the store knows of it."""

    currency: Currency
    metadata: CurrencyMetadata
    profile: CurrencyProfile
    """Empty before its source was first asked."""
    profiled_at: datetime | None
    """When its source was last asked for the profile."""
    aliases: tuple[CurrencyAlias, ...]
    merged_into: int | None
    """The currency that this local one turned out to be."""
