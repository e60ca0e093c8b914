"""The list of a past moment: what was known then, streamed, and with errors that are told while they can be."""

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from api.top import as_of
from shared.domain.currency import CurrencyKind
from shared.errors import StorageUnavailable
from tests.api.rig import START, Rig, coin, observed, recorded, until

PATH = "/api/top/"


@pytest.fixture
async def past(rig: Rig) -> Rig:
    """Two snapshots, a minute apart: at START, and when Ethereum had overtaken Bitcoin."""
    for price, order in (("1", [1, 1027, 5]), ("2", [1027, 1, 5])):
        now = rig.clock()
        await recorded(
            rig.storage,
            observed(1, price, observed_at=now),
            observed(1027, f"0.{price}", source="another", observed_at=now),
            fetched_at=now,
        )
        await rig.storage.record_ranking(
            "coinmarketcap", order, is_whole=True, observed_at=now, stored_at=now
        )
        await rig.advance(seconds=60)
    return rig


async def test_each_moment_has_the_order_and_the_prices_of_its_time(past: Rig) -> None:
    body = await past.get(f"{PATH}?datetime=2026-11-20T12:00:30Z")
    assert body == {
        "datetime": "2026-11-20T12:00:30.000Z",
        "stale": False,
        "sources": {"ranking": "coinmarketcap", "prices": ["coinmarketcap", "another"]},
        "results": [
            _row(1, 1, "BTC", "Bitcoin", "1", "coinmarketcap"),
            _row(2, 1027, "ETH", "Ethereum", "0.1", "another"),
            {**_row(3, 5, "DUP", "DUP coin", "", ""), "price_usd": None, "source": None, "actual_date": None},
        ],
    }
    later = await past.get(f"{PATH}?datetime=2026-11-20T12:01:30Z")
    assert [(row["symbol"], row["price_usd"]) for row in later["results"]] == [
        ("ETH", "0.2"),
        ("BTC", "2"),
        ("DUP", None),
    ]
    assert past.worker.rankings == []


def _row(rank: int, currency: int, symbol: str, name: str, price: str, source: str) -> dict[str, Any]:
    return {
        "rank": rank,
        "currency": currency,
        "symbol": symbol,
        "name": name,
        "price_usd": price,
        "source": source,
        "actual_date": "2026-11-20T12:00:00.250Z",
    }


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-20T12:00:30",
        "2026-11-20T12:00:30%2B00:00",
        "2026-11-20T15:00:30%2B03:00",
        "1795176030",
        "1795176030.5",
    ],
)
async def test_a_moment_may_be_written_in_several_ways(past: Rig, moment: str) -> None:
    url = past.client.make_url("/").with_path("/") / ""
    async with past.client.session.get(f"{str(url).rstrip('/')}/?datetime={moment}&format=json") as response:
        body = await response.json()
    assert [row["symbol"] for row in body["results"]] == ["BTC", "ETH", "DUP"]


async def test_csv_of_a_moment_names_it(past: Rig) -> None:
    async with past.client.get("/?limit=2&datetime=2026-11-20T12:00:30Z") as response:
        assert await response.read() == b"Rank,Symbol,Price USD\r\n1,BTC,1\r\n2,ETH,0.1\r\n"
        disposition = response.headers["Content-Disposition"]
        assert disposition == 'attachment; filename="freshrate-top-2-2026-11-20T120030Z.csv"'
        assert response.headers["Freshrate-Ranking-Source"] == "coinmarketcap"
        assert response.headers["Freshrate-Price-Sources"] == "coinmarketcap, another"
        assert response.headers["Vary"] == "Accept"
        assert response.headers["X-Request-ID"]
        assert "Freshrate-Stale" not in response.headers


@pytest.mark.parametrize("moment", ["0", "2026-11-20T11:59:59Z", "0001-01-01", "1960-01-01"])
async def test_before_the_first_data_there_are_no_rows(past: Rig, moment: str) -> None:
    body = await past.get(f"{PATH}?datetime={moment}")
    assert (body["results"], body["sources"]) == ([], {"ranking": None, "prices": []})
    async with past.client.get(f"/?datetime={moment}") as response:
        assert await response.read() == b"Rank,Symbol,Price USD\r\n"
        assert "Freshrate-Ranking-Source" not in response.headers


async def test_now_is_no_future(past: Rig) -> None:
    assert len((await past.get(f"{PATH}?datetime=2026-11-20T12:02:00.250Z"))["results"]) == 3
    assert "datetime" in (await past.get(f"{PATH}?datetime=2026-11-20T12:02:00.251Z", status=400))["errors"]


async def test_a_list_whose_parts_were_old_then_says_stale(past: Rig) -> None:
    await past.advance(days=1)
    path = "datetime=2026-11-20T12:20:00Z"
    assert (await past.get(f"{PATH}?{path}"))["stale"] is True
    _, headers = await past.headers(f"/?{path}")
    assert headers["Freshrate-Stale"] == "true"
    assert (await past.get(f"{PATH}?datetime=2026-11-20T12:00:30Z"))["stale"] is False


