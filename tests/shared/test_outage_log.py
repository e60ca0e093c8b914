"""An outage that is met each second makes few lines."""

from structlog.testing import capture_logs

from shared.errors import QueueUnavailable, StorageUnavailable
from shared.outage_log import OutageLog


def test_an_outage_is_told_when_it_begins_each_minute_and_when_it_is_over() -> None:
    now = 1000.0
    outage = OutageLog("queue unavailable", "queue back", clock=lambda: now, role="pricing")
    with capture_logs() as logs:
        for _ in range(131):
            outage.note_failure(QueueUnavailable("Redis is away."))
            now += 1
        outage.note_success()
        outage.note_success()
    assert [(line["event"], line["log_level"], line["lasted_seconds"]) for line in logs] == [
        ("queue unavailable", "warning", 0),
        ("queue unavailable", "warning", 60),
        ("queue unavailable", "warning", 120),
        ("queue back", "info", 131),
    ]
    assert {line["role"] for line in logs} == {"pricing"}
    assert {line.get("error") for line in logs} == {"Redis is away.", None}


def test_another_kind_of_error_is_told_at_once() -> None:
    outage = OutageLog("schedule waits", "schedule goes on")
    with capture_logs() as logs:
        for error in (QueueUnavailable("away"), QueueUnavailable("still"), StorageUnavailable("full")) * 2:
            outage.note_failure(error)
    assert [line["error"] for line in logs] == ["away", "full"]


def test_what_was_never_away_is_not_told_to_be_back() -> None:
    with capture_logs() as logs:
        OutageLog("queue unavailable", "queue back").note_success()
    assert logs == []


def test_the_next_outage_is_told_at_once() -> None:
    outage = OutageLog("queue unavailable", "queue back")
    with capture_logs() as logs:
        for _ in range(2):
            outage.note_failure(QueueUnavailable())
            outage.note_success()
    assert [line["event"] for line in logs] == ["queue unavailable", "queue back"] * 2
