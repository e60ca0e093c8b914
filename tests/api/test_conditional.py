"""Conditional requests on answers that carry one rate or have a validator."""

import pytest

from tests.api.rig import Rig, observed

PATHS = ["/api/lastrate/1/", "/api/ratecurrency/1/", "/api/currencies/1/", "/api/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
async def test_whoever_has_it_already_gets_304_without_a_body(rig: Rig, path: str) -> None:
    await rig.store(observed())
    _, headers = await rig.headers(path)
    etag = headers["ETag"]
    for sent in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        async with rig.client.get(path, headers={"If-None-Match": sent}) as response:
            assert response.status == 304, sent
            assert await response.read() == b""
            assert response.headers["ETag"] == etag


async def test_304_says_how_old_the_rate_is(rig: Rig) -> None:
    await rig.store(observed())
    _, first = await rig.headers(PATHS[0])
    rig.clock.advance(seconds=5)
    status, headers = await rig.headers(PATHS[0], **{"If-None-Match": first["ETag"]})
    assert status == 304
    assert headers["Age"] == "5"
    assert headers["Last-Modified"] == first["Last-Modified"]
    assert headers["X-Request-ID"]


@pytest.mark.parametrize("path", PATHS[:2])
async def test_if_modified_since_compares_with_fetched_at(rig: Rig, path: str) -> None:
    await rig.store(observed())
    for since, status in (
        ("Fri, 20 Nov 2026 12:00:00 GMT", 304),
        ("Fri, 20 Nov 2026 12:00:01 GMT", 304),
        ("Fri, 20 Nov 2026 11:59:59 GMT", 200),
        ("yesterday", 200),
        ("Fri, 99 Nov 2026 11:59:59 GMT", 200),
    ):
        assert (await rig.headers(path, **{"If-Modified-Since": since}))[0] == status, since


async def test_if_none_match_takes_precedence(rig: Rig) -> None:
    await rig.store(observed())
    headers = {"If-None-Match": '"another"', "If-Modified-Since": "Fri, 20 Nov 2026 13:00:00 GMT"}
    assert (await rig.headers(PATHS[0], **headers))[0] == 200


async def test_a_confirmation_and_staleness_change_the_validator(rig: Rig) -> None:
    await rig.store(observed())
    _, first = await rig.headers(PATHS[0])
    rig.clock.advance(seconds=901)
    _, stale = await rig.headers(PATHS[0])
    await rig.store(observed())
    _, confirmed = await rig.headers(PATHS[0])
    assert len({first["ETag"], stale["ETag"], confirmed["ETag"]}) == 3


async def test_latestrate_is_never_304(rig: Rig) -> None:
    assert (await rig.headers("/api/latestrate/1/", **{"If-None-Match": "*"}))[0] == 200
