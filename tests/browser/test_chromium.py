"""How the browser comes to a machine that has none, and what is said where it does not."""

import os
from pathlib import Path

import pytest

from tests.browser import chromium

APT_GET = """#!/bin/sh
PATH=/usr/bin:/bin
cd "$(dirname "$0")"
echo "$@" >> calls
echo "W: away" >&2
test "$(grep -c install calls)" -ge {needed} && touch chromium && chmod +x chromium
"""
"""Brings it with so many attempts."""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of root's with nothing on its path but what lies in this folder, and with the driver's library."""
    monkeypatch.setattr(chromium, "can_be_driven", lambda: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def provide_apt_get(folder: Path, *, needed: int) -> None:
    file = folder / "apt-get"
    file.write_text(APT_GET.format(needed=needed))
    file.chmod(0o755)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_root_gets_it_from_the_package_and_is_told_nothing_more(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provide_apt_get(bare, needed=1)
    chromium.install()
    update, install = calls(bare)
    assert update.endswith("update")
    assert install.endswith("install --yes --no-install-recommends libatomic1 chromium-headless-shell")
    assert chromium.found() == str(bare / "chromium")
    assert "Installing chromium-headless-shell or chromium" in capsys.readouterr().out
    chromium.install()
    chromium.report()
    assert len(calls(bare)) == 2
    assert capsys.readouterr() == ("", "")


def test_a_mirror_gets_three_attempts_for_either_package(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provide_apt_get(bare, needed=6)
    chromium.install()
    asked = [call.split()[-1] for call in calls(bare)]
    assert asked == ["update", "chromium-headless-shell", "chromium"] * 3
    assert capsys.readouterr().err == ""


def test_where_it_cannot_be_had_one_line_says_what_did_not_run_and_what_to_type(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provide_apt_get(bare, needed=9)
    chromium.install()
    assert capsys.readouterr().err == "W: away\n"
    chromium.report()
    assert capsys.readouterr().out == f"{chromium.MISSING}\n"
    assert chromium.MISSING.endswith("sudo apt-get install chromium libatomic1")


def test_without_the_drivers_library_it_is_as_good_as_missing(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (bare / "chromium").touch(mode=0o755)
    assert chromium.found()
    monkeypatch.setattr(chromium, "can_be_driven", lambda: False)
    chromium.report()
    assert capsys.readouterr().out == f"{chromium.MISSING}\n"


def test_nobody_but_root_installs(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provide_apt_get(bare, needed=1)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    chromium.install()
    assert chromium.found() is None
    assert not (bare / "calls").exists()


def test_in_ci_its_absence_is_a_failure(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit) as failure:
        chromium.install()
    assert failure.value.code == chromium.MISSING
