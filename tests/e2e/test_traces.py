"""One refresh is one trace, from the client's request to the commit, over real processes."""

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from deploy.servers.ports import free_port
from deploy.servers.valkey import ValkeyServer
from tests.e2e.books import claimed
from tests.e2e.faults import calls_of, fault, heal, visited
from tests.e2e.processes import Running, Stack
from tests.e2e.test_rates import catalog_ready, get
from tests.shared.collector import CLIENT, CONSUMER, SERVER, Collector, caller, collecting

REQUEST = "GET /api/latestrate/{currency_id}/"
OF_WORKER = ("refresh", "visit", "store", "announce")


@pytest.fixture
def collector(stack: Stack) -> Iterator[Collector]:
    with collecting() as opened:
        stack.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = opened.url
        stack.env["OTEL_BSP_SCHEDULE_DELAY"] = "50"
        yield opened


async def both(stack: Stack, http: aiohttp.ClientSession) -> tuple[Running, Running]:
    await stack.simulator()
    api, worker = await stack.api(), await stack.worker()
    await catalog_ready(http, api)
    return api, worker


async def test_a_refresh_is_one_trace_from_the_request_to_the_commit(
    stack: Stack, http: aiohttp.ClientSession, collector: Collector
) -> None:
    api, _ = await both(stack, http)
    trace, header = caller(7)
    status, _ = await get(http, api, "/api/latestrate/1/", traceparent=header, **{"X-Request-ID": "seven"})
    assert status == 200
    spans = await collector.arrived(trace, REQUEST, *OF_WORKER)
    assert spans.keys() == {REQUEST, *OF_WORKER}
    request, refresh = spans[REQUEST], spans["refresh"]
    visit, store, announce = spans["visit"], spans["store"], spans["announce"]
    assert [one.service for one in (request, refresh)] == ["freshrate-api", "freshrate-worker"]
    assert [one.kind for one in (request, refresh, visit)] == [SERVER, CONSUMER, CLIENT]
    assert (request.parent, refresh.parent) == (f"{7:016x}", request.id)
    assert {one.parent for one in (visit, store, announce)} == {refresh.id}
    assert request.began <= refresh.began <= visit.began <= visit.ended <= store.began
    assert store.ended <= announce.began <= request.ended
    assert request.attributes == {
        "http.request.method": "GET",
        "http.route": "/api/latestrate/{currency_id}/",
        "http.response.status_code": 200,
        "freshrate.request_id": "seven",
    }
    assert visit.attributes["source"] == "coinmarketcap"
    assert (visit.attributes["status"], visit.attributes["credits"]) == (200, 1)
    assert not any(one.is_failed for one in spans.values())


async def test_a_source_that_fails_stands_in_the_trace(
    stack: Stack, http: aiohttp.ClientSession, collector: Collector
) -> None:
    api, _ = await both(stack, http)
    await fault(http, stack, path="quotes", kind="status", code=500)
    trace, header = caller(8)
    status, _ = await get(http, api, "/api/latestrate/1/", traceparent=header)
    assert status == 502
    spans = await collector.arrived(trace, REQUEST, "refresh", "visit", "announce")
    assert "store" not in spans
    assert spans["visit"].is_failed
    assert spans["visit"].attributes["status"] == 500
    assert spans[REQUEST].is_failed
    assert spans[REQUEST].attributes["http.response.status_code"] == 502


async def test_the_visit_of_a_batch_belongs_to_the_first_and_links_to_the_others(
    stack: Stack, http: aiohttp.ClientSession, collector: Collector, valkey_server: ValkeyServer
) -> None:
    api, _ = await both(stack, http)
    await fault(http, stack, path="quotes", kind="latency", ms=1500)
    before = await calls_of(http, stack, "quotes")
    asking = [asyncio.create_task(get(http, api, "/api/latestrate/1/"))]
    await visited(http, stack, since=before)
    await heal(http, stack)
    headers = {currency_id: caller(currency_id) for currency_id in (1027, 1839)}
    for currency_id, (_, header) in headers.items():
        asked = get(http, api, f"/api/latestrate/{currency_id}/", traceparent=header)
        asking.append(asyncio.create_task(asked))
        await claimed(valkey_server, [currency_id])
    assert [status for status, _ in await asyncio.gather(*asking)] == [200] * 3
    first, second = (trace for trace, _ in headers.values())
    spans = await collector.arrived(first, REQUEST, *OF_WORKER)
    other = await collector.arrived(second, REQUEST)
    assert other.keys() == {REQUEST}
    assert spans["refresh"].parent == spans[REQUEST].id
    assert spans["refresh"].links == [(second, other[REQUEST].id)]


async def test_what_is_left_is_sent_at_the_stop(
    stack: Stack, http: aiohttp.ClientSession, collector: Collector
) -> None:
    stack.env["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    api, worker = await both(stack, http)
    trace, header = caller(9)
    assert (await get(http, api, "/api/latestrate/1/", traceparent=header))[0] == 200
    assert collector.spans == []
    assert [await api.stop(), await worker.stop()] == [0, 0]
    assert collector.of(trace).keys() == {REQUEST, *OF_WORKER}


async def test_a_collector_that_is_down_harms_nothing(stack: Stack, http: aiohttp.ClientSession) -> None:
    stack.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    stack.env["OTEL_BSP_SCHEDULE_DELAY"] = "10"
    api, worker = await both(stack, http)
    for _ in range(5):
        assert (await get(http, api, "/api/latestrate/1/"))[0] == 200
    assert [await api.stop(), await worker.stop()] == [0, 0]
    for running in (api, worker):
        warnings = [line for line in running.log_lines() if line["level"] not in {"info", "debug"}]
        assert {line["event"] for line in warnings} <= {
            "traces not sent: OTEL_EXPORTER_OTLP_ENDPOINT does not take them",
            "last traces not sent in time",
        }
        assert 1 <= len(warnings) <= 2
        assert "Traceback" not in running.log_text()
