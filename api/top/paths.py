"""Which raw path, query included, asks for which list of now: learned when a request was validated, so that the fast lane
needs no parsing. Bounded, for one list has many spellings."""

from dataclasses import dataclass

from api.top.formats import Format

MOST = 1000
LONGEST_PATH = 200
"""Bytes of a path that is worth remembering."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list of now."""

    limit: int
    format: Format
    is_at_root: bool


class KnownPaths:
    """The first to come is the first to be forgotten."""

    def __init__(self) -> None:
        self._known: dict[str, Wanted] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, raw_path: str) -> Wanted | None:
        return self._known.get(raw_path)

    def learn(self, raw_path: str, wanted: Wanted) -> None:
        if len(raw_path) > LONGEST_PATH or raw_path in self._known:
            return
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[raw_path] = wanted
