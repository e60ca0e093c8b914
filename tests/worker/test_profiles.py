"""What sources tell of currencies: asked for once a day, and soon after somebody asks."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from shared.domain.allowance import FAILURES_TO_OPEN, Allowance
from shared.domain.currency import CurrencyProfile
from shared.domain.schedule import ScheduleState
from shared.domain.times import utc_now
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import StorageUnavailable
from shared.messages import CatalogStored, RatesStored, Role
from shared.opening import World
from shared.settings import read_settings
from tests.worker.test_consumer import Listener, command, consuming
from tests.worlds import Upstreams, small_world
from worker import tracked
from worker.jobs import profiles as module
from worker.jobs.catalog import renew_catalog
from worker.jobs.prices import poll_prices
from worker.jobs.profiles import CHUNK, PROFILES, renew_profiles
from worker.schedule import next_due

INFO, QUOTES = "info", "quotes"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
EURO = 2790


def after(world: World, pause: timedelta) -> World:
    moment = world.clock() + pause
    return replace(world, clock=lambda: moment)


async def profile(world: World, currency_id: int) -> tuple[CurrencyProfile, datetime | None]:
    detail = await world.storage.currency(currency_id)
    assert detail is not None
    return detail.profile, detail.profiled_at


async def visits(world: World) -> list[Visit]:
    return [one for one in await world.storage.visits(limit=20) if one.what.startswith("profiles")]


async def ask(world: World, *currency_ids: int) -> None:
    await world.storage.record_demand(dict.fromkeys(currency_ids, world.clock()))


async def far_down(world: World, count: int) -> list[int]:
    """Those that nobody tracks."""
    return [one.id for one in await world.storage.catalog() if one.rank is not None][-count:]


async def test_what_is_tracked_gets_its_profile_in_two_calls_and_all_are_told(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    listener = await Listener(world).open()
    started_at = world.clock()
    done_at = await renew_profiles(world)
    assert done_at is not None
    assert done_at >= started_at
    assert await listener.next() == CatalogStored(currencies=len(await world.storage.catalog()))
    bitcoin, profiled_at = await profile(world, 1)
    assert bitcoin.circulating_supply
    assert bitcoin.tags
    assert bitcoin.links
    assert profiled_at is not None
    assert profiled_at >= started_at
    assert (await upstreams.calls(INFO), await upstreams.calls(QUOTES)) == (1, 1)
    (visit,) = await visits(world)
    assert (visit.what, visit.reason, visit.outcome, visit.credits) == (
        "profiles of 20",
        VisitReason.POLL,
        VisitOutcome.DONE,
        2,
    )


async def test_what_is_known_is_not_asked_for_again_before_a_day_is_over(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    for pause, calls in ((timedelta(0), 1), (23 * 60 * MINUTE, 1), (DAY + MINUTE, 2)):
        assert await renew_profiles(after(world, pause)) is not None
        assert await upstreams.calls(INFO) == calls


async def test_who_is_asked_for_gets_a_profile_though_nobody_tracks_it(world: World) -> None:
    await renew_catalog(world)
    (far,) = await far_down(world, 1)
    assert (await profile(world, far))[1] is None
    await ask(world, far, EURO)
    assert await renew_profiles(world) is not None
    assert (await profile(world, far))[0].tags
    assert (await profile(world, EURO))[1] is None


async def test_who_has_no_profile_comes_before_who_has_an_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)
    assert await renew_profiles(world) is not None
    _, first = await profile(world, 1)
    later = after(world, DAY + MINUTE)
    (far,) = await far_down(world, 1)
    await ask(later, far)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    assert await renew_profiles(later) is None
    assert (await profile(world, far))[1] == later.clock()
    assert (await profile(world, 1))[1] == first


async def test_what_is_kept_warm_gets_a_profile_however_many_others_are_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)
    monkeypatch.setattr(tracked, "MOST_WARM", 1)
    catalog = await world.storage.catalog()
    one, other = await far_down(world, 2)
    for early, currency_ids in ((2, [other]), (1, [one]), (0, [EURO, *(coin.id for coin in catalog[:20])])):
        await ask(after(world, -early * MINUTE), *currency_ids)
    assert await renew_profiles(world) is not None
    assert (await profile(world, one))[1] is not None
    assert (await profile(world, other))[1] is None


async def test_a_profile_of_a_clock_that_was_far_ahead_is_renewed(world: World) -> None:
    await renew_catalog(world)
    assert await renew_profiles(after(world, 365 * DAY)) is not None
    now = after(world, timedelta(0))
    assert await renew_profiles(now) is not None
    assert (await profile(world, 1))[1] == now.clock()


async def test_many_are_asked_for_in_chunks_and_no_more_than_so_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AT_ONCE", 2 * CHUNK + 10)
    async with small_world(tmp_path, tracked_top=300) as (world, upstreams):
        await renew_catalog(world)
        assert await renew_profiles(world) is None
        assert sorted(one.what for one in await visits(world)) == [
            "profiles of 10",
            "profiles of 100",
            "profiles of 100",
        ]
        catalog = [one.id for one in await world.storage.catalog()]
        left = await world.storage.profiled_before(world.clock() - DAY, catalog[:300])
        assert len(left) == 90
        assert await upstreams.calls("listings") == 0
        assert await renew_profiles(after(world, DAY / 2)) is not None


async def test_what_the_source_never_told_of_is_kept_as_empty_and_not_asked_for_again(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(kind="missing", ids=[1])
    assert await renew_profiles(world) is not None
    empty, profiled_at = await profile(world, 1)
    assert empty == CurrencyProfile()
    assert profiled_at is not None
    assert (await profile(world, 1027))[0].tags


@pytest.mark.parametrize("path", [INFO, QUOTES, ""])
async def test_what_an_answer_lacks_is_kept_as_it_is_known(
    world: World, upstreams: Upstreams, path: str
) -> None:
    await renew_catalog(world)
    assert await renew_profiles(world) is not None
    known, _ = await profile(world, 1)
    assert known.tags
    assert known.links
    assert known.max_supply
    await upstreams.fault(path=path, kind="missing", ids=[1])
    later = after(world, DAY + MINUTE)
    assert await renew_profiles(later) is not None
    told, profiled_at = await profile(world, 1)
    assert (told.links, told.max_supply) == (known.links, known.max_supply)
    assert told.tags
    assert told.circulating_supply
    assert profiled_at == later.clock()


async def test_what_whole_answers_no_longer_tell_of_is_gone(world: World) -> None:
    await renew_catalog(world)
    old = CurrencyProfile(max_supply=Decimal(7), links={"chat": ("https://a.example/",)})
    (ether,) = (one.id for one in await world.storage.catalog() if one.symbol == "ETH")
    await world.storage.record_profiles({ether: old}, profiled_at=world.clock() - 2 * DAY)
    assert await renew_profiles(world) is not None
    told, _ = await profile(world, ether)
    assert told.max_supply is None
    assert "chat" not in told.links
    assert told.links


async def test_a_single_one_that_the_source_does_not_know_is_kept_as_empty_too(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=1) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(kind="missing", ids=[1])
        assert await renew_profiles(world) is not None
        empty, profiled_at = await profile(world, 1)
        assert empty == CurrencyProfile()
        assert profiled_at is not None


@pytest.mark.parametrize("path", [INFO, QUOTES])
async def test_where_a_call_fails_nothing_is_kept_and_the_job_is_not_done(
    world: World, upstreams: Upstreams, path: str
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path=path, kind="malformed")
    assert await renew_profiles(world) is None
    assert (await profile(world, 1))[1] is None
    (visit,) = await visits(world)
    assert visit.outcome is VisitOutcome.FAILED
    assert visit.credits == (0 if path == INFO else 1)


@pytest.mark.parametrize("code", [1006, 403, 500])
async def test_profiles_that_fail_for_good_close_the_source_to_nobody(
    world: World, upstreams: Upstreams, code: int
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path=INFO, kind="status", code=code)
    for _ in range(FAILURES_TO_OPEN + 1):
        assert await renew_profiles(world) is None
    assert await upstreams.calls(INFO) == FAILURES_TO_OPEN + 1
    allowance, _ = await world.storage.allowance("coinmarketcap")
    assert (allowance.blocked_until, allowance.open_until, allowance.failures) == (None, None, 0)
    assert await poll_prices(world) is not None
    listener = await Listener(world).open()
    async with consuming(world):
        await world.queue.submit(Role.PRICING, [command(world, 1)], wait=timedelta(seconds=5))
        fact = await listener.next()
    assert isinstance(fact, RatesStored)
    assert [rate.currency_id for rate in fact.stored] == [1]


@pytest.mark.parametrize("code", [403, 500])
async def test_after_a_failure_that_the_next_chunk_would_share_the_run_ends(
    tmp_path: Path, code: int
) -> None:
    async with small_world(tmp_path, tracked_top=200) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(path=INFO, kind="status", code=code, times=1)
        assert await renew_profiles(world) is None
        assert (await upstreams.calls(INFO), await upstreams.calls(QUOTES)) == (1, 0)


async def test_of_chunks_that_fail_the_others_know_nothing(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=200) as (world, upstreams):
        await renew_catalog(world)
        await upstreams.fault(path=INFO, kind="malformed", times=1)
        assert await renew_profiles(world) is None
        catalog = [one.id for one in await world.storage.catalog()]
        left = await world.storage.profiled_before(world.clock() - DAY, catalog[:200])
        assert len(left) == 100


async def test_a_source_that_may_not_be_asked_is_left_alone_without_a_line_in_the_journal(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    before = await upstreams.calls()
    _, version = await world.storage.allowance("coinmarketcap")
    blocked = Allowance().blocked(until=world.clock() + DAY, because="told to stop")
    assert await world.storage.replace_allowance("coinmarketcap", blocked, version=version)
    assert await renew_profiles(world) is None
    assert await visits(world) == []
    assert await upstreams.calls() == before


async def test_newcomers_wait_for_as_long_as_the_month_demands(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=15_000) as (world, upstreams):
        await renew_catalog(world)
        assert await renew_profiles(world) is not None
        one, *_ = await far_down(world, 1)
        await ask(world, one)
        pause = await world.upstream.poll_interval(world.sources[0], 20)
        assert pause > MINUTE
        for share, is_done in ((0.9, False), (1.1, True)):
            assert (await renew_profiles(after(world, share * pause)) is not None) == is_done
            assert await upstreams.calls(INFO) == 1 + is_done


async def test_of_many_newcomers_as_many_are_asked_for_as_the_month_bears(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=15_000) as (world, _):
        await renew_catalog(world)
        assert await renew_profiles(world) is not None
        many = await far_down(world, 2 * CHUNK + 1)
        await ask(world, *many)
        pause = await world.upstream.poll_interval(world.sources[0], 20)
        left = []
        for share in (1.1, 3.3, 4.5):
            later = after(world, share * pause)
            is_done = await renew_profiles(later) is not None
            left.append((len(await later.storage.profiled_before(later.clock() - DAY, many)), is_done))
        assert left == [(CHUNK + 1, False), (0, True), (0, True)]


def test_a_run_that_is_held_back_is_followed_by_the_next_look_and_by_none_before() -> None:
    settings = read_settings(_env_file=None)
    now = utc_now()
    held_back = ScheduleState(
        job="profiles", done_at=now - DAY, claimed_for=now - DAY + MINUTE, claimed_until=now
    )
    due = next_due(PROFILES.schedule(settings), held_back, now=now, retry=PROFILES.retry)
    assert due == now + MINUTE


async def test_without_a_budget_newcomers_do_not_wait(tmp_path: Path) -> None:
    async with small_world(tmp_path, coinmarketcap_credits_per_month=0) as (world, upstreams):
        await renew_catalog(world)
        assert await renew_profiles(world) is not None
        await ask(world, *await far_down(world, 1))
        assert await renew_profiles(world) is not None
        assert await upstreams.calls(INFO) == 2


async def test_a_store_that_goes_away_leaves_the_job_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)

    async def down(*_: object, **__: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(world.storage), "record_profiles", down)
        assert await renew_profiles(world) is None
    assert (await profile(world, 1))[1] is None


async def test_where_nothing_is_tracked_or_asked_for_nobody_is_asked(tmp_path: Path) -> None:
    async with small_world(tmp_path, tracked_top=0) as (world, upstreams):
        await renew_catalog(world)
        before = await upstreams.calls()
        assert await renew_profiles(world) is not None
        assert await upstreams.calls() == before


async def test_without_a_catalog_the_job_is_not_done(world: World, upstreams: Upstreams) -> None:
    assert await renew_profiles(world, patience=timedelta(seconds=0.2)) is None
    assert await upstreams.calls() == 0
