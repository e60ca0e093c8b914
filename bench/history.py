"""A page of 500 rates of one currency, read from PostgreSQL at every request, beside a bare handler and FastAPI.

python -m bench.history [--rounds 5] [--quick] [--without-peers]

`ratescurrency` keeps no page in memory: every request reads its rows. The bare handler answers a constant of the size of
one rate, as in `bench.lastrate`; FastAPI reads the same rows through SQLAlchemy's ORM (`bench.peers.fastapi_rates`).
"""

import statistics

import aiohttp
import asyncpg

from bench.load import QUICK_SECONDS, load
from bench.part import Options, run_part
from bench.rig import PEERS_PYTHON, Rig, first_rate, serve_peer
from bench.table import Goal, Series, print_table
from tests.e2e.processes import Stack

ROWS = 500
STORED = 1000
"""So that a page is not all there is."""
SECONDS = 2
BITCOIN = 1


async def measure(rig: Rig, options: Options) -> list[Goal]:
    async with rig.stack(TRACKED_TOP="100") as stack:
        urls = await _started(stack, options)
        series = {name: Series(name) for name in urls}
        for url in urls.values() if not options.is_quick else ():
            await load([url], 1)
        for _ in range(options.rounds):
            for name, url in urls.items():
                done = await load([url], options.sized(SECONDS, QUICK_SECONDS))
                series[name].values.append(done.rate)
    bare, ours, *_ = series.values()
    print_table(f"history page of {ROWS}", "requests/s", series.values(), base=bare)
    return [
        Goal(
            what=f"history page of {ROWS} over bare",
            seen=statistics.median(ours.over(bare)),
            target=0.046,
            at_least=True,
        )
    ]


async def _started(stack: Stack, options: Options) -> dict[str, str]:
    """URLs by name, the bare one first."""
    await stack.simulator()
    api = await stack.api()
    await stack.worker()
    page = f"/api/ratescurrency/{BITCOIN}/?limit={ROWS}"
    async with aiohttp.ClientSession() as http:
        file = stack.folder / "body.json"
        file.write_bytes(await first_rate(http, api))
        await _store_history(stack.env["DATABASE_URL"])
        async with http.get(api.url + page) as response:
            rates = (await response.json())["results"]
    if len(rates) != ROWS:
        raise RuntimeError(f"the page holds {len(rates)} rates")
    bare = await serve_peer(stack, "bare", str(file), path="/1/")
    urls = {"bare aiohttp + uvloop, one rate": f"{bare.url}/1/", "ratescurrency": api.url + page}
    if options.with_peers:
        database, python = stack.env["DATABASE_URL"], str(PEERS_PYTHON)
        peer = await serve_peer(stack, "fastapi_rates", database, path="/lastrate/1/", python=python)
        urls["FastAPI + SQLAlchemy"] = f"{peer.url}/rates/{BITCOIN}/?limit={ROWS}"
    return urls


async def _store_history(database_url: str) -> None:
    """The last rate again and again, a millisecond apart. Later, not earlier: partitions are made ahead."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            """
            INSERT INTO rates (currency_id, source, price_usd, percent_change_1h, percent_change_24h, volume_24h,
                               market_cap, observed_at, stored_at)
            SELECT currency_id, source, price_usd, percent_change_1h, percent_change_24h, volume_24h,
                market_cap, observed_at + step * interval '1 ms', stored_at
            FROM last_rates CROSS JOIN generate_series(1, $2) AS step
            WHERE currency_id = $1
            """,
            BITCOIN,
            STORED,
        )
    finally:
        await connection.close()


if __name__ == "__main__":
    run_part(measure, __doc__)
