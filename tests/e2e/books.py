"""What Redis says: which currencies are claimed, which worker holds a command, and how many are done."""

import re
from collections.abc import Collection, Sequence

from deploy.servers.valkey import ValkeyServer
from shared.messages import Role
from shared.queue import keys
from tests.e2e.processes import Running
from tests.waiting import until


def is_claimed(valkey: ValkeyServer, *currency_ids: int) -> bool:
    """Whether each of these currencies is being refreshed."""
    names = [f"{keys.CLAIM}{one}" for one in currency_ids]
    return valkey.ask("EXISTS", *names) == b":%d\r\n" % len(names)


async def claimed(valkey: ValkeyServer, currency_ids: Collection[int]) -> None:
    """Returns when each of these currencies is being refreshed."""

    async def are_claimed() -> bool:
        return is_claimed(valkey, *currency_ids)

    await until(are_claimed, seconds=10, what=f"the claims of {currency_ids}")


async def holder_of(
    valkey: ValkeyServer, workers: Sequence[Running], *, role: Role = Role.PRICING
) -> Running:
    """The one of these workers that holds commands; its list in Redis is named after its process id."""

    async def found() -> Running | None:
        names = valkey.ask("KEYS", keys.processing(role, "*")).decode()
        pids = {int(pid) for pid in re.findall(r"-(\d+)-[0-9a-f]+\r\n", names)}
        return next((one for one in workers if one.process.pid in pids), None)

    holder: Running = await until(found, seconds=10, what="a worker that holds a command")
    return holder


def entry(valkey: ValkeyServer, name: str) -> int:
    """How many commands were `accepted`, `done` or `dead` so far."""
    answer = valkey.ask("HGET", keys.books(Role.PRICING), name)
    return 0 if answer == b"$-1\r\n" else int(answer.split(b"\r\n")[1])
