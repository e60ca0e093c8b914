"""From the start of the standalone process to its first rate over HTTP, with the simulator as its source.

python -m bench.start [--rounds 5] [--quick]

Starts the simulator once, and then `python -m standalone` on an empty SQLite file again and again. The clock runs from
before the process is spawned to the first `lastrate` that answers 200.
"""

import time

import aiohttp

from bench.part import Options, run_part
from bench.rig import FIRST_RATE_SECONDS, Rig
from bench.table import Goal, Series, print_table
from deploy.servers.ports import free_port
from tests.e2e.processes import Running, Stack
from tests.waiting import until


async def measure(rig: Rig, options: Options) -> list[Goal]:
    took = Series("python -m standalone")
    async with rig.stack() as stack, aiohttp.ClientSession() as http:
        await stack.simulator()
        for number in range(options.rounds):
            took.values.append(await _seconds_to_first_rate(stack, http, number))
    print_table("start to the first rate", "s", [took])
    return [Goal(what="start to the first rate, slowest", seen=max(took.values), target=3, unit="s")]


async def _seconds_to_first_rate(stack: Stack, http: aiohttp.ClientSession, number: int) -> float:
    """Of one start, in a folder of its own."""
    folder = stack.folder / str(number)
    folder.mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {
        "API_PORT": str(port),
        "WORKER_METRICS_PORT": "0",
        "SOURCES": "simulator",
        "SIMULATOR_URL": stack.simulator_url,
    }
    started = time.perf_counter()
    running = await Running.start("standalone", "-m", "standalone", folder=folder, env=env, url=url)
    stack.processes.append(running)

    async def has_rate() -> bool:
        if running.process.returncode is not None:
            raise RuntimeError(running.log_text())
        try:
            async with http.get(f"{url}/api/lastrate/1/") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    await until(has_rate, seconds=FIRST_RATE_SECONDS, what="the first rate", pause=0.01)
    took = time.perf_counter() - started
    await running.stop()
    return took


if __name__ == "__main__":
    run_part(measure, __doc__)
