"""Currencies and what is known of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

FIRST_LOCAL_ID = 1_000_000_000
"""Ids from here up are ours: currencies that CoinMarketCap does not know."""
LARGEST_ID = 2**63 - 1


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
    aliases: tuple[CurrencyAlias, ...]
    merged_into: int | None
    """The currency that this local one turned out to be."""
