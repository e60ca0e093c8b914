"""Health: alive is this process alone, ready names what it needs."""

import asyncio
from collections.abc import Awaitable

import orjson
from aiohttp import web

from api.answers import json_answer
from api.context import CONTEXT
from api.queries import NoQuery
from api.routes.route import Route
from api.schemas import LivenessSchema, ReadinessSchema
from shared.errors import FreshrateError, InvalidInput

PING_SECONDS = 1.0
OK = "ok"


async def show_liveness(_request: web.Request, _query: NoQuery) -> web.Response:
    """Fails only where the loop does not turn: never because something else is down."""
    return json_answer(b'{"alive":true}', {"Cache-Control": "no-store"})


async def show_readiness(request: web.Request, _query: NoQuery) -> web.Response:
    api = request.app[CONTEXT]
    database, queue = await asyncio.gather(_ping(api.storage.ping()), _ping(api.queue.ping()))
    dependencies = {
        "database": database,
        "queue": queue,
        "stream": OK if api.river.is_flowing else "The stream of facts is not being read.",
        "catalog": OK if api.catalog.is_loaded else "The catalog of currencies is not loaded yet.",
    }
    ready = all(state == OK for state in dependencies.values())
    response = json_answer(orjson.dumps({"ready": ready, "dependencies": dependencies}))
    response.headers["Cache-Control"] = "no-store"
    response.set_status(200 if ready else 503)
    return response


async def _ping(ping: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(PING_SECONDS):
            await ping
    except FreshrateError as error:
        return str(error)
    except TimeoutError:
        return "No answer in time."
    return OK


ROUTES = (
    Route(
        path="/health/live",
        handler=show_liveness,
        summary="Whether this process is alive",
        tag="Operation",
        answers=LivenessSchema,
        example={"alive": True},
        errors=(InvalidInput,),
    ),
    Route(
        path="/health/ready",
        handler=show_readiness,
        summary="Whether everything that this process needs is there",
        tag="Operation",
        answers=ReadinessSchema,
        example={
            "ready": True,
            "dependencies": {"database": OK, "queue": OK, "stream": OK, "catalog": OK},
        },
        errors=(InvalidInput,),
        statuses=(503,),
    ),
)
