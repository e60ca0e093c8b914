"""The figures that both queues share."""

from datetime import timedelta

ALIVE_FOR = timedelta(seconds=3)
"""A worker counts as alive for so long after its last sign of life: a heartbeat, or asking for commands."""
MAX_HELD = 500
"""A worker takes no more commands at a time; the rest waits for it, or for another."""
