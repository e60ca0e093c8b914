"""`python -m simulator --port P`: runs until SIGTERM or SIGINT, and then ends within a second."""

import argparse
import asyncio
import signal
import sys

import uvloop
from aiohttp import web

from simulator import faults
from simulator.app import create_simulator

_GRACE = 0.2
"""Seconds that requests in hand may take once the simulator stops."""


def main() -> None:
    arguments = _arguments()
    try:
        uvloop.run(_serve(arguments))
    except OSError as error:
        sys.exit(f"The simulator cannot listen on {arguments.host}:{arguments.port}: {error.strerror}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A stand-in for CoinMarketCap (with a key, or under /public-api without one), CryptoCompare and "
        "Frankfurter, with moving prices and faults on demand.",
        epilog=faults.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, required=True, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    parser.add_argument(
        "--coins", type=_positive, default=600, help="how many; past 600 made-up ones, default %(default)s"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the prices, default %(default)s")
    parser.add_argument(
        "--latency-ms", type=float, default=0, help="how long every answer takes, default %(default)s"
    )
    parser.add_argument(
        "--tick-ms",
        type=int,
        default=1,
        help="how long an observation stays the same, 0 = every request sees a new one, default %(default)s",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("one or more")
    return value


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = create_simulator(
        coins=arguments.coins,
        seed=arguments.seed,
        latency_ms=arguments.latency_ms,
        tick_ms=arguments.tick_ms,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, arguments.host, arguments.port).start()
        host, port = runner.addresses[0][:2]
        sys.stdout.write(f"simulator ready on http://{host}:{port}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
