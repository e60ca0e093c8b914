"""Identities: each decision is kept once, local currencies stand for unknown coins, and are merged later."""

import asyncio

import pytest

from shared.domain.currency import FIRST_LOCAL_ID, Currency, CurrencyAlias, CurrencyDetail, CurrencyKind
from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.errors import UnknownCurrency
from shared.ports import Storage
from shared.storage.sql_storage import SqlStorage
from tests.contract.storage.samples import NOW, SECOND, entry, load_currencies, observation

HERE, ELSEWHERE = "cryptocompare", "another"


def identity(
    source_id: str,
    currency_id: int | None = None,
    *,
    symbol: str = "SYM",
    name: str = "Some Coin (2.0)",
    decided_by: DecidedBy | None = None,
) -> Identity:
    rule = decided_by or (DecidedBy.NONE if currency_id is None else DecidedBy.UNIQUE_NAME)
    return Identity(SourceCoin(source_id=source_id, symbol=symbol, name=name), currency_id, rule)


def by_hand(source_id: str, currency_id: int, *, symbol: str = "SYM") -> Identity:
    return identity(source_id, currency_id, symbol=symbol, decided_by=DecidedBy.HAND)


async def rules(storage: Storage, currency_id: int) -> list[tuple[str, str]]:
    """The coins of a currency here, with the rules that made them so."""
    aliases = (await detail(storage, currency_id)).aliases
    return [(one.source_id, one.decided_by) for one in aliases if one.source == HERE]


@pytest.fixture
async def stocked(storage: Storage) -> Storage:
    await load_currencies(storage, 5)
    return storage


async def detail(storage: Storage, currency_id: int) -> CurrencyDetail:
    found = await storage.currency(currency_id)
    assert found is not None
    return found


async def test_a_source_without_decisions_has_neither_aliases_nor_symbols(stocked: Storage) -> None:
    assert await stocked.record_identities(HERE, [], decided_at=NOW) == {}
    assert await stocked.aliases(HERE) == {}
    assert await stocked.symbols(HERE, [1, 2]) == {}


async def test_a_decision_is_kept_with_its_rule_and_its_time(stocked: Storage) -> None:
    assert await stocked.record_identities(HERE, [identity("a", 2)], decided_at=NOW) == {"a": 2}
    assert await stocked.aliases(HERE) == {"a": 2}
    assert await stocked.aliases(ELSEWHERE) == {}
    assert (await detail(stocked, 2)).aliases == (
        CurrencyAlias(
            source=HERE, source_id="a", symbol="SYM", decided_by=DecidedBy.UNIQUE_NAME.value, decided_at=NOW
        ),
    )


