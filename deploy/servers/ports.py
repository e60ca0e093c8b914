"""Ports of 127.0.0.1 that a server keeps while it is stopped."""

import contextlib
import random
import socket

_PORTS = range(20_000, 32_768)
"""Below the range from which the kernel serves outgoing connections: one of those could otherwise take the port."""


def free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
