"""The limit of a forced refresh: the same hops as ours with the least code, and none of its promises.

python -m bench.peers.bare_refresh PORT REDIS_URL
python -m bench.peers.bare_refresh worker REDIS_URL DATABASE_URL SOURCE_URL

HTTP request -> Redis list -> worker -> source -> one INSERT and its commit -> publish -> answer. No claims, no budget, no
last rate, no journal, no validation, nothing survives a death.
"""

import asyncio
import json
import os
import sys

import aiohttp
import asyncpg
import uvloop
from aiohttp import web
from redis.asyncio import Redis

COMMANDS, DONE = "bare:commands", "bare:done"


def redis_at(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=None)


async def work(redis_url: str, database_url: str, source_url: str) -> None:
    redis, publisher = redis_at(redis_url), redis_at(redis_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS bare_rates (id bigserial PRIMARY KEY, currency_id bigint, price numeric, at timestamptz)"
    )
    async with aiohttp.ClientSession() as http:
        while True:
            command = json.loads(await redis.blmove(COMMANDS, "bare:doing", 0, "LEFT", "RIGHT") or "")
            async with http.get(source_url, params={"id": command["currency_id"]}) as response:
                (coin,) = json.loads(await response.read(), parse_float=str)["data"]
            price = coin["quote"][0]["price"]
            await connection.execute(
                "INSERT INTO bare_rates (currency_id, price, at) VALUES ($1, $2::text::numeric, now())",
                command["currency_id"],
                price,
            )
            await publisher.publish(DONE, json.dumps({"id": command["id"], "price": price}))


async def serve(redis_url: str, port: int) -> None:
    redis = redis_at(redis_url)
    waiting: dict[str, asyncio.Future[bytes]] = {}

    async def listen() -> None:
        channel = redis_at(redis_url).pubsub()
        await channel.subscribe(DONE)
        async for message in channel.listen():
            if message["type"] == "message":
                waiting.pop(json.loads(message["data"])["id"]).set_result(message["data"])

    async def refresh(request: web.Request) -> web.Response:
        name = os.urandom(8).hex()
        answer = waiting[name] = asyncio.get_running_loop().create_future()
        command = {"id": name, "currency_id": int(request.match_info["currency_id"])}
        await redis.rpush(COMMANDS, json.dumps(command))
        return web.Response(body=await answer, content_type="application/json")

    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/{currency_id}/", refresh)
    app.router.add_get("/", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await listen()


def main() -> None:
    role, redis_url, *rest = sys.argv[1:]
    uvloop.run(work(redis_url, *rest) if role == "worker" else serve(redis_url, int(role)))


if __name__ == "__main__":
    main()