async def test_a_long_list_is_streamed_in_chunks_that_make_one_whole(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [coin(10_000 + one, f"C{one}", one + 1) for one in range(25)]
    ids = [entry.currency.id for entry in entries]
    await rig.storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=START)
    for one in ids[:24]:
        source = "another" if one == ids[23] else "coinmarketcap"
        await recorded(rig.storage, observed(one, "1.5", source=source, observed_at=START))
    await rig.storage.record_ranking("coinmarketcap", ids, is_whole=True, observed_at=START, stored_at=START)
    await rig.advance(minutes=1)
    whole = await rig.get(f"{PATH}?datetime=2026-11-20T12:00:00.250Z")
    monkeypatch.setattr(as_of, "CHUNK", 4)
    for limit in (1, 4, 5, 24, 25, 100):
        body = await rig.get(f"{PATH}?datetime=2026-11-20T12:00:00.250Z&limit={limit}")
        assert body["results"] == whole["results"][:limit]
        assert body["sources"]["prices"] == (
            ["coinmarketcap", "another"] if limit > 23 else ["coinmarketcap"]
        )
        async with rig.client.get(f"/?datetime=2026-11-20T12:00:00.250Z&limit={limit}") as response:
            table = list(csv.reader(io.StringIO(await response.text(), newline=""), strict=True))
        assert [row[0] for row in table] == ["Rank", *map(str, range(1, min(limit, 25) + 1))]


async def test_no_more_than_a_chunk_is_asked_for_at_once(past: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_of, "CHUNK", 2)
    original, sizes = past.storage.top_as_of, []

    async def counted(currency_ids: Any, *args: Any, **options: Any) -> Any:
        sizes.append(len(currency_ids))
        return await original(currency_ids, *args, **options)

    monkeypatch.setattr(past.storage, "top_as_of", counted)
    await past.get(f"{PATH}?datetime=2026-11-20T12:00:30Z")
    assert sizes == [2, 1, 1]


@pytest.mark.parametrize("name", ["ranking_as_of", "top_as_of"])
async def test_a_store_that_is_down_is_a_problem(
    past: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def down(*_args: Any, **_options: Any) -> Any:
        raise StorageUnavailable

    monkeypatch.setattr(past.storage, name, down)
    body = await past.get(f"{PATH}?datetime=2026-11-20T12:00:30Z", status=503)
    assert body["type"] == "/problems/database-unavailable"


async def test_a_store_that_goes_down_in_the_middle_cuts_the_answer_off(
    past: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of, "CHUNK", 2)
    original, asked = past.storage.top_as_of, []

    async def failing(*args: Any, **options: Any) -> Any:
        asked.append(True)
        if len(asked) > 2:
            raise StorageUnavailable
        return await original(*args, **options)

    monkeypatch.setattr(past.storage, "top_as_of", failing)
    async with past.client.get(f"{PATH}?datetime=2026-11-20T12:00:30Z") as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_client_that_leaves_in_the_middle_is_no_defect(
    past: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of, "CHUNK", 1)
    original, asked, gone = past.storage.top_as_of, [], asyncio.Event()

    async def waiting(*args: Any, **options: Any) -> Any:
        asked.append(True)
        if len(asked) > 3:
            await gone.wait()
        return await original(*args, **options)

    monkeypatch.setattr(past.storage, "top_as_of", waiting)
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection(past.client.host, past.client.port)
        writer.write(f"GET {PATH}?datetime=2026-11-20T12:00:30Z HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        await reader.readuntil(b"Bitcoin")
        runner: Any = past.client.server.runner
        writer.close()
        await until(lambda: all(one.transport is None for one in runner.server.connections))
        gone.set()
        await until(lambda: [one for one in logs if one["event"] == "client left"])
    assert [one for one in logs if one["log_level"] in {"warning", "error"}] == []


async def test_a_client_that_leaves_before_the_head_is_no_defect_either(
    past: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, asked, gone = past.storage.top_as_of, asyncio.Event(), asyncio.Event()

    async def waiting(*args: Any, **options: Any) -> Any:
        asked.set()
        await gone.wait()
        return await original(*args, **options)

    monkeypatch.setattr(past.storage, "top_as_of", waiting)
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection(past.client.host, past.client.port)
        writer.write(f"GET {PATH}?datetime=2026-11-20T12:00:30Z HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        await asked.wait()
        runner: Any = past.client.server.runner
        writer.close()
        await until(lambda: all(one.transport is None for one in runner.server.connections))
        gone.set()
        await until(lambda: [one for one in logs if one["event"] == "client left"])
    assert [one for one in logs if one["log_level"] in {"warning", "error"}] == []


async def test_a_past_list_does_not_change_afterwards(past: Rig) -> None:
    path = f"{PATH}?datetime=2026-11-20T12:00:30Z"
    before = await past.get(path)
    await past.storage.record_rates(
        [observed(1, "9", observed_at=START + timedelta(seconds=10))],
        fetched_at=past.clock(),
        stored_at=past.clock(),
    )
    assert await past.get(path) == before
