"""A crowd of clients of the streams, and what they are all to hear."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.e2e.feed import OTHER, Feed
from tests.e2e.listening import Listener, SocketListener, SseListener
from tests.waiting import until

CURRENCIES = range(1, 101)
"""A poll of all of them is some 40 kB: after some 25 a client that reads nothing has reached its bound, and what both systems keep."""
PAUSE = 0.04
"""Seconds between two polls."""
PATIENCE = 120.0
"""Seconds for what takes a few where the machine has nothing else to do."""
MOST_MISSED = 20
"""Polls, for which the flow waits: a process holds 8192 rates for those who come back."""


@dataclass
class Story:
    """What has been served."""

    feed: Feed
    polls: int = 0
    ids: dict[int, list[int]] = field(default_factory=lambda: {one: [] for one in CURRENCIES})
    """Of rates, by currency, in their order."""
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)
    _away: list[int] = field(default_factory=list)
    """The polls after which others left."""

    async def go_on(self) -> None:
        """One poll, and sometimes what nobody is to hear of."""
        for rate in await self.feed.tell(CURRENCIES):
            self.ids[rate.currency_id].append(rate.id)
        if self.polls % 4 == 0:
            await self.feed.announce(await self.feed.confirm(CURRENCIES[:10]))
            await self.feed.tell(CURRENCIES[:10], source=OTHER)
        async with self._more:
            self.polls += 1
            self._more.notify_all()

    async def after(self, polls: int) -> None:
        """So many polls from now."""
        end = self.polls + polls
        async with self._more:
            await self._more.wait_for(lambda: self.polls >= end)

    @asynccontextmanager
    async def going_on(self, pace: Sequence[Listener]) -> AsyncIterator[None]:
        """`pace`: the flow is never far ahead of them, or this process would be too slow for what it is sent."""

        async def keep_pace() -> bool:
            return all(heard[-1] >= self.ids[currency][-2] for currency, heard in map(_first, pace))

        def may_go_on() -> bool:
            return self.polls < min(self._away, default=self.polls) + MOST_MISSED

        is_over = asyncio.Event()

        async def flow() -> None:
            while not is_over.is_set():
                async with self._more:
                    await self._more.wait_for(may_go_on)
                await self.go_on()
                await asyncio.sleep(PAUSE)
                await until(
                    keep_pace, seconds=PATIENCE, what="who listens hears the rates of the last poll but one"
                )

        async with asyncio.TaskGroup() as group:
            group.create_task(flow())
            yield
            # Cancelled in the middle of a poll, it would leave rates behind that nobody knows of here.
            is_over.set()

    @asynccontextmanager
    async def missed(self, polls: int) -> AsyncIterator[None]:
        """After so many polls, and while others go on, but not without end: however slow this machine is, whoever comes back in
        this block finds all that it missed."""
        left = self.polls
        self._away.append(left)
        try:
            await self.after(polls)
            yield
        finally:
            self._away.remove(left)
            async with self._more:
                self._more.notify_all()

    async def was_heard_by(self, listeners: Sequence[Listener]) -> None:
        """Raises where that takes too long."""

        async def all_have_the_newest() -> bool:
            return all(map(self._is_up_to_date, listeners))

        try:
            await until(all_have_the_newest, seconds=PATIENCE, what="everybody hears the newest rates")
        except AssertionError as error:
            behind = [one for one in listeners if not self._is_up_to_date(one)]
            raise AssertionError(f"{len(behind)} of {len(listeners)} do not: {behind[:5]}") from error

    async def reaches(self, listener: Listener) -> None:
        """It has heard what is newest now, or more."""
        newest = {currency: self.ids[currency][-1] for currency in listener.wanted}

        async def is_so() -> bool:
            return all(listener.heard[currency][-1] >= rate_id for currency, rate_id in newest.items())

        await until(is_so, seconds=PATIENCE, what="who listens hears the newest rates")

    def _is_up_to_date(self, listener: Listener) -> bool:
        return all(heard[-1:] == self.ids[currency][-1:] for currency, heard in listener.heard.items())

    def is_told_by(self, listener: Listener, *, to_its_end: bool = True) -> bool:
        """Whether it heard all from the first that it heard on, in order and once."""
        for currency, heard in listener.heard.items():
            begin = self.ids[currency].index(heard[0])
            told = self.ids[currency][begin : None if to_its_end else begin + len(heard)]
            if heard != told:
                return False
        return True


def _first(listener: Listener) -> tuple[int, list[int]]:
    """One of its currencies, with what it heard of that."""
    return next(iter(listener.heard.items()))


@dataclass
class Crowd:
    """Who listens, by what they do."""

    steady: list[Listener] = field(default_factory=list)
    halting: list[Listener] = field(default_factory=list)
    """Do not read for a moment."""
    leaving: list[SseListener] = field(default_factory=list)
    """Come back."""
    late: list[Listener] = field(default_factory=list)
    """Read nothing until some of them are dropped."""
    deaf: list[Listener] = field(default_factory=list)
    """Read nothing."""

    @property
    def loyal(self) -> list[Listener]:
        return [*self.steady, *self.halting, *self.leaving]

    @property
    def slow(self) -> list[Listener]:
        return [*self.late, *self.deaf]


@asynccontextmanager
async def gathered(clients: int) -> AsyncIterator[Crowd]:
    """Not connected yet; gone at the end."""
    crowd = crowd_of(clients)
    try:
        yield crowd
    finally:
        for one in (*crowd.loyal, *crowd.slow):
            one.leave()
        # The loop closes a connection in its next turn.
        await asyncio.sleep(0)


def crowd_of(clients: int) -> Crowd:
    """In every twenty are two who are slow, two who come and go, and two who halt."""
    crowd = Crowd()
    for number in range(clients):
        kind = SocketListener if number % 2 else SseListener
        match number % 20:
            case 0 | 1:
                (crowd.deaf if number // 20 % 2 else crowd.late).append(kind(CURRENCIES, None))
            case 4 | 14:
                crowd.leaving.append(SseListener(CURRENCIES, filter_of(number // 10)))
            case 6 | 7:
                crowd.halting.append(kind(CURRENCIES, None))
            case _:
                crowd.steady.append(kind(CURRENCIES, filter_of(number // 2)))
    return crowd


def filter_of(number: int) -> list[int] | None:
    """All for one in ten, else one currency or five."""
    if number % 10 == 0:
        return None
    return [1 + (number * 7 + step * 3) % len(CURRENCIES) for step in range(5 if number % 2 else 1)]
