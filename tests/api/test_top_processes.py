"""Several processes renew the list of now together, and a queue or a store that is away stops none of them."""

import asyncio
from datetime import timedelta

import pytest

from shared.domain.visit import FailureKind
from shared.errors import StorageUnavailable
from shared.messages import RefreshRanking, Role
from shared.ports import Gap
from tests.api.conftest import StartRig
from tests.api.rig import Rig, start_two, until

PATH = "/api/top/"


@pytest.fixture
async def two(start: StartRig) -> Rig:
    return await start_two(start)


async def command_of_another(rig: Rig, length: int = 200) -> RefreshRanking:
    """Of another process; the worker is at it until `ranking_hold` is set."""
    rig.worker.ranking_hold.clear()
    other = RefreshRanking(id="other", length=length, created_at=rig.clock(), request_id="other")
    await rig.queue.submit(Role.RANKING, [other], wait=timedelta(seconds=10))
    await until(lambda: rig.worker.rankings)
    return other


async def depends_on(rig: Rig, command_id: str) -> None:
    """Until a claim was lost to this command."""
    flights = rig.api.top.rankings._flights
    await until(lambda: any(one.command_id == command_id for one in flights.values()))


async def test_who_loses_the_claim_is_answered_by_the_holders_visit(two: Rig) -> None:
    await command_of_another(two)
    asking = asyncio.create_task(two.get(PATH))
    await depends_on(two, "other")
    two.worker.ranking_hold.set()
    assert len((await asking)["results"]) == 4
    assert [one.id for one in two.worker.rankings] == ["other"]


async def test_the_holders_failure_is_ours(two: Rig) -> None:
    two.worker.ranking_failure = FailureKind.VISITED
    await command_of_another(two)
    asking = asyncio.create_task(two.get(PATH, status=502))
    await depends_on(two, "other")
    two.worker.ranking_hold.set()
    assert "No ranking." in (await asking)["detail"]


async def test_two_processes_renew_the_list_once(start: StartRig) -> None:
    first, second = await start_two(start), await start_two(start)
    await asyncio.gather(first.get(PATH), second.get(PATH))
    # Both rigs' workers go by one name, so both may see the one command.
    assert len({one.id for one in (*first.worker.rankings, *second.worker.rankings)}) == 1


async def test_a_ranking_that_only_the_store_tells_of_ends_the_waiting(two: Rig) -> None:
    two.worker.ranking_hold.clear()
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: two.worker.rankings)
    await two.storage.record_ranking(
        "cryptocompare", [1027, 1], is_whole=True, observed_at=two.clock(), stored_at=two.clock()
    )
    two.api.river._take(Gap())
    assert [row["currency"] for row in (await asyncio.wait_for(asking, 3))["results"]] == [1027, 1]
    two.worker.ranking_hold.set()


async def test_after_a_gap_who_still_waits_for_a_ranking_asks_again(two: Rig) -> None:
    original = two.queue.submit
    swallowed: list[object] = []

    async def submit(role: Role, commands: object, *, wait: timedelta) -> object:
        if role is Role.RANKING and not swallowed:
            swallowed.append(commands)
            return []
        return await original(role, commands, wait=wait)  # type: ignore[arg-type] # what the caller gave

    two.queue.submit = submit  # type: ignore[method-assign,assignment]
    asking = asyncio.create_task(two.get(PATH))
    await until(lambda: swallowed)
    two.api.river._take(Gap())
    assert len((await asyncio.wait_for(asking, 3))["results"]) == 4


async def test_a_store_that_is_down_stops_no_list(two: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await two.get(PATH)

    async def down(*_args: object, **_options: object) -> None:
        raise StorageUnavailable

    for name in ("last_ranking", "last_rates", "catalog", "ranking_as_of"):
        monkeypatch.setattr(two.storage, name, down)
    two.api.river._take(Gap())
    assert len((await two.get(PATH))["results"]) == 4
    assert (await two.headers(f"{PATH}?datetime=0"))[0] == 503
