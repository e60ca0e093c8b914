"""The summary of an upload equals what anybody would compute by hand, on both databases."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.deals import COLUMNS, DealRow, DealsBatch
from shared.ports import Storage
from tests.contract.storage.deals import as_rows, as_text, deal, deals_file, gems, load, spent

Expected = list[tuple[str, Fraction, tuple[str, ...]]]


def naive(deals: Sequence[DealRow], *, top: int = 100) -> Expected:
    """By the words of the contract. Python compares texts by code points."""
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for customer, _, total, *_ in deals:
        sums[customer] += Fraction(total)
    first = sorted(sums, key=lambda name: (-sums[name], name))[:top]
    buyers: dict[str, set[str]] = defaultdict(set)
    for customer, item, *_ in deals:
        if customer in first:
            buyers[item].add(customer)
    return [
        (
            name,
            sums[name],
            tuple(sorted(item for item, of in buyers.items() if len(of) > 1 and name in of)),
        )
        for name in first
    ]


async def told(storage: Storage) -> Expected:
    summary = await storage.deals_summary()
    assert summary is not None
    return [(one.name, Fraction(one.spent), one.items) for one in summary.spenders]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=3
) | st.sampled_from(["Z", "a", "é", "я", "\uffff", "😀", "a ", "a\n", '"', "\\."])
AMOUNTS = st.one_of(
    st.integers(0, 20).map(str),
    st.decimals(0, 10**30, places=9).filter(lambda one: not one or one >= Decimal("1e-9")).map("{:f}".format),
    st.sampled_from(["0.1", "0.2", "0.10", "1.000", f"0.{'0' * 29}1", f"1{'0' * 30}", "00012.50"]),
)
DEALS = st.lists(st.builds(deal, NAMES, NAMES, AMOUNTS), min_size=1, max_size=40)
PLAIN = st.text("ab яZ😀", min_size=1, max_size=2)
PLAIN_DEALS = st.lists(st.builds(deal, PLAIN, PLAIN, AMOUNTS), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("deals_like", "batches"), [(DEALS, as_rows), (PLAIN_DEALS, as_text)], ids=["rows", "text"]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.integers(1, 9))
async def test_of_any_deals_the_summary_is_the_naive_one(
    storage: Storage,
    deals_like: st.SearchStrategy[list[DealRow]],
    batches: Callable[..., AsyncIterator[DealsBatch]],
    data: st.DataObject,
    size: int,
) -> None:
    deals = data.draw(deals_like)
    file = deals_file(content=f"{size} {deals}")
    await storage.replace_deals(file, COLUMNS, batches(*deals, size=size))
    assert await told(storage) == naive(deals)


async def test_of_many_customers_the_first_hundred_count(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sums of SQLite go through the temporary table several times."""
    monkeypatch.setattr("shared.storage.deals_sqlite.CUSTOMERS_IN_MEMORY", 50)
    deals = [
        deal(f"customer {one % 701}", f"item {one % 89}", f"{one * 7919 % 1000}.{one % 10}")
        for one in range(4000)
    ]
    await storage.replace_deals(deals_file(), COLUMNS, as_text(*deals, size=64))
    expected = naive(deals)
    assert len(expected) == 100
    assert await told(storage) == expected


async def test_names_that_are_long_together_leave_memory_early(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.deals_sqlite.CHARACTERS_IN_MEMORY", 3)
    deals = [deal(name, total="0.1") for name in ("anna", "boris", "anna", "vera", "boris", "anna")]
    await storage.replace_deals(deals_file(), COLUMNS, as_text(*deals, size=1))
    assert await spent(storage) == {"anna": "0.3", "boris": "0.2", "vera": "0.1"}


async def test_equal_sums_are_in_code_point_order(storage: Storage) -> None:
    names = ["Z", "Zz", "a", "é", "я", "\uffff", "😀"]
    await load(storage, *(deal(name, name, "1.0") for name in reversed(names)))
    assert list(await spent(storage)) == names


async def test_gems_are_in_code_point_order_and_each_once(storage: Storage) -> None:
    items = ["Z", "a", "é", "я", "😀"]
    deals = [deal(customer, item) for item in reversed(items) for customer in ("anna", "boris", "anna")]
    await load(storage, *deals, deal("anna", "of one alone"), deal("anna", "of one alone"))
    assert await gems(storage) == {"anna": tuple(items), "boris": tuple(items)}


@pytest.mark.parametrize(
    ("totals", "total"),
    [
        (["0.1", "0.2"], "0.3"),
        (["0.10", "0.20", "0"], "0.3"),
        (["1.50", "1.50"], "3"),
        (["100", "0.00"], "100"),
        (["0", "0.000"], "0"),
        ([f"1{'0' * 30}", f"0.{'0' * 29}1"], f"1{'0' * 30}.{'0' * 29}1"),
        ([f"{'9' * 30}.9999999999"] * 3, f"2{'9' * 30}.9999999997"),
        (["0.1234567890123456789012345678901234567891"] * 2, "0.2469135780246913578024691357802469135782"),
        ([f"0.1{'0' * 110}", "0.2"], "0.3"),
    ],
)
async def test_sums_are_exact(storage: Storage, totals: list[str], total: str) -> None:
    for number, batches in enumerate((as_rows, as_text)):
        deals = [deal("anna", total=one) for one in totals]
        await storage.replace_deals(deals_file(f"{number}.csv"), COLUMNS, batches(*deals, size=1))
        assert await spent(storage) == {"anna": total}


async def test_a_greater_sum_comes_first_however_it_is_written(storage: Storage) -> None:
    sums = {"a": "9", "b": "10", "c": "9.5", "d": "0.00001", "e": "10.01", "f": "0", "g": "9.50"}
    await load(storage, *(deal(name, total=total) for name, total in sums.items()))
    assert list(await spent(storage)) == ["e", "b", "c", "g", "a", "d", "f"]
