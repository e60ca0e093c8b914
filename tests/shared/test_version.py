"""The version stands in two places that must agree."""

import tomllib
from pathlib import Path

from shared import __version__


def test_the_version_is_the_one_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == __version__