async def test_an_alias_is_for_good_but_for_its_symbol(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a", 2)], decided_at=NOW)
    later = NOW + SECOND
    for other in (identity("a", 3, symbol="NEW"), identity("a", None, symbol="NEW")):
        assert await stocked.record_identities(HERE, [other], decided_at=later) == {"a": 2}
    [alias] = (await detail(stocked, 2)).aliases
    assert (alias.symbol, alias.decided_by, alias.decided_at) == ("NEW", "unique-name", NOW)
    assert await stocked.aliases(HERE) == {"a": 2}


async def test_symbols_are_of_one_source_and_of_the_currencies_that_were_asked_for(stocked: Storage) -> None:
    given = [identity("a", 1, symbol="A"), identity("b", 2, symbol="B"), identity("c", 3, symbol="C")]
    await stocked.record_identities(HERE, given, decided_at=NOW)
    await stocked.record_identities(ELSEWHERE, [identity("a", 1, symbol="Z")], decided_at=NOW)
    assert await stocked.symbols(HERE, {1, 3, 4}) == {1: "A", 3: "C"}
    assert await stocked.symbols(HERE, range(-3, 2000)) == {1: "A", 2: "B", 3: "C"}
    assert await stocked.symbols(HERE, []) == {}


async def test_of_several_coins_of_one_currency_the_hand_tables_names_it_else_the_first_decided(
    stocked: Storage,
) -> None:
    """No decision makes a second one: such rows come of people, or of a version before this."""
    assert isinstance(stocked, SqlStorage)
    for source_id, rule, seconds in (("z", "unique-name", 0), ("a", "none", 1), ("b", "hand", 2)):
        await stocked._engine.execute(
            """
            INSERT INTO currency_aliases (source, source_id, currency_id, symbol, decided_by, decided_at)
            VALUES ($1, $2, 1, $3, $4, $5)
            """,
            HERE,
            source_id,
            source_id.upper(),
            rule,
            NOW + seconds * SECOND,
        )
        assert await stocked.symbols(HERE, [1]) == {1: "B" if rule == "hand" else "Z"}
    assert await stocked.record_identities(HERE, [by_hand("b", 1)], decided_at=NOW) == {"b": 1}
    assert await stocked.aliases(HERE) == {"b": 1}


async def test_a_currency_that_another_coin_of_the_source_is_makes_a_local_one(stocked: Storage) -> None:
    local = FIRST_LOCAL_ID
    await stocked.record_identities(HERE, [identity("a", 1)], decided_at=NOW)
    assert await stocked.record_identities(HERE, [identity("b", 1)], decided_at=NOW) == {"b": local}
    assert await stocked.record_identities(HERE, [identity("b", 1)], decided_at=NOW) == {"b": local}
    assert await rules(stocked, local) == [("b", "none")]
    assert (await detail(stocked, local)).currency.is_active
    given = [identity("c", 2), identity("d", 2)]
    assert await stocked.record_identities(HERE, given, decided_at=NOW) == {"c": 2, "d": local + 1}
    assert await stocked.record_identities(ELSEWHERE, [identity("b", 1)], decided_at=NOW) == {"b": 1}


async def test_the_hand_table_replaces_what_another_rule_decided(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a", 1, symbol="OLD")], decided_at=NOW)
    later = NOW + SECOND
    for _ in range(2):
        given = [by_hand("a", 2, symbol="NEW")]
        assert await stocked.record_identities(HERE, given, decided_at=later) == {"a": 2}
    assert (await detail(stocked, 1)).aliases == ()
    assert (await detail(stocked, 2)).aliases == (
        CurrencyAlias(source=HERE, source_id="a", symbol="NEW", decided_by="hand", decided_at=later),
    )
    assert await stocked.record_identities(HERE, [identity("a", 3)], decided_at=later) == {"a": 2}
    assert await stocked.record_identities(HERE, [identity("b", 1)], decided_at=later) == {"b": 1}
    assert await stocked.record_identities(HERE, [by_hand("a", 3)], decided_at=later) == {"a": 3}


async def test_what_the_hand_table_confirms_is_its_own_from_then_on(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a", 1)], decided_at=NOW)
    await stocked.record_identities(HERE, [by_hand("a", 1)], decided_at=NOW + SECOND)
    assert await rules(stocked, 1) == [("a", "hand")]


@pytest.mark.parametrize("before", [DecidedBy.SYMBOL_AND_NAME, DecidedBy.HAND])
async def test_the_hand_table_takes_a_currency_from_the_coin_that_was_it(
    stocked: Storage, before: DecidedBy
) -> None:
    await stocked.record_identities(HERE, [identity("wrong", 1, decided_by=before)], decided_at=NOW)
    await stocked.record_identities(ELSEWHERE, [identity("wrong", 1)], decided_at=NOW)
    await stocked.record_identities(HERE, [by_hand("right", 1)], decided_at=NOW)
    assert await stocked.aliases(HERE) == {"right": 1}
    assert await stocked.aliases(ELSEWHERE) == {"wrong": 1}
    again = await stocked.record_identities(HERE, [identity("wrong", 1)], decided_at=NOW)
    assert again == {"wrong": FIRST_LOCAL_ID}


async def test_what_the_hand_table_takes_is_decided_anew_in_the_same_visit(stocked: Storage) -> None:
    """And the currency that its coin was before is free for others."""
    given = [identity("a", 1), identity("b", 2), identity("c")]
    await stocked.record_identities(HERE, given, decided_at=NOW)
    await stocked.record_rates([observation(1, source=HERE)], fetched_at=NOW, stored_at=NOW)
    given = [identity("a", 2), by_hand("b", 1), identity("c")]
    assert await stocked.record_identities(HERE, given, decided_at=NOW) == {
        "a": 2,
        "b": 1,
        "c": FIRST_LOCAL_ID,
    }
    assert (await rules(stocked, 1), await rules(stocked, 2)) == ([("b", "hand")], [("a", "unique-name")])
    given = [identity("b"), by_hand("c", 1)]
    assert await stocked.record_identities(HERE, given, decided_at=NOW) == {"b": FIRST_LOCAL_ID + 1, "c": 1}
    assert (await detail(stocked, FIRST_LOCAL_ID)).merged_into == 1
    assert len(await stocked.last_rates([1])) == 1


async def test_of_two_lines_of_one_hand_table_for_one_currency_the_first_counts(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("b", 2)], decided_at=NOW)
    given = [by_hand("a", 1), by_hand("b", 1), by_hand("c", 1)]
    recorded = await stocked.record_identities(HERE, given, decided_at=NOW)
    assert recorded == {"a": 1, "b": 2, "c": FIRST_LOCAL_ID}
    assert await stocked.aliases(HERE) == recorded


async def test_a_symbol_that_another_coin_has_now_is_no_longer_asked_for(stocked: Storage) -> None:
    before = [identity("old", 1, symbol="LUNA"), identity("new", 2, symbol="LUNA2")]
    await stocked.record_identities(HERE, before, decided_at=NOW)
    await stocked.record_identities(ELSEWHERE, [identity("old", 1, symbol="LUNA")], decided_at=NOW)
    await stocked.record_identities(HERE, [identity("new", 2, symbol="LUNA")], decided_at=NOW + SECOND)
    assert await stocked.symbols(HERE, [1, 2]) == {2: "LUNA"}
    assert await stocked.symbols(ELSEWHERE, [1, 2]) == {1: "LUNA"}
    swapped = [identity("old", 1, symbol="LUNA"), identity("new", 2, symbol="LUNC")]
    await stocked.record_identities(HERE, swapped, decided_at=NOW + SECOND)
    assert await stocked.symbols(HERE, [1, 2]) == {1: "LUNA", 2: "LUNC"}


async def test_an_unknown_coin_gets_a_local_currency_once(stocked: Storage) -> None:
    given = [identity("a"), identity("b", name="***", symbol="ΩMEGA")]
    first, second = FIRST_LOCAL_ID, FIRST_LOCAL_ID + 1
    for _ in range(2):
        recorded = await stocked.record_identities(HERE, given, decided_at=NOW)
        assert recorded == {"a": first, "b": second}
    local = await detail(stocked, first)
    assert local.currency == Currency(
        id=first,
        name="Some Coin (2.0)",
        symbol="SYM",
        slug="some-coin-2-0",
        rank=None,
        is_active=True,
        kind=CurrencyKind.LOCAL,
    )
    assert [(one.source, one.source_id, one.decided_by) for one in local.aliases] == [(HERE, "a", "none")]
    assert local.merged_into is None
    assert (await detail(stocked, second)).currency.slug == ""
    found = await stocked.currencies_page(symbol="ωmega", text=None, cursor=None, limit=9)
    assert [one.id for one in found.rows] == [second]


async def test_an_id_that_is_taken_already_is_left_out(stocked: Storage) -> None:
    taken = entry(FIRST_LOCAL_ID, kind=CurrencyKind.LOCAL)
    await stocked.add_currencies([taken], stored_at=NOW)
    assert await stocked.record_identities(HERE, [identity("a")], decided_at=NOW) == {"a": FIRST_LOCAL_ID + 1}
    assert (await detail(stocked, FIRST_LOCAL_ID)).currency == taken.currency


async def test_a_renewed_catalog_leaves_local_currencies_alone(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a")], decided_at=NOW)
    await stocked.record_catalog(CurrencyKind.CRYPTO, [entry(1)], stored_at=NOW + SECOND)
    assert (await detail(stocked, FIRST_LOCAL_ID)).currency.is_active


async def test_a_local_currency_is_merged_when_its_coin_turns_out_to_be_known(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a"), identity("b")], decided_at=NOW)
    await stocked.record_rates([observation(FIRST_LOCAL_ID)], fetched_at=NOW, stored_at=NOW)
    later = NOW + SECOND
    given = [identity("a", 4, symbol="NEW"), identity("b")]
    assert await stocked.record_identities(HERE, given, decided_at=later) == {"a": 4, "b": FIRST_LOCAL_ID + 1}
    local, known = await detail(stocked, FIRST_LOCAL_ID), await detail(stocked, 4)
    assert (local.currency.is_active, local.merged_into, local.aliases) == (False, 4, ())
    assert (known.currency.is_active, known.merged_into) == (True, None)
    [alias] = known.aliases
    assert (alias.source_id, alias.symbol, alias.decided_by, alias.decided_at) == (
        "a",
        "NEW",
        "unique-name",
        later,
    )
    assert await stocked.record_identities(HERE, [identity("a")], decided_at=later) == {"a": 4}


async def test_the_rates_of_a_merged_currency_stay_in_history_but_are_no_last_rates(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a")], decided_at=NOW)
    given = [observation(FIRST_LOCAL_ID), observation(1)]
    recorded = await stocked.record_rates(given, fetched_at=NOW, stored_at=NOW)
    await stocked.record_identities(HERE, [identity("a", 4)], decided_at=NOW)
    assert [rate.currency_id for rate in await stocked.last_rates()] == [1]
    assert await stocked.last_rates([FIRST_LOCAL_ID]) == []
    assert [
        rate.currency_id for rate in await stocked.last_rates(range(FIRST_LOCAL_ID, FIRST_LOCAL_ID + 200))
    ] == []
    history = await stocked.rates_page(
        currency_id=FIRST_LOCAL_ID, source=None, since=None, until=None, cursor=None, limit=9
    )
    assert history.rows == (recorded[0].rate,)
    # A visit that was under way when it was merged.
    late = await stocked.record_rates([observation(FIRST_LOCAL_ID)], fetched_at=NOW + SECOND, stored_at=NOW)
    assert late[0].rate.fetched_at == NOW + SECOND


async def test_merging_takes_the_names_of_other_sources_along_but_never_gives_a_second_one(
    stocked: Storage,
) -> None:
    await stocked.record_identities(HERE, [identity("a"), identity("b")], decided_at=NOW)
    first, second = FIRST_LOCAL_ID, FIRST_LOCAL_ID + 1
    given = [identity("x", first), identity("y", second), identity("z", 5)]
    await stocked.record_identities(ELSEWHERE, given, decided_at=NOW)
    await stocked.record_identities(HERE, [identity("a", 4), identity("b", 5)], decided_at=NOW)
    assert await stocked.aliases(ELSEWHERE) == {"x": 4, "y": second, "z": 5}


async def test_a_local_currency_is_merged_into_none_that_is_local_itself(stocked: Storage) -> None:
    await stocked.record_identities(HERE, [identity("a"), identity("b")], decided_at=NOW)
    recorded = await stocked.record_identities(
        HERE, [identity("a", FIRST_LOCAL_ID + 1), identity("b", FIRST_LOCAL_ID)], decided_at=NOW
    )
    assert recorded == {"a": FIRST_LOCAL_ID, "b": FIRST_LOCAL_ID + 1}
    assert (await detail(stocked, FIRST_LOCAL_ID)).merged_into is None


async def test_a_decision_for_a_currency_that_is_not_there_changes_nothing(stocked: Storage) -> None:
    with pytest.raises(UnknownCurrency):
        await stocked.record_identities(
            HERE, [identity("a"), identity("b", 2), identity("c", 77)], decided_at=NOW
        )
    assert await stocked.aliases(HERE) == {}
    assert await stocked.currency(FIRST_LOCAL_ID) is None


async def test_texts_that_no_database_holds_are_kept_as_near_as_can_be(stocked: Storage) -> None:
    given = identity("a\0\ud800", symbol="S\0", name="N\0")
    for _ in range(2):
        assert await stocked.record_identities(HERE, [given], decided_at=NOW) == {"a\0\ud800": FIRST_LOCAL_ID}
    assert await stocked.aliases(HERE) == {"a?": FIRST_LOCAL_ID}
    assert await stocked.symbols(HERE, [FIRST_LOCAL_ID]) == {FIRST_LOCAL_ID: "S"}
    assert (await detail(stocked, FIRST_LOCAL_ID)).currency.name == "N"


async def test_of_many_who_decide_at_once_one_decides(storages: tuple[Storage, Storage]) -> None:
    """Each knows other candidates, and a coin that none knows is given one local currency."""
    await load_currencies(storages[0], 20)
    recorded = await asyncio.gather(
        *(
            storages[number % 2].record_identities(
                HERE,
                [identity("a", number), identity("b"), identity("c")][:: number % 2 or -1],
                decided_at=NOW,
            )
            for number in range(1, 21)
        )
    )
    assert len({tuple(sorted(one.items())) for one in recorded}) == 1
    assert await storages[0].aliases(HERE) == recorded[0]
    local = [one.id for one in await storages[0].catalog() if one.kind is CurrencyKind.LOCAL]
    assert local == sorted(recorded[0][one] for one in "bc")


async def test_of_two_visits_that_give_one_currency_to_two_coins_one_does(
    storages: tuple[Storage, Storage],
) -> None:
    """Each sees the currency free: a poll sees one of the coins, a refresh of more places both."""
    await load_currencies(storages[0], 20)
    for number in range(1, 21):
        one, other = f"x{number}", f"y{number}"
        poll, refresh = await asyncio.gather(
            storages[0].record_identities(HERE, [identity(one, number)], decided_at=NOW),
            storages[1].record_identities(HERE, [identity(other, number), identity(one)], decided_at=NOW),
        )
        aliases = await storages[0].aliases(HERE)
        assert (aliases[one], aliases[other]) == (poll[one], refresh[other])
        assert poll[one] == refresh[one] or refresh[one] >= FIRST_LOCAL_ID
        assert sorted(aliases.values()) == sorted(set(aliases.values()))


async def test_two_sources_that_find_an_unknown_coin_at_once_do_not_share_an_id(
    storages: tuple[Storage, Storage],
) -> None:
    recorded = await asyncio.gather(
        *(
            storages[number % 2].record_identities(f"source-{number}", [identity("a")], decided_at=NOW)
            for number in range(10)
        )
    )
    assert {one["a"] for one in recorded} == set(range(FIRST_LOCAL_ID, FIRST_LOCAL_ID + 10))


async def test_currencies_added_by_many_at_once_are_counted_once(storages: tuple[Storage, Storage]) -> None:
    entries = [entry(number) for number in range(1, 40)]
    added = await asyncio.gather(
        *(
            storages[number % 2].add_currencies(entries[:: number % 2 or -1], stored_at=NOW)
            for number in range(8)
        )
    )
    assert sum(added) == 39
