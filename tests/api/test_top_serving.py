"""How lists of now are served: from memory, within bounds, and renewed by facts."""

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
import pytest

from api import encoded
from api.known_paths import LONGEST_PATH, MOST
from api.top import encoded_lists
from api.top.formats import ENCODINGS, Format
from shared.domain.currency import CurrencyKind
from shared.domain.ranking import TopRow
from shared.messages import RankingStored
from tests.api.conftest import StartRig
from tests.api.rig import START, Rig, coin, observed, recorded, until

PATH = "/api/top/"


async def text_of(rig: Rig, path: str, **headers: str) -> str:
    async with rig.client.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        return await response.text()


async def test_facts_of_other_processes_renew_what_is_served(rig: Rig) -> None:
    await rig.get(PATH)
    await rig.advance(seconds=1)
    await rig.store(observed(price="7", observed_at=rig.clock()))
    assert (await rig.get(PATH))["results"][0]["price_usd"] == "7"
    rig.worker.ranked = [1027, 1]
    await rig.queue.announce(await rig.worker.ranking())
    await until(lambda: rig.api.top.current.observed_at == rig.clock())
    assert [row["symbol"] for row in (await rig.get(PATH))["results"]] == ["ETH", "BTC"]
    assert len(rig.worker.rankings) == 1


async def test_a_ranking_that_names_new_currencies_waits_for_the_catalog(rig: Rig) -> None:
    await rig.get(PATH)
    await rig.advance(seconds=1)
    await rig.storage.record_catalog(CurrencyKind.LOCAL, [coin(1_000_000_000, "NEW")], stored_at=START)
    rig.worker.ranked = [1_000_000_000, 1]
    await rig.queue.announce(await rig.worker.ranking())
    await until(lambda: rig.api.top.current.observed_at == rig.clock())
    assert [row["symbol"] for row in (await rig.get(PATH))["results"]] == ["NEW", "BTC"]


async def test_the_store_is_listed_at_start_so_that_a_fresh_list_costs_nothing(
    rig: Rig, start: StartRig
) -> None:
    before = await rig.get(PATH)
    another = await start()
    assert await another.get(PATH) == before
    assert len(rig.worker.rankings) + len(another.worker.rankings) == 1


async def test_ready_lists_are_served_ahead_of_the_router_and_counted(rig: Rig) -> None:
    counted: list[tuple[str, int]] = []
    original = rig.api.request_metrics.count

    def count(route: str, status: int, seconds: float) -> None:
        counted.append((route, status))
        original(route, status, seconds)

    rig.api.request_metrics.count = count  # type: ignore[method-assign]
    for path in (f"{PATH}?limit=2", "/?limit=2"):
        first, second = await text_of(rig, path), await text_of(rig, path)
        assert first == second
        assert rig.api.top.paths.get(path) is not None
        assert await text_of(rig, path, Connection="close") == first
    assert counted == [("/api/top/", 200)] * 3 + [("/", 200)] * 3


async def test_the_root_alone_is_never_answered_ahead_of_the_router(rig: Rig) -> None:
    await text_of(rig, "/")
    _, headers = await rig.headers("/", Accept="text/html")
    assert headers["Content-Type"].startswith("text/html")


async def test_paths_are_remembered_within_a_bound(rig: Rig) -> None:
    await rig.get(PATH)
    wanted = rig.api.top.paths.get(PATH)
    assert wanted is not None
    for number in range(MOST + 10):
        rig.api.top.paths.learn(f"/{number}", wanted)
    assert len(rig.api.top.paths) == MOST
    rig.api.top.paths.learn("/" + "a" * LONGEST_PATH, wanted)
    assert rig.api.top.paths.get("/" + "a" * LONGEST_PATH) is None


