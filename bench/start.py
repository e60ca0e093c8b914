"""From the start of the standalone process to its first rate over HTTP, with the simulator as its source.

python -m bench.start [--starts 5]

Starts the simulator once, and then `python -m standalone` on an empty SQLite file again and again. The clock runs from
before the process is spawned to the first `lastrate` that answers 200.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop

from tests.e2e.processes import Running, Stack, free_port, until

LIMIT = 30.0


async def seconds_to_first_rate(stack: Stack, http: aiohttp.ClientSession, number: int) -> float:
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

    await until(has_rate, seconds=LIMIT, what="the first rate")
    took = time.perf_counter() - started
    await running.stop()
    return took


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshrate-bench-") as folder:
        stack = Stack(Path(folder), {})
        try:
            await stack.simulator()
            async with aiohttp.ClientSession() as http:
                took = [
                    await seconds_to_first_rate(stack, http, number) for number in range(arguments.starts)
                ]
        finally:
            await stack.close()
    print(
        f"start to first rate   median {statistics.median(took):5.2f} s   worst {max(took):5.2f} s   (target 3)"
    )


if __name__ == "__main__":
    uvloop.run(main())
