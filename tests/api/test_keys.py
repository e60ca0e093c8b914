"""Keys: exactly one, in a header, and never anywhere else."""

import hashlib

import pytest
from structlog.testing import capture_logs

from api.keys import Keys
from shared.errors import SettingsError
from tests.api.conftest import StartRig
from tests.api.rig import KEY, ManualClock, Rig

PATH = "/services/requestcurrency/1/"
GOOD = [
    {"X-API-Key": KEY},
    {"Authorization": f"Bearer {KEY}"},
    {"Authorization": f"bearer  {KEY} "},
]
BAD: list[list[tuple[str, str]]] = [
    [],
    [("X-API-Key", "")],
    [("X-API-Key", "wrong")],
    [("X-API-Key", KEY + "x")],
    [("X-API-Key", "ключ")],
    [("Authorization", f"Basic {KEY}")],
    [("Authorization", "Bearer")],
    [("Authorization", KEY)],
    [("X-API-Key", KEY), ("X-API-Key", KEY)],
    [("X-API-Key", KEY), ("Authorization", f"Bearer {KEY}")],
    [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {KEY}")],
]


@pytest.mark.parametrize("headers", GOOD)
async def test_one_valid_key_in_either_header_opens(rig: Rig, headers: dict[str, str]) -> None:
    assert (await rig.headers(PATH, **headers))[0] == 200


@pytest.mark.parametrize("headers", BAD, ids=str)
async def test_no_wrong_or_two_keys_are_401(rig: Rig, headers: list[tuple[str, str]]) -> None:
    async with rig.client.get(PATH, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json(content_type=None))["type"] == "/problems/key-required"
    assert rig.visitor.visits == 0


async def test_a_key_in_the_query_does_not_open(rig: Rig) -> None:
    assert (await rig.headers(f"{PATH}?api_key={KEY}"))[0] == 401


async def test_a_key_may_be_configured_by_its_digest(start: StartRig) -> None:
    rig = await start(api_keys="sha256:" + hashlib.sha256(KEY.encode()).hexdigest())
    assert (await rig.headers(PATH, **{"X-API-Key": KEY}))[0] == 200


async def test_the_digest_itself_is_no_key(start: StartRig) -> None:
    digest = "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()
    rig = await start(api_keys=digest)
    assert (await rig.headers(PATH, **{"X-API-Key": digest}))[0] == 401


async def test_without_configured_keys_it_says_what_to_set(start: StartRig) -> None:
    rig = await start(api_keys="")
    async with rig.client.get(PATH, headers={"X-API-Key": KEY}) as response:
        assert response.status == 401
        assert "API_KEYS" in (await response.json(content_type=None))["detail"]


async def test_guessing_ends_in_429_but_a_valid_key_still_opens(rig: Rig) -> None:
    statuses = [(await rig.headers(PATH, **{"X-API-Key": f"guess-{n}"}))[0] for n in range(602)]
    assert statuses.count(401) == 600
    assert statuses[-1] == 429
    assert (await rig.headers(PATH, **{"X-API-Key": KEY}))[0] == 200


def test_a_broken_digest_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="API_KEYS"):
        Keys(["sha256:abc"], ManualClock())


def test_a_short_key_is_warned_about_and_not_shown() -> None:
    with capture_logs() as logs:
        Keys(["short"], ManualClock())
    assert [line["event"] for line in logs] == ["short API key"]
    assert "'short'" not in str(logs)
