"""Profiles, on both databases: exact, replaced whole, and left alone by a renewal of the catalog."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.currency import CurrencyKind, CurrencyMetadata, CurrencyProfile
from shared.domain.rate import MAX_AHEAD
from shared.ports import Description, Storage
from tests.contract.storage.samples import NOW, SECOND, entry, load_currencies

PROFILE = CurrencyProfile(
    circulating_supply=Decimal("19712345.12345678"),
    total_supply=Decimal("0.000000000000000000000000000001"),
    max_supply=Decimal("21000000.00"),
    tags=("mineable", "pow", "a,b", 'q"\\', "ωμέγα", "mineable"),
    links={
        "website": ("https://bitcoin.org/?a=1&b='", "https://b.example/"),
        "source_code": (),
        "chat": ("x",),
    },
)
EMPTY = CurrencyProfile()
amounts = st.builds(
    lambda digits, exponent: Decimal((0, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 10**40 - 1),
    st.integers(-60, 12),
)


async def profile(storage: Storage, currency_id: int) -> CurrencyProfile:
    found = await storage.currency(currency_id)
    assert found is not None
    described = (await storage.descriptions([currency_id]))[currency_id]
    assert (found.metadata, found.profile) == (described.metadata, described.profile)
    return found.profile


async def test_a_currency_has_an_empty_profile_before_its_source_was_asked(storage: Storage) -> None:
    assert await profile(storage, 2781) == EMPTY
    dollar = await storage.currency(2781)
    assert dollar is not None
    assert dollar.profiled_at is None


async def test_a_profile_comes_back_as_it_was_recorded_beside_the_metadata(storage: Storage) -> None:
    metadata = CurrencyMetadata(first_seen=NOW, platform="Ethereum", sign="₿")
    entries = [entry(1, rank=1, metadata=metadata), entry(2, rank=2)]
    await storage.record_catalog(CurrencyKind.CRYPTO, entries, stored_at=NOW)
    await storage.record_profiles({1: PROFILE, 2: EMPTY}, profiled_at=NOW)
    assert await storage.descriptions([2, 1]) == {
        1: Description(metadata, PROFILE),
        2: Description(CurrencyMetadata(), EMPTY),
    }
    first, second = await storage.currency(1), await storage.currency(2)
    assert first is not None
    assert second is not None
    assert (first.currency, first.metadata, first.profile) == (entries[0].currency, metadata, PROFILE)
    assert list(first.profile.links) == ["website", "source_code", "chat"]
    assert (second.profile, first.profiled_at, second.profiled_at) == (EMPTY, NOW, NOW)


async def test_a_profile_is_replaced_as_a_whole(storage: Storage) -> None:
    await load_currencies(storage, 2)
    await storage.record_profiles({1: PROFILE, 2: PROFILE}, profiled_at=NOW)
    other = CurrencyProfile(total_supply=Decimal(0), tags=("one",))
    await storage.record_profiles({1: other}, profiled_at=NOW + SECOND)
    assert (await profile(storage, 1), await profile(storage, 2)) == (other, PROFILE)
    await storage.record_profiles({1: EMPTY}, profiled_at=NOW + SECOND)
    assert await profile(storage, 1) == EMPTY


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the database is shared by the examples: each replaces what the one before wrote
@given(supplies=st.lists(st.tuples(*(st.none() | amounts,) * 3), min_size=1, max_size=20))
async def test_supplies_survive_exactly(
    storage: Storage, supplies: Sequence[tuple[Decimal | None, Decimal | None, Decimal | None]]
) -> None:
    await load_currencies(storage, 20)
    given_profiles = {
        number: CurrencyProfile(circulating_supply=circulating, total_supply=total, max_supply=most)
        for number, (circulating, total, most) in enumerate(supplies, start=1)
    }
    await storage.record_profiles(given_profiles, profiled_at=NOW)
    described = await storage.descriptions(given_profiles)
    assert {number: one.profile for number, one in described.items()} == given_profiles


async def test_texts_that_no_database_holds_are_kept_as_near_as_can_be(storage: Storage) -> None:
    await load_currencies(storage, 1)
    odd = CurrencyProfile(tags=("a\0b", "\ud800", "\\u0000"), links={"web\0": ("https://x/\0\udfff",)})
    await storage.record_profiles({1: odd}, profiled_at=NOW)
    assert await profile(storage, 1) == CurrencyProfile(
        tags=("ab", "?", "\\u0000"), links={"web": ("https://x/?",)}
    )


async def test_currencies_that_do_not_exist_and_ids_out_of_range_are_left_out(storage: Storage) -> None:
    await load_currencies(storage, 2)
    strange = [0, -1, 7, 2**63 - 1, 2**63, 10**30]
    await storage.record_profiles(dict.fromkeys([*strange, 2], PROFILE), profiled_at=NOW)
    assert await storage.descriptions({*strange, 2}) == {2: Description(CurrencyMetadata(), PROFILE)}
    assert await storage.profiled_before(NOW + SECOND, [*strange, 2, 1, 2]) == [1, 2]
    assert await storage.currency(7) is None


async def test_nothing_given_is_nothing_done(storage: Storage) -> None:
    await storage.record_profiles({}, profiled_at=NOW)
    assert await storage.profiled_before(NOW, []) == []
    assert await storage.descriptions(()) == {}


async def test_never_asked_for_comes_first_then_the_oldest_then_by_id(storage: Storage) -> None:
    await load_currencies(storage, 8)
    for seconds, currency_ids in ((-2, (6, 3)), (-3, (4,)), (0, (1, 2))):
        await storage.record_profiles(
            dict.fromkeys(currency_ids, PROFILE), profiled_at=NOW + seconds * SECOND
        )
    assert await storage.profiled_before(NOW, range(8, 0, -1)) == [5, 7, 8, 4, 3, 6]
    just_after = NOW + timedelta(microseconds=1)
    assert await storage.profiled_before(just_after, {1, 2, 3, 5}) == [5, 3, 1, 2]


async def test_one_of_a_clock_that_was_far_ahead_counts_as_never_asked_for(storage: Storage) -> None:
    await load_currencies(storage, 4)
    ahead, microsecond = NOW + MAX_AHEAD, timedelta(microseconds=1)
    for moment, currency_id in ((NOW - SECOND, 1), (ahead + microsecond, 2), (ahead, 3)):
        await storage.record_profiles({currency_id: PROFILE}, profiled_at=moment)
    everything = range(1, 5)
    assert await storage.profiled_before(NOW, everything, now=NOW) == [2, 4, 1]
    assert await storage.profiled_before(NOW, everything, now=NOW + microsecond) == [4, 1]
    assert await storage.profiled_before(NOW, everything) == [4, 1]


async def test_a_renewal_of_the_catalog_leaves_profiles_alone(storage: Storage) -> None:
    await load_currencies(storage, 3)
    await storage.record_profiles({1: PROFILE, 2: PROFILE, 3: EMPTY}, profiled_at=NOW)
    renewed = [entry(1, rank=7, name="Renamed"), entry(4, rank=8)]
    await storage.record_catalog(CurrencyKind.CRYPTO, renewed, stored_at=NOW + SECOND)
    await storage.add_currencies([entry(1, name="Other"), entry(5)], stored_at=NOW + SECOND)
    first, lost = await storage.currency(1), await storage.currency(2)
    assert first is not None
    assert lost is not None
    assert (first.currency.name, first.profile, first.profiled_at) == ("Renamed", PROFILE, NOW)
    assert (lost.currency.is_active, lost.profile, lost.profiled_at) == (False, PROFILE, NOW)
    assert (await profile(storage, 4), await profile(storage, 5)) == (EMPTY, EMPTY)


async def test_the_profiles_of_a_whole_listing_are_recorded_in_one_call(storage: Storage) -> None:
    await load_currencies(storage, 5000)
    supplies = {number: CurrencyProfile(max_supply=Decimal(number)) for number in range(5000, 0, -1)}
    await storage.record_profiles(supplies, profiled_at=NOW)
    described = await storage.descriptions(supplies)
    assert {number: one.profile for number, one in described.items()} == supplies
    assert await storage.profiled_before(NOW, supplies) == []
