"""Which raw path, query included, asks for what: learned when a request was validated, so that the fast lane needs no
parsing. Bounded, for one thing may be asked for in many spellings."""

from typing import Generic, TypeVar

MOST = 1000
LONGEST_PATH = 200
"""Bytes of a path that is worth remembering."""

Wanted = TypeVar("Wanted")


class KnownPaths(Generic[Wanted]):
    """The first to come is the first to be forgotten."""

    def __init__(self, *, longest: int = LONGEST_PATH) -> None:
        self._longest = longest
        self._known: dict[str, Wanted] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, raw_path: str) -> Wanted | None:
        return self._known.get(raw_path)

    def learn(self, raw_path: str, wanted: Wanted) -> None:
        if len(raw_path) > self._longest or raw_path in self._known:
            return
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[raw_path] = wanted
