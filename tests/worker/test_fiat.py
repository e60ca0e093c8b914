"""The poll of fiat currencies, against the simulator as Frankfurter and CoinMarketCap."""

from datetime import UTC, timedelta

from shared.domain.currency import USD_ID, Currency, CurrencyKind
from shared.domain.rate import Rate
from shared.domain.schedule import Every
from shared.domain.visit import VisitReason
from shared.opening import World
from shared.settings import read_settings
from tests.worlds import Upstreams
from worker.jobs.catalog import renew_catalog
from worker.jobs.fiat import FIAT, poll_fiats
from worker.tracked import fiats

EURO, RUBLE = 2790, 2806


async def rates(world: World) -> dict[int, Rate]:
    return {rate.currency_id: rate for rate in await world.storage.last_rates()}


async def test_all_fiat_currencies_but_the_dollar_are_polled_each_of_the_source_that_knows_it(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    before = await upstreams.calls()
    assert await poll_fiats(world) is not None
    known = await rates(world)
    catalog = await world.storage.catalog()
    assert known.keys() == {one.id for one in catalog if one.kind is CurrencyKind.FIAT} - {USD_ID}
    assert (known[EURO].source, known[RUBLE].source) == ("frankfurter", "coinmarketcap")
    assert await upstreams.calls() - before == 2
    visits = await world.storage.visits(limit=2)
    assert {visit.reason for visit in visits} == {VisitReason.POLL}
    assert {visit.source: visit.credits for visit in visits} == {"frankfurter": 0, "coinmarketcap": 1}


async def test_a_rate_of_the_central_bank_keeps_the_day_that_it_was_set_on(world: World) -> None:
    await renew_catalog(world)
    assert await poll_fiats(world) is not None
    euro = (await rates(world))[EURO]
    assert euro.observed_at.weekday() < 5
    assert (euro.observed_at.astimezone(UTC).hour, euro.observed_at.minute) in {(14, 0), (15, 0)}
    assert euro.fetched_at >= euro.observed_at


async def test_while_the_fiat_source_is_away_the_next_one_gives_all(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="/v1/latest", kind="status", code=500)
    assert await poll_fiats(world) is not None
    assert {rate.source for rate in (await rates(world)).values()} == {"coinmarketcap"}
    assert EURO in await rates(world)


async def test_a_currency_that_no_source_answers_for_leaves_the_poll_undone(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="quotes", kind="status", code=500)
    assert await poll_fiats(world) is None
    known = await rates(world)
    assert EURO in known
    assert RUBLE not in known


async def test_a_currency_that_the_source_has_no_rate_of_is_covered_by_its_answer(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="quotes", kind="missing", ids=[RUBLE])
    assert await poll_fiats(world) is not None
    assert RUBLE not in await rates(world)


async def test_without_fiat_currencies_in_the_catalog_there_is_no_poll(
    world: World, upstreams: Upstreams
) -> None:
    await upstreams.fault(path="fiat", kind="status", code=500)
    assert await renew_catalog(world) is None
    before = await upstreams.calls()
    assert await poll_fiats(world, patience=timedelta(seconds=0.2)) is None
    assert await upstreams.calls() == before


async def test_a_rate_of_before_the_weekend_is_confirmed_until_there_is_a_newer_one(
    world: World, upstreams: Upstreams
) -> None:
    await renew_catalog(world)
    await upstreams.fault(path="/v1/latest", kind="unchanged")
    await upstreams.fault(path="/v1/latest", kind="old", seconds=3 * 86_400)
    assert await poll_fiats(world) is not None
    friday = (await rates(world))[EURO]
    assert world.clock() - friday.observed_at > timedelta(days=2)
    assert await poll_fiats(world) is not None
    sunday = (await rates(world))[EURO]
    assert (sunday.id, sunday.observed_at) == (friday.id, friday.observed_at)
    assert sunday.fetched_at > friday.fetched_at


def test_only_active_fiat_currencies_that_have_a_price_are_polled() -> None:
    def one(number: int, kind: CurrencyKind, *, is_active: bool = True) -> Currency:
        return Currency(id=number, name="N", symbol="N", slug="n", rank=None, is_active=is_active, kind=kind)

    catalog = [
        one(1, CurrencyKind.CRYPTO),
        one(EURO, CurrencyKind.FIAT),
        one(RUBLE, CurrencyKind.FIAT, is_active=False),
        one(USD_ID, CurrencyKind.FIAT),
    ]
    assert fiats(catalog) == {EURO}


def test_the_poll_follows_its_own_schedule() -> None:
    settings = read_settings(_env_file=None, fiat_schedule="20m")
    assert FIAT.schedule(settings) == Every(timedelta(minutes=20))
