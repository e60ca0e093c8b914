"""Clients that hear the same, so that what they are sent is put together once."""

from collections.abc import Iterator
from typing import NamedTuple

from api.live.client import Client, Ids
from api.live.recent import Frame
from api.live.wire import Kind, Wire

CHUNK = 64 * 1024
"""Bytes after which no frame more joins what is written at once."""


class Chunk(NamedTuple):
    """What is written at once."""

    frames: list[Frame]
    parts: list[bytes]
    """Each frame's."""
    data: bytes
    """All of them."""
    is_full: bool
    """More may follow."""


class Group:
    """Clients of one kind with the same currencies."""

    def __init__(self, wire: Wire, ids: Ids) -> None:
        self.wire = wire
        self.ids = ids
        self.members: dict[Client, None] = {}
        self.frames: list[Frame] = []
        """Not sent to all members yet, in order."""

    def next_chunk(self, now: float) -> Chunk:
        """The first frames, as many as go out at once."""
        return chunk_of(iter(self.frames), self.wire, now)


class Groups:
    """All groups that have members, by what they hear."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Kind, Ids], Group] = {}
        self._of_all: dict[Group, None] = {}
        self._by_currency: dict[int, dict[Group, None]] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def __bool__(self) -> bool:
        return bool(self._groups)

    def interested(self, currency_id: int) -> Iterator[Group]:
        yield from self._of_all
        yield from self._by_currency.get(currency_id, ())

    def add(self, client: Client) -> None:
        key = (client.wire.kind, client.ids)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(client.wire, client.ids)
            self._index(group)
        group.members[client] = None
        client.group = group

    def remove(self, client: Client) -> None:
        group = client.group
        if group is None:
            return
        client.group = None
        del group.members[client]
        if not group.members:
            del self._groups[group.wire.kind, group.ids]
            self._forget(group)

    def _index(self, group: Group) -> None:
        if group.ids is None:
            self._of_all[group] = None
        else:
            for currency_id in group.ids:
                self._by_currency.setdefault(currency_id, {})[group] = None

    def _forget(self, group: Group) -> None:
        if group.ids is None:
            del self._of_all[group]
            return
        for currency_id in group.ids:
            groups = self._by_currency[currency_id]
            del groups[group]
            if not groups:
                del self._by_currency[currency_id]


def chunk_of(frames: Iterator[Frame], wire: Wire, now: float) -> Chunk:
    taken: list[Frame] = []
    parts: list[bytes] = []
    size = 0
    for frame in frames:
        part = frame.on(wire, now)
        taken.append(frame)
        parts.append(part)
        size += len(part)
        if size >= CHUNK:
            return Chunk(taken, parts, b"".join(parts), is_full=True)
    return Chunk(taken, parts, b"".join(parts), is_full=False)
