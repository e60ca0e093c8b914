"""Which raw path, query included, asks for what: learned when a request was validated, so that the fast lane needs no
parsing. Bounded, for one thing may be asked for in many spellings."""

from typing import Generic, TypeVar

MOST = 1000
LONGEST_PATH = 1000
"""Bytes of a path that is worth remembering: a hundred symbols and what they are wanted in."""
MOST_BYTES = 200_000
"""Of all paths; what they ask for takes about twenty times as much."""

Wanted = TypeVar("Wanted")


class KnownPaths(Generic[Wanted]):
    """The first to come is the first to be forgotten."""

    def __init__(self) -> None:
        self._known: dict[str, Wanted] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, raw_path: str) -> Wanted | None:
        return self._known.get(raw_path)

    def learn(self, raw_path: str, wanted: Wanted) -> None:
        if len(raw_path) > LONGEST_PATH or raw_path in self._known:
            return
        self._known[raw_path] = wanted
        self._bytes += len(raw_path)
        while len(self._known) > MOST or self._bytes > MOST_BYTES:
            forgotten = next(iter(self._known))
            del self._known[forgotten]
            self._bytes -= len(forgotten)
