"""Ports of 127.0.0.1 that a server keeps while it is stopped."""

import contextlib
import secrets
import socket
from collections.abc import Collection, Iterator

_PORTS = range(20_000, 32_768)
"""Below the range from which the kernel serves outgoing connections: one of those could otherwise take the port."""


def free_port() -> int:
    while True:
        # Two processes that seeded `random` alike would draw the same ones.
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def free_ports(*, besides: Collection[int] = ()) -> Iterator[int]:
    """One after another without end: none twice, and none of `besides`."""
    given = set(besides)
    while True:
        port = free_port()
        if port not in given:
            given.add(port)
            yield port
