"""Commands, facts and dead letters as they stand in Redis.

Whoever can write to Redis can push anything, so what is read is judged strictly and never unpickled. Only a whole
and sound command is one; the rest is None, and the worker's consumer says what becomes of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import structlog
from pydantic import ValidationError

from shared.domain.ranking import LONGEST_RANKING
from shared.domain.times import iso, time_from_micros
from shared.messages import (
    COMMANDS,
    FACTS,
    MAX_MESSAGE_BYTES,
    Command,
    Fact,
    RefreshFailed,
    RefreshRanking,
    RefreshRates,
)
from shared.ports import DeadLetter, Delivery

_LAST_DEADLINE_MS = 253_402_300_799_999
"""The end of the year 9999: later ones cannot be computed with."""
_LARGEST_ID = 2**63 - 1
_RANKING = "ranking:"
_CATALOG = "catalog"
_LETTER_BYTES = 4096
"""So much of a dead payload is kept: enough for any command of ours, and 1000 of them stay small."""

log = structlog.get_logger(__name__)


def command_from(payload: bytes) -> Command | None:
    """The command, or None where the payload is not exactly one. Never raises."""
    if len(payload) > MAX_MESSAGE_BYTES:
        return None
    try:
        command = COMMANDS.validate_json(payload, strict=True)
    except ValidationError:
        return None
    return command if _is_sound(command) else None


def _is_sound(command: Command) -> bool:
    return (
        bool(command.id)
        and _asks_for_something(command)
        and 0 <= command.deadline_ms <= _LAST_DEADLINE_MS
        and _is_computable(command.created_at)
    )


def _asks_for_something(command: Command) -> bool:
    if isinstance(command, RefreshRates):
        return bool(command.currency_ids) and all(0 < one <= _LARGEST_ID for one in command.currency_ids)
    return not isinstance(command, RefreshRanking) or 0 < command.length <= LONGEST_RANKING


def _is_computable(time: datetime) -> bool:
    """Aware, and in the calendar by UTC too. It may lie in the future: the sender's clock may be ahead of ours."""
    if time.tzinfo is None:
        return False
    try:
        time.astimezone(UTC)
    except OverflowError:
        return False
    return True


def time_left(command: Command | None, *, now: datetime) -> timedelta:
    """Until the command's deadline; nothing for what is no command."""
    if command is None:
        return timedelta(0)
    return time_from_micros(command.deadline_ms * 1000) - now


def claims_of(command: Command) -> list[str]:
    """The names of what the command claims, each once: a command must not lose a claim to itself."""
    if isinstance(command, RefreshRates):
        return list(dict.fromkeys(map(str, command.currency_ids)))
    return [f"{_RANKING}{command.length}" if isinstance(command, RefreshRanking) else _CATALOG]


def currency_of(claim: str) -> int | None:
    """None where it is the claim of a ranking, or of the catalog."""
    return None if claim == _CATALOG or claim.startswith(_RANKING) else int(claim)


def pushed(command: Command, won: Sequence[str], *, deadline_ms: int) -> Command:
    """The command with nothing but what it won."""
    if isinstance(command, RefreshRates):
        return replace(command, currency_ids=tuple(map(int, won)), deadline_ms=deadline_ms)
    return replace(command, deadline_ms=deadline_ms)


def list_of_won(command: Command) -> str:
    """The field that lists what the command won, or nothing where it asks for one thing only."""
    return "currency_ids" if isinstance(command, RefreshRates) else ""


def open_ended(command: Command) -> bytes:
    """The command's JSON from after the opening brace, for the submit script to put what was won and the deadline in
    front."""
    return COMMANDS.dump_json(command, exclude={"currency_ids", "deadline_ms"})[1:]


def fact_to(fact: Fact) -> bytes:
    return FACTS.dump_json(fact)


def conditions_of(facts: Iterable[Fact], ended: Iterable[Delivery]) -> list[str | None]:
    """For each fact the id of the command, among those of these deliveries, without whose end it is not announced.

    A command that failed in the hands of a worker that was thought dead may still succeed in its rescuer's. What was
    stored is true in any case: None.
    """
    ids = {delivery.command.id for delivery in ended if delivery.command}
    return [
        fact.command_id if isinstance(fact, RefreshFailed) and fact.command_id in ids else None
        for fact in facts
    ]


def fact_from(place: str, data: bytes | None) -> Fact | None:
    """The fact, or None (and a line in the log) where this version cannot read it: it may be a newer one's."""
    try:
        return FACTS.validate_json(data or b"")
    except ValidationError as error:
        log.warning("fact skipped", place=place, reason=error.errors(include_input=False)[0]["msg"])
        return None


def letter_to(letter: DeadLetter, *, at: datetime) -> bytes:
    payload = letter.delivery.payload
    return orjson.dumps(
        {
            "payload": payload[:_LETTER_BYTES].decode(errors="backslashreplace"),
            "bytes": len(payload),
            "reason": letter.reason,
            "at": iso(at),
        }
    )
