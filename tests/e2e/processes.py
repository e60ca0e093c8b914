"""Real processes of freshrate, on free ports, with their logs in files."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from deploy.servers.ports import free_port
from tests.e2e.forks import Fork
from tests.waiting import until

ROOT = Path(__file__).parents[2]
START_LIMIT = 20.0
NOBODY = "http://127.0.0.1:1"
"""Where every connection is refused at once."""
NO_SOURCE_NAMED = {"FRANKFURTER_URL": ""}
"""For a process that is to find out by itself that it must simulate: then the simulator takes this source's place too."""


def usual_env(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
        "LOG_FORMAT": "json",
        # It is always on, and no test may ask the real one.
        "FRANKFURTER_URL": NOBODY,
    }


class Process(Protocol):
    """What asyncio gives of a process."""

    pid: int

    @property
    def returncode(self) -> int | None: ...

    def send_signal(self, signal: int) -> None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


class Running:
    """One process, its log, and its end."""

    def __init__(self, name: str, folder: Path, process: Process, url: str = "") -> None:
        self.name = name
        self.url = url
        self.process = process
        self._log = folder / f"{name}.log"

    @classmethod
    async def start(
        cls,
        name: str,
        *arguments: str,
        folder: Path,
        env: Mapping[str, str],
        url: str = "",
        python: str = sys.executable,
    ) -> "Running":
        """In an interpreter of its own."""
        with (folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                python,
                *arguments,
                cwd=folder,
                stdout=log,
                stderr=log,
                env={**usual_env(folder), **env},
            )
        return cls(name, folder, process, url)

    @classmethod
    async def fork(
        cls, name: str, *arguments: str, folder: Path, env: Mapping[str, str], url: str = ""
    ) -> "Running":
        """`-m` and one of our own modules: in a fork of an interpreter that has imported them."""
        env = {**usual_env(folder), **env}
        return cls(
            name, folder, Fork.start(*arguments, folder=folder, env=env, log=folder / f"{name}.log"), url
        )

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]

    async def answers(self, path: str) -> bool:
        if self.process.returncode is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log_text()}")
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(self.url + path) as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def ready(self, path: str) -> "Running":
        await until(
            lambda: self.answers(path), seconds=START_LIMIT, what=f"{self.name} ready\n{self.log_text()}"
        )
        return self

    async def logged(self, event: str, *, seconds: float = START_LIMIT) -> dict[str, Any]:
        async def line() -> dict[str, Any] | None:
            return next((one for one in self.log_lines() if one.get("event") == event), None)

        found: dict[str, Any] = await until(
            line, seconds=seconds, what=f"{self.name} logs {event!r}\n{self.log_text()}"
        )
        return found

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 15)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


class Stack:
    """API and worker processes on one database and one queue, or both in one process, with simulators as sources.

    `are_forked`: they start in a fifth of the time, see `tests/e2e/forks.py`; their memory is shared, and nobody should measure it.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], *, are_forked: bool = False) -> None:
        self._launch = Running.fork if are_forked else Running.start
        self.folder = folder
        self.env = dict(env)
        self.processes: list[Running] = []
        self._numbers = count()
        self.simulator_url = ""

    async def _start(self, name: str, *arguments: str, env: Mapping[str, str], url: str = "") -> Running:
        name = f"{name}-{next(self._numbers)}"
        launch = self._launch if arguments[0] == "-m" else Running.start
        running = await launch(name, *arguments, folder=self.folder, env={**self.env, **env}, url=url)
        self.processes.append(running)
        return running

    async def simulator(self, *arguments: str) -> Running:
        running = await self.upstream(*arguments)
        self.simulator_url = running.url
        self.env |= {"COINMARKETCAP_URL": running.url, "FRANKFURTER_URL": running.url}
        return running

    async def upstream(self, *arguments: str, port: int = 0) -> Running:
        """A simulator that no process asks so far."""
        port = port or free_port()
        url = f"http://127.0.0.1:{port}"
        running = await self._start(
            "simulator", "-m", "simulator", "--port", str(port), *arguments, env={}, url=url
        )
        return await running.ready("/calls")

    async def api(self, **env: str) -> Running:
        port = free_port()
        running = await self._start(
            "api", "-m", "api", env={"API_PORT": str(port), **env}, url=f"http://127.0.0.1:{port}"
        )
        return await running.ready("/health/live")

    async def worker(self, **env: str) -> Running:
        running = await self._start(
            "worker", "-m", "worker", env={"WORKER_METRICS_PORT": "0", "WORKER_ROLES": "pricing", **env}
        )
        await running.logged("worker ready")
        return running

    async def standalone(self, **env: str) -> Running:
        """API and worker in one process on SQLite, with a queue of its own."""
        port = free_port()
        own = {
            "DATABASE_URL": f"sqlite:///{self.folder}/freshrate.db",
            "REDIS_URL": "",
            "API_PORT": str(port),
            "WORKER_METRICS_PORT": "0",
        }
        running = await self._start(
            "standalone", "-m", "standalone", env={**own, **env}, url=f"http://127.0.0.1:{port}"
        )
        return await running.ready("/health/live")

    async def close(self) -> None:
        for running in reversed(self.processes):
            await running.kill()
