"""What the top list says while a source fails or a worker is dead, and what history says of it afterwards."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tests.e2e.processes import Stack
from tests.e2e.top import (
    FORMS,
    LENGTH,
    PROCESSES,
    STANDALONE,
    Answer,
    Service,
    as_of,
    ask,
    listed,
    past_moment,
    start,
)
from tests.waiting import until

BRIEF = {"CACHE_TTL_SECONDS": "1", "REFRESH_TIMEOUT_SECONDS": "4"}
"""The list is due after a second, and a source that hangs is given up soon."""
COINMARKETCAP_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "hang"},
    {"kind": "status", "code": 500},
    {"kind": "malformed"},
    {"kind": "empty"},
    {"kind": "status", "code": 1001},
    {"kind": "status", "code": 1008},
)
CRYPTOCOMPARE_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "hang"},
    {"kind": "status", "code": 500},
    {"kind": "malformed"},
    {"kind": "empty"},
    {"kind": "status", "code": 1},
    {"kind": "status", "code": 99},
    {"kind": "status", "code": 401},
)
_FAILED = re.compile(r'^freshrate_top_renewals_total{outcome="(?!renewed").+} (.+)$', re.MULTILINE)


def name_of(fault: dict[str, Any]) -> str:
    return "-".join(map(str, fault.values()))


async def answered(
    http: aiohttp.ClientSession, service: Service, *, stale: bool, **sources: str | list[str]
) -> Answer:
    """The list, as soon as it says so."""
    last: Answer | None = None

    async def is_answered() -> Answer | None:
        nonlocal last
        last = await ask(http, service.api, limit=LENGTH)
        assert last.status == 200, last.body
        assert (last.headers.get("Freshrate-Stale") == "true") == last.data["stale"]
        says = last.data["sources"]
        is_so = last.data["stale"] is stale and all(says[part] == named for part, named in sources.items())
        return last if is_so else None

    try:
        answer: Answer = await until(is_answered, seconds=25, what=f"a list with {stale=} of {sources}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {last and (last.headers, last.body[:500])!r}") from None
    return answer


async def failures(http: aiohttp.ClientSession, service: Service) -> float:
    """Renewals that failed so far."""
    metrics = await ask(http, service.api, "/metrics")
    return sum(float(one[1]) for one in _FAILED.finditer(metrics.body.decode()))


async def has_failed(http: aiohttp.ClientSession, service: Service, *, since: float) -> None:
    """Returns when the list was asked for, and could not be renewed, so that there are more failures."""

    async def is_counted() -> bool:
        await ask(http, service.api, limit=LENGTH)
        return await failures(http, service) > since

    await until(is_counted, seconds=25, what="a renewal that fails")


async def assert_no_hole(http: aiohttp.ClientSession, service: Service, *moments: datetime) -> None:
    """What was in force at each of these moments is a whole list."""
    for moment in moments:
        assert (await as_of(http, service.api, moment)).is_whole()


@pytest.mark.parametrize("fault", CRYPTOCOMPARE_FAULTS, ids=name_of)
async def test_where_cryptocompare_fails_coinmarketcap_ranks(
    stack: Stack, http: aiohttp.ClientSession, fault: dict[str, Any]
) -> None:
    service = await start(stack, http, STANDALONE, env=BRIEF)
    await listed(http, service.api)
    before = await past_moment()
    known = await as_of(http, service.api, before)
    await service.cryptocompare.fault(**fault)
    replaced = await answered(http, service, stale=False, ranking="coinmarketcap", prices=["coinmarketcap"])
    assert replaced.is_whole()
    await assert_no_hole(http, service, await past_moment())
    assert (await as_of(http, service.api, before)).body == known.body


@pytest.mark.parametrize("fault", COINMARKETCAP_FAULTS, ids=name_of)
async def test_where_coinmarketcap_fails_the_prices_are_cryptocompares(
    stack: Stack, http: aiohttp.ClientSession, fault: dict[str, Any]
) -> None:
    service = await start(stack, http, STANDALONE, env=BRIEF)
    await listed(http, service.api)
    before = await past_moment()
    known = await as_of(http, service.api, before)
    await service.coinmarketcap.fault(**fault)
    replaced = await answered(http, service, stale=False, ranking="cryptocompare", prices=["cryptocompare"])
    assert replaced.is_whole()
    assert {row["source"] for row in replaced.rows} == {"cryptocompare"}
    await assert_no_hole(http, service, await past_moment())
    assert (await as_of(http, service.api, before)).body == known.body


async def test_after_an_outage_that_opened_its_breaker_cryptocompare_ranks_again(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http, STANDALONE, env=BRIEF)
    await listed(http, service.api)
    await service.cryptocompare.fault(kind="status", code=500)
    await answered(http, service, stale=False, ranking="coinmarketcap")

    async def is_left_alone() -> bool:
        await ask(http, service.api, limit=LENGTH)
        metrics = await ask(http, service.api, "/metrics")
        return b'freshrate_upstream_blocked{source="cryptocompare"} 1.0' in metrics.body

    await until(is_left_alone, seconds=20, what="an open breaker")
    await service.cryptocompare.heal()
    assert (await answered(http, service, stale=False, ranking="cryptocompare")).is_whole()


@pytest.mark.parametrize("form", FORMS)
async def test_where_both_fail_the_last_list_goes_on_with_its_true_age(
    stack: Stack, http: aiohttp.ClientSession, form: str
) -> None:
    service = await start(stack, http, form, env=BRIEF)
    await listed(http, service.api)
    vendors = (service.coinmarketcap, service.cryptocompare)
    await service.quiet(2)
    before = await past_moment()
    known = await as_of(http, service.api, before)
    visited = [max(call.time for call in await vendor.calls()) for vendor in vendors]
    for vendor in vendors:
        await vendor.fault(kind="reset")
    stale = await answered(http, service, stale=True)
    asked = datetime.now(UTC)
    assert stale.is_whole()
    assert stale.order == known.order
    age = int(stale.headers["Age"])
    assert (asked - min(visited)).total_seconds() - 5 <= age <= (asked - min(visited)).total_seconds() + 1
    during = await past_moment()
    for vendor in vendors:
        await vendor.heal()
    fresh = await answered(http, service, stale=False)
    assert fresh.is_whole()
    assert int(fresh.headers["Age"]) <= 1
    await assert_no_hole(http, service, before, during, await past_moment())
    assert (await as_of(http, service.api, before)).body == known.body


async def test_a_list_that_cannot_be_renewed_is_answered_at_once(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http, PROCESSES, env=BRIEF)
    await listed(http, service.api)
    for vendor in (service.coinmarketcap, service.cryptocompare):
        await vendor.fault(kind="hang")
    # What was under way before may end well still.
    await service.quiet(1)
    await has_failed(http, service, since=await failures(http, service))
    answers = await asyncio.gather(*(ask(http, service.api, limit=LENGTH) for _ in range(20)))
    assert all(answer.data["stale"] for answer in answers)
    assert max(answer.seconds for answer in answers) < 2


async def test_a_dead_ranking_worker_costs_the_order_its_youth_and_not_the_prices(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http, PROCESSES, env=BRIEF)
    first = await listed(http, service.api)
    await service.ranking.kill()
    stale = await answered(http, service, stale=True)
    assert stale.order == first.order

    async def has_new_prices() -> bool:
        answer = await ask(http, service.api, limit=LENGTH)
        assert answer.is_whole()
        return bool(answer.data["stale"] and answer.rows[0]["actual_date"] > stale.rows[0]["actual_date"])

    await until(has_new_prices, seconds=20, what="new prices without a ranking worker")
    await stack.worker(WORKER_ROLES="ranking")
    assert (await answered(http, service, stale=False)).is_whole()


async def test_a_dead_pricing_worker_leaves_ranking_and_what_prices_come_with_it(
    stack: Stack, http: aiohttp.ClientSession
) -> None:
    service = await start(stack, http, PROCESSES, env=BRIEF)
    await listed(http, service.api)
    await service.pricing.kill()
    ranked = len(await service.cryptocompare.calls("totalvolfull"))
    without = await answered(http, service, stale=True)

    async def is_ranked_again() -> bool:
        await ask(http, service.api, limit=LENGTH)
        return len(await service.cryptocompare.calls("totalvolfull")) > ranked + 2

    await until(is_ranked_again, seconds=20, what="new rankings without a pricing worker")
    assert without.is_whole()
    await stack.worker(WORKER_ROLES="pricing")
    assert (await answered(http, service, stale=False, prices=["coinmarketcap"])).is_whole()
