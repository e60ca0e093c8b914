"""What a role does with its commands."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from shared.domain.rate import MAX_AHEAD
from shared.domain.times import Clock
from shared.domain.visit import Failure, FailureKind
from shared.messages import Command, Fact, RefreshFailed, RefreshRates
from shared.opening import World

C = TypeVar("C", bound=Command)


class Handler(Protocol[C]):
    """Executes the commands of one kind."""

    @property
    def kind(self) -> type[C]: ...

    async def execute(self, commands: Sequence[C], world: World, *, time_left: timedelta) -> list[Fact]:
        """One visit for all of them. The facts, among which each command finds the end of all that it asked for. Raises
        for defects alone."""


def asked_at(commands: Sequence[Command], clock: Clock) -> datetime:
    """The latest creation. A client's clock that is far ahead must not move rates into the future."""
    return min(max(command.created_at for command in commands), clock() + MAX_AHEAD)


def failed(command: Command, kind: FailureKind, detail: str) -> RefreshFailed:
    """The end of all that the command asked for."""
    asked: tuple[int | None, ...] = command.currency_ids if isinstance(command, RefreshRates) else (None,)
    failures = tuple(Failure(currency_id=one, kind=kind, detail=detail) for one in asked)
    return RefreshFailed(command_id=command.id, failures=failures)
