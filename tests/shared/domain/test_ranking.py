"""Pages of a ranking become one list without a hole, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ranking import RankedCoin, RankingPage, merged
from shared.errors import RankingTorn, UpstreamMalformed


def page(*ids: int, size: int = 3) -> RankingPage:
    return RankingPage(tuple(RankedCoin(source_id=str(one), symbol="S", name="N") for one in ids), size)


def ids(pages: list[RankingPage], length: int = 100) -> tuple[list[int], bool]:
    coins, is_whole = merged(pages, length)
    return [int(coin.source_id) for coin in coins], is_whole


def test_full_pages_follow_each_other_and_may_not_be_all() -> None:
    assert ids([page(3, 1, 2), page(6, 5, 4)]) == ([3, 1, 2, 6, 5, 4], False)


@pytest.mark.parametrize("rest", [[page(4)], [page(4), page()], [page(4), page(), page()]])
def test_the_last_page_with_coins_need_not_be_full_and_ends_the_ranking(rest: list[RankingPage]) -> None:
    assert ids([page(1, 2, 3), *rest]) == ([1, 2, 3, 4], True)


def test_an_empty_page_after_a_full_one_ends_the_ranking() -> None:
    assert ids([page(1, 2, 3), page()]) == ([1, 2, 3], True)


def test_what_is_beyond_the_length_is_cut_and_then_it_is_not_all() -> None:
    assert ids([page(1, 2, 3), page(4)], 4) == ([1, 2, 3, 4], True)
    assert ids([page(1, 2, 3), page(4)], 3) == ([1, 2, 3], False)


@pytest.mark.parametrize(
    "pages", [[page(1, 2), page(4, 5, 6)], [page(), page(4)], [page(1, 2, 3), page(), page(7, 8, 9)]]
)
def test_a_hole_is_malformed_and_never_torn(pages: list[RankingPage]) -> None:
    with pytest.raises(UpstreamMalformed) as caught:
        merged(pages, 100)
    assert not isinstance(caught.value, RankingTorn)


@pytest.mark.parametrize("pages", [[], [page()], [page(), page()]])
def test_nothing_at_all_is_malformed(pages: list[RankingPage]) -> None:
    with pytest.raises(UpstreamMalformed, match="empty ranking"):
        merged(pages, 100)


@pytest.mark.parametrize(
    "pages", [[page(1, 2, 3), page(3, 4, 5)], [page(1, 1, 2)], [page(1, 2, 3), page(4, 5, 1)]]
)
def test_a_coin_that_stands_twice_tears_the_ranking_even_beyond_its_length(pages: list[RankingPage]) -> None:
    with pytest.raises(RankingTorn):
        merged(pages, 2)


@given(
    order=st.permutations(range(40)),
    count=st.integers(min_value=1, max_value=40),
    size=st.integers(min_value=1, max_value=15),
    length=st.integers(min_value=1, max_value=45),
)
def test_any_ranking_that_stands_still_comes_out_as_it_is(
    order: list[int], count: int, size: int, length: int
) -> None:
    ranking = order[:count]
    asked = -(-length // size)
    pages = [page(*ranking[place * size : (place + 1) * size], size=size) for place in range(asked)]
    coins, is_whole = ids(pages, length)
    assert coins == ranking[:length]
    assert not is_whole or len(ranking) <= length
    assert is_whole or len(coins) == length


@given(before=st.permutations(range(12)), after=st.permutations(range(12)))
def test_an_order_that_changes_between_two_pages_is_torn_unless_they_fit_together(
    before: list[int], after: list[int]
) -> None:
    pages = [page(*before[:4], size=4), page(*after[4:8], size=4)]
    if set(before[:4]) & set(after[4:8]):
        with pytest.raises(RankingTorn):
            merged(pages, 8)
    else:
        assert ids(pages, 8) == ([*before[:4], *after[4:8]], False)
