"""What the headers of quotes say, and that ready answers say the same as all others."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import orjson
import pytest
from yarl import URL

from api.known_paths import LONGEST_PATH, MOST, MOST_BYTES
from api.quotes import sides
from api.quotes.query import QuotesQuery
from api.quotes.quotes import KnownQuery
from shared.domain.currency import CurrencyKind, CurrencyProfile
from tests.api.quotes import (
    BTC,
    DUP,
    ETH,
    EUR,
    HIT,
    PATH,
    UPSTREAM,
    open_market,
    renew_catalog,
    trade,
    way,
)
from tests.api.rig import COINS, START, Rig, coin, observed

PROFILE = CurrencyProfile(
    circulating_supply=Decimal("19987654.5"),
    max_supply=Decimal(21000000),
    tags=("mineable", "pow"),
    links={"website": ("https://bitcoin.org/",)},
)


@pytest.fixture
async def market(rig: Rig) -> Rig:
    await open_market(rig)
    await trade(rig)
    return rig


async def test_an_answer_says_how_old_it_is_and_what_may_be_done_with_it(market: Rig) -> None:
    await market.advance(seconds=12)
    for _ in range(2):
        status, headers = await market.headers(f"{PATH}?symbol=BTC&convert=EUR", **{"X-Request-ID": "mine"})
        assert status == 200
        assert headers["Date"] == "Fri, 20 Nov 2026 12:00:12 GMT"
        assert headers["Age"] == "12"
        assert headers["Cache-Status"] == HIT
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-ID"] == "mine"
        assert headers["ETag"].startswith('W/"')
        assert "Last-Modified" not in headers
        assert "Freshrate-Stale" not in headers


async def test_ready_answers_are_what_others_are_and_go_ahead_of_the_router(market: Rig) -> None:
    counted: list[str] = []
    original = market.api.request_metrics.count

    def count(route: str, status: int, seconds: float) -> None:
        counted.append(route)
        original(route, status, seconds)

    market.api.request_metrics.count = count  # type: ignore[method-assign]
    path = f"{PATH}?symbol=BTC,eth,DUP&convert=EUR,ETH,USD,BTC&amount=3"
    await market.store(observed(DUP, "0.1", observed_at=START))
    await market.advance(minutes=14)
    await market.store(observed(ETH, "2600", observed_at=market.clock()))
    await market.advance(minutes=1, seconds=10)
    seen = []
    await market.get(path)
    await market.get(path)
    for more in ({}, {}, {"Connection": "close"}):
        async with market.client.get(path, headers=more) as response:
            headers = {
                k: v for k, v in response.headers.items() if k not in {"X-Request-ID", "Server", "Connection"}
            }
            seen.append((response.status, dict(sorted(headers.items())), await response.read()))
    via_application = URL(f"{market.client.make_url(path)}&max_age=86400", encoded=True)
    async with market.client.session.get(via_application) as response:
        body = await response.read()
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1]["Freshrate-Stale"] == "true"
    assert orjson.loads(body) == orjson.loads(seen[0][2])
    assert counted == [PATH] * 6
    assert market.api.quotes.paths.get(path) is not None


async def test_the_etag_is_another_whenever_the_body_is_but_for_its_ages(market: Rig) -> None:
    path = f"{PATH}?symbol=BTC,NEW&convert=EUR,USD"

    async def tag() -> str:
        _, headers = await market.headers(path)
        said: str = headers["ETag"]
        return said

    await market.get(path)
    seen = [await tag()]
    await market.advance(seconds=7)
    assert await tag() == seen[0]
    status, headers = await market.headers(path, **{"If-None-Match": seen[0]})
    assert (status, headers["Age"], headers["Cache-Status"]) == (304, "7", HIT)
    assert (await market.headers(f"{path}&max_age=60", **{"If-None-Match": seen[0]}))[0] == 200
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    seen.append(await tag())
    await market.store(observed(EUR, "1.2", source="frankfurter", observed_at=market.clock()))
    seen.append(await tag())
    await market.advance(minutes=16)
    seen.append(await tag())
    await market.storage.record_profiles({BTC: PROFILE}, profiled_at=market.clock())
    await renew_catalog(market)
    seen.append(await tag())
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS, coin(78, "NEW", 3)), stored_at=START)
    await renew_catalog(market)
    await market.store(observed(78, "1", observed_at=START))
    seen.append(await tag())
    assert len(set(seen)) == len(seen) == 6
    assert (await market.headers(path, **{"If-None-Match": seen[0]}))[0] == 200


async def test_head_is_not_offered_for_it_may_spend_credits(market: Rig) -> None:
    async with market.client.head(f"{PATH}?symbol=BTC") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET"


async def test_paths_are_remembered_within_a_bound(market: Rig) -> None:
    for number in range(1, MOST + 10):
        await market.get(f"{PATH}?symbol=BTC&amount={number}")
    assert len(market.api.quotes.paths) == MOST
    long = f"{PATH}?symbol=BTC&amount=1&convert=EUR{'%20' * 400}"
    await market.get(long)
    assert market.api.quotes.paths.get(long) is None


async def test_the_largest_request_is_answered_whole(market: Rig) -> None:
    coins = tuple(coin(10_000 + one, f"C{one}", 10 + one) for one in range(100))
    await market.storage.record_catalog(CurrencyKind.CRYPTO, (*COINS, *coins), stored_at=START)
    await renew_catalog(market)
    symbols, targets = ",".join(f"C{one}" for one in range(100)), ",".join(f"C{one}" for one in range(10))
    path = f"{PATH}?symbol={symbols}&convert={targets}"
    for status in (UPSTREAM, HIT, HIT):
        assert await way(market, path.partition("?")[2]) == status
    body = await market.get(path)
    assert (len(body["results"]), {len(row["quotes"]) for row in body["results"]}) == (100, {10})
    assert all(one["price"] for row in body["results"] for one in row["quotes"])
    assert [len(one.currency_ids) for one in market.worker.commands] == [100]


async def test_fiat_of_the_catalog_says_its_sign(market: Rig) -> None:
    (row,) = (await market.get(f"{PATH}?symbol=EUR"))["results"]
    assert (row["sign"], row["rank"], row["platform"]) == ("€", None, None)


async def test_encoded_rates_are_kept_within_a_bound(market: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "MOST", 2)
    before = await market.get(f"{PATH}?symbol=BTC,ETH&convert=EUR,USD")
    assert len(market.api.quotes._sides) == 2
    assert await market.get(f"{PATH}?symbol=BTC,ETH&convert=EUR,USD") == before


async def test_the_etag_tells_of_namesakes_and_of_what_there_is_not(market: Rig) -> None:
    async def tag(query: str) -> str:
        status, headers = await market.headers(f"{PATH}?{query}")
        assert status == 200
        said: str = headers["ETag"]
        return said

    assert await tag("symbol=BTC,NOPE") != await tag("symbol=BTC,NADA")
    before = await tag("symbol=BTC")
    coins = (*COINS, coin(79, "BTC", 999))
    await market.storage.record_catalog(CurrencyKind.CRYPTO, coins, stored_at=START)
    await renew_catalog(market)
    assert (await market.get(f"{PATH}?symbol=BTC"))["results"][0]["also"] == [79]
    assert await tag("symbol=BTC") != before


async def sent(rig: Rig, path: str, version: str, headers: Sequence[str]) -> tuple[str, list[str], bytes]:
    """The status line, the header lines and the body as they came over the wire."""
    server = rig.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    lines = [f"GET {path} HTTP/{version}", "Host: h", "X-Request-ID: mine", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    lengths = [int(one.partition(": ")[2]) for one in fields if one.startswith("Content-Length: ")]
    body = await reader.readexactly(sum(lengths))
    writer.close()
    return status, sorted(one for one in fields if not one.startswith("Server: ")), body


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", []),
        ("1.0", []),
        ("1.0", ["Connection: keep-alive"]),
        ("1.1", ["Connection: close"]),
        ("1.1", ["If-None-Match: *"]),
        ("1.1", ["If-Modified-Since: Fri, 20 Nov 2036 12:00:12 GMT"]),
        ("1.1", ["Range: bytes=0-1"]),
        ("1.1", ["Accept-Encoding: gzip"]),
    ],
)
async def test_ready_answers_are_to_the_byte_what_others_are(
    market: Rig, version: str, headers: list[str]
) -> None:
    await market.advance(minutes=16)
    await market.store(observed(BTC, "7", observed_at=market.clock()))
    path = f"{PATH}?symbol=BTC,DUP,EUR&convert=EUR,ETH,USD"
    await market.get(f"{PATH}?symbol=DUP,ETH,EUR")
    others = await sent(market, path, version, headers)
    assert market.api.quotes.ready(path, market.clock().timestamp()) is not None
    ready = await sent(market, path, version, headers)
    assert ready == others
    assert ready[0].endswith("304 Not Modified" if headers == ["If-None-Match: *"] else "200 OK")
    assert "Freshrate-Stale: true" in ready[1]


async def test_paths_are_remembered_within_a_bound_of_bytes(market: Rig) -> None:
    paths = market.api.quotes.paths
    known = KnownQuery(QuotesQuery())
    names = [f"/{one}".ljust(LONGEST_PATH, "a") for one in range(2 * MOST_BYTES // LONGEST_PATH)]
    for name in names:
        paths.learn(name, known)
    assert len(paths) == MOST_BYTES // LONGEST_PATH
    assert (paths.get(names[0]), paths.get(names[-1])) == (None, known)
