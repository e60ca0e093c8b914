"""What the tests of the client share: a clock, a keeper of allowances in memory, and a source with a plain protocol."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.domain.allowance import Allowance
from shared.errors import StorageUnavailable
from shared.ports import Call, Parsed, UpstreamAnswer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Keeper:
    """Keeps allowances as a storage does, and gives other tasks a turn at every step, as a database would."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Allowance, int]] = {}
        self.round_trips = 0
        self.is_down = False

    async def allowance(self, source: str) -> tuple[Allowance, int]:
        await self._travel()
        return self.kept.get(source, (Allowance(), 0))

    async def replace_allowance(self, source: str, allowance: Allowance, *, version: int) -> bool:
        await self._travel()
        if self.kept.get(source, (Allowance(), 0))[1] != version:
            return False
        self.kept[source] = (allowance, version + 1)
        return True

    def state(self, source: str = "plain") -> Allowance:
        return self.kept.get(source, (Allowance(), 0))[0]

    async def _travel(self) -> None:
        await asyncio.sleep(0)
        self.round_trips += 1
        if self.is_down:
            raise StorageUnavailable


@dataclass(frozen=True, kw_only=True)
class PlainSource:
    """Whatever it is asked, a good answer is a 200."""

    base_url: str
    name: str = "plain"
    has_own_ids: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: {"X-Key": "very secret"})
    oldest_observation: timedelta = timedelta(hours=1)
    calls_per_minute: int = 0
    credits_per_month: int = 0


def call(
    parse: Callable[[UpstreamAnswer], Parsed[str]], *, credits: int = 1, path: str = "/answer"
) -> Call[str]:
    return Call(what="a text", path=path, params=(("id", "1,2"),), credits=credits, parse=parse)


def text(answer: UpstreamAnswer) -> Parsed[str]:
    return Parsed(answer.body.decode())
