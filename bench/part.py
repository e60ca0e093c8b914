"""What the parts of the benchmark share: their options, and how one of them is run alone."""

import argparse
import asyncio
import logging
import os
import platform
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog
import uvloop

from bench.load import generator
from bench.rig import PEERS_PYTHON, Rig, open_rig
from bench.table import Goal, print_goals

ROUNDS = 5
_QUICK_ROUNDS = 2
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    rounds: int
    is_quick: bool
    with_peers: bool

    def sized(self, full: T, quick: T) -> T:
        """The quick form shows that a benchmark works; its figures say nothing."""
        return quick if self.is_quick else full


Part = Callable[[Rig, Options], Awaitable[list[Goal]]]
"""Measures, prints its tables, and gives its targets with what was seen."""


def run_part(part: Part, description: str | None) -> None:
    """The main program of one part."""
    arguments = parser_of(description).parse_args()
    run_parts({Path(sys.argv[0]).stem: part}, arguments)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=_positive, help=f"default {ROUNDS}; all that is compared takes its turn in each"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it works; the figures say nothing"
    )
    parser.add_argument(
        "--without-peers", action="store_true", help="leave out the peers that need packages of their own"
    )
    return parser


def run_parts(parts: Mapping[str, Part], arguments: argparse.Namespace) -> None:
    """By the name that stands above its tables."""
    options = Options(
        rounds=arguments.rounds or (_QUICK_ROUNDS if arguments.quick else ROUNDS),
        is_quick=arguments.quick,
        with_peers=not arguments.without_peers,
    )
    if options.with_peers and not PEERS_PYTHON.exists():
        sys.exit("The peers are not installed: run make bench, which does it, or pass --without-peers.")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        uvloop.run(_run(parts, options))
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit("Stopped; nothing is left running.")


async def _run(parts: Mapping[str, Part], options: Options) -> None:
    task = asyncio.current_task()
    if task is not None:
        # What was started is ended in order, as after Ctrl-C.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print(
        f"{_machine()}; load before: {os.getloadavg()[0]:.2f}; {options.rounds} rounds; load by {generator()}"
    )
    goals: list[Goal] = []
    with open_rig(is_quick=options.is_quick) as rig:
        for name, part in parts.items():
            print(f"\n{name.upper()}")
            goals += await part(rig, options)
    print_goals(goals)


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("one or more")
    return value
