"""The gems of those who spent most."""

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deals import BigSpender, gems_of

ITEMS = st.frozensets(st.sampled_from(["amber", "beryl", "coral", "diamond", "emerald"]))


def spenders(bought: Mapping[str, frozenset[str]]) -> list[BigSpender]:
    return [BigSpender(name, Decimal(1), tuple(sorted(items))) for name, items in bought.items()]


def test_a_gem_is_what_another_of_those_named_bought_too() -> None:
    named = spenders(
        {
            "ann": frozenset({"ruby", "opal", "jade"}),
            "bob": frozenset({"opal"}),
            "cyd": frozenset({"jade", "topaz"}),
        }
    )
    assert gems_of(named) == [("jade", "opal"), ("opal",), ("jade",)]
    assert gems_of(named[:2]) == [("opal",), ("opal",)], "those who are not named do not count"
    assert gems_of(named[:1]) == [()]
    assert gems_of([]) == []


@given(st.dictionaries(st.text(min_size=1), ITEMS, max_size=6))
def test_gems_are_those_of_the_naive_computation(bought: dict[str, frozenset[str]]) -> None:
    naive = [
        tuple(
            sorted(
                item
                for item in items
                if any(item in others for other, others in bought.items() if other != name)
            )
        )
        for name, items in bought.items()
    ]
    assert gems_of(spenders(bought)) == naive
