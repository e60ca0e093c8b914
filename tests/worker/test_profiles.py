"""What sources tell of currencies: asked for once a day, and soon after somebody asks."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared.domain.allowance import Allowance
from shared.domain.currency import CurrencyProfile
from shared.domain.visit import Visit, VisitOutcome, VisitReason
from shared.errors import StorageUnavailable
from shared.messages import CatalogStored
from shared.opening import World
from tests.worker.test_consumer import Listener
from tests.worlds import Upstreams, small_world
from worker.jobs import profiles as module
from worker.jobs.catalog import renew_catalog
from worker.jobs.profiles import CHUNK, renew_profiles

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


async def test_what_is_in_demand_comes_before_what_is_tracked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_catalog(world)
    (far,) = await far_down(world, 1)
    await ask(world, far)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    assert await renew_profiles(world) is not None
    assert (await profile(world, far))[1] is not None
    assert (await profile(world, 1))[1] is None


async def test_many_are_asked_for_in_chunks_and_no_more_than_so_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AT_ONCE", 2 * CHUNK + 10)
    async with small_world(tmp_path, tracked_top=300) as (world, upstreams):
        await renew_catalog(world)
        assert await renew_profiles(world) is not None
        assert sorted(one.what for one in await visits(world)) == [
            "profiles of 10",
            "profiles of 100",
            "profiles of 100",
        ]
        catalog = [one.id for one in await world.storage.catalog()]
        left = await world.storage.profiled_before(world.clock() - DAY, catalog[:300])
        assert len(left) == 90
        assert await upstreams.calls("listings") == 0


async def test_what_the_source_does_not_tell_of_is_kept_as_empty_and_not_asked_for_again(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(kind="missing", ids=[1])
    assert await renew_profiles(world) is not None
    empty, profiled_at = await profile(world, 1)
    assert empty == CurrencyProfile()
    assert profiled_at is not None
    assert (await profile(world, 1027))[0].tags


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
        for share, calls in ((0.9, 1), (1.1, 2)):
            assert await renew_profiles(after(world, share * pause)) is not None
            assert await upstreams.calls(INFO) == calls


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
