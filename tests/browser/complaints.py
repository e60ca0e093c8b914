"""What no page may do: complain in the console, fail, lose a request, ask another host."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import ConsoleMessage, Page, Request

_OF_ITSELF = {"about", "blob", "data"}
"""Schemes that ask nobody."""
_GIVEN_UP = "net::ERR_ABORTED"
"""The page itself let go of the request: its view was left, or it is a download."""


class Complaints:
    """Of all pages of one test."""

    def __init__(self) -> None:
        self._all: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._listeners: list[tuple[Page, str, Callable[[Any], None]]] = []

    def expect(self, *patterns: str) -> None:
        """What the test brings about itself, as when it takes the API away: complaints in which one of these regular
        expressions is found are none."""
        self._expected += [re.compile(pattern) for pattern in patterns]

    def left(self) -> list[str]:
        """Those that nobody expected."""
        return [one for one in self._all if not any(pattern.search(one) for pattern in self._expected)]

    def watch(self, page: Page, url: str) -> Page:
        """The page, of a service at this address, from now on and until `leave`."""
        host = urlsplit(url).netloc
        listeners: dict[str, Callable[[Any], None]] = {
            "console": self._on_console,
            "pageerror": lambda error: self._all.append(f"page error: {error}"),
            "requestfailed": self._on_failed,
            "request": lambda request: self._on_address(request.url, host),
            "websocket": lambda socket: self._on_address(socket.url, host),
        }
        for event, listener in listeners.items():
            page.on(event, listener)  # type: ignore[call-overload]
            self._listeners.append((page, event, listener))
        return page

    def leave(self) -> None:
        """Pages may be watched by another test from now on."""
        for page, event, listener in self._listeners:
            page.remove_listener(event, listener)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            place = message.location.get("url", "")
            self._all.append(f"console {message.type}: {message.text} ({place})")

    def _on_failed(self, request: Request) -> None:
        if request.failure != _GIVEN_UP:
            self._all.append(f"request failed: {request.method} {request.url}: {request.failure}")

    def _on_address(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.netloc != host and parts.scheme not in _OF_ITSELF:
            self._all.append(f"foreign request: {url}")
