"""The commands of one role in the in-process queue: who waits, who holds what, who is alive, and the books."""

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from shared.messages import Command
from shared.ports import QueueDepth
from shared.queue.limits import ALIVE_FOR, MAX_HELD


@dataclass(slots=True)
class Entry:
    """An open command."""

    payload: bytes
    command: Command
    came_back: int = 0


@dataclass(slots=True)
class Desk:
    """Nothing in it awaits, so every method is one step."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while commands wait."""
    _waiting: deque[Entry] = field(default_factory=deque)
    _held: dict[str, list[Entry]] = field(default_factory=dict)
    _alive_until: dict[str, datetime] = field(default_factory=dict)
    _accepted: int = 0
    _done: int = 0
    _dead: int = 0

    def accept(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._accepted += 1
        self.arrived.set()

    def move_to(self, worker: str) -> list[Entry]:
        """What waits goes into the worker's hands; all that it holds now, oldest first."""
        held = self._held.setdefault(worker, [])
        while self._waiting and len(held) < MAX_HELD:
            held.append(self._waiting.popleft())
        if not self._waiting:
            self.arrived.clear()
        return held

    def end(self, worker: str, payload: bytes, *, is_dead: bool) -> bool:
        """Books a command as done or dead; False where the worker no longer holds it."""
        held = self._held.get(worker, [])
        entry = next((one for one in held if one.payload == payload), None)
        if entry is None:
            return False
        held.remove(entry)
        if is_dead:
            self._dead += 1
        else:
            self._done += 1
        return True

    def put_back(self, worker: str, payloads: Collection[bytes] | None = None) -> int:
        """These commands of the worker, or all, go to the head of those that wait; says how many."""
        held = self._held.pop(worker, [])
        returning = held if payloads is None else [one for one in held if one.payload in payloads]
        if payloads is not None:
            self._held[worker] = [one for one in held if one.payload not in payloads]
        for entry in reversed(returning):
            entry.came_back += 1
            self._waiting.appendleft(entry)
        if returning:
            self.arrived.set()
        return len(returning)

    def note_alive(self, worker: str, now: datetime) -> None:
        self._alive_until[worker] = now + ALIVE_FOR

    def forget(self, worker: str) -> int:
        """The worker is gone; what it held waits again. Says how many commands."""
        self._alive_until.pop(worker, None)
        return self.put_back(worker)

    def forget_dead(self, now: datetime) -> int:
        dead = [worker for worker, until in self._alive_until.items() if until <= now]
        return sum(map(self.forget, dead))

    def alive(self, now: datetime) -> set[str]:
        return {worker for worker, until in self._alive_until.items() if until > now}

    def others_at_work(self, worker: str, now: datetime) -> bool:
        return any(self._held.get(other) for other in self.alive(now) - {worker})

    def depth(self, now: datetime) -> QueueDepth:
        return QueueDepth(
            accepted=self._accepted,
            waiting=len(self._waiting),
            processing=sum(map(len, self._held.values())),
            done=self._done,
            dead=self._dead,
            workers=len(self.alive(now)),
        )
