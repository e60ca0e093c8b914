"""The parts of a stack, each by itself."""

import asyncio
import ctypes
import errno
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.servers.launch import Launch
from deploy.servers.ports import free_port
from deploy.stack.__main__ import main
from deploy.stack.alive import is_alive
from deploy.stack.console import Console
from deploy.stack.errors import StackError
from deploy.stack.folder import claimed, password
from deploy.stack.plan import Ports, chosen_ports
from deploy.stack.process import Kept, Service
from deploy.stack.run import Stack
from deploy.stack.sources import Choice, chosen_sources
from deploy.stack.welcome import welcome
from shared.settings import Settings, read_settings

READY = "import pathlib; pathlib.Path('ready').touch()"
DEAF = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}; time.sleep(600)"
REAL = ("coinmarketcap", "cryptocompare")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("env", "choice"),
    [
        ({}, Choice(("simulator",), starts_simulator=True)),
        ({"SOURCES": ""}, Choice(("simulator",), starts_simulator=True)),
        ({"SOURCES": "coinmarketcap"}, Choice(("coinmarketcap",), starts_simulator=False)),
        ({"COINMARKETCAP_API_KEY": "k"}, Choice(REAL, starts_simulator=False)),
        ({"COINMARKETCAP_URL": "http://a"}, Choice(REAL, starts_simulator=False)),
        ({"CRYPTOCOMPARE_API_KEY": "k"}, Choice(REAL, starts_simulator=False)),
        ({"CRYPTOCOMPARE_URL": "http://a"}, Choice(REAL, starts_simulator=False)),
        ({"FRANKFURTER_URL": "http://a"}, Choice(REAL, starts_simulator=False)),
        ({"SIMULATOR_URL": "http://a"}, Choice(("simulator",), starts_simulator=False)),
    ],
)
def test_the_simulator_runs_unless_a_source_is_set(
    env: dict[str, str], choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert chosen_sources(read_settings(_env_file=None)) == choice


@pytest.mark.parametrize(
    ("env", "sources"),
    [
        ({}, "simulator"),
        ({"COINMARKETCAP_API_KEY": "k"}, "coinmarketcap"),
        ({"CRYPTOCOMPARE_API_KEY": "k"}, "coinmarketcap, cryptocompare"),
    ],
)
def test_the_sources_that_can_be_asked_are_told(
    env: dict[str, str], sources: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(_env_file=None)
    ports = Ports(api=(1,), metrics=(2, 3), simulator=4, postgresql=5, valkey=6)
    text = welcome(settings, chosen_sources(settings), ports, tmp_path, database="", redis="")
    assert f"\n  sources         {sources}\n" in text


def service(folder: Path, code: str) -> Service:
    return Service(
        name="child",
        launch=Launch(command=(sys.executable, "-c", code), folder=folder, env=dict(os.environ)),
        is_ready=lambda _pid: (folder / "ready").exists(),
        stops_within=0.2,
    )


def kept(folder: Path, code: str, out: io.StringIO) -> Kept:
    console = Console(["child"], on_gone=lambda: None, out=out)
    with (folder / "lock").open("w") as lock:
        return Kept(service(folder, code), console, lock=os.dup(lock.fileno()))


async def test_a_child_that_ignores_its_signal_is_killed_after_its_time(tmp_path: Path) -> None:
    out = io.StringIO()
    child = kept(tmp_path, DEAF, out)
    await child.start()
    await asyncio.wait_for(child.stop(), 10)
    assert "child did not stop within 0.2 s; it is killed" in out.getvalue()


def stack_of(
    folder: Path, out: io.StringIO, *, applications: Sequence[Kept] = (), servers: Sequence[Kept] = ()
) -> Stack:
    console = Console(["child"], on_gone=lambda: None, out=out)
    stack = Stack(read_settings(_env_file=None), folder, console, lock=-1)
    stack._applications, stack._servers = [*applications], [*servers]
    return stack


async def left_after(stack: Stack) -> list[str]:
    return await stack.stop(asyncio.create_task(asyncio.sleep(0)))


async def assert_cannot_start(child: Kept, folder: Path, out: io.StringIO, *, why: str) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(StackError, match="child did not start"):
        await child.start()
    assert await left_after(stack_of(folder, out, applications=[child])) == []
    assert len(list(Path("/dev/fd").iterdir())) == before
    assert re.fullmatch(f"stack . child cannot be started: .*{why}.*\n", out.getvalue()), out.getvalue()


@pytest.mark.parametrize(
    ("command", "why"), [("/nowhere/nothing", "No such file or directory"), ("a\0b", "embedded null byte")]
)
async def test_a_command_that_cannot_be_run_ends_the_start_in_words_and_leaves_nothing(
    tmp_path: Path, command: str, why: str
) -> None:
    out = io.StringIO()
    child = kept(tmp_path, "", out)
    child.service = replace(child.service, launch=replace(child.service.launch, command=(command,)))
    await assert_cannot_start(child, tmp_path, out, why=why)
    assert why in out.getvalue()


async def test_a_child_that_fails_before_its_command_ends_the_start_in_words_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: "a library that knows nothing")
    out = io.StringIO()
    await assert_cannot_start(kept(tmp_path, "", out), tmp_path, out, why="preexec_fn")
    assert "preexec_fn" in out.getvalue()


async def test_a_start_that_fails_like_no_other_ends_in_its_own_error(tmp_path: Path) -> None:
    out = io.StringIO()
    child = kept(tmp_path, "", out)
    launch = replace(child.service.launch, command=(7,))  # type: ignore[arg-type]
    child.service = replace(child.service, launch=launch)
    with pytest.raises(TypeError, match="not int"):
        await child.start()
    assert await left_after(stack_of(tmp_path, out, applications=[child])) == []
    assert out.getvalue() == ""


def test_a_child_that_has_ended_is_never_ready(tmp_path: Path) -> None:
    """Whoever else answers in its place."""
    child = kept(tmp_path, "", io.StringIO())
    child.service = replace(child.service, is_ready=lambda _pid: True)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert not child._is_ready(ended.pid)
    assert child._is_ready(os.getpid())


async def test_what_cannot_be_stopped_is_named_and_the_servers_stop_all_the_same(tmp_path: Path) -> None:
    out = io.StringIO()
    folders = tmp_path / "strange", tmp_path / "server"
    for folder in folders:
        folder.mkdir()
    strange, server = (kept(folder, DEAF, out) for folder in folders)
    strange.service = replace(strange.service, name="strange")
    await asyncio.gather(strange.start(), server.start())
    child = strange.child
    assert child is not None
    kill = os.kill

    def refuse(pid: int, number: int) -> None:
        if pid == child.pid:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        kill(pid, number)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "kill", refuse)
            left = await left_after(stack_of(tmp_path, out, applications=[strange], servers=[server]))
    finally:
        child.kill()
        await child.wait()
    assert left == ["strange"]
    assert "strange could not be stopped: [Errno 1] Operation not permitted" in out.getvalue()
    assert "child did not stop within 0.2 s; it is killed" in out.getvalue()


