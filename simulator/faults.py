"""Faults on demand: POST /faults with a JSON object such as {"path": "quotes", "kind": "status", "code": 1008, "times": 3}.

Every fault takes: path (a part of the request's path; all when left out), times (how many requests it strikes; until
deleted when left out), ids (a list; only these currencies, or only requests that name one of them by id).

kind       strikes with                                                         options (defaults)
---------  -------------------------------------------------------------------  ----------------------------------
latency    an answer that comes later                                           ms (1000)
status     the vendor's error answer: CoinMarketCap 400, 1001 to 1011, 500;     code (500), message (the vendor's),
           CryptoCompare 1, 2, 99 over HTTP 200, 401; any other HTTP status     retry_after (""): that header
malformed  an HTML page with status 200
cut        JSON that ends in the middle, Content-Length "right" or "wrong"      length ("wrong")
deep       JSON nested so many levels                                           levels (100000)
hang       no "headers" ever, or a "body" that stops half-way                   stage ("headers")
slow       the answer byte by byte                                              bytes_per_second (1)
huge       a JSON body without end, streamed                                    bytes (100000000)
redirect   302                                                                  location ("/elsewhere")
reset      a connection that is closed without an answer
empty      an answer without any data
missing    data that leave out the ids, or everything; without a path, until
           it is deleted: a currency that is not listed yet
wrong_id   another currency's id in place of the right one                      other (999999999)
price      a price of your choice: the text is written as it stands, so         value ("null")
           null, -1, 0, 1e400, NaN and "abc" (with its quotes) all work
unchanged  the observation of the moment at which the fault was posted
old        observations that are stated as older than they are                  seconds (157680000: five years)
future     observations that are stated as newer than they are                  seconds (3600)

Latency and the kinds from empty on may strike together; of the others the first one posted strikes, until it is used up.
GET /faults lists those in force, DELETE /faults ends them all. GET /calls gives the journal of the requests to the
vendors ({"count", "calls": [{"time", "path", "ids", "symbols", "source", "status"}]}, the last 10,000; status null while
unanswered), DELETE /calls clears it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Option = int | float | str


class Kind(StrEnum):
    LATENCY = "latency"
    STATUS = "status"
    MALFORMED = "malformed"
    CUT = "cut"
    DEEP = "deep"
    HANG = "hang"
    SLOW = "slow"
    HUGE = "huge"
    REDIRECT = "redirect"
    RESET = "reset"
    EMPTY = "empty"
    MISSING = "missing"
    WRONG_ID = "wrong_id"
    PRICE = "price"
    UNCHANGED = "unchanged"
    OLD = "old"
    FUTURE = "future"


_DISTORTING = frozenset(
    {Kind.EMPTY, Kind.MISSING, Kind.WRONG_ID, Kind.PRICE, Kind.UNCHANGED, Kind.OLD, Kind.FUTURE}
)

_OPTIONS: Mapping[Kind, Mapping[str, Option]] = {
    Kind.LATENCY: {"ms": 1000.0},
    Kind.STATUS: {"code": 500, "message": "", "retry_after": ""},
    Kind.CUT: {"length": "wrong"},
    Kind.DEEP: {"levels": 100_000},
    Kind.HANG: {"stage": "headers"},
    Kind.SLOW: {"bytes_per_second": 1.0},
    Kind.HUGE: {"bytes": 100_000_000},
    Kind.REDIRECT: {"location": "/elsewhere"},
    Kind.WRONG_ID: {"other": 999_999_999},
    Kind.PRICE: {"value": "null"},
    Kind.OLD: {"seconds": 157_680_000.0},
    Kind.FUTURE: {"seconds": 3600.0},
}
_CHOICES = {"length": {"right", "wrong"}, "stage": {"headers", "body"}}
_SHARED = {"path", "kind", "times", "ids"}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault in force."""

    kind: Kind
    path: str
    times: int | None
    ids: frozenset[int]
    options: Mapping[str, Option]
    since_ms: int
    """The observation at which it was posted."""

    def number(self, name: str) -> float:
        return float(self.options[name])

    def text(self, name: str) -> str:
        return str(self.options[name])

    def is_for(self, currency_id: int) -> bool:
        return not self.ids or currency_id in self.ids

    def is_for_request(self, path: str, ids: Collection[int]) -> bool:
        """A fault of the data looks for its ids in the answer, any other one in the request."""
        if self.path not in path:
            return False
        return self.kind in _DISTORTING or not self.ids or not self.ids.isdisjoint(ids)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "path": self.path,
            "times": self.times,
            "ids": sorted(self.ids),
            **self.options,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What strikes one request."""

    latency_ms: float
    distorting: Sequence[Fault]
    """Change the data of the answer."""
    delivering: Fault | None
    """Takes the place of the answer, or spoils its delivery."""


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [fault.as_json() for fault in self._faults]

    def strike(self, path: str, ids: Collection[int]) -> Strike:
        """Those that strike this request; each is used up by one."""
        latency_ms = 0.0
        distorting: list[Fault] = []
        delivering: Fault | None = None
        for fault in self._faults:
            if not fault.is_for_request(path, ids):
                continue
            if fault.kind is Kind.LATENCY:
                latency_ms += fault.number("ms")
            elif fault.kind in _DISTORTING:
                distorting.append(fault)
            elif delivering is None:
                delivering = fault
            else:
                continue
            if fault.times is not None:
                fault.times -= 1
        self._faults = [fault for fault in self._faults if fault.times != 0]
        return Strike(latency_ms=latency_ms, distorting=distorting, delivering=delivering)


def fault_from(text: str | bytes, *, since_ms: int) -> Fault:
    """A fault from the JSON that was posted. ValueError says what is wrong with it."""
    given = json.loads(text)
    if not isinstance(given, dict):
        raise ValueError("a fault is a JSON object")  # noqa: TRY004 - bad input, whatever its type
    kind = _kind(given.get("kind"))
    defaults = _OPTIONS.get(kind, {})
    if unknown := given.keys() - _SHARED - defaults.keys():
        raise ValueError(
            f"{kind} has no {', '.join(sorted(unknown))}; it has: {', '.join(defaults) or 'no options'}"
        )
    return Fault(
        kind=kind,
        path=str(given.get("path", "")),
        times=_times(given.get("times")),
        ids=_ids(given.get("ids", [])),
        options={
            name: _option(name, given.get(name, default), default) for name, default in defaults.items()
        },
        since_ms=since_ms,
    )


def _kind(value: object) -> Kind:
    try:
        return Kind(str(value))
    except ValueError:
        raise ValueError(f"kind is one of: {', '.join(Kind)}") from None


def _times(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise ValueError("times is a positive number of requests")


def _ids(value: object) -> frozenset[int]:
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return frozenset(value)
    raise ValueError("ids is a list of numbers")


def _option(name: str, value: object, default: Option) -> Option:
    if name == "value":
        return value if isinstance(value, str) else json.dumps(value)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} is one of: {', '.join(sorted(_CHOICES[name]))}")
    if isinstance(default, str):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} is a number, not below zero")
    return value
