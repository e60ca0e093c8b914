"""Logs: JSON lines for machines, a console for people, the standard library's lines the same way."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.logs import configure_logs
from shared.settings import read_settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers = handlers
    root.setLevel(level)


def test_json_lines_carry_service_level_time_and_what_was_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(read_settings(_env_file=None, log_format="json"), service="worker")
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger("test").info("refreshed", currencies=2)
    logging.getLogger("library").warning("careful %s", "now")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["event"] == "refreshed"
    assert (first["service"], first["level"], first["request_id"], first["currencies"]) == (
        "worker",
        "info",
        "r-1",
        2,
    )
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"], second["service"]) == ("careful now", "warning", "worker")


def test_below_the_level_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(read_settings(_env_file=None, log_format="json", log_level="error"), service="api")
    structlog.get_logger("test").warning("unheard")
    assert capsys.readouterr().err == ""


def test_a_defect_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(read_settings(_env_file=None, log_format="json"), service="api")
    try:
        raise RuntimeError("a defect")  # noqa: TRY301 - to be logged
    except RuntimeError:
        structlog.get_logger("test").exception("broke")
    line = json.loads(capsys.readouterr().err)
    assert line["exception"][0]["exc_type"] == "RuntimeError"


def test_bytes_that_are_no_text_end_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(read_settings(_env_file=None, log_format="json"), service="api")
    structlog.get_logger("test").info("sent", header="\udcff", times={1: "one"})
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["header"], line["times"]) == ("sent", "\udcff", {"1": "one"})


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_and_its_end_are_one_write(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    monkeypatch.setattr("sys.stderr", Stream())
    configure_logs(read_settings(_env_file=None, log_format=log_format), service="api")
    structlog.get_logger("test").info("one")
    logging.getLogger("library").warning("two")
    assert len(writes) == 2
    assert all(text.endswith("\n") for text in writes)


def test_the_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(read_settings(_env_file=None, log_format="console"), service="api")
    structlog.get_logger("test").info("hello")
    assert "hello" in capsys.readouterr().err
