"""Lists as pages `{"next", "previous", "results"}` by opaque cursor, with all filters carried over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from aiohttp import web

from api.answers import json_answer
from shared.domain.page import Cursor, Page

T = TypeVar("T")
Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Links:
    """The paths of the neighbouring pages, relative to the root; None at an end."""

    next: str | None
    previous: str | None

    @property
    def header(self) -> str:
        """As the header `Link` (RFC 8288) has them; empty where there are none."""
        named = (("next", self.next), ("prev", self.previous))
        return ", ".join(f'<{path}>; rel="{name}"' for name, path in named if path is not None)


def page_answer(
    request: web.Request, page: Page[T], *, key: Callable[[T], Key], encode: Callable[[T], dict[str, Any]]
) -> web.Response:
    """`key`: the sort key of a row, as the store's cursor has it."""
    links = links_of(request, page, key=key)
    body = {
        "next": links.next,
        "previous": links.previous,
        "results": [encode(row) for row in page.rows],
    }
    return json_answer(orjson.dumps(body))


def links_of(request: web.Request, page: Page[T], *, key: Callable[[T], Key]) -> Links:
    following = Cursor(key(page.rows[-1])) if page.rows and page.has_next else None
    preceding = Cursor(key(page.rows[0]), backwards=True) if page.rows and page.has_previous else None
    return Links(_path(request, following), _path(request, preceding))


def _path(request: web.Request, cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    filters = [(name, value) for name, value in request.query.items() if name != "cursor"]
    return f"{request.rel_url.raw_path}?{urlencode([*filters, ('cursor', cursor.encode())])}"