async def test_what_a_child_left_behind_does_not_hold_up_its_end(tmp_path: Path) -> None:
    left = tmp_path / "left"
    orphan = f"import subprocess; p = subprocess.Popen(['sleep', '60'], start_new_session=True); open({str(left)!r}, 'w').write(str(p.pid))"
    child = kept(tmp_path, f"{orphan}; {DEAF}", io.StringIO())
    await child.start()
    try:
        await asyncio.wait_for(child.stop(), 10)
        assert is_alive(int(left.read_text()))
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


async def test_a_child_that_never_was_ready_ends_the_start_with_its_own_words_above(tmp_path: Path) -> None:
    out = io.StringIO()
    child = kept(tmp_path, "import sys; sys.exit('no room')", out)
    with pytest.raises(StackError, match="child did not start"):
        await child.start()
    await child.stop()
    assert out.getvalue() == "child | no room\n"


async def test_lines_keep_their_name_whatever_they_hold() -> None:
    out = io.StringIO()
    lines = asyncio.StreamReader()
    lines.feed_data(b"one\n\xff\n" + b"x" * 3_000_000 + b"\nlast")
    lines.feed_eof()
    await Console(["a"], on_gone=lambda: None, out=out).relay("a", lines)
    shown = out.getvalue().splitlines()
    assert shown[:2] == ["a     | one", "a     | \ufffd"]
    assert shown[-1] == "a     | last"
    assert sum(line.count("x") for line in shown) == 3_000_000
    assert max(map(len, shown)) < 1_200_000


async def test_a_terminal_without_unicode_shows_every_line() -> None:
    shown = io.BytesIO()
    lines = asyncio.StreamReader()
    lines.feed_data("price: 7 \u20ac\nlast\n".encode())
    lines.feed_eof()
    out = io.TextIOWrapper(shown, encoding="ascii")
    await Console(["a"], on_gone=lambda: None, out=out).relay("a", lines)
    assert shown.getvalue() == b"a     | price: 7 \\u20ac\na     | last\n"


async def test_a_reader_that_has_gone_is_told_once() -> None:
    gone: list[bool] = []
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        console = Console(["a"], on_gone=lambda: gone.append(True), out=out)
        console.say("one")
        console.say("two")
    assert gone == [True]


