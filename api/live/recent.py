"""The rates that were told last, in order: what a client that comes back has missed.

Their numbers count from the start of the process, and a random epoch tells them from those of any other process. To clients
both together are one opaque text.
"""

import math
import re
import secrets
from collections.abc import Callable, Iterator
from enum import StrEnum

from api.answers import RateAnswer
from api.live.wire import Kind, Wire
from shared.domain.rate import Rate

MOST = 8192
"""Frames: some polls of everything."""

_OURS = re.compile(r"([0-9a-f]{12})-([0-9a-f]{1,13})", re.ASCII)

AnswerOf = Callable[[Rate], RateAnswer]
"""Makes the JSON of a rate, which holds until a moment."""


class Refusal(StrEnum):
    """Why a stream begins with all current rates and not with what was missed."""

    FIRST = "first"
    """The client names no event that it heard."""
    ANOTHER_PROCESS = "another-process"
    """It heard that of another process, or of this one before its restart."""
    TOO_OLD = "too-old"
    """More has been told since than is held."""
    NOT_OURS = "not-ours"


class Frame:
    """A rate that was told; encoded once for each kind, and once more when it has become stale; shared by all clients."""

    __slots__ = ("_answer_of", "_encoded", "_id", "_stale_from", "currency_id", "rate", "sequence")

    def __init__(self, sequence: int, rate: Rate, event_id: str, answer_of: AnswerOf) -> None:
        self.sequence = sequence
        self.rate = rate
        self.currency_id = rate.currency_id
        self._id = event_id
        self._answer_of = answer_of
        self._encoded: dict[Kind, bytes] = {}
        self._stale_from = math.inf
        """When what is encoded becomes wrong, in seconds since 1970."""

    def on(self, wire: Wire, now: float) -> bytes:
        if now > self._stale_from:
            self._encoded.clear()
            self._stale_from = math.inf
        encoded = self._encoded.get(wire.kind)
        if encoded is None:
            answer = self._answer_of(self.rate)
            self._stale_from = min(self._stale_from, answer.stale_from)
            encoded = self._encoded[wire.kind] = wire.rate(answer.body, self._id)
        return encoded


class Recent:
    """A ring of frames."""

    def __init__(self, answer_of: AnswerOf) -> None:
        self.answer_of = answer_of
        self._epoch = secrets.token_hex(6)
        self._frames: dict[int, Frame] = {}
        self.latest = 0
        """The number of the newest frame; 0 before the first."""

    def add(self, rate: Rate) -> Frame:
        self.latest += 1
        frame = Frame(self.latest, rate, self.event_id(self.latest), self.answer_of)
        self._frames[self.latest] = frame
        self._frames.pop(self.latest - MOST, None)
        return frame

    def event_id(self, sequence: int) -> str:
        return f"{self._epoch}-{sequence:x}"

    def reaches(self, sequence: int) -> bool:
        """Whether everything after that is held."""
        return sequence >= self.latest - len(self._frames)

    def after(self, sequence: int, until: int | None = None) -> Iterator[Frame]:
        """All that follow, up to that one, which must be held; to be read before anything is added."""
        last = self.latest if until is None else until
        return (self._frames[number] for number in range(sequence + 1, last + 1))

    def place_of(self, event_id: str | None) -> int | Refusal:
        """The number of the event that a client heard last, where all that followed is held."""
        if event_id is None:
            return Refusal.FIRST
        ours = _OURS.fullmatch(event_id)
        if ours is None:
            return Refusal.NOT_OURS
        if ours[1] != self._epoch:
            return Refusal.ANOTHER_PROCESS
        sequence = int(ours[2], 16)
        if sequence > self.latest:
            return Refusal.NOT_OURS
        return sequence if self.reaches(sequence) else Refusal.TOO_OLD
