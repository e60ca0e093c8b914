"""How a client that is in no group is brought up to date: by what it is owed, and what it missed, at its own pace.

Each step ends with a look at whether the client is still there and takes what it is sent, and nothing waits after that: so
whoever then joins a group has not ended meanwhile, and is at the newest frame.
"""

import asyncio
from collections.abc import Awaitable, Callable

from api.live.client import Client, TooSlow
from api.live.groups import chunk_of
from api.live.meters import LiveMetrics
from api.live.recent import Recent
from api.live.states import States
from shared.domain.rate import Rate
from shared.domain.times import Clock

LOOKED_AT = 1000
"""Frames after which others get their turn, also where the client listens to none of them: some 0.3 ms of the loop."""

TellServed = Callable[[int], Rate | None]
"""Tells the last rate of a currency, where that was not told, and gives it."""


class Latecomers:
    """Writes to those outside of groups. All that writes raises TooSlow or Gone."""

    def __init__(
        self,
        *,
        recent: Recent,
        states: States,
        tell_served: TellServed,
        turn: Callable[[], Awaitable[None]],
        metrics: LiveMetrics,
        clock: Clock,
    ) -> None:
        """`turn`: lets others have their turn, where it is time."""
        self._recent = recent
        self._states = states
        self._tell_served = tell_served
        self._turn = turn
        self._metrics = metrics
        self._clock = clock

    async def bring_up(self, client: Client) -> None:
        """Writes what it misses and what it is owed. Returns at the newest frame."""
        if client.owed_all_of is not None:
            await self._pay_all(client, client.owed_all_of)
        await self.catch_up(client)
        while client.owed:
            await self._pay(client)
            await self.catch_up(client)

    async def catch_up(self, client: Client) -> None:
        """Writes what it misses. Returns at the newest frame, where there is room for more."""
        await client.room()
        while client.position < self._recent.latest:
            if not self._recent.reaches(client.position):
                raise TooSlow
            end = min(self._recent.latest, client.position + LOOKED_AT)
            missed = (
                one for one in self._recent.after(client.position, end) if client.hears(one.currency_id)
            )
            chunk = chunk_of(missed, client.wire, self._clock().timestamp())
            client.write(chunk.data)
            self._metrics.count_messages(client.wire.kind, len(chunk.frames))
            client.position = chunk.frames[-1].sequence if chunk.is_full else end
            await asyncio.sleep(0)
            await client.room()

    async def _pay(self, client: Client) -> None:
        """Writes the current rates that it is owed, as they are now. It is at the newest frame: what is told only now is of
        these currencies, and this is how it hears of it."""
        rates = [self._tell_served(currency_id) for currency_id in client.owed]
        client.position = self._recent.latest
        known = [rate for rate in rates if rate is not None]
        client.owed = dict.fromkeys(rate.currency_id for rate in known)
        event_id = self._recent.event_id(client.position)
        for rate in known:
            is_last = rate is known[-1]
            body = self._recent.answer_of(rate).body
            client.write(client.wire.rate(body, event_id if is_last else None))
            client.owed.pop(rate.currency_id, None)
            self._metrics.count_messages(client.wire.kind, 1)
            await self._turn()
            await client.room()

    async def _pay_all(self, client: Client, since: int) -> None:
        state = await self._states.of_all(client.wire, since)
        client.position, client.owed_all_of = state.sequence, None
        for part in state.parts:
            client.write(part)
            await asyncio.sleep(0)
            await client.room()
        self._metrics.count_messages(client.wire.kind, state.rates)
