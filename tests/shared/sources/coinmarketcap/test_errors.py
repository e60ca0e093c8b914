"""What CoinMarketCap's errors mean."""

import pytest

from shared.errors import (
    LimitPeriod,
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)
from shared.sources.coinmarketcap.answers import contents_of
from tests.shared.sources.coinmarketcap.answers import error, raw

REFUSALS = [
    (401, 1001, "This API Key is invalid."),
    (401, 1002, "API key missing."),
    (402, 1003, "Your API Key must be activated. Please go to pro.coinmarketcap.com/account/plan."),
    (402, 1004, "Your API Key's subscription plan has expired."),
    (403, 1005, "An API Key is required for this call."),
    (403, 1006, "Your API Key subscription plan doesn't support this endpoint."),
    (403, 1007, "This API Key has been disabled. Please contact support."),
]


@pytest.mark.parametrize(("status", "code", "message"), REFUSALS)
def test_an_account_that_is_not_accepted_is_refused(status: int, code: int, message: str) -> None:
    with pytest.raises(UpstreamRefused, match=rf"answered {status}, code {code}: {message[:10]}"):
        contents_of(error(status, code, message))


@pytest.mark.parametrize(
    ("code", "period", "retry_after"),
    [
        (1008, LimitPeriod.MINUTE, None),
        (1009, LimitPeriod.DAY, None),
        (1010, LimitPeriod.MONTH, None),
        (1011, LimitPeriod.MINUTE, 120.0),
        ("1008", LimitPeriod.MINUTE, None),
        (4290, LimitPeriod.MINUTE, None),
    ],
)
def test_each_limit_says_when_it_ends(code: object, period: LimitPeriod, retry_after: float | None) -> None:
    with pytest.raises(UpstreamLimited) as caught:
        contents_of(error(429, code, "too many"))
    assert (caught.value.period, caught.value.retry_after) == (period, retry_after)


@pytest.mark.parametrize(
    ("message", "rejected"),
    [
        ('Invalid value for "id": "77"', ("77",)),
        ('Invalid values for "id": "1,2"', ("1", "2")),
        ('Invalid values for "id": "1, 2"', ("1", "2")),
        ('Invalid value for "id"', ()),
        ('Invalid values for "symbol": "IOT,BEC"', ()),
        ('Invalid values for "id": "x\' OR 1=1"', ()),
        ("", ()),
        (None, ()),
    ],
)
def test_a_bad_request_hands_on_the_ids_that_it_names(message: str, rejected: tuple[str, ...]) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        contents_of(error(400, 400, message))
    assert caught.value.rejected == rejected


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, 500, UpstreamBroken),
        (503, 0, UpstreamBroken),
        (200, 500, UpstreamBroken),
        (200, 1001, UpstreamRefused),
        (200, 1008, UpstreamLimited),
        (200, 400, UpstreamRejected),
        (200, 9999, UpstreamMalformed),
        (404, 0, UpstreamRejected),
        (401, 0, UpstreamRefused),
        (418, 0, UpstreamLimited),
        (204, 0, UpstreamMalformed),
        (301, 0, UpstreamMalformed),
        (302, 0, UpstreamMalformed),
        (100, 0, UpstreamMalformed),
    ],
)
def test_the_code_tells_more_than_the_status_and_the_status_more_than_nothing(
    status: int, code: int, kind: type[UpstreamError]
) -> None:
    with pytest.raises(kind):
        contents_of(error(status, code))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, UpstreamMalformed),
        (400, UpstreamRejected),
        (403, UpstreamRefused),
        (429, UpstreamLimited),
        (502, UpstreamBroken),
        (302, UpstreamMalformed),
    ],
)
@pytest.mark.parametrize("body", ["<html>Just a moment...</html>", "", "[]", '{"status": 5}', "\x00"])
def test_without_json_the_status_decides(status: int, kind: type[UpstreamError], body: str) -> None:
    with pytest.raises(kind):
        contents_of(raw(body, status=status))


def test_a_redirect_is_not_followed_and_says_so() -> None:
    with pytest.raises(UpstreamMalformed, match="redirects are not followed"):
        contents_of(raw("", status=302))


def test_the_vendors_text_reaches_a_log_as_one_short_line() -> None:
    with pytest.raises(UpstreamBroken) as caught:
        contents_of(error(500, 500, "a\r\nb\x1b[31m" + "x" * 1000))
    assert str(caught.value).isprintable()
    assert "a b" in str(caught.value)
    assert len(str(caught.value)) < 300
