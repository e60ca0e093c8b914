"""Which calls cover which currencies."""

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currency import CurrencyKind
from shared.ports import Call, Quotes
from shared.sources.coinmarketcap import CoinMarketCap

SOURCE = CoinMarketCap(base_url="https://example.test", api_key="secret")


def plan(ids: range | list[int], ranks: Mapping[int, int] | None = None) -> list[Call[Quotes]]:
    return SOURCE.plan(list(ids), ranks or {}, {})


def described(calls: list[Call[Quotes]]) -> list[tuple[str, int]]:
    return [(call.what, call.credits) for call in calls]


def test_nothing_needs_no_call() -> None:
    assert plan([]) == []


def test_a_few_currencies_are_asked_for_by_id_even_where_a_listing_is_as_cheap() -> None:
    (call,) = plan([1027, 1, 1], {1: 1, 1027: 2})
    assert call.path == "/v3/cryptocurrency/quotes/latest"
    assert call.params == (("id", "1,1027"), ("convert", "USD"), ("skip_invalid", "true"))
    assert (call.what, call.credits, call.currency_ids) == ("quotes of 2", 1, (1, 1027))


def test_the_top_is_one_listing() -> None:
    ids = range(1000, 1200)
    (call,) = plan(ids, {one: one - 999 for one in ids})
    assert call.path == "/v3/cryptocurrency/listings/latest"
    assert call.params == (("start", "1"), ("limit", "200"), ("sort", "market_cap"), ("convert", "USD"))
    assert (call.what, call.credits, call.currency_ids) == ("listing of 200", 1, tuple(ids))


def test_a_listing_is_no_longer_than_it_needs_to_be() -> None:
    ids = range(1, 151)
    assert described(plan(ids, {one: one for one in ids})) == [("listing of 150", 1)]


def test_the_top_and_some_stragglers_are_a_listing_and_quotes() -> None:
    ids = [*range(1, 201), 5000, 7000, 8000]
    ranks = {one: one for one in ids[:200]} | {5000: 4000}
    assert described(plan(ids, ranks)) == [("listing of 200", 1), ("quotes of 3", 1)]


def test_of_equally_dear_plans_the_one_with_fewer_calls_is_taken() -> None:
    ids = range(1, 151)
    assert described(plan(ids, {one: 2 * one for one in ids})) == [("listing of 300", 2)]


def test_unranked_currencies_come_in_batches_of_a_hundred() -> None:
    assert described(plan(range(1, 252))) == [("quotes of 100", 1), ("quotes of 100", 1), ("quotes of 51", 1)]


def test_five_thousand_cost_25_credits() -> None:
    ids = range(1, 5001)
    assert described(plan(ids, {one: one for one in ids})) == [("listing of 5000", 25)]


ranked_ids = st.dictionaries(
    st.integers(min_value=1, max_value=10**6),
    st.none() | st.integers(min_value=-1, max_value=6000),
    max_size=700,
)


@given(ranked_ids)
def test_a_plan_covers_every_currency_once_and_is_never_dearer_than_quotes_or_a_listing_alone(
    wanted: dict[int, int | None],
) -> None:
    ranks = {one: rank for one, rank in wanted.items() if rank is not None}
    calls = plan(list(wanted), ranks)
    covered = [one for call in calls for one in call.currency_ids]
    assert sorted(covered) == sorted(wanted)
    credits = sum(call.credits for call in calls)
    assert credits <= -(-len(wanted) // 100)
    if wanted and len(ranks) == len(wanted) and all(1 <= rank <= 5000 for rank in ranks.values()):
        assert credits <= -(-max(ranks.values()) // 200)


@given(ranked_ids)
def test_calls_stay_within_what_the_source_takes(wanted: dict[int, int | None]) -> None:
    ranks = {one: rank for one, rank in wanted.items() if rank is not None}
    for call in plan(list(wanted), ranks):
        params = dict(call.params)
        if "limit" in params:
            length = int(params["limit"])
            assert 1 <= length <= 5000
            assert call.credits == -(-length // 200)
            assert all(1 <= ranks[one] <= length for one in call.currency_ids)
        else:
            assert 1 <= len(call.currency_ids) <= 100
            assert params["id"] == ",".join(map(str, call.currency_ids))
            assert call.credits == 1


@given(st.lists(st.integers(min_value=1, max_value=999), unique=True, max_size=300), st.randoms())
def test_the_same_currencies_make_the_same_plan(ids: list[int], random: Random) -> None:
    ranks = {one: one for one in ids}
    shuffled = random.sample(ids, len(ids))
    assert [call.params for call in plan(shuffled, ranks)] == [call.params for call in plan(ids, ranks)]


def test_the_key_goes_into_a_header_and_never_into_the_text_of_the_source() -> None:
    assert SOURCE.headers["X-CMC_PRO_API_KEY"] == "secret"
    assert "secret" not in repr(SOURCE)
    assert "secret" not in repr(SOURCE.plan([1], {}, {}))


def test_without_a_key_the_calls_go_to_the_keyless_api_and_no_key_is_sent() -> None:
    keyless = CoinMarketCap(base_url="https://example.test")
    assert keyless.headers == {"Accept": "application/json"}
    assert keyless.plan([1], {}, {})[0].path == "/public-api/v3/cryptocurrency/quotes/latest"
    assert keyless.catalog()[CurrencyKind.CRYPTO].path == "/public-api/v1/cryptocurrency/map"


@pytest.mark.parametrize("kind", [CurrencyKind.CRYPTO, CurrencyKind.FIAT])
def test_a_map_is_one_call_that_is_free_as_documented(kind: CurrencyKind) -> None:
    call = SOURCE.catalog()[kind]
    assert call.credits == 0
    assert call.path in {"/v1/cryptocurrency/map", "/v1/fiat/map"}
    assert "limit" not in dict(call.params)
