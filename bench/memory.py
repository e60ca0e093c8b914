"""Resident memory of an API and a worker process after polls of the top 5000.

python -m bench.memory [--rounds 5] [--quick]

A round is four polls, as fast as the schedule allows (one a second). The simulator stands for the source and is not
counted. The process that starts first, here the API, also creates the schema.
"""

import re
from pathlib import Path

import aiohttp

from bench.part import Options, run_part
from bench.rig import Rig, first_rate
from bench.table import Goal, Series, print_table
from tests.e2e.processes import Running
from tests.waiting import until

COINS = 5000
POLLS = 4
"""Of a round."""
POLL_SECONDS = 60.0


async def measure(rig: Rig, options: Options) -> list[Goal]:
    coins, polls = options.sized((COINS, POLLS), (COINS // 5, 1))
    env = {"TRACKED_TOP": str(coins), "PRICE_SCHEDULE": "1s"}
    async with rig.stack(**env) as stack, aiohttp.ClientSession() as http:
        await stack.simulator("--coins", str(coins))
        api = await stack.api()
        worker = await stack.worker()
        await first_rate(http, api)
        series = {running.name: Series(name) for running, name in ((api, "API"), (worker, "worker"))}
        peaks = {running.name: Series(f"{series[running.name].name}, highest") for running in (api, worker)}
        for number in range(1, options.rounds + 1):
            await _polled(worker, number * polls, coins)
            for running in (api, worker):
                series[running.name].values.append(megabytes(running, "VmRSS"))
                peaks[running.name].values.append(megabytes(running, "VmHWM"))
    print_table(
        f"memory, {options.rounds * polls} polls of {coins}", "MB", [*series.values(), *peaks.values()]
    )
    of_api, of_worker = series.values()
    return [
        Goal(what="memory of the API", seen=max(of_api.values), target=120, unit="MB"),
        Goal(what="memory of the worker", seen=max(of_worker.values), target=100, unit="MB"),
    ]


async def _polled(worker: Running, times: int, coins: int) -> None:
    async def enough() -> bool:
        polls = [line for line in worker.log_lines() if line.get("event") == "polled"]
        return len([line for line in polls if line["rates"] == coins]) >= times

    await until(enough, seconds=POLL_SECONDS, what=f"{times} polls of {coins}\n{worker.log_text()}")


def megabytes(running: Running, field: str) -> float:
    """`field`: of /proc/PID/status."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    if not found:
        raise RuntimeError(f"no {field} of {running.name}:\n{status}")
    return int(found[1]) / 1024


if __name__ == "__main__":
    run_part(measure, __doc__)
