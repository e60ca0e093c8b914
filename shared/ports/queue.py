"""The queue of commands and the stream of facts. Adapters: `shared.queue` (Redis, in process)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shared.messages import Command, Fact, Role


@dataclass(frozen=True, slots=True)
class LostClaim:
    """Another command already renews this."""

    currency_id: int | None
    """None where a ranking is claimed, or the catalog."""
    holder: str
    """The id of the command that holds the claim."""
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class Delivery:
    """A command in a worker's hands."""

    payload: bytes
    """As it stands on the worker's list."""
    command: Command | None
    """None where the payload is no command."""
    attempt: int
    """1 at first; more when it came back from a worker that died or gave it back."""
    time_left: timedelta
    """Until its deadline, by the queue's clock; zero or less where nobody waits any more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that a worker holds now."""

    deliveries: tuple[Delivery, ...]
    others_at_work: bool
    """Another worker of the role holds commands: more of the same burst may follow."""
    was_waited_for: bool = False
    """Nothing was there when the worker asked."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    delivery: Delivery
    reason: str


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The books of a role: accepted = waiting + processing + done + dead."""

    accepted: int
    waiting: int
    processing: int
    done: int
    dead: int
    workers: int
    """Alive now."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A fact and its place in the stream."""

    id: str
    """Milliseconds since 1970 by the queue's clock, a dash, and a number."""
    fact: Fact

    @property
    def announced_at(self) -> float:
        """Seconds since 1970, by the queue's clock."""
        return int(self.id.partition("-")[0]) / 1000


@dataclass(frozen=True, slots=True)
class Gap:
    """Facts may have been missed (also at the start): list the truth again, and ask again."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The stream has been out of reach for a while; a Gap follows when it is back."""


StreamEvent = Announced | Gap | Outage


class Queue(Protocol):
    """Commands on a list per role, facts on one stream. Methods may raise QueueUnavailable."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...

    async def submit(self, role: Role, commands: Sequence[Command], *, wait: timedelta) -> list[LostClaim]:
        """Claims what each command asks for (its currencies, the ranking of its length, or the catalog) for `wait` and pushes
        the command with what it won, all in one step. A command that won nothing is not pushed. Raises WorkerGone, and
        pushes nothing, where no worker of the role is alive."""

    async def take(self, role: Role, worker: str, *, block: timedelta | None) -> Batch:
        """Moves all that waits to the worker's own list and gives all that it holds, oldest first. `block`: wait so
        long for a first one where it holds none; None: do not wait. Redelivered commands come too."""

    async def finish(
        self,
        role: Role,
        worker: str,
        *,
        facts: Sequence[Fact] = (),
        done: Sequence[Delivery] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Announces the facts, takes the deliveries off the worker's list (dead ones to the dead letters), and
        releases the claims that they still hold, in one step. A delivery that is no longer on the worker's list was
        given to another: its books and claims are left alone, and a RefreshFailed of its command is not announced,
        for the other may succeed."""

    async def give_back(self, role: Role, worker: str, deliveries: Sequence[Delivery]) -> None:
        """Puts deliveries back to the head of the list, counting an attempt each."""

    async def announce(self, facts: Sequence[Fact]) -> None:
        """Announces facts that no command asked for."""

    async def heartbeat(self, role: Role, worker: str) -> None:
        """This worker is alive for the next 3 s."""

    async def retire(self, role: Role, worker: str) -> None:
        """This worker stops: whatever it still holds goes back at once."""

    async def rescue(self, role: Role) -> int:
        """Puts back what workers without heartbeat held, and says how many commands."""

    async def depth(self, role: Role) -> QueueDepth: ...

    def events(self) -> AsyncIterator[StreamEvent]:
        """Every fact from now on; a Gap first, and whenever something may have been missed. Reconnects by itself and
        ends only with `close` or cancellation."""