async def test_encoded_lists_are_kept_within_a_bound(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await many(rig, 300)
    monkeypatch.setattr(encoded_lists, "LARGEST_CACHE", 200_000)
    for limit in range(1, 300, 7):
        await rig.get(f"{PATH}?limit={limit}")
    lists = rig.api.top.current._answers
    assert 1 < len(lists) < 20
    assert lists.bytes == sum(len(one.body) for one in lists._answers.values()) <= 200_000


async def test_a_fact_makes_only_its_own_row_anew(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await many(rig, 300)
    for limit in (100, 200, 300):
        await rig.get(f"{PATH}?limit={limit}")
    encoding, encoded = type(ENCODINGS[Format.JSON]), []
    original = encoding.tail

    def tail(self: object, row: TopRow) -> bytes:
        encoded.append(row.currency_id)
        return original(self, row)  # type: ignore[arg-type]

    monkeypatch.setattr(encoding, "tail", tail)
    await rig.store(observed(10_001, price="7", observed_at=rig.clock() + timedelta(seconds=1)))
    for limit in (100, 200, 300):
        assert (await rig.get(f"{PATH}?limit={limit}"))["results"][1]["price_usd"] == "7"
    assert encoded == [10_001]


async def many(rig: Rig, count: int, *, symbol: str = "MANY") -> Sequence[int]:
    """A store with so many ranked currencies and their prices, known to the API."""
    entries = [coin(10_000 + one, f"{symbol}{one}", one + 1) for one in range(count)]
    ids = [entry.currency.id for entry in entries]
    await rig.storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=rig.clock())
    await recorded(
        rig.storage, *(observed(one, "1.5", observed_at=rig.clock()) for one in ids), fetched_at=rig.clock()
    )
    ranking = await rig.storage.record_ranking(
        "coinmarketcap", ids, is_whole=True, observed_at=rig.clock(), stored_at=rig.clock()
    )
    rig.worker.ranked = ids
    await rig.queue.announce([RankingStored(ranking=ranking)])
    await until(lambda: rig.api.top.current.observed_at == rig.clock())
    await until(lambda: rig.api.memory.known(ids[-1]))
    return ids


async def test_a_long_list_is_whole_and_goes_out_in_slices(rig: Rig) -> None:
    await many(rig, 1200, symbol="LONGER")
    for _ in range(2):
        rows = (await rig.get(f"{PATH}?limit=5000"))["results"]
        assert [row["rank"] for row in rows] == list(range(1, 1201))
        assert rows[-1]["symbol"] == "LONGER1199"
    closing = await text_of(rig, f"{PATH}?limit=5000", Connection="close")
    assert len(orjson.loads(closing)["results"]) == 1200
    table = list(csv.reader(io.StringIO(await text_of(rig, "/?limit=5000"), newline=""), strict=True))
    assert (len(table), table[-1]) == (1201, ["1200", "LONGER1199", "1.5"])


async def test_a_slow_reader_makes_nothing_wait_in_memory_and_nobody_else_wait(rig: Rig) -> None:
    await many(rig, 5000)
    await rig.get(f"{PATH}?limit=5000")
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port, limit=1024)
    writer.write(f"GET {PATH}?limit=5000 HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 20)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    runner: Any = rig.client.server.runner
    await until(lambda: any(one.writing_paused for one in runner.server.connections))
    waiting = [one.transport.get_write_buffer_size() for one in runner.server.connections]
    assert max(waiting) < 256 * 1024
    assert len((await rig.get(f"{PATH}?limit=5000"))["results"]) == 5000
    writer.close()


async def test_a_client_that_takes_nothing_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "SLOW_SECONDS", 0.05)
    await many(rig, 5000)
    reader, writer = await asyncio.open_connection(rig.client.host, rig.client.port, limit=1024)
    writer.write(f"GET {PATH}?limit=5000 HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 20)
    await reader.readuntil(b"\r\n\r\n")
    runner: Any = rig.client.server.runner
    await until(lambda: any(one.writing_paused for one in runner.server.connections))
    await until(lambda: not runner.server.connections)
    writer.close()
    assert len((await rig.get(f"{PATH}?limit=5000"))["results"]) == 5000


async def test_head_is_not_offered_for_it_may_spend_credits(rig: Rig) -> None:
    for path in (PATH, "/"):
        async with rig.client.head(path) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET"


async def test_the_age_of_the_ranking_and_the_renewals_are_told(rig: Rig) -> None:
    async def scrape() -> str:
        return await text_of(rig, "/metrics")

    assert "\nfreshrate_ranking_age_seconds " not in await scrape()
    await rig.get(PATH)
    await rig.advance(seconds=12)
    text = await scrape()
    assert "\nfreshrate_ranking_age_seconds 12.0\n" in text
    assert '\nfreshrate_top_renewals_total{outcome="renewed"} 1.0\n' in text
    assert "freshrate_refresh_seconds_count 0.0\n" in text


async def test_a_client_that_leaves_breaks_nothing(rig: Rig) -> None:
    rig.worker.ranking_hold.clear()
    with pytest.raises((TimeoutError, aiohttp.ServerTimeoutError)):
        await rig.client.get(PATH, timeout=aiohttp.ClientTimeout(total=0.1))
    rig.worker.ranking_hold.set()
    assert len((await rig.get(PATH))["results"]) == 4
    assert len(rig.worker.rankings) == 1
