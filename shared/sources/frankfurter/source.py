"""Frankfurter as pure functions: one call brings the rates of all its currencies. Nobody bills it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import ClassVar

from shared.ports import Call, Quotes
from shared.sources.frankfurter.currencies import SYMBOLS
from shared.sources.frankfurter.rates import BASE, USD, parse_rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Frankfurter:
    """A PriceSource that knows fiat currencies alone."""

    base_url: str
    name: str = "frankfurter"
    calls_per_minute: int = 0

    credits_per_month: ClassVar[int] = 0
    has_own_ids: ClassVar[bool] = False
    headers: ClassVar[Mapping[str, str]] = MappingProxyType({"Accept": "application/json"})
    oldest_observation: ClassVar[timedelta] = timedelta(days=7)
    """From Maundy Thursday to the Tuesday after Easter, the longest that the central bank rests, five days pass."""

    def plan(
        self,
        currency_ids: Collection[int],
        ranks: Mapping[int, int],  # noqa: ARG002 - fiat currencies have none
        symbols: Mapping[int, str],  # noqa: ARG002 - it has its own table
    ) -> list[Call[Quotes]]:
        """One call, or none."""
        known = tuple(sorted(SYMBOLS.keys() & set(currency_ids)))
        if not known:
            return []
        named = (USD, *(SYMBOLS[one] for one in known if SYMBOLS[one] != BASE))
        return [
            Call(
                what=f"rates of {len(known)}",
                path="/v1/latest",
                params=(("base", BASE), ("symbols", ",".join(named))),
                credits=0,
                currency_ids=known,
                parse=partial(parse_rates, self.name, known),
            )
        ]
