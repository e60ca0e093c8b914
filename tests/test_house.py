"""The files of the repository's root that must stay true to the code."""

import re
import subprocess
from pathlib import Path

import pytest

from shared.settings import Settings, read_settings

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
STATED = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


def test_the_example_names_exactly_the_settings() -> None:
    assert sorted(STATED) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.usefixtures("no_environment")
def test_the_example_states_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in STATED.items()), encoding="utf-8")
    defaults = read_settings(_env_file=None)
    assert read_settings(_env_file=file) == defaults
    empty = {name for name, value in STATED.items() if not value}
    assert empty == {name.upper() for name, value in defaults if value in ("", ())}


def test_the_example_says_nothing_that_is_in_force() -> None:
    assert all(not line or line.startswith("#") for line in EXAMPLE.splitlines())


def test_the_entry_of_the_checks_can_be_executed() -> None:
    entry = ROOT / ".ci" / "run"
    assert entry.stat().st_mode & 0o111 == 0o111
    assert subprocess.run(["bash", "-n", entry], check=False).returncode == 0
