"""What CoinMarketCap tells of its coins beside their prices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currency import CurrencyProfile, merged_profiles
from shared.errors import UpstreamError, UpstreamLimited, UpstreamMalformed, UpstreamRejected
from shared.ports import Call, ProfileSource, UpstreamAnswer
from shared.sources.coinmarketcap import CoinMarketCap
from shared.sources.coinmarketcap.profiles import Profiles, parse_profiles
from tests.shared.sources.coinmarketcap.answers import coin, error, good, raw, recorded, unmarked

SOURCE = CoinMarketCap(base_url="https://example.test", api_key="secret")


def told(answer: UpstreamAnswer, *asked: int) -> Profiles:
    return parse_profiles(asked or (1, 2), answer).value


def profile(**fields: object) -> CurrencyProfile:
    return told(good([coin(1) | fields]), 1)[1]


def links(urls: object) -> dict[str, tuple[str, ...]]:
    return dict(profile(urls=urls).links)


def plan(*currency_ids: int) -> list[Call[Profiles]]:
    return SOURCE.profiles(currency_ids)


def test_recorded_info_has_tags_and_links() -> None:
    parsed = parse_profiles((1, 2010), recorded("info_v2"))
    bitcoin = parsed.value[1]
    assert bitcoin.tags == ("mineable", "pow", "sha-256")
    assert bitcoin.links == {
        "website": ("https://bitcoin.org/",),
        "message_board": ("https://bitcointalk.org",),
        "explorer": (
            "https://blockchain.info/",
            "https://live.blockcypher.com/btc/",
            "https://blockchair.com/bitcoin",
            "https://explorer.viabtc.com/btc",
            "https://www.oklink.com/btc",
        ),
        "reddit": ("https://reddit.com/r/bitcoin",),
        "technical_doc": ("https://bitcoin.org/bitcoin.pdf",),
        "source_code": ("https://github.com/bitcoin/bitcoin",),
    }
    assert (bitcoin.circulating_supply, bitcoin.total_supply, bitcoin.max_supply) == (None, None, None)
    assert parsed.value.keys() == {1, 2010}
    assert parsed.credits == 1


@pytest.mark.parametrize(
    ("name", "currency_id", "supplies"),
    [
        ("listing_v1", 1, ("19599581", "19599581", "21000000")),
        ("listing_v1", 1027, ("120180819.14963801", "120180819.14963801", None)),
        ("quotes_v2_by_id", 2010, ("35395179543.794", "36542697459.69", "45000000000")),
        ("quotes_v2_by_symbol", 3794, ("210722437.316501", "268507040.316501", None)),
        ("quotes_v1_by_symbol", 3437, (None, "1002157050.0106", None)),
    ],
)
def test_the_supplies_of_every_recorded_shape_are_read_exactly(
    name: str, currency_id: int, supplies: tuple[str | None, ...]
) -> None:
    read = told(recorded(name), currency_id)[currency_id]
    assert (read.circulating_supply, read.total_supply, read.max_supply) == tuple(
        None if one is None else Decimal(one) for one in supplies
    )


def test_tags_are_texts_or_objects_with_a_slug() -> None:
    assert told(recorded("quotes_v2_by_id"), 1)[1].tags == ("mineable",)
    tags = [
        "pow",
        {"slug": " layer-1 ", "name": "Layer 1"},
        {"name": "no slug"},
        None,
        True,
        ["x"],
        "",
        "pow",
    ]
    assert profile(tags=tags).tags == ("pow", "layer-1")


@pytest.mark.parametrize("tags", [None, "pow", {"slug": "pow"}, 7, True])
def test_tags_that_are_no_list_are_none(tags: object) -> None:
    assert profile(tags=tags).tags == ()


def test_tags_are_few_short_and_plain() -> None:
    tags = profile(tags=["x" * 101, "a\nb", "\u202eevil", "x" * 100, *map(str, range(200))]).tags
    assert tags[:2] == ("x" * 100, "0")
    assert len(tags) == 100


@pytest.mark.parametrize(
    ("value", "supply"),
    [
        (0, Decimal(0)),
        ("#0.0#", Decimal(0)),
        ("#21000000.123456789012345678901#", Decimal("21000000.123456789012345678901")),
        ("#3.5E10#", Decimal(35_000_000_000)),
        (None, None),
        (-1, None),
        ("many", None),
        ("#NaN#", None),
        ("#1e400#", None),
        ([], None),
        (True, None),
    ],
)
def test_a_supply_is_what_the_source_says_and_nothing_where_that_cannot_be(
    value: object, supply: Decimal | None
) -> None:
    read = profile(circulating_supply=value, total_supply=value, max_supply=value)
    assert (read.circulating_supply, read.total_supply, read.max_supply) == (supply, supply, supply)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "//example.org",
        "example.org",
        "https:example.org",
        "https://",
        "https://?x",
        "http://[",
        "https://a b.org",
        "https://a.org/\u00a0x",
        "https://a.org/\x00",
        "https://a.org/\r\nSet-Cookie: x",
        "java\nscript:alert(1)",
        "https://a.org/\u202egpj.exe",
        'https://a.org/"onclick="x',
        "https://a.org/<script>",
        "https://a.org\\@b.org",
        "https://bank.example@evil.example/",
        "https://user:word@evil.example/",
        "https://a.org/" + "x" * 500,
        "",
        None,
        7,
        ["https://a.org"],
        {"https": "//a.org"},
    ],
)
def test_an_address_that_nobody_should_follow_is_left_out(address: object) -> None:
    assert links({"website": [address, "https://good.example/"]}) == {"website": ("https://good.example/",)}


@pytest.mark.parametrize(
    "address",
    [
        "http://a.org",
        "HTTPS://A.org/x?y=1#z",
        "https://t.me/@someone",
        "https://a.org/" + "x" * 486,
        "https://ä.org/ö",
    ],
)
def test_an_address_of_the_web_is_kept_as_it_is(address: str) -> None:
    assert links({"website": [f" {address}\n"]}) == {"website": (address,)}


def test_links_are_few_and_each_stands_once() -> None:
    many = [f"https://a.org/{number // 2}" for number in range(100)]
    assert links({"explorer": many}) == {"explorer": tuple(f"https://a.org/{number}" for number in range(10))}


@pytest.mark.parametrize("kind", ["", "Website", "a-b", "a b", "x" * 41, "ä", "website\n", "1"])
def test_a_kind_of_links_is_a_plain_name(kind: str) -> None:
    assert links({kind: ["https://a.org"], "x" * 40: ["https://b.org"]}) == {"x" * 40: ("https://b.org",)}


def test_kinds_are_few() -> None:
    names = [f"{one}{other}" for one in "abcdefghij" for other in "abcdefghij"]
    assert list(links({name: ["https://a.org"] for name in names})) == names[:20]


@pytest.mark.parametrize(
    "urls", [None, [], "https://a.org", {"website": "https://a.org"}, {"website": None}, 7]
)
def test_links_of_another_shape_are_none(urls: object) -> None:
    assert links(urls) == {}


def test_only_what_was_asked_for_is_told_and_the_first_of_two() -> None:
    coins = [coin(3), coin(1) | {"tags": ["first"]}, coin(1) | {"tags": ["second"]}]
    assert parse_profiles((1, 2), good(coins)).value == {1: CurrencyProfile(tags=("first",))}


def test_a_coin_that_is_junk_fails_no_neighbour() -> None:
    data = {
        "1": [None, 7, "x", {}, {"id": "x"}, {"id": 1, "tags": 5, "urls": 5, "max_supply": {}}],
        "2": coin(2),
    }
    assert parse_profiles((1, 2), good(data)).value == {1: CurrencyProfile(), 2: CurrencyProfile()}


@pytest.mark.parametrize("data", [[], {}, "x", 7, [1], [{}], {"1": {"name": "no id"}}, [[[]]]])
def test_an_answer_without_a_single_coin_is_malformed(data: object) -> None:
    with pytest.raises(UpstreamMalformed):
        parse_profiles((1, 2), good(data))


@pytest.mark.parametrize("answer", [error(400, 400, 'Invalid value for "id"'), good([]), good({})])
def test_a_single_unknown_id_is_rejected_by_name(answer: UpstreamAnswer) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        told(answer, 77)
    assert caught.value.rejected == ("77",)


def test_errors_are_those_of_all_answers() -> None:
    with pytest.raises(UpstreamLimited):
        parse_profiles((1,), error(429, 1008))


def test_tags_and_links_come_with_the_info_and_supplies_with_the_quotes() -> None:
    ids = tuple(range(1, 151))
    calls = plan(*ids, 10**9 + 7)
    assert [(one.what, one.path, one.credits, one.currency_ids) for one in calls] == [
        ("info of 100", "/v2/cryptocurrency/info", 1, ids[:100]),
        ("info of 50", "/v2/cryptocurrency/info", 1, ids[100:]),
        ("quotes of 100", "/v3/cryptocurrency/quotes/latest", 1, ids[:100]),
        ("quotes of 50", "/v3/cryptocurrency/quotes/latest", 1, ids[100:]),
    ]
    assert calls[1].params == (
        ("id", ",".join(map(str, ids[100:]))),
        ("skip_invalid", "true"),
        ("aux", "urls,tags"),
    )


def test_the_calls_for_supplies_are_those_for_prices_by_id() -> None:
    ids = [*range(1, 201), 5000, 7000]
    supplies = plan(*ids)[3:]
    prices = SOURCE.plan(ids, {}, {})
    assert [(one.what, one.path, one.params, one.credits, one.currency_ids) for one in supplies] == [
        (one.what, one.path, one.params, one.credits, one.currency_ids) for one in prices
    ]


@pytest.mark.parametrize("currency_ids", [(), (10**9 + 7,)])
def test_what_it_cannot_know_is_in_no_call(currency_ids: tuple[int, ...]) -> None:
    assert plan(*currency_ids) == []


def test_without_a_key_the_calls_go_to_the_keyless_api() -> None:
    keyless = CoinMarketCap(base_url="https://example.test")
    assert isinstance(keyless, ProfileSource)
    assert [call.path for call in keyless.profiles([1])] == [
        "/public-api/v2/cryptocurrency/info",
        "/public-api/v3/cryptocurrency/quotes/latest",
    ]


def test_both_parts_make_one_profile() -> None:
    info, quotes = plan(1, 2010)
    whole = merged_profiles(
        [info.parse(recorded("info_v2")).value, quotes.parse(recorded("quotes_v2_by_id")).value]
    )
    assert whole[1].max_supply == 21_000_000
    assert whole[1].tags == ("mineable", "pow", "sha-256")
    assert whole[1].links["source_code"] == ("https://github.com/bitcoin/bitcoin",)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | unmarked
    | st.sampled_from(["1", "https://a.org"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "tags", "slug", "urls", "website", "circulating_supply", "1"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(data=json_values)
def test_whatever_the_data_are_only_usable_profiles_come_out(data: object) -> None:
    try:
        profiles = parse_profiles((1, 2), good(data)).value
    except UpstreamError:
        return
    assert profiles.keys() <= {1, 2}
    for one in profiles.values():
        assert (one.circulating_supply or 0) >= 0
        assert all(tag.isprintable() for tag in one.tags)
        assert all(link.startswith("http") for kind in one.links.values() for link in kind)


@given(fields=st.dictionaries(st.sampled_from(["tags", "urls", "max_supply"]), json_values))
def test_whatever_is_told_of_a_coin_its_neighbour_is_read(fields: dict[str, object]) -> None:
    answer = good([{"id": 1} | fields, {"id": 2, "max_supply": 21}])
    assert parse_profiles((1, 2), answer).value[2] == CurrencyProfile(max_supply=Decimal(21))


@given(body=st.binary(max_size=200), status=st.integers(min_value=100, max_value=599))
def test_whatever_the_bytes_are_nothing_but_an_upstream_error_comes_out(body: bytes, status: int) -> None:
    with pytest.raises(UpstreamError):
        parse_profiles((1, 2), raw(body, status=status))