def test_the_folder_is_closed_to_others_and_the_password_stays(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "stack"
    with claimed(folder):
        known = password(folder)
        assert password(folder) == known
    assert len(known) >= 32
    assert folder.stat().st_mode & 0o066 == 0
    assert (folder / "password").stat().st_mode & 0o077 == 0


def test_the_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StackError, match="belongs to user"), claimed(tmp_path):
        pass


@contextmanager
def left_behind(folder: Path) -> Iterator[int]:
    """A process that outlives its stack, as a killed one leaves it; gives its id."""
    with claimed(folder) as lock:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
    (folder / "lock").write_text("")
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("name", ["real", "symlink"])
def test_leftovers_and_they_alone_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("deploy.stack.folder._LEFTOVERS_END_WITHIN_S", 0)
    (tmp_path / "real").mkdir()
    (tmp_path / "symlink").symlink_to(tmp_path / "real")
    with (
        left_behind(tmp_path / name) as pid,
        pytest.raises(StackError, match=f"kill -9 {pid}$"),
        claimed(tmp_path / name),
    ):
        pass


def test_leftovers_that_this_system_does_not_tell_are_to_be_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.stack.folder._LEFTOVERS_END_WITHIN_S", 0)
    monkeypatch.setattr("deploy.stack.folder._PROCESSES", tmp_path)
    with (
        left_behind(tmp_path),
        pytest.raises(StackError, match=f"uses {tmp_path}: end what `lsof {tmp_path}/lock` names"),
        claimed(tmp_path),
    ):
        pass


def test_ctrl_c_while_leftovers_are_waited_for_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press_ctrl_c(_pause: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", press_ctrl_c)
    monkeypatch.setattr(sys, "argv", ["stack", "--data", str(tmp_path)])
    with claimed(tmp_path):
        (tmp_path / "lock").write_text("")
        assert main() == 130
    assert capsys.readouterr().err == "stack: stopped before anything was started\n"


def test_ctrl_c_when_all_has_ended_does_not_say_that_nothing_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press_ctrl_c(running: Coroutine[Any, Any, None]) -> None:
        running.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", press_ctrl_c)
    monkeypatch.setattr(sys, "argv", ["stack", "--data", str(tmp_path)])
    assert main() == 130
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_colours() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    Console(["a"], on_gone=lambda: None, out=out).say("hello")
    assert out.getvalue() == "\x1b[1mstack |\x1b[0m hello\n"


@pytest.mark.parametrize("after_the_first", [0, 1])
def test_a_port_for_two_is_refused_with_both_settings(after_the_first: int) -> None:
    first = free_port()
    shared = first + after_the_first
    settings = read_settings(_env_file=None, api_port=f"{shared},{first + 50}", worker_metrics_port=first)
    with pytest.raises(StackError, match=f"^API_PORT and WORKER_METRICS_PORT both take port {shared}: "):
        chosen_ports(settings)


def test_a_worker_without_a_port_is_refused() -> None:
    with pytest.raises(StackError, match=r"^WORKER_METRICS_PORT: .* 65536"):
        chosen_ports(read_settings(_env_file=None, worker_metrics_port=65_535))


def test_ports_drawn_by_lot_all_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    api, worker, *others = [free_port() for _ in range(9)]
    lot = iter([api, others[0], worker, others[0], worker + 1, *others])
    monkeypatch.setattr("deploy.servers.ports.free_port", lot.__next__)
    ports = chosen_ports(read_settings(_env_file=None, api_port=f"{api},0", worker_metrics_port=worker))
    assert ports.api == (api, others[0])
    assert ports.metrics == (worker, worker + 1)
    drawn = {*ports.api, *ports.metrics, ports.simulator, ports.postgresql, ports.valkey}
    assert len(drawn) == 7


def test_a_port_drawn_for_the_api_is_free_where_the_api_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        taken = elsewhere.getsockname()[1]
        lot = [taken, *(free_port() for _ in range(4))]
        monkeypatch.setattr("deploy.servers.ports.free_port", iter(lot).__next__)
        ports = chosen_ports(read_settings(_env_file=None, api_port="0", worker_metrics_port=0))
    assert (*ports.api, ports.simulator, ports.postgresql, ports.valkey) == tuple(lot[1:])


def test_a_host_that_is_not_of_this_machine_ends_the_draw() -> None:
    with pytest.raises(
        StackError, match=r"^API_PORT: cannot listen on 192\.0\.2\.1 port .* another API_HOST"
    ):
        chosen_ports(read_settings(_env_file=None, api_host="192.0.2.1", api_port="0", worker_metrics_port=0))
