"""The newest step, read from the file names: the cheap half of the question whether anything is pending."""

from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"


def head_revision() -> str:
    """The revision of the newest step: "0001" of versions/0001_first_tables.py."""
    return max(file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*_*.py"))
