"""A WebSocket of live rates: handshake and reading by aiohttp, what is told by the hub."""

import asyncio
from collections.abc import Callable

import orjson
import structlog
from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from api.catalog import Catalog
from api.errors import problem_body
from api.live.client import LAST_SECONDS, Client, Gone, TooSlow
from api.live.hub import LiveRates
from api.live.orders import All, Order, order_of
from api.live.pace import Pace
from api.live.wanted import MOST_IDS, wanted
from api.live.wire import WEBSOCKET, End, close_frame, pong_frame, text_frame
from api.memory import RateMemory
from api.protocol import HeadDeadlineProtocol
from shared.domain.times import Clock
from shared.errors import FreshrateError, InvalidInput, UnknownCurrencies

log = structlog.get_logger(__name__)

LONGEST_MESSAGE = 64 * 1024
"""Bytes that a client may say at once."""
NOTHING: frozenset[int] = frozenset()


def _nobody_cares(_end: End) -> None:
    """That has been told, or nobody asked."""


class RateSocket(web.WebSocketResponse):
    """Goes on until client or process leaves. All that is written goes past aiohttp, so it stays in order."""

    def __init__(
        self,
        live: LiveRates,
        *,
        catalog: Catalog,
        memory: RateMemory,
        clock: Clock,
    ) -> None:
        super().__init__(
            compress=False,
            max_msg_size=LONGEST_MESSAGE,
            autoping=False,
            autoclose=False,
            timeout=LAST_SECONDS,
        )
        self._live = live
        self._catalog = catalog
        self._memory = memory
        self._clock = clock
        self.on_end: Callable[[End], None] = _nobody_cares
        """Told why it ended."""
        self._client: Client | None = None
        self._pace = Pace()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """To be called by the handler: aiohttp takes an upgrade for declined where that comes later. It calls this once more, and
        where the client went during the handshake, that returns without one."""
        try:
            writer = await super().prepare(request)
            if (
                self._client is None
                and self._reader is not None
                and isinstance(request.protocol, HeadDeadlineProtocol)
            ):
                self._client = Client(WEBSOCKET, NOTHING, request.protocol, self._live.lost)
        except ConnectionError:
            self._tell_end(End.LEFT)
            raise
        return writer

    async def write_eof(self) -> None:  # type: ignore[override] # as aiohttp's own
        """The whole conversation."""
        client = self._client
        if client is None:  # it went during the handshake
            self._tell_end(End.LEFT)
            return
        self._live.open(client)
        try:
            await self._converse(client)
        except Gone:
            pass
        except TooSlow:
            self._live.end(client, End.SLOW)
        except Exception:
            log.exception("live socket broke")
            self._live.end(client, End.BROKEN)
        finally:
            self._live.end(client, End.LEFT)
            self._tell_end(client.end or End.LEFT)
            self._eof_sent = True

    def _tell_end(self, end: End) -> None:
        """Once."""
        on_end, self.on_end = self.on_end, _nobody_cares
        on_end(end)

    async def _converse(self, client: Client) -> None:
        await self._live.bring_up(client)
        while True:
            message = await self.receive()
            client.is_heard = True
            if message.type is WSMsgType.CLOSE:
                client.write(close_frame(message.data) if client.end is None else b"")
                return
            if message.type in {WSMsgType.CLOSED, WSMsgType.CLOSING}:
                return
            if message.type is WSMsgType.ERROR:
                self._live.end(client, End.MALFORMED)
                return
            if client.end is None:
                await self._hear(client, message.type, message.data)

    async def _hear(self, client: Client, kind: WSMsgType, data: object) -> None:
        if kind is WSMsgType.PING and isinstance(data, bytes | bytearray):
            client.write(pong_frame(bytes(data)))
        elif kind is not WSMsgType.PONG:
            await asyncio.sleep(self._pace.delay(asyncio.get_running_loop().time()))
            if client.end is not None:
                return
            try:
                if not isinstance(data, str):
                    raise InvalidInput({"message": ["Send text, not bytes."]})
                await self._obey(client, order_of(data))
            except FreshrateError as error:
                client.write(text_frame(orjson.dumps({"error": problem_body(error)}, default=str)))
        await asyncio.sleep(0)
        await client.room()

    async def _obey(self, client: Client, order: Order) -> None:
        kept = self._kept(client, order)
        if order.subscribe is All.ALL:
            await self._live.change(client, None)
            return
        asked = () if isinstance(order.subscribe, All) else order.subscribe
        found = await wanted(self._catalog, asked)
        if kept is None:
            if found.ids:
                self._memory.note_asked(found.ids, self._clock().timestamp())
        else:
            ids = (await wanted(self._catalog, kept)).ids | found.ids
            if len(ids) > MOST_IDS:
                raise InvalidInput(
                    {"subscribe": [f"These would be {len(ids)} currencies; at most {MOST_IDS} may be named."]}
                )
            self._memory.note_asked(found.ids, self._clock().timestamp())
            self._live.filters.check(ids)
            await self._live.change(client, ids, ids - (client.ids or NOTHING))
        if found.unknown:
            raise UnknownCurrencies(found.unknown)

    def _kept(self, client: Client, order: Order) -> frozenset[int] | None:
        """What it goes on listening to; None: all."""
        if order.unsubscribe is All.ALL:
            return NOTHING
        if client.ids is None:
            if order.unsubscribe:
                raise InvalidInput(
                    {
                        "unsubscribe": [
                            'Everything is subscribed, so single ones cannot be left: unsubscribe "all" first.'
                        ]
                    }
                )
            return None
        return client.ids.difference(self._catalog.successor(one) or one for one in order.unsubscribe)
