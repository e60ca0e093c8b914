"""What CryptoCompare's errors mean, whatever status they come with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    LimitPeriod,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.sources.cryptocompare.answers import contents_of, top_list_of
from tests.shared.sources.cryptocompare.answers import (
    answer,
    element,
    error,
    raw,
    recorded,
    top_list,
    unmarked,
)


def limits(**made: int) -> dict[str, object]:
    most = {"second": 20, "minute": 300, "hour": 3000, "day": 10_000, "month": 75_000}
    return {"calls_made": {**dict.fromkeys(most, 1), **made}, "max_calls": most}


@pytest.mark.parametrize(
    ("name", "period"), [("error_day", LimitPeriod.DAY), ("error_month", LimitPeriod.MONTH)]
)
def test_a_recorded_limit_says_which_period_is_used_up(name: str, period: LimitPeriod) -> None:
    with pytest.raises(UpstreamLimited, match="You are over your rate limit") as caught:
        contents_of(recorded(name))
    assert (caught.value.period, caught.value.retry_after) == (period, None)


@pytest.mark.parametrize(
    ("made", "period", "retry_after"),
    [
        ({"second": 21}, LimitPeriod.MINUTE, 2.0),
        ({"minute": 301}, LimitPeriod.MINUTE, None),
        ({"minute": 301, "second": 21}, LimitPeriod.MINUTE, None),
        ({"hour": 3000, "minute": 301}, LimitPeriod.MINUTE, 600.0),
        ({"day": 10_000, "hour": 4000}, LimitPeriod.DAY, None),
        ({"month": 75_000, "day": 10_000}, LimitPeriod.MONTH, None),
        ({}, LimitPeriod.MINUTE, None),
    ],
)
def test_the_longest_period_that_is_used_up_counts(
    made: dict[str, int], period: LimitPeriod, retry_after: float | None
) -> None:
    with pytest.raises(UpstreamLimited) as caught:
        contents_of(error(99, RateLimit=limits(**made)))
    assert (caught.value.period, caught.value.retry_after) == (period, retry_after)


@pytest.mark.parametrize(
    "stated",
    [
        None,
        [],
        "x",
        {},
        {"calls_made": 5},
        {"calls_made": {"day": 5}},
        {"calls_made": {"day": "x"}, "max_calls": []},
    ],
)
def test_a_limit_that_tells_no_period_is_one_of_a_minute(stated: object) -> None:
    with pytest.raises(UpstreamLimited) as caught:
        contents_of(error(99, RateLimit=stated))
    assert caught.value.period is LimitPeriod.MINUTE


def test_the_recorded_refusal_of_callers_without_a_key() -> None:
    with pytest.raises(UpstreamRefused, match="answered 401: API key required"):
        contents_of(recorded("error_401", status=401))


@pytest.mark.parametrize(
    ("status", "stated", "kind"),
    [
        (200, 401, UpstreamRefused),
        (200, "403", UpstreamRefused),
        (200, 429, UpstreamLimited),
        (200, 500, UpstreamBroken),
        (200, 404, UpstreamRejected),
        (401, None, UpstreamRefused),
        (401, "x", UpstreamRefused),
        (500, 9, UpstreamBroken),
        (200, None, UpstreamMalformed),
        (200, 200, UpstreamMalformed),
    ],
)
def test_an_error_of_the_new_style_is_one_with_any_status(
    status: int, stated: object, kind: type[UpstreamError]
) -> None:
    body = {"Data": {}, "Err": {"type": 2, "message": "no", "http_status_code": stated}}
    with pytest.raises(kind, match=": no"):
        contents_of(answer(body, status=status))


@pytest.mark.parametrize("stated", [[1], "x", 5, True])
def test_an_error_of_unknown_form_is_still_one(stated: object) -> None:
    with pytest.raises(UpstreamMalformed):
        contents_of(answer({"RAW": {"BTC": {}}, "Err": stated}))


def test_an_empty_error_of_the_new_style_is_success() -> None:
    assert contents_of(answer({"Data": [1], "Err": {}}))["Data"] == ["1"]


def test_the_recorded_error_without_data_is_a_rejection() -> None:
    with pytest.raises(UpstreamRejected, match="no data for any of the toSymbols"):
        contents_of(recorded("error_no_data"))


@pytest.mark.parametrize(
    "message", ["You need a valid auth key or api key to access this endpoint", "Bad API key"]
)
def test_a_wrong_key_has_the_type_of_a_wrong_parameter_but_is_a_refusal(message: str) -> None:
    with pytest.raises(UpstreamRefused):
        contents_of(error(1, message))


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        (1, 200, UpstreamRejected),
        ("2", 200, UpstreamRejected),
        (2, 400, UpstreamRejected),
        (2, 401, UpstreamRefused),
        (2, 503, UpstreamBroken),
        (99, 429, UpstreamLimited),
        (99, 500, UpstreamLimited),
        (0, 200, UpstreamMalformed),
        (None, 200, UpstreamMalformed),
        ([1], 200, UpstreamMalformed),
        (100, 200, UpstreamMalformed),
    ],
)
def test_the_old_style_by_type_and_status(kind: object, status: int, expected: type[UpstreamError]) -> None:
    with pytest.raises(expected):
        contents_of(error(kind, status=status))


@pytest.mark.parametrize("kind", [1, 2, 99])
def test_an_error_that_does_not_say_that_it_is_one_is_none_of_the_lists(kind: int) -> None:
    with pytest.raises((UpstreamRejected, UpstreamLimited)):
        top_list_of(answer({"Type": kind, "Message": "no", "Data": []}))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, UpstreamMalformed),
        (204, UpstreamMalformed),
        (400, UpstreamRejected),
        (403, UpstreamRefused),
        (429, UpstreamLimited),
        (502, UpstreamBroken),
        (302, UpstreamMalformed),
    ],
)
@pytest.mark.parametrize(
    "body", ["<html>Just a moment...</html>", "", "[]", '{"Data": [', "[" * 100_000, "\x00"]
)
def test_without_an_envelope_the_status_decides(status: int, kind: type[UpstreamError], body: str) -> None:
    with pytest.raises(kind):
        contents_of(raw(body, status=status))


def test_a_good_body_under_a_bad_status_is_no_answer() -> None:
    bad = top_list([element()])
    with pytest.raises(UpstreamBroken):
        contents_of(raw(bad.body, status=500))


def test_a_redirect_is_not_followed_and_says_so() -> None:
    with pytest.raises(UpstreamMalformed, match="redirects are not followed"):
        contents_of(raw("", status=301))


def test_the_vendors_text_reaches_a_log_as_one_short_line() -> None:
    with pytest.raises(UpstreamRejected) as caught:
        contents_of(error(2, "a\nb\x1b[31m" + "x" * 1000))
    assert str(caught.value).isprintable()
    assert "a b" in str(caught.value)
    assert len(str(caught.value)) < 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | unmarked | st.sampled_from(["Error", 99, 2, "99"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Response", "Type", "Err", "Data", "RateLimit", "calls_made", "max_calls", "day", "Message"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.integers(min_value=100, max_value=599))
def test_any_json_with_any_status_is_an_object_or_an_upstream_error(body: object, status: int) -> None:
    try:
        contents = contents_of(answer(body, status=status))
    except UpstreamError:
        return
    assert status == 200
    assert not contents.get("Err")
    assert contents.get("Response") != "Error"
