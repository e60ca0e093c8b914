"""The journal of the requests to the vendors, so that tests can count upstream calls."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.times import iso

_LENGTH = 10_000
_LONGEST_ID = 20


@dataclass(slots=True)
class Call:
    """One request, and the status that went out, if one did yet."""

    time: datetime
    path: str
    ids: tuple[int, ...]
    symbols: tuple[str, ...]
    source: str
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "time": iso(self.time),
            "path": self.path,
            "ids": self.ids,
            "symbols": self.symbols,
            "source": self.source,
            "status": self.status,
        }


class Journal:
    """The last 10,000 calls, and how many there were in all."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_LENGTH)
        self._count = 0

    def note(self, path: str, query: Mapping[str, str], *, source: str, time: datetime) -> Call:
        symbols = [query[name] for name in ("symbol", "slug", "fsyms", "fsym", "symbols") if name in query]
        ids = query.get("id", "").split(",")
        call = Call(
            time=time,
            path=path,
            ids=tuple(int(one) for one in ids if len(one) < _LONGEST_ID and one.isascii() and one.isdigit()),
            symbols=tuple(one for part in symbols for one in part.split(",") if one),
            source=source,
        )
        self._calls.append(call)
        self._count += 1
        return call

    def clear(self) -> None:
        self._calls.clear()
        self._count = 0

    def as_json(self) -> dict[str, Any]:
        return {"count": self._count, "calls": [call.as_json() for call in self._calls]}
