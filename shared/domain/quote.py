"""Quotes: what an amount of one currency is in another, through the dollar in which every rate is stated.

price = amount * USD price of the one / USD price of the other. Products are exact, and the one division is rounded
once (`shared.domain.money.quotient`), so it does not matter in which order anything is computed. The dollar is 1 by
definition: nothing is divided by it, and no leg leads to it or from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact

from shared.domain.currency import USD_ID
from shared.domain.money import MAX_DIGITS, quotient

_EXACT = Context(prec=4 * MAX_DIGITS, traps=[Inexact])
"""A product has no more digits than its two factors together, and those have MAX_DIGITS each."""
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A step of the way from one currency to another: a rate, read from its currency to the dollar or from the dollar."""

    pair: str
    """BTC/USD where a price of Bitcoin is used as it is stated, USD/BTC where it is divided by."""
    source: str
    observed_at: datetime
    """The time that the source states for the rate."""
    since: int
    """The second (since 1970) from which its age counts: when the rate was fetched."""
    is_stale: bool = False

    def age(self, second: int) -> int:
        """Whole seconds at that second."""
        return max(0, second - self.since)


@dataclass(slots=True, kw_only=True)
class Quote:
    """The price of an amount of one currency in another. Not frozen, for each answer makes some, and those would take three
    times as long."""

    currency_id: int
    """In which the price is."""
    symbol: str
    price: Decimal | None
    """None, like the two below, where a rate that it needs is not known."""
    observed_at: datetime | None
    """Of the oldest leg; None also where there is no leg."""
    age: int | None
    """Whole seconds, of the oldest leg."""
    is_stale: bool
    path: tuple[Leg, ...]
    """The legs that are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A currency at one end of a quote, with its rate where that is known."""

    currency_id: int
    symbol: str
    price_usd: Decimal | None = None
    """None for the dollar, and where it is not known."""
    outward: tuple[Leg, ...] = ()
    """The leg from it to the dollar, if there is one."""
    inward: tuple[Leg, ...] = ()
    """The leg from the dollar to it, if there is one."""

    @property
    def is_known(self) -> bool:
        return self.price_usd is not None or self.currency_id == USD_ID


def quote_of(amount: Decimal, base: Side, target: Side, second: int) -> Quote:
    """So much of `base` in `target`, as it is in that second (since 1970). A currency in itself needs no rate."""
    if base.currency_id == target.currency_id:
        path: tuple[Leg, ...] = ()
        price: Decimal | None = price_of(amount, None, None)
    else:
        path = base.outward + target.inward
        is_known = base.is_known and target.is_known
        price = price_of(amount, base.price_usd, target.price_usd) if is_known else None
    leg = oldest(path) if price is not None else None
    return Quote(
        currency_id=target.currency_id,
        symbol=target.symbol,
        price=price,
        observed_at=leg.observed_at if leg else None,
        age=leg.age(second) if leg else None if price is None else 0,
        is_stale=price is None or (leg is not None and (path[0].is_stale or path[-1].is_stale)),
        path=path,
    )


def price_of(amount: Decimal, price_usd: Decimal | None, divisor: Decimal | None) -> Decimal:
    """The price of so much of a currency. `price_usd`: of that currency, `divisor`: of the currency in which the price is
    wanted; None for the dollar. Rounded to 28 significant digits where there is a divisor, else exact."""
    if not amount:
        return _ZERO
    dollars = amount if price_usd is None else _EXACT.multiply(amount, price_usd)
    return dollars if divisor is None else quotient(dollars, divisor)


def oldest(path: Sequence[Leg]) -> Leg | None:
    """The leg of the greatest age, of such the one observed first; None where there is no leg."""
    return min(path, key=_by_age) if len(path) > 1 else path[0] if path else None


def _by_age(leg: Leg) -> tuple[int, datetime]:
    return (leg.since, leg.observed_at)
