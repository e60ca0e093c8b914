"""All current rates as they are written to whoever listens to all: put together once for many that come together."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.live.recent import Recent
from api.live.wire import Kind, Wire
from api.memory import RateMemory
from shared.domain.rate import Rate

PART = 100
"""Rates: some 50 kB."""
KEPT_SECONDS = 1.0
"""What is older is put together anew. Until then whoever comes gets this, and what was told since."""
MOST_BEHIND = 100
"""Frames that may have been told since."""


@dataclass(frozen=True, slots=True)
class State:
    """The current rates of one moment."""

    sequence: int
    """The frame that was told last then."""
    rates: int
    parts: Sequence[bytes]


class States:
    """One of each kind at most."""

    def __init__(self, recent: Recent, memory: RateMemory, tell_served: Callable[[int], Rate | None]) -> None:
        """`tell_served`: tells the last rate of a currency, where that was not told, and gives it."""
        self._recent = recent
        self._memory = memory
        self._tell_served = tell_served
        self._kept: dict[Kind, State] = {}
        self._building = asyncio.Lock()

    async def of_all(self, wire: Wire, since: int) -> State:
        """As of that frame or later."""
        async with self._building:
            kept = self._kept.get(wire.kind)
            if kept is not None and kept.sequence >= max(since, self._recent.latest - MOST_BEHIND):
                return kept
            state = self._kept[wire.kind] = await self._build(wire)
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, wire.kind, state)
            return state

    def _drop(self, kind: Kind, state: State) -> None:
        if self._kept.get(kind) is state:
            del self._kept[kind]

    async def _build(self, wire: Wire) -> State:
        found = [self._tell_served(one) for one in self._memory.currency_ids()]
        rates = [rate for rate in found if rate is not None]
        sequence = self._recent.latest
        event_id = self._recent.event_id(sequence)
        parts = []
        for start in range(0, len(rates), PART):
            part = rates[start : start + PART]
            parts.append(
                b"".join(
                    wire.rate(self._recent.answer_of(rate).body, event_id if rate is rates[-1] else None)
                    for rate in part
                )
            )
            await asyncio.sleep(0)
        return State(sequence, len(rates), parts)
