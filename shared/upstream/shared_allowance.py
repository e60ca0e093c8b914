"""A source's allowance as all processes share it: changed by compare-and-set, so no two can spend the same credit.

The last known state is remembered, so that the usual change is one round trip. What is remembered is not trusted
alone: it either passes the compare-and-set, or the kept state is read before anything is refused or left as it is. Only
a caller may say that it trusts memory for a moment.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from shared.domain.allowance import Allowance
from shared.errors import NotTried, StorageUnavailable

_MOST_CONFLICTS = 100
"""Every conflict means that another process got its change through, so more than this is no queue but a defect."""


class AllowanceKeeper(Protocol):
    """The part of `Storage` that keeps allowances."""

    async def allowance(self, source: str, /) -> tuple[Allowance, int]: ...

    async def replace_allowance(self, source: str, allowance: Allowance, /, *, version: int) -> bool: ...


class SharedAllowance:
    """The allowance of one source."""

    def __init__(self, keeper: AllowanceKeeper, source: str) -> None:
        self._keeper = keeper
        self._source = source
        self._known: tuple[Allowance, int] | None = None
        self.seen: Allowance | None = None
        """The last state that was read or written; unlike `_known` it is kept while a change is under way."""
        self._turn = asyncio.Lock()
        self._known_at = -math.inf

    async def read(self) -> Allowance:
        async with self._turn:
            return (await self._read())[0]

    async def change(
        self, change: Callable[[Allowance], Allowance], *, trusted_for: float = 0.0
    ) -> Allowance:
        """Gives the state before. What `change` raises passes through, and nothing is changed.

        `trusted_for`: seconds for which memory may say that there is nothing to change.
        """
        async with self._turn:
            for _ in range(_MOST_CONFLICTS):
                is_remembered = self._known is not None
                state, version = self._known or await self._read()
                try:
                    changed = change(state)
                except NotTried:
                    if not is_remembered:
                        raise
                    self._known = None
                    continue
                if changed == state:
                    if not is_remembered or self._age() < trusted_for:
                        return state
                    self._known = None
                    continue
                self._known = None
                if await self._keeper.replace_allowance(self._source, changed, version=version):
                    self._remember(changed, version + 1)
                    return state
        raise StorageUnavailable(f"The allowance of {self._source} is being changed without end.")

    async def _read(self) -> tuple[Allowance, int]:
        state, version = await self._keeper.allowance(self._source)
        self._remember(state, version)
        return state, version

    def _remember(self, state: Allowance, version: int) -> None:
        self._known = (state, version)
        self.seen = state
        self._known_at = asyncio.get_running_loop().time()

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._known_at

    def would_change(self, change: Callable[[Allowance], Allowance]) -> bool:
        """As far as is remembered, without a round trip."""
        return self._known is None or change(self._known[0]) != self._known[0]
