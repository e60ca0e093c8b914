"""Processes that need not import anything: a server that has imported all that is ours already forks itself for each.

An interpreter of its own costs every process half a second of importing, most of what the end-to-end tests would take. What runs
in a fork is the same: `python -m NAME` with its own environment, folder, signals and log. How processes start by themselves is
shown by the tests that start them with `Running.start`.
"""

import asyncio
import atexit
import gc
import multiprocessing
import os
import runpy
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_IMPORTED = (
    __name__,
    "api.__main__",
    "worker.__main__",
    "standalone.__main__",
    "simulator.__main__",
    # What they import when they need it.
    "migrations.upgrade",
    "shared.opening",
    "shared.process",
    "worker.metrics",
    "worker.run",
    "aiosqlite",
    "asyncpg",
    "redis.asyncio",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
)
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([*_IMPORTED])


class Fork:
    """A process as `asyncio.create_subprocess_exec` gives one."""

    def __init__(self, process: multiprocessing.context.ForkServerProcess, pid: int) -> None:
        self._process = process
        self.pid = pid

    @classmethod
    def start(cls, *arguments: str, folder: Path, env: Mapping[str, str], log: Path) -> Self:
        """`arguments`: `-m`, the name of a module, and what it is told."""
        log.touch()
        process = _FORKS.Process(target=_run, args=(arguments, folder, dict(env), log), daemon=True)
        process.start()
        assert process.pid is not None
        return cls(process, process.pid)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        # Of one's own, for several may wait.
        sentinel = os.dup(self._process.sentinel)
        loop.add_reader(sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(sentinel)
            os.close(sentinel)
        assert self.returncode is not None
        return self.returncode


def _run(arguments: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> None:
    """In the fork: becomes what an interpreter of its own would be, and ends as one does."""
    _, module, *rest = arguments
    with log.open("ab") as lines:
        for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(lines.fileno(), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None
    # PYTHONWARNINGS is read at the start of an interpreter only.
    warnings.simplefilter("default")
    sys.argv = [module, *rest]
    # It is about to run under another name, and runpy warns of whoever imported it before.
    sys.modules.pop(f"{module}.__main__", None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        gc.collect()
