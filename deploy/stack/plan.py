"""What runs where: the services of a stack, made from the settings."""

import errno
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.servers.launch import Launch
from deploy.servers.ports import free_ports
from deploy.servers.postgresql import PostgresServer
from deploy.servers.valkey import ValkeyServer
from deploy.stack.errors import StackError
from deploy.stack.process import Service
from deploy.stack.sources import Choice
from shared.settings import Settings

_HERE = "127.0.0.1"
_HIGHEST_PORT = 65_535
_LAST_CHECKPOINT_S = 60.0
"""PostgreSQL writes what is in memory at its end; killed before that, it does so at the next start."""
_EVERYWHERE = {"0.0.0.0": _HERE, "::": "::1", "": _HERE}  # noqa: S104 - what a client asks instead
ROLES = ("pricing", "ranking")
"""A worker process for each."""
NAMES = ("postgresql", "valkey", "simulator", "api", *(f"worker-{role}" for role in ROLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Each stays the same while the stack runs, whatever is started again."""

    api: tuple[int, ...]
    metrics: tuple[int, ...]
    """Of the worker of each role; 0 = off."""
    simulator: int
    postgresql: int
    valkey: int


def chosen_ports(settings: Settings) -> Ports:
    """Those of the settings, and free ones for the rest. StackError where two are the same, or one is in use."""
    first = settings.worker_metrics_port
    metrics = tuple(first and first + number for number in range(len(ROLES)))
    wanted = [("API_PORT", port) for port in settings.api_port if port]
    wanted += [("WORKER_METRICS_PORT", port) for port in metrics if port]
    _require_different(wanted)
    for setting, port in wanted:
        _require_free(settings.api_host, port, setting)
    free = free_ports(besides=[port for _, port in wanted])
    return Ports(
        api=tuple(port or _drawn(free, settings.api_host) for port in settings.api_port),
        metrics=metrics,
        simulator=next(free),
        postgresql=next(free),
        valkey=next(free),
    )


def servers(postgresql: PostgresServer, valkey: ValkeyServer) -> tuple[Service, ...]:
    """What every other process needs. Makes their data where there are none, which takes a second."""
    return (
        Service(
            name="postgresql",
            launch=postgresql.launch(),
            is_ready=postgresql.is_ready,
            stop_signal=postgresql.stop_signal,
            stops_within=_LAST_CHECKPOINT_S,
        ),
        Service(name="valkey", launch=valkey.launch(), is_ready=valkey.is_ready),
    )


def simulator(ports: Ports) -> Service:
    return Service(
        name="simulator",
        launch=_python("simulator", "--port", str(ports.simulator), env={}),
        is_ready=partial(_listens, _HERE, ports.simulator),
    )


def applications(settings: Settings, ports: Ports, env: dict[str, str]) -> tuple[Service, ...]:
    """The API and a worker for each role, with `env` over the stack's own environment."""
    host = reachable(settings.api_host)
    api = Service(
        name="api",
        launch=_python("api", env=env | {"API_PORT": ",".join(map(str, ports.api))}),
        is_ready=partial(_listens, host, ports.api[-1]),
    )
    workers = (
        Service(
            name=f"worker-{role}",
            launch=_python("worker", env=env | {"WORKER_ROLES": role, "WORKER_METRICS_PORT": str(port)}),
            is_ready=partial(_listens, host, port),
        )
        for role, port in zip(ROLES, ports.metrics, strict=True)
    )
    return (api, *workers)


def environment(
    settings: Settings, choice: Choice, ports: Ports, *, database: str, redis: str, is_terminal: bool
) -> dict[str, str]:
    """What the applications must know that the user need not set. Their output is a pipe, whatever ours is."""
    env = {"DATABASE_URL": database, "REDIS_URL": redis, "SOURCES": ",".join(choice.names)}
    if choice.starts_simulator:
        env["SIMULATOR_URL"] = f"http://{_HERE}:{ports.simulator}"
    if settings.log_format == "auto":
        env["LOG_FORMAT"] = "console" if is_terminal else "json"
    return env


def reachable(host: str) -> str:
    return _EVERYWHERE.get(host, host)


def _python(module: str, *arguments: str, env: dict[str, str]) -> Launch:
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in env}
    return Launch(command=(sys.executable, "-m", module, *arguments), folder=Path.cwd(), env=inherited | env)


def _listens(host: str, port: int, _pid: int) -> bool:
    """A port that is off cannot tell, and is waited for no longer."""
    if not port:
        return True
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _reason(error: OSError) -> str:
    """Without what asyncio and socket add to it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def _require_different(wanted: Sequence[tuple[str, int]]) -> None:
    """By setting and port, before any is tried: those of processes that do not run yet all look free."""
    takers: dict[int, str] = {}
    for setting, port in wanted:
        if port > _HIGHEST_PORT:
            raise StackError(
                f"{setting}: there is no port {port}: each worker takes the next one, so set a lower one."
            )
        if port in takers:
            raise StackError(
                f"{takers[port]} and {setting} both take port {port}: each worker takes the next one, "
                f"so set another, as in {setting}={_another(port)} make stack."
            )
        takers[port] = setting


def _drawn(free: Iterator[int], host: str) -> int:
    """They are free on 127.0.0.1, and may be in use where the API listens."""
    port = next(port for port in free if not _is_in_use(host, port))
    _require_free(host, port, "API_PORT")
    return port


def _is_in_use(host: str, port: int) -> bool:
    try:
        _listen(host, port)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _listen(host: str, port: int) -> None:
    """For a moment; OSError where nobody can."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    socket.create_server(address[:2], family=family).close()


def _require_free(host: str, port: int, setting: str) -> None:
    try:
        _listen(host, port)
    except OSError as error:
        what_to_do = (
            f"stop what listens there, or set another, as in {setting}={_another(port)} make stack."
            if error.errno == errno.EADDRINUSE
            else f"set another API_HOST or {setting}."
        )
        raise StackError(
            f"{setting}: cannot listen on {host} port {port} ({_reason(error)}): {what_to_do}"
        ) from error


def _another(port: int) -> int:
    return port + 100 if port + 100 < _HIGHEST_PORT else port - 100
