"""What customers spent, in another currency than that of their deals.

Each deal counts at the rates of its own date: total * price of the deals' currency / price of the other, both in USD. Totals
of deals at equal prices are added up first, exactly; each quotient keeps 40 digits; the sum is exact again, and rounded
once, to 28 significant digits. So it does not matter in which order deals come, and all digits of the result are right.

One who has a deal without such a rate has no sum: a part of it would pass for the whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact

from shared.domain.deals import PricedDeal
from shared.domain.money import kept_quotient, quotient

_EXACT = Context(prec=400, traps=[Inexact])
"""The sum of a hundred thousand quotients takes up to 230 digits: they lie between 1e-90 and 1e90, with 40 digits each."""
_ZERO = Decimal(0)
_ONE = Decimal(1)

Batch = tuple[str, tuple[Decimal | None, ...]]
"""A customer's deals at equal prices."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one customer spent."""

    amount: Decimal | None
    """Without zeros at the end of a fraction; None where a deal has no rate."""
    unpriced: int = 0
    """Deals without a rate, which are dated from `unpriced_from` to `unpriced_to`."""
    unpriced_from: datetime | None = None
    unpriced_to: datetime | None = None


class Spendings:
    """Sums of many customers. All deals are to be added before the first batch is converted; both may be done piece by
    piece."""

    def __init__(self, *, is_from_dollar: bool, is_to_dollar: bool) -> None:
        """`is_from_dollar`: the deals are in USD, so their prices hold none of that currency; else it is the first of
        them. `is_to_dollar`: likewise, of the other currency; else its price is the last of them."""
        self._is_from_dollar = is_from_dollar
        self._is_to_dollar = is_to_dollar
        self._totals: dict[Batch, Decimal] = {}
        self._sums: dict[str, Decimal] = {}
        self._unpriced: dict[str, tuple[int, datetime, datetime]] = {}

    def add(self, deals: Iterable[PricedDeal]) -> None:
        totals = self._totals
        for deal in deals:
            if None in deal.prices:
                self._note_unpriced(deal)
                continue
            batch = (deal.customer, deal.prices)
            known = totals.get(batch)
            totals[batch] = deal.total if known is None else _EXACT.add(known, deal.total)

    def batches(self) -> list[Batch]:
        return list(self._totals)

    def convert(self, batches: Iterable[Batch]) -> None:
        """Each once."""
        for batch in batches:
            customer, prices = batch
            worth = self._worth(self._totals[batch], prices)
            self._sums[customer] = _EXACT.add(self._sums.get(customer, _ZERO), worth)

    def of(self, customer: str) -> Spending:
        unpriced = self._unpriced.get(customer)
        if unpriced is not None:
            return Spending(None, *unpriced)
        return Spending(quotient(self._sums.get(customer, _ZERO), _ONE))

    def _worth(self, total: Decimal, prices: tuple[Decimal | None, ...]) -> Decimal:
        price = None if self._is_from_dollar else prices[0]
        divisor = None if self._is_to_dollar else prices[-1]
        dollars = total if price is None else _EXACT.multiply(total, price)
        return dollars if divisor is None else kept_quotient(dollars, divisor)

    def _note_unpriced(self, deal: PricedDeal) -> None:
        count, first, last = self._unpriced.get(deal.customer, (0, deal.date, deal.date))
        self._unpriced[deal.customer] = (count + 1, min(first, deal.date), max(last, deal.date))
