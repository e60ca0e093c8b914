"""How CoinMarketCap's maps are read."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currency import CatalogEntry, Currency, CurrencyKind, CurrencyMetadata
from shared.errors import UpstreamBroken, UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamRejected
from shared.ports import UpstreamAnswer
from shared.sources.coinmarketcap.catalog import parse_fiat_map, parse_keyless_fiat_map, parse_map
from tests.shared.sources.coinmarketcap.answers import error, good, raw, recorded

LINE = {"id": 1, "rank": 1, "name": "Bitcoin", "symbol": "BTC", "slug": "bitcoin", "is_active": 1}


def entries(*lines: object) -> list[CatalogEntry]:
    return parse_map(good(list(lines))).value


def test_a_recorded_map_is_read() -> None:
    parsed = parse_map(recorded("map"))
    assert parsed.credits == 1
    assert parsed.value[0] == CatalogEntry(
        Currency(id=1, name="Bitcoin", symbol="BTC", slug="bitcoin", rank=1, is_active=True),
        CurrencyMetadata(first_seen=datetime(2013, 4, 28, 18, 47, 21, tzinfo=UTC)),
    )
    assert [entry.metadata.platform for entry in parsed.value[-2:]] == ["Ethereum", "Ethereum"]


def test_the_random_junk_of_the_sandbox_is_no_map() -> None:
    with pytest.raises(UpstreamMalformed, match="0 of 10 lines"):
        parse_map(recorded("map_sandbox"))


def test_a_recorded_fiat_map_is_read() -> None:
    fiats = {entry.currency.symbol: entry for entry in parse_fiat_map(recorded("fiat_map")).value}
    assert fiats["EUR"] == CatalogEntry(
        Currency(
            id=2790, name="Euro", symbol="EUR", slug="euro", rank=None, is_active=True, kind=CurrencyKind.FIAT
        ),
        CurrencyMetadata(sign="€"),
    )
    assert fiats["PLN"].currency.slug == "polish-zloty"
    assert fiats["CRC"].currency.slug == "costa-rican-colon"
    assert fiats["AED"].metadata.sign == "د.إ"


@pytest.mark.parametrize(
    "junk",
    [
        {"id": 0},
        {"id": "x"},
        {"id": 10**9},
        {"id": None},
        {"name": None},
        {"name": ""},
        {"name": "  "},
        {"name": "a\x00b"},
        {"name": "line\nbreak"},
        {"name": "\ud800"},
        {"name": "\u202eevil"},
        {"name": "x" * 201},
        {"symbol": 5.5, "name": []},
        {"symbol": "\x1b[31m"},
        {"slug": None},
        {"is_active": 5565},
        {"is_active": []},
    ],
)
def test_a_line_of_junk_is_dropped_and_fails_no_neighbour(junk: dict[str, object]) -> None:
    found = entries({**LINE, **junk}, {**LINE, "id": 7}, None, {**LINE, "id": 8})
    assert [entry.currency.id for entry in found] == [7, 8]


@pytest.mark.parametrize(
    ("rank", "read"),
    [(None, None), (0, None), (-5, None), (10**12, None), ("x", None), (1.5, None), (41, 41), ("7", 7)],
)
def test_a_rank_that_is_none_is_none(rank: object, read: int | None) -> None:
    assert entries({**LINE, "rank": rank})[0].currency.rank == read


def test_what_is_only_told_beside_may_be_junk() -> None:
    (entry,) = entries({**LINE, "first_historical_data": "soon", "platform": {"name": "\x00"}})
    assert entry.metadata == CurrencyMetadata()


def test_names_of_all_scripts_are_kept() -> None:
    names = ["\u03a4BTC", "币安人生", "🚀 Rocket 👨‍👩‍👧", "عملة"]
    found = entries(*({**LINE, "id": n + 1, "name": name, "symbol": name} for n, name in enumerate(names)))
    assert [entry.currency.name for entry in found] == names


def test_a_currency_that_is_listed_as_inactive_is_inactive_and_one_without_the_mark_active() -> None:
    unmarked = {key: value for key, value in LINE.items() if key != "is_active"}
    found = entries({**LINE, "is_active": 0}, {**unmarked, "id": 2})
    assert [entry.currency.is_active for entry in found] == [False, True]


def test_where_an_id_stands_twice_the_first_line_counts() -> None:
    (entry,) = entries(LINE, {**LINE, "name": "Other"})
    assert entry.currency.name == "Bitcoin"


@pytest.mark.parametrize("data", [[], {}, {"1": LINE}, "x", [None], [{}, {}, LINE]])
def test_an_empty_or_mostly_useless_map_is_malformed(data: object) -> None:
    with pytest.raises(UpstreamMalformed):
        parse_map(good(data))


@pytest.mark.parametrize(
    "answer",
    [
        error(401, 1002),
        error(403, 1005),
        error(403, 1006),
        raw('{"statusCode": 404}', status=404),
        error(404, None),
    ],
)
def test_where_the_keyless_api_does_not_offer_the_fiat_map_the_documented_one_stands_in(
    answer: UpstreamAnswer,
) -> None:
    parsed = parse_keyless_fiat_map(answer)
    assert len(parsed.value) == 93
    assert {(entry.currency.id, entry.currency.symbol) for entry in parsed.value} >= {
        (2781, "USD"),
        (2790, "EUR"),
    }
    assert parsed.credits == 0


def test_where_the_keyless_api_does_offer_it_its_own_counts() -> None:
    assert len(parse_keyless_fiat_map(recorded("fiat_map")).value) == 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401, 1001), UpstreamRefused),
        (error(500, 500), UpstreamBroken),
        (raw("<html>portal</html>", status=403), UpstreamRefused),
        (raw("<html>portal</html>", status=404), UpstreamRejected),
        (raw("<html>portal</html>"), UpstreamMalformed),
        (good([]), UpstreamMalformed),
    ],
)
def test_any_other_failure_is_one(answer: UpstreamAnswer, kind: type[UpstreamError]) -> None:
    with pytest.raises(kind):
        parse_keyless_fiat_map(answer)


def test_with_a_key_the_fiat_map_must_come_from_the_source() -> None:
    with pytest.raises(UpstreamRefused):
        parse_fiat_map(error(403, 1006))


lines = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        LINE,
        st.none() | st.integers() | st.text(max_size=5) | st.booleans() | st.lists(st.integers(), max_size=1),
    ),
)


@given(st.lists(lines | st.just(LINE), max_size=6))
def test_whatever_the_lines_are_only_fit_entries_come_out(data: list[object]) -> None:
    try:
        found = parse_map(good(data)).value
    except UpstreamMalformed:
        return
    assert found
    for entry in found:
        assert 0 < entry.currency.id < 10**9
        assert entry.currency.name.strip()
        assert "\x00" not in entry.currency.name + entry.currency.symbol + entry.currency.slug
        entry.currency.name.encode()
