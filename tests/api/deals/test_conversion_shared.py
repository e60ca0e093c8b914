"""Conversions that many ask for, that take long, or whose deals are replaced meanwhile."""

import asyncio
from decimal import Decimal

import pytest
from aiohttp import ServerDisconnectedError

from api.deals import conversions, converter
from tests.api.conftest import StartRig
from tests.api.deals.ledger import PATH, UPLOADS, Reads, replace_deals, rows, spent
from tests.api.deals.test_conversion import DATE, HOUR, bought, stated
from tests.api.quotes import EUR, open_market
from tests.api.rig import Rig, until

HALF = {"a": Decimal("0.5")}


@pytest.fixture
async def market(rig: Rig) -> Rig:
    await open_market(rig)
    await stated(rig, "2", DATE - HOUR)
    await stated(rig, "4", DATE - HOUR, currency_id=EUR, source="frankfurter")
    await replace_deals(rig, bought("a", "1"))
    return rig


class Gate:
    """Holds readings of deals."""

    def __init__(self, reads: Reads, times: int = 1) -> None:
        self.reads = reads
        self.is_open = asyncio.Event()
        reads.before_deals += [self.is_open.wait] * times


async def test_an_answer_is_kept_as_long_as_a_rate_and_then_computed_anew(market: Rig, reads: Reads) -> None:
    assert await spent(market, "convert=BTC") == HALF
    await stated(market, "1", DATE)
    await market.advance(seconds=59)
    assert await spent(market, "convert=BTC") == HALF
    assert reads.priced == 1
    await market.advance(seconds=1)
    assert await spent(market, "convert=BTC") == {"a": 1}
    assert (reads.priced, reads.ids) == (2, 3)


async def test_another_top_or_currency_is_another_answer(market: Rig, reads: Reads) -> None:
    for query in ("convert=BTC", "convert=BTC&top=1", "convert=EUR", "convert=btc", "convert=EUR&top=5"):
        await rows(market, query)
    assert reads.priced == 3
    assert await spent(market, "convert=EUR") == {"a": Decimal("0.25")}


async def test_a_newer_upload_is_answered_at_once(market: Rig) -> None:
    assert await spent(market, "convert=BTC") == HALF
    _, headers = await market.headers(f"{PATH}?convert=BTC")
    upload_id = await replace_deals(market, bought("b", "1"))
    assert await spent(market, "convert=BTC") == {"b": Decimal("0.5")}
    status, later = await market.headers(f"{PATH}?convert=BTC", **{"If-None-Match": headers["ETag"]})
    assert (status, later["Freshrate-Deals-Upload"]) == (200, str(upload_id))
    assert (await market.headers(f"{PATH}?convert=BTC", **{"If-None-Match": later["ETag"]}))[0] == 304


async def test_those_who_ask_at_once_share_a_computation(market: Rig, reads: Reads) -> None:
    gate = Gate(reads)
    asking = [asyncio.create_task(spent(market, "convert=BTC")) for _ in range(9)]
    await until(lambda: reads.ids == 9)
    gate.is_open.set()
    assert await asyncio.gather(*asking) == [HALF] * 9
    assert (reads.priced, reads.summaries) == (1, 1)


async def test_the_summary_is_read_once_whatever_is_asked_for(market: Rig, reads: Reads) -> None:
    queries = ("", "top=1", "convert=BTC", "convert=EUR&top=7", "convert=USD")
    await asyncio.gather(*(rows(market, query) for query in queries))
    await rows(market, "convert=EUR&top=3")
    assert (reads.summaries, reads.priced) == (1, 3)


async def test_different_ones_are_computed_one_after_another(market: Rig, reads: Reads) -> None:
    gate = Gate(reads)
    first = asyncio.create_task(spent(market, "convert=BTC"))
    await until(lambda: reads.priced == 1)
    second = asyncio.create_task(spent(market, "convert=EUR"))
    await until(lambda: reads.ids == 2)
    await market.get(UPLOADS)
    assert reads.priced == 1
    gate.is_open.set()
    assert (await first, await second) == (HALF, {"a": Decimal("0.25")})


async def test_a_failure_is_told_to_all_and_not_kept(
    market: Rig, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converter, "MOST_DEALS", 0)
    gate = Gate(reads)
    asking = [asyncio.create_task(market.headers(f"{PATH}?convert=BTC")) for _ in range(3)]
    await until(lambda: reads.ids == 3)
    gate.is_open.set()
    assert [status for status, _ in await asyncio.gather(*asking)] == [400] * 3
    monkeypatch.setattr(converter, "MOST_DEALS", 1)
    assert await spent(market, "convert=BTC") == HALF


async def test_deals_that_are_replaced_while_they_are_read_are_read_anew(market: Rig, reads: Reads) -> None:
    reads.before_deals += [lambda: replace_deals(market, bought("b", "3"))]
    assert await spent(market, "convert=BTC") == {"b": Decimal("1.5")}
    assert await spent(market, "convert=BTC") == {"b": Decimal("1.5")}
    assert reads.priced == 2


async def test_deals_that_are_replaced_again_and_again_are_503(market: Rig, reads: Reads) -> None:
    for total in "234":
        reads.before_deals.append(lambda total=total: replace_deals(market, bought("b", total)))  # type: ignore[misc]
    status, headers = await market.headers(f"{PATH}?convert=BTC")
    assert (status, reads.priced) == (503, 3)
    assert "Retry-After" in headers
    assert await spent(market, "convert=BTC") == {"b": 2}


async def test_who_waits_too_long_is_told_and_finds_the_answer_later(
    start: StartRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_market(await start(refresh_timeout_seconds=0.05))
    await stated(rig, "2", DATE - HOUR)
    await replace_deals(rig, bought("a", "1"))
    reads = Reads(rig.storage, monkeypatch)
    gate = Gate(reads)
    body = await rig.get(f"{PATH}?convert=BTC", status=504)
    assert "ask again" in body["detail"]
    gate.is_open.set()
    await until(lambda: not rig.api.deals._conversions._under_way)
    assert await spent(rig, "convert=BTC") == HALF
    assert reads.priced == 1


async def test_no_more_than_so_many_wait(market: Rig, reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "MOST_WAITING", 2)
    gate = Gate(reads)
    asking = [asyncio.create_task(market.headers(f"{PATH}?convert=BTC&top={n}")) for n in (1, 2)]
    await until(lambda: len(market.api.deals._conversions._under_way) == 2)
    status, headers = await market.headers(f"{PATH}?convert=BTC&top=3")
    assert (status, headers["Retry-After"]) == (429, "5")
    gate.is_open.set()
    assert [status for status, _ in await asyncio.gather(*asking)] == [200, 200]


async def test_memory_is_bounded_by_bytes(market: Rig, reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "LARGEST_CACHE", 1)
    for query, priced in (("convert=BTC", 1), ("convert=BTC", 1), ("convert=EUR", 2), ("convert=BTC", 3)):
        await rows(market, query)
        assert reads.priced == priced


async def test_a_conversion_under_way_does_not_keep_the_process(market: Rig, reads: Reads) -> None:
    Gate(reads)
    asking = asyncio.create_task(market.headers(f"{PATH}?convert=BTC"))
    await until(lambda: reads.priced == 1)
    await market.api.deals.close()
    assert not market.api.deals._conversions._under_way
    with pytest.raises(ServerDisconnectedError):
        await asking
