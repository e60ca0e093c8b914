"""What a person wants to know at the start: what runs where, and how to stop it. No secret stands in it."""

from collections.abc import Iterator
from pathlib import Path

from deploy.stack.plan import ROLES, Ports, reachable
from deploy.stack.sources import Choice
from shared.settings import Settings

_NOT_USED = ("database_type", "database_url", "redis_url", "worker_roles")
"""Settings of single processes, which the stack decides itself."""


def welcome(
    settings: Settings, choice: Choice, ports: Ports, folder: Path, *, database: str, redis: str
) -> str:
    """`database`, `redis`: the URLs without their password."""
    lines = [f"The production shape of freshrate, with its data in {folder}. Ctrl-C stops it all, in order."]
    lines += [
        f"  {name:<15} {what}" for name, what in _rows(settings, choice, ports, folder, database, redis)
    ]
    ignored = [name.upper() for name in _NOT_USED if name in settings.model_fields_set]
    if ignored:
        lines.append(
            f"Not used here, though set: {', '.join(ignored)}. The stack has servers and roles of its own."
        )
    return "\n".join(lines)


def _rows(
    settings: Settings, choice: Choice, ports: Ports, folder: Path, database: str, redis: str
) -> Iterator[tuple[str, str]]:
    host = reachable(settings.api_host)
    urls = [f"http://{f'[{host}]' if ':' in host else host}:{port}" for port in ports.api]
    yield "API", " ".join(urls)
    yield "docs", f"{urls[0]}/api/docs/"
    for role, port in zip(ROLES, ports.metrics, strict=True):
        yield f"worker-{role}", f"{urls[0].rpartition(':')[0]}:{port}/metrics" if port else "metrics are off"
    asked = choice.names if choice.is_simulated else settings.enabled_sources
    yield "sources", ", ".join(asked)
    if choice.is_simulated:
        yield "", "SIMULATED rates, no market prices: for those SOURCES=coinmarketcap make stack"
    if choice.starts_simulator:
        yield "simulator", f"http://127.0.0.1:{ports.simulator}"
    secret = f"$(cat {folder / 'password'})"
    yield "PostgreSQL", f"PGPASSWORD={secret} psql {database}"
    yield "Valkey", f"REDISCLI_AUTH={secret} redis-cli -u {redis}"
