"""Health, metrics, the request log, and defects: what operators see."""

import asyncio
import io
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.request_log import RequestLog, RequestRecord
from shared.errors import StorageUnavailable
from tests.api.conftest import StartRig
from tests.api.rig import KEY, Rig, observed, until


async def test_ready_names_every_dependency(rig: Rig) -> None:
    body = await rig.get("/health/ready")
    assert body == {
        "ready": True,
        "dependencies": {"database": "ok", "queue": "ok", "stream": "ok", "catalog": "ok"},
    }


async def test_not_ready_names_what_is_wrong_and_alive_stays_alive(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await start(has_catalog=False)

    async def down() -> None:
        raise StorageUnavailable("The database sleeps.")

    monkeypatch.setattr(rig.storage, "ping", down)
    await rig.queue.close()
    await until(lambda: not rig.api.river.is_flowing)
    body = await rig.get("/health/ready", status=503)
    assert body["ready"] is False
    assert body["dependencies"]["database"] == "The database sleeps."
    assert all(state != "ok" for state in body["dependencies"].values())
    assert await rig.get("/health/live") == {"alive": True}


async def test_a_database_that_hangs_does_not_hang_readiness(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("api.routes.health.PING_SECONDS", 0.05)
    monkeypatch.setattr(rig.storage, "ping", hang)
    body = await rig.get("/health/ready", status=503)
    assert body["dependencies"]["database"] == "No answer in time."


async def test_metrics_count_requests_by_route_and_status_and_tell_the_age_of_the_newest_rate(
    rig: Rig,
) -> None:
    await rig.store(observed())
    await rig.get("/api/lastrate/1/")
    await rig.get("/api/lastrate/777/", status=404)
    await rig.get("/nowhere/", status=404)
    rig.clock.advance(seconds=12)
    async with rig.client.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text = await response.text()
    route = 'route="/api/lastrate/{currency_id}/"'
    assert f'freshrate_http_request_seconds_count{{{route},status="200"}} 1.0' in text
    assert f'freshrate_http_request_seconds_count{{{route},status="404"}} 1.0' in text
    assert 'freshrate_http_request_seconds_count{route="none",status="404"} 1.0' in text
    assert "freshrate_newest_rate_age_seconds 12.0" in text


async def test_without_any_rate_there_is_no_age(rig: Rig) -> None:
    text = await (await rig.client.get("/metrics")).text()
    assert "freshrate_newest_rate_age_seconds " not in text.replace("# HELP", "").replace("# TYPE", "") or (
        "freshrate_newest_rate_age_seconds 0" not in text
    )


# The request log


def lines_of(rig: Rig, text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


async def test_each_request_is_one_line_without_query_and_key(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    rig.api.request_log._stream = stream = io.StringIO()
    await rig.store(observed())
    headers = {"X-API-Key": KEY, "Authorization": "Bearer other-secret", "X-Request-ID": "one"}
    await rig.headers("/api/lastrate/1/", **headers)
    await rig.headers("/api/lastrate/1/?max_age=5&token=query-secret", **{**headers, "X-Request-ID": "two"})
    await rig.headers("/services/requestcurrency/1/?x=1", **{**headers, "X-Request-ID": "three"})
    rig.api.request_log.flush()
    text = stream.getvalue()
    lines = lines_of(rig, text)
    assert [(line["request_id"], line["path"], line["status"]) for line in lines] == [
        ("one", "/api/lastrate/1/", 200),
        ("two", "/api/lastrate/1/", 400),
        ("three", "/services/requestcurrency/1/", 401),
    ]
    assert {"timestamp", "level", "event", "service", "method", "duration_ms"} <= lines[0].keys()
    captured = capsys.readouterr()
    for secret in (KEY, "other-secret", "query-secret"):
        assert secret not in text + captured.out + captured.err


async def test_lines_are_written_soon_and_in_batches(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.api.request_log.flush()
    rig.api.request_log._stream = stream = io.StringIO()
    monkeypatch.setattr("api.request_log.FLUSH_SECONDS", 0.01)
    await rig.get("/health/live")
    await until(stream.getvalue)
    monkeypatch.setattr("api.request_log.FLUSH_SECONDS", 60)
    for _ in range(128):
        await rig.get("/health/live")
    assert len(lines_of(rig, stream.getvalue())) == 129


async def test_paths_cannot_forge_lines(rig: Rig) -> None:
    rig.api.request_log._stream = stream = io.StringIO()
    await rig.headers('/a%0D%0A{"event":"forged"}"\\/')
    rig.api.request_log.flush()
    assert len(stream.getvalue().splitlines()) == 1
    assert lines_of(rig, stream.getvalue())[0]["event"] == "request"


def test_a_console_line_is_for_people_and_cannot_be_forged_either() -> None:
    stream = io.StringIO()
    log = RequestLog(stream, as_json=False, is_enabled=True)
    log._records.append(
        RequestRecord(1.5, "GET", "/a\x1b[31m\n", 502, 0.25, "id", "UpstreamError: bro\x1bken\n")
    )
    log.flush()
    assert stream.getvalue() == (
        "1970-01-01T00:00:01.500Z GET /a\\x1b[31m\\n 502 250.0ms id (UpstreamError: bro\\x1bken\\n)\n"
    )


async def test_a_log_level_above_info_writes_no_requests(start: StartRig) -> None:
    rig = await start(log_level="warning")
    rig.api.request_log._stream = stream = io.StringIO()
    await rig.get("/health/live")
    rig.api.request_log.flush()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("sent", ["a b", "x" * 65, "", "ид", 'x"y', "a/b"])
async def test_request_ids_that_cannot_be_used_are_replaced(rig: Rig, sent: str) -> None:
    _, headers = await rig.headers("/health/live", **{"X-Request-ID": sent})
    assert headers["X-Request-ID"] != sent
    assert len(headers["X-Request-ID"]) >= 14


async def test_request_ids_are_unique(rig: Rig) -> None:
    ids = {(await rig.headers("/health/live"))[1]["X-Request-ID"] for _ in range(50)}
    assert len(ids) == 50


# Failures


async def test_an_expected_failure_is_one_line_and_no_traceback(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.api.request_log._stream = stream = io.StringIO()

    async def down(*_args: object, **_options: object) -> None:
        raise StorageUnavailable("PostgreSQL at db:5432/rates does not answer: TimeoutError")

    monkeypatch.setattr(rig.storage, "rates_page", down)
    with capture_logs() as logs:
        body = await rig.get("/api/ratescurrency/", status=503)
    assert body["type"] == "/problems/database-unavailable"
    assert body["detail"].startswith("The database does not answer. Ask again")
    rig.api.request_log.flush()
    assert logs == []
    (line,) = lines_of(rig, stream.getvalue())
    assert line["error"] == "StorageUnavailable: PostgreSQL at db:5432/rates does not answer: TimeoutError"


async def test_a_defect_is_500_without_detail_and_a_traceback_in_the_log(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(rig.storage, "rates_page", broken)
    with capture_logs() as logs:
        body = await rig.get("/api/ratescurrency/", status=500)
    assert "secret" not in json.dumps(body)
    assert [line["event"] for line in logs] == ["request broke"]


async def test_a_defect_in_the_fast_lane_is_a_500_problem_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.store(observed())

    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rig.api.memory, "ready", broken)
    with capture_logs() as logs:
        body = await rig.get("/api/lastrate/1/", status=500)
    assert body["title"] == "Internal Server Error"
    assert [line["event"] for line in logs] == ["request broke"]
