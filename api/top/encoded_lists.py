"""Encoded lists in memory. Those used least recently are forgotten first, so that their bytes stay within a bound however
many lengths are asked for."""

from collections import OrderedDict
from dataclasses import dataclass

from api.answers import Answer
from api.top.formats import Format

LARGEST_CACHE = 8 * 1024 * 1024
"""Bytes."""

Key = tuple[int, Format, bool]
"""Length, form, and whether it could not be renewed."""


@dataclass(slots=True, kw_only=True)
class TopAnswer(Answer):
    """An encoded list."""

    version: int
    """Of the rows and the order that it was made of."""
    holds_until: float
    """Until it is due, or something in it becomes stale (seconds since 1970)."""
    _at_root: "TopAnswer | None" = None

    def at_root(self) -> "TopAnswer":
        """As `/` answers, which is something else for browsers. The same bytes with a head of its own."""
        if self._at_root is None:
            self._at_root = TopAnswer(
                body=self.body,
                etag=self.etag,
                last_modified=self.last_modified,
                fetched_second=self.fetched_second,
                modified_second=self.modified_second,
                is_stale=self.is_stale,
                content_type=self.content_type,
                more_headers={**self.more_headers, "Vary": "Accept"},
                version=self.version,
                holds_until=self.holds_until,
            )
        return self._at_root


class EncodedLists:
    """By key."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, TopAnswer] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: Key, version: int, now: float) -> TopAnswer | None:
        """The one of this version, as long as it holds."""
        answer = self._answers.get(key)
        if answer is None or answer.version != version or now >= answer.holds_until:
            return None
        self._answers.move_to_end(key)
        return answer

    def keep(self, key: Key, answer: TopAnswer) -> TopAnswer:
        old = self._answers.pop(key, None)
        self.bytes += len(answer.body) - (len(old.body) if old else 0)
        self._answers[key] = answer
        while self.bytes > LARGEST_CACHE and len(self._answers) > 1:
            _, forgotten = self._answers.popitem(last=False)
            self.bytes -= len(forgotten.body)
        return answer
