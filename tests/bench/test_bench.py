"""The benchmarks run. Their figures are never judged here, nor the peers that need packages of their own."""

import asyncio
import re
import runpy
import sys
from pathlib import Path

import pytest

from bench.__main__ import PARTS
from bench.table import Goal, Series, print_goals, print_table
from deploy.servers.ports import free_port
from tests.e2e.processes import ROOT, Running

ROWS = {
    "lastrate": ("bare aiohttp + uvloop", "lastrate", "two API processes over one"),
    "quotes": ("bare aiohttp + uvloop", "ten currencies in three", "a quote in EUR over bare"),
    "top": ("bare aiohttp + uvloop, CSV", "top list, JSON", "top list as CSV over bare"),
    "refresh": ("bare path", "latestrate", "source alone", "refresh, 32 at once"),
    "push": (
        "bare aiohttp + uvloop, WebSocket",
        "SSE",
        "WebSocket",
        "SSE, fed",
        "push to 50 by SSE, lag p99",
        "push to 50 by WebSocket, per message",
    ),
    "poll": ("decode", "plain COPY", "ours, PostgreSQL", "ours, SQLite", "poll of 1000 on SQLite"),
    "history": ("bare aiohttp + uvloop, one rate", "ratescurrency", "history page of 500 over bare"),
    "as_of": (
        "ours, PostgreSQL",
        "ours, SQLite",
        "DISTINCT ON, PostgreSQL",
        "top 200 as of a moment in PostgreSQL, p99",
    ),
    "candles": ("PostgreSQL", "SQLite", "HTTP, PostgreSQL", "candles, a rate a minute, SQLite, p99"),
    "deals": (
        r"\copy",
        "upload, form",
        "upload, text/csv",
        "upload, form, all quoted",
        "API, growth",
        r"upload, form, over \copy",
        "top five, p50",
    ),
    "memory": ("API", "worker", "memory of the API", "memory of the worker"),
    "start": ("python -m standalone", "start to the first rate, slowest"),
}


ALONE = "start"
TOGETHER = (
    ("lastrate", "quotes", "top", "history"),
    ("refresh", "push", "memory"),
    ("poll", "as_of", "candles", "deals"),
)
"""All others: each group on servers of its own."""
QUICK = ("--quick", "--rounds", "1", "--without-peers")


async def said(*arguments: str) -> str:
    """The output of a Python that must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


def missing(part: str, output: str) -> list[str]:
    """Rows that are not in its output."""
    return [row for row in ROWS[part] if not re.search(rf"^  {re.escape(row)} +\d", output, re.MULTILINE)]


def test_every_part_is_run() -> None:
    assert sorted([ALONE, *(part for parts in TOGETHER for part in parts)]) == sorted(ROWS) == sorted(PARTS)


async def test_a_part_alone_prints_its_rows_and_targets() -> None:
    output = await said("-m", f"bench.{ALONE}", *QUICK)
    assert missing(ALONE, output) == [], output


@pytest.mark.parametrize("parts", TOGETHER, ids=" ".join)
async def test_each_part_prints_its_rows_under_its_name_and_all_targets_come_last(
    parts: tuple[str, ...],
) -> None:
    output = await said("-m", "bench", *parts, *QUICK)
    names = "|".join([*map(str.upper, parts), "targets"])
    _, *named = re.split(rf"^({names})\b", output, flags=re.MULTILINE)
    printed = dict(zip(named[::2], named[1::2], strict=True))
    seen = {part: printed[part.upper()] + printed["targets"] for part in parts}
    assert [row for part in parts for row in missing(part, seen[part])] == [], output


@pytest.mark.parametrize("part", ROWS)
def test_each_part_is_a_program(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [part, "--help"])
    # It was imported under another name, of which runpy warns.
    monkeypatch.delitem(sys.modules, f"bench.{part}")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"bench.{part}", run_name="__main__")
    assert ended.value.code == 0
    assert f"python -m bench.{part}" in capsys.readouterr().out


async def test_all_parts_are_known_by_name() -> None:
    output = await said("-m", "bench", "--help")
    assert all(part in output for part in ROWS), output


async def test_our_own_load_generator_counts_answers(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b"x" * 100_000)
    port = free_port()
    peer = await Running.start(
        "bare",
        *("-m", "bench.peers.bare", str(port), str(body)),
        folder=tmp_path,
        env={},
        url=f"http://127.0.0.1:{port}",
    )
    try:
        await peer.ready("/1/")
        output = await said("-m", "bench.load", f"{peer.url}/1/", "--seconds", "0.2", "--connections", "4")
    finally:
        await peer.kill()
    assert re.fullmatch(r'\{"rate": [1-9][\d.]*, "p99_ms": [\d.]+\}', output.strip())


def test_ratios_are_of_the_same_round(capsys: pytest.CaptureFixture[str]) -> None:
    base, ours = Series("base", [10.0, 1000.0, 10.0]), Series("ours", [20.0, 3000.0, 5.0])
    print_table("speed", "m/s", [base, ours], base=base)
    assert re.search(r"ours +20\.0 +5\.00 to 3000 +2\.00 +\(0\.50 to 3\.00\)", capsys.readouterr().out)


def test_a_target_is_met_or_missed(capsys: pytest.CaptureFixture[str]) -> None:
    print_goals(
        [
            Goal(what="fast", seen=2, target=3, unit="ms"),
            Goal(what="many", seen=2, target=3, unit="/s", at_least=True),
        ]
    )
    output = capsys.readouterr().out
    assert re.search(r"fast +2\.00 +<= 3 ms +met", output)
    assert re.search(r"many +2\.00 +>= 3 /s +missed", output)
