"""The lines of all processes on one terminal, each with the name of who said it."""

import asyncio
import io
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

STACK = "stack"
"""The name for what the stack says itself."""
_COLOURS = ("36", "32", "33", "35", "34", "96", "92")
_CHUNK = 65_536
_LONGEST_LINE = 1_048_576
"""Bytes; a longer line is shown in parts, so that no process can fill this one's memory."""


class Console:
    """Names are coloured on a terminal. `on_gone`: called once, when nobody reads any more; the rest is dropped."""

    def __init__(
        self, names: Sequence[str], *, on_gone: Callable[[], None], out: TextIO | None = None
    ) -> None:
        self._out = sys.stdout if out is None else out
        if isinstance(self._out, io.TextIOWrapper):
            # A sign that the terminal does not know appears by its number.
            self._out.reconfigure(errors="backslashreplace")
        self._on_gone = on_gone
        self._is_gone = False
        width = max(map(len, (STACK, *names)))
        labels = {name: f"{name:<{width}} |" for name in (STACK, *names)}
        if self._out.isatty():
            colours = dict(zip(names, itertools.cycle(_COLOURS)))
            labels = {name: f"\x1b[{colours.get(name, '1')}m{label}\x1b[0m" for name, label in labels.items()}
        self._labels = labels

    def say(self, text: str) -> None:
        """What the stack itself has to say."""
        for line in text.splitlines():
            self._write(STACK, line)

    async def relay(self, name: str, lines: asyncio.StreamReader) -> None:
        """Shows what a process says, until it has closed its end."""
        rest = b""
        while chunk := await lines.read(_CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                whole, rest = [*whole, rest], b""
            for line in whole:
                self._write(name, line.decode(errors="replace"))
        if rest:
            self._write(name, rest.decode(errors="replace"))

    def _write(self, name: str, line: str) -> None:
        if self._is_gone:
            return
        try:
            self._out.write(f"{self._labels[name]} {line}\n")
            self._out.flush()
        except OSError:
            self._is_gone = True
            # Python flushes what is left when it ends, and would complain again.
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a descriptor is needed, not a path
                os.dup2(nothing.fileno(), self._out.fileno())
            self._on_gone()
