"""What the faults in force do to the data of one answer. Without faults it changes nothing."""

from collections.abc import Sequence

from simulator.faults import Fault, Kind
from simulator.market import Market, Moment


class Distortion:
    """Asked for every currency that an answer states."""

    def __init__(self, faults: Sequence[Fault], market: Market) -> None:
        self._faults = faults
        self._market = market
        self._is_empty = any(fault.kind is Kind.EMPTY for fault in faults)

    def shows(self, currency_id: int) -> bool:
        """Whether the answer holds the currency at all."""
        return not (self._is_empty or self._of(Kind.MISSING, currency_id))

    def moment(self, currency_id: int, moment: Moment) -> Moment:
        """The observation that is stated."""
        fault = self._of(Kind.UNCHANGED, currency_id)
        return self._market.at(fault.since_ms) if fault else moment

    def stated_ms(self, currency_id: int, ms: int) -> int:
        """The time that is stated for an observation, in milliseconds since 1970."""
        if fault := self._of(Kind.OLD, currency_id):
            ms -= int(fault.number("seconds") * 1000)
        if fault := self._of(Kind.FUTURE, currency_id):
            ms += int(fault.number("seconds") * 1000)
        return ms

    def stated_id(self, currency_id: int) -> int:
        fault = self._of(Kind.WRONG_ID, currency_id)
        return int(fault.number("other")) if fault else currency_id

    def price(self, currency_id: int) -> str | None:
        """The text to write in place of the price."""
        fault = self._of(Kind.PRICE, currency_id)
        return fault.text("value") if fault else None

    def _of(self, kind: Kind, currency_id: int) -> Fault | None:
        for fault in self._faults:
            if fault.kind is kind and fault.is_for(currency_id):
                return fault
        return None
