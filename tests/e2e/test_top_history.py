"""The top list of past moments, through real processes."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
import pytest

from shared.domain.times import iso
from tests.e2e.processes import Stack
from tests.e2e.test_rates import get
from tests.e2e.top import FORMS, LENGTH, Answer, as_of, ask, listed, past_moment, start
from tests.waiting import until


@pytest.mark.parametrize("form", FORMS)
async def test_the_list_of_a_past_moment_never_changes_and_a_new_ranking_has_its_own_time(
    stack: Stack, http: aiohttp.ClientSession, form: str
) -> None:
    service = await start(stack, http, form, env={"CACHE_TTL_SECONDS": "1"})
    first = await listed(http, service.api)
    moment = await past_moment()
    as_known = [await as_of(http, service.api, moment)]
    table = await ask(http, service.api, limit=LENGTH, datetime=iso(moment), format="csv")
    assert as_known[0].is_whole()
    assert as_known[0].order == first.order

    # Another seed: the same coins, traded quite differently.
    [simulator] = [one for one in stack.processes if one.url == service.cryptocompare.url]
    await simulator.kill()
    await stack.upstream("--seed", "2", port=urlsplit(simulator.url).port or 0)

    async def has_moved() -> Answer | None:
        answer = await ask(http, service.api, limit=LENGTH)
        moved = answer.order != first.order and answer.data["sources"]["ranking"] == "cryptocompare"
        return answer if moved and not answer.data["stale"] else None

    second = await until(has_moved, seconds=20, what="a new ranking")
    later = await past_moment()
    assert (await as_of(http, service.api, later)).order == second.order
    as_known.append(await as_of(http, service.api, moment))
    assert as_known[0].body == as_known[1].body
    again = await ask(http, service.api, limit=LENGTH, datetime=iso(moment), format="csv")
    assert table.body == again.body


@pytest.mark.parametrize("form", FORMS)
async def test_a_price_of_the_past_is_the_newest_that_was_known_then(
    stack: Stack, http: aiohttp.ClientSession, form: str
) -> None:
    service = await start(stack, http, form, env={"CACHE_TTL_SECONDS": "1"})
    moments = []
    for _ in range(3):
        await listed(http, service.api)
        moments.append(await past_moment())
    _, page = await get(http, service.api, "/api/ratescurrency/1/?source=coinmarketcap&limit=1000")
    for moment in moments:
        known = [
            rate for rate in page["results"] if max(rate["actual_date"], rate["date_added"]) <= iso(moment)
        ]
        [row] = [row for row in (await as_of(http, service.api, moment)).rows if row["currency"] == 1]
        newest = max(known, key=lambda rate: (rate["actual_date"], rate["id"]))
        assert (row["price_usd"], row["actual_date"]) == (newest["price_usd"], newest["actual_date"])


@pytest.mark.parametrize("form", FORMS)
async def test_the_list_of_this_very_moment_does_not_change_either(
    stack: Stack, http: aiohttp.ClientSession, form: str
) -> None:
    """While the list is renewed every second: what is just being committed belongs to a later moment."""
    service = await start(stack, http, form, env={"CACHE_TTL_SECONDS": "1"})
    await listed(http, service.api)
    renewed = len(await service.coinmarketcap.calls())
    answers = []
    while len(await service.coinmarketcap.calls()) < renewed + 8:
        await ask(http, service.api, limit=LENGTH)
        moment = datetime.now(UTC)
        answers.append((moment, await as_of(http, service.api, moment)))
    again = [(moment, (await as_of(http, service.api, moment)).body) for moment, _ in answers]
    assert [
        moment for (moment, answer), (_, body) in zip(answers, again, strict=True) if answer.body != body
    ] == []
