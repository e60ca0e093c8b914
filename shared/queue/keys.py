"""The names of everything that freshrate keeps in Redis. All of it starts with `freshrate:`.

Scripts derive names of claims and of workers' lists, so this is for one Redis or a Sentinel group, not for a Cluster.
"""

from shared.messages import Role

FACTS = "freshrate:facts"
"""Stream; field `f` holds a fact as JSON."""
CLAIM = "freshrate:claim:"
"""+ currency id, `ranking:` and a length, or `catalog`: the id of the command that renews it; expires with that command's
deadline."""


def commands(role: Role) -> str:
    """List of commands that wait, the oldest at its left end."""
    return f"freshrate:commands:{role}"


def processing(role: Role, worker: str = "") -> str:
    """List of the commands in one worker's hands; without a worker the beginning of all such names."""
    return f"freshrate:processing:{role}:{worker}"


def workers(role: Role) -> str:
    """Sorted set of worker names by the millisecond (Redis' clock) up to which they count as alive."""
    return f"freshrate:workers:{role}"


def attempts(role: Role) -> str:
    """Hash with one field per open command, the SHA-1 of its payload: how often it came back from a worker."""
    return f"freshrate:attempts:{role}"


def books(role: Role) -> str:
    """Hash of counters: accepted, done, dead."""
    return f"freshrate:books:{role}"


def dead(role: Role) -> str:
    """List of dead letters as JSON, the newest first, at most 1000."""
    return f"freshrate:dead:{role}"


def of_role(role: Role) -> list[str]:
    """KEYS of every script, in the order that their opening lines expect."""
    return [commands(role), workers(role), attempts(role), books(role), dead(role), FACTS]
