"""The answer of a request for server-sent events: its head by aiohttp, its body by the hub."""

import random
from collections.abc import Callable, Sequence

import orjson
import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from api.live.client import Client, Gone, Ids, TooSlow
from api.live.hub import LiveRates
from api.live.recent import Refusal
from api.live.wire import SSE, End, event
from api.protocol import HeadDeadlineProtocol

log = structlog.get_logger(__name__)

RETRY_MS = (1000, 3000)
"""After which a browser connects again; random, so that not all come at once after a restart."""


class EventStream(web.StreamResponse):
    """Goes on until client or process leaves. It has no length and is not chunked: its end is that of the connection, so what
    is written is the same for all clients."""

    _length_check = False

    def __init__(
        self,
        live: LiveRates,
        *,
        ids: Ids,
        unknown: Sequence[int],
        heard: str | None,
        on_end: Callable[[End], None],
    ) -> None:
        """`unknown`: currencies that were asked for too. `heard`: the id of the last event that the client heard."""
        super().__init__(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        self.force_close()
        self._live = live
        self._ids = ids
        self._unknown = unknown
        self._heard = heard
        self._on_end = on_end
        self._client: Client | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            writer = await super().prepare(request)
            if isinstance(request.protocol, HeadDeadlineProtocol):
                self._client = Client(SSE, self._ids, request.protocol, self._live.lost)
        except ConnectionError:
            self._on_end(End.LEFT)
            raise
        return writer

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the signature is aiohttp's
        """The whole stream."""
        client = self._client
        if client is None:
            raise RuntimeError("The connection is none of ours.")
        self._live.open(client)
        try:
            await self._begin(client)
            await client.ended
        except Gone:
            pass
        except TooSlow:
            self._live.end(client, End.SLOW)
        except Exception:
            log.exception("live stream broke")
            self._live.end(client, End.BROKEN)
        finally:
            self._live.end(client, End.LEFT)
            self._on_end(client.end or End.LEFT)
            self._eof_sent = True

    async def _begin(self, client: Client) -> None:
        place = self._live.recent.place_of(self._heard)
        is_resumed = isinstance(place, int)
        state = {
            "resumed": is_resumed,
            "reason": place.value if isinstance(place, Refusal) else None,
            "unknown": list(self._unknown),
        }
        retry = f"retry: {random.randint(*RETRY_MS)}\n\n".encode()  # noqa: S311 - jitter, no secret
        client.write(retry + event("state", orjson.dumps(state)))
        if isinstance(place, int):
            client.position = place
        elif self._ids is None:
            client.owed_all_of = 0
        else:
            client.owed.update(dict.fromkeys(sorted(self._ids)))
        await self._live.bring_up(client)
