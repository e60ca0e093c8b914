"""Fresh rates for routes: the limit per client, the refresh, and problems that tell the last rate known."""

from datetime import timedelta

import orjson
from aiohttp import web

from api.answers import fresh
from api.asking import Asking
from api.context import ApiContext
from api.errors import STALE_HEADER, problem_answer
from api.gate import PROBLEM, REQUEST_ID
from api.keys import client_of
from shared.errors import (
    DeadlineExceeded,
    FreshrateError,
    InvalidInput,
    NotTried,
    StorageUnavailable,
    TooManyRequests,
    UnknownCurrency,
    UpstreamError,
)

FAILURES = (UpstreamError, NotTried, StorageUnavailable, DeadlineExceeded)
"""The ways in which a refresh brings no rate: 502, 503, 503, 504."""
ERRORS: tuple[type[FreshrateError], ...] = (
    InvalidInput,
    UnknownCurrency,
    TooManyRequests,
    *FAILURES,
)
"""What a request that may refresh can answer."""


def asking_of(request: web.Request, api: ApiContext) -> Asking:
    """From now on."""
    return Asking(
        request[REQUEST_ID],
        lambda: spend_refresh(request, api),
        arrived_at=api.clock(),
        patience=api.settings.refresh_timeout_seconds,
    )


async def refreshed(
    request: web.Request, api: ApiContext, currency_id: int, max_age: timedelta
) -> web.Response:
    """A rate that was fetched no longer than that before this request, or a problem with the last one."""
    asking = asking_of(request, api)
    if api.memory.fetched_since(currency_id, asking.arrived_at - max_age) is None:
        await api.catalog.refreshable(currency_id)
    found = await api.lookup.find([currency_id], asking, max_age=max_age)
    answer = found.rates.get(currency_id)
    if answer is None:
        error = found.failures[currency_id]
        if isinstance(error, TooManyRequests):
            raise error
        return refresh_problem(request, api, currency_id, error)
    return fresh(answer, api.clock().timestamp())


def spend_refresh(request: web.Request, api: ApiContext) -> None:
    """Raises TooManyRequests."""
    api.refresh_limit.spend(client_of(request, api.keys))


def refresh_problem(
    request: web.Request, api: ApiContext, currency_id: int, error: FreshrateError
) -> web.Response:
    """The failure, with the last rate, which is stale by definition: it could not be renewed."""
    request[PROBLEM] = error
    known = api.memory.known(currency_id)
    if known is None:
        return problem_answer(error, last_rate=None)
    last = api.memory.encode(known.rate, not_renewed=True)
    response = problem_answer(error, last_rate=orjson.Fragment(last.body))
    response.headers[STALE_HEADER] = "true"
    return response
