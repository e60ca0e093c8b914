"""What every vendor's part of the simulator works with: a request as it matters here, and an answer.

An endpoint is a pure function from `Ask` to `Answer`; it raises `Refused` with the vendor's own error answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from simulator.distortion import Distortion
from simulator.market import Moment

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    now: datetime
    moment: Moment
    """The observation that the answer states."""
    distortion: Distortion
    """What the faults in force do to the data."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The vendor's own error answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


Endpoint = Callable[[Ask], Answer]


class Vendor(Protocol):
    """One upstream."""

    @property
    def name(self) -> str: ...

    def endpoints(self) -> Mapping[str, Endpoint]:
        """By path, as the router of aiohttp writes it."""

    def error(self, code: int, now: datetime, message: str = "") -> Answer:
        """The vendor's answer for one of its error codes, or for an HTTP status, in its words or in those given."""
