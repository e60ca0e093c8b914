"""The hub of live streams: what becomes the last rate of a currency is told to all who listen to it.

One task writes for all clients, group by group, straight to their transports: no task wakes up for a client and message.
Between some clients and the next others get their turn, so that requests do not wait. A client that has not taken what it
was sent before leaves its group, and nobody waits for it: a task of its own writes what it misses, from what is held, at its
pace. Where it does not take that either, it is told so and cut off.

Every client has a position in the order of frames. Below it all of its currencies were written; above it nothing. It joins a
group only where its position is the newest, so there is no gap, and nothing is told twice or out of order.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TypeAlias

import structlog

from api.answers import RateAnswer
from api.live.client import Client, Gone, Ids, TooSlow
from api.live.filters import Filters
from api.live.groups import Chunk, Group, Groups
from api.live.latecomers import Latecomers
from api.live.meters import LiveMetrics
from api.live.places import places
from api.live.recent import Frame, Recent
from api.live.states import States
from api.live.wire import End, Kind
from api.memory import RateMemory
from shared.domain.rate import Rate
from shared.domain.times import Clock
from shared.errors import StreamsBusy

log = structlog.get_logger(__name__)

TURN = 64
"""Clients that are written to before others get their turn: some 0.5 ms of the loop."""
BOUND = 256 * 1024
"""Bytes that may wait for a client to take them. Whoever has more left is out of its group until it took them."""

Work: TypeAlias = Callable[[], Coroutine[None, None, None]]


class LiveRates:
    """All open streams of this process."""

    def __init__(self, *, memory: RateMemory, clock: Clock, most: Callable[[], int] = places) -> None:
        """`most`: how many streams may be open."""
        self._memory = memory
        self._clock = clock
        self._most = most
        self._told: dict[int, int] = {}
        """The id of the rate that was told last, by currency."""
        self.recent = Recent(self._answer_of)
        self.groups = Groups()
        self.filters = Filters()
        self._clients: dict[Client, None] = {}
        self._fresh: deque[Frame] = deque()
        """Not given to groups yet."""
        self._wake = asyncio.Event()
        self._written = 0
        self._stopping = False
        self.metrics = LiveMetrics(self.open_now)
        self._latecomers = Latecomers(
            recent=self.recent,
            states=States(self.recent, memory, self.tell_served),
            tell_served=self.tell_served,
            turn=self._turn,
            metrics=self.metrics,
            clock=clock,
        )
        memory.on_rate.append(self.note)
        memory.on_forget.append(self._forget)

    def open_now(self) -> Counter[Kind]:
        return Counter(client.wire.kind for client in self._clients)

    # What is told

    def note(self, rate: Rate) -> None:
        """Something of this currency is news."""
        self.tell_served(rate.currency_id)

    def tell_served(self, currency_id: int) -> Rate | None:
        """Gives the last rate of the currency; tells it first, where it is another one than was told before."""
        served = self._memory.served(currency_id, self._clock().timestamp())
        if served is None or self._told.get(currency_id) == served.id:
            return served
        self._told[currency_id] = served.id
        frame = self.recent.add(served)
        if self.groups:
            self._fresh.append(frame)
            self._wake.set()
        return served

    def _answer_of(self, rate: Rate) -> RateAnswer:
        """As `lastrate` has it, and shared with it where it is still the last one, confirmed since or not."""
        held = self._memory.held(rate.currency_id, self._clock().timestamp())
        return held if held is not None and held.rate.id == rate.id else self._memory.encode(rate)

    def _forget(self, currency_id: int) -> None:
        self._told.pop(currency_id, None)

    # Streams come and go

    def check_room(self, ids: Ids = None) -> None:
        """Raises StreamsBusy. `ids`: what the stream is to listen to."""
        if self._stopping:
            raise StreamsBusy("This process is stopping. Connect again.", retry_after=1.0)
        if len(self._clients) >= self._most():
            raise StreamsBusy
        self.filters.check(ids)

    def open(self, client: Client) -> None:
        """It is known from now on; it hears nothing before it is brought up to date."""
        if client.end is not None:
            return
        self._clients[client] = None
        client.ids = self.filters.take(client.ids)
        client.position = self.recent.latest
        if self._stopping:
            self.end(client, End.STOPPING)

    def end(self, client: Client, end: End) -> None:
        """Ends a stream, once."""
        if client.end is not None:
            return
        self.leave(client)
        if client in self._clients:
            del self._clients[client]
            self.filters.release(client.ids)
        self.metrics.count_end(client.wire.kind, end)
        client.finish(end)

    def stop(self) -> None:
        """Ends all, and lets none begin."""
        self._stopping = True
        self.end_all(End.STOPPING)

    def end_all(self, end: End) -> None:
        for client in list(self._clients):
            self.end(client, end)

    def lost(self, client: Client) -> None:
        """Its connection is gone."""
        self.end(client, End.LEFT)

    # Between outside and inside a group

    def leave(self, client: Client) -> None:
        """Takes it out of its group; its position says how far it was told."""
        if client.following is not None and client.following is not asyncio.current_task():
            client.following.cancel()
            client.following = None
        if client.group is not None:
            client.position = max(client.position, self._reached(client.group))
            self.groups.remove(client)

    async def bring_up(self, client: Client) -> None:
        """Writes what it misses and what it is owed, at its pace, and has it join its group. Raises TooSlow or Gone."""
        await self._latecomers.bring_up(client)
        self.groups.add(client)

    def follow(self, client: Client) -> None:
        """Brings it up to date by a task of its own; it is in no group meanwhile."""
        self.leave(client)
        self._have_done(client, partial(self.bring_up, client))

    def redirect(self, client: Client, ids: Ids) -> None:
        """Has it listen to other currencies, by a task of its own."""
        self.leave(client)
        added = (ids or frozenset()) - (client.ids or frozenset())
        self._have_done(client, partial(self.change, client, ids, added))

    async def change(self, client: Client, ids: Ids, added: Iterable[int] = ()) -> None:
        """Has it listen to other currencies, and be told the current rates of those that were added, or of all where it now
        hears all. Raises as `bring_up`."""
        ids = self.filters.take(ids)
        try:
            self.leave(client)
            await self._latecomers.catch_up(client)
        except BaseException:
            self.filters.release(ids)
            raise
        self.filters.release(client.ids)
        if ids is None and client.ids is not None:
            client.owed_all_of = client.position
        elif ids is not None:
            client.owed_all_of = None
        client.ids = ids
        client.owed.update(dict.fromkeys(sorted(added)))
        for currency_id in [one for one in client.owed if not client.hears(one)]:
            del client.owed[currency_id]
        await self.bring_up(client)

    def _reached(self, group: Group) -> int:
        """The number of the frame up to which all members were told."""
        if group.frames:
            return group.frames[0].sequence - 1
        return self._fresh[0].sequence - 1 if self._fresh else self.recent.latest

    def _have_done(self, client: Client, work: Work) -> None:
        client.following = asyncio.create_task(self._follow(client, work), name="live client")

    async def _follow(self, client: Client, work: Work) -> None:
        try:
            await work()
        except Gone:
            pass
        except TooSlow:
            self.end(client, End.SLOW)
        except Exception:
            log.exception("live client broke")
            self.end(client, End.BROKEN)
        finally:
            if client.following is asyncio.current_task():
                client.following = None

    # Inside the groups

    async def run(self) -> None:
        """Tells what is to be told, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._tell()
            except Exception:  # nobody may go on as if nothing had been missed
                log.exception("live streams broke")
                self._fresh.clear()
                self.end_all(End.BROKEN)

    async def _tell(self) -> None:
        while self._fresh:
            moved: dict[Group, None] = {}
            while self._fresh:
                frame = self._fresh.popleft()
                for group in self.groups.interested(frame.currency_id):
                    group.frames.append(frame)
                    moved[group] = None
                await self._turn()
            for group in moved:
                await self._feed(group)

    async def _feed(self, group: Group) -> None:
        while group.frames:
            chunk = group.next_chunk(self._clock().timestamp())
            for client in list(group.members):
                if client.group is group:
                    self._give(client, chunk)
                    await self._turn()
            self.metrics.count_messages(group.wire.kind, len(chunk.frames) * len(group.members))
            del group.frames[: len(chunk.frames)]

    def _give(self, client: Client, chunk: Chunk) -> None:
        frames = chunk.frames
        if client.position >= frames[-1].sequence:
            return
        if client.transport.get_write_buffer_size() > BOUND:
            self.follow(client)
        elif client.position < frames[0].sequence:
            client.write(chunk.data)
            client.position = frames[-1].sequence
        else:
            # It joined after some of these, which it was told before.
            both = zip(frames, chunk.parts, strict=True)
            client.write(b"".join(part for one, part in both if one.sequence > client.position))
            client.position = frames[-1].sequence

    async def beat(self, client: Client) -> None:
        """Writes a heartbeat to a member of a group; ends one that has not answered the last."""
        if client.group is None:
            return
        if client.wire.kind is Kind.WEBSOCKET and not client.is_heard:
            self.end(client, End.SILENT)
        elif client.transport.get_write_buffer_size() > BOUND:
            self.follow(client)
        else:
            client.is_heard = False
            client.write(client.wire.heartbeat)
        await self._turn()

    async def _turn(self) -> None:
        """Lets others have their turn, where it is time."""
        self._written += 1
        if self._written >= TURN:
            self._written = 0
            await asyncio.sleep(0)
