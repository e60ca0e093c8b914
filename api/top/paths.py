"""Which list of now a path asks for."""

from dataclasses import dataclass

from api.top.formats import Format


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list of now."""

    limit: int
    format: Format
    is_at_root: bool
