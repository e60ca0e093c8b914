"""A request's name in the logs of both sides: the client's, where it is usable, else ours."""

import itertools
import re
import secrets

from aiohttp import web

HEADER = "X-Request-ID"
_USABLE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PREFIX = secrets.token_hex(6)
_NUMBERS = itertools.count(1)


def request_id_of(request: web.BaseRequest) -> str:
    """Unique over all processes: a random prefix per process, and a number."""
    sent = request.headers.get(HEADER)
    if sent is not None and _USABLE.fullmatch(sent):
        return sent
    return f"{_PREFIX}-{next(_NUMBERS):x}"
