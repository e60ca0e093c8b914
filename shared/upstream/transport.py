"""One GET over HTTP, and nothing else: the only place that opens a client session.

Nothing that a server sends can hold the process up or fill its memory: 3 s to connect, a limit for the whole answer
(so a byte per second ends too), a cap on the body after decompression, no redirects, no cookies, no proxies or
credentials from the environment. TLS is verified with the system's defaults.
"""

from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from shared import __version__
from shared.errors import UpstreamMalformed, UpstreamUnreachable
from shared.ports import Call, Source, UpstreamAnswer

CONNECT_SECONDS = 3.0
MAX_BODY_BYTES = 32 * 1024 * 1024
"""A listing of 5000 coins with all their tags stays below 10 MB."""
_KEEP_ALIVE_SECONDS = 75.0
_DNS_SECONDS = 300
_NO_ROUNDING = 1e9
"""aiohttp rounds timeouts above its threshold up to whole seconds; deadlines here are meant exactly."""


class Transport:
    """Keeps connections alive between calls."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ttl_dns_cache=_DNS_SECONDS, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"freshrate/{__version__}", "Accept-Encoding": "gzip, deflate"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, source: Source, call: Call[Any], *, seconds: float) -> UpstreamAnswer:
        """The answer of any status. Raises UpstreamUnreachable, or UpstreamMalformed for what is no HTTP or too large."""
        if self._session is None:
            raise RuntimeError("the client is used outside of its context")
        timeout = aiohttp.ClientTimeout(
            total=seconds, connect=min(seconds, CONNECT_SECONDS), ceil_threshold=_NO_ROUNDING
        )
        try:
            url = URL(source.base_url + call.path).with_query(call.params)
            async with self._session.get(
                url, headers=source.headers, timeout=timeout, allow_redirects=False
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return UpstreamAnswer(response.status, headers, await _body(source, response))
        except TimeoutError as error:
            raise UpstreamUnreachable(f"{source.name} did not answer within {seconds:.1f} s.") from error
        except aiohttp.ClientResponseError as error:
            raise UpstreamMalformed(f"{source.name} does not speak HTTP.") from error
        except aiohttp.ClientPayloadError as error:
            if isinstance(error.__cause__, ContentEncodingError):
                raise UpstreamMalformed(f"{source.name} sent a body that cannot be decompressed.") from error
            raise UpstreamUnreachable(f"{source.name} broke off in the middle of its answer.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamUnreachable(
                f"{source.name} could not be reached: {type(error).__name__}."
            ) from error


async def _body(source: Source, response: aiohttp.ClientResponse) -> bytes:
    """Read piece by piece: aiohttp decompresses no more at once than a piece, so a bomb is noticed as it grows."""
    size = response.content_length or 0
    pieces: list[bytes] = []
    if size <= MAX_BODY_BYTES:
        size = 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > MAX_BODY_BYTES:
                break
            pieces.append(piece)
    if size > MAX_BODY_BYTES:
        response.close()
        raise UpstreamMalformed(f"{source.name} sent more than {MAX_BODY_BYTES // 1024**2} MB.")
    return b"".join(pieces)
