"""An upload from its first byte to the commit: received as a whole, then checked and loaded."""

import asyncio
from collections.abc import Awaitable, Iterable
from time import perf_counter

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from api.deals.form import Sent, Upload
from api.deals.meters import DealsMetrics, Outcome
from api.deals.reader import DealsReader
from api.deals.spool import Content, Spool
from shared.domain.deals import DealsFile, DealsUpload, Replacement
from shared.domain.times import Clock
from shared.errors import (
    FreshrateError,
    InvalidDeals,
    StorageUnavailable,
    UnsupportedUpload,
    UploadsBusy,
    UploadStopped,
    UploadTooLarge,
)
from shared.ports import Storage
from shared.settings import Settings

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 8
"""Uploads in hand, each of which may take DEALS_MAX_BYTES of the disk."""
NOTE_SECONDS = 1.0
"""For which a client waits until its refused file is noted."""
CLEAR_SECONDS = 0.2
"""For which the client of an upload that is given up waits until it has ended; what it wrote may take longer to take back."""
_REFUSALS = (InvalidDeals, UnsupportedUpload, UploadTooLarge)


class Uploads:
    """Takes files of deals."""

    def __init__(
        self, *, storage: Storage, settings: Settings, clock: Clock, registry: CollectorRegistry
    ) -> None:
        self._storage = storage
        self._most = settings.deals_max_bytes
        self._clock = clock
        self._metrics = DealsMetrics(registry)
        self._in_hand = 0
        self._is_stopped = False
        self._is_receiving = True
        self._limits: dict[asyncio.Timeout, web.Request] = {}
        """Of the uploads in hand."""
        self._works: set[asyncio.Task[Replacement]] = set()
        """The same ones, and those that were given up and are ending."""
        self._loading = asyncio.Lock()
        """Two loads at once would take twice the memory, and wait for each other in the database."""
        self._noting: set[asyncio.Task[None]] = set()
        self._forgetting: asyncio.Task[None] | None = None
        self._is_more_to_forget = False

    async def take(self, request: web.Request) -> Replacement:
        """Makes the deals of the file that is being sent the deals.

        Raises InvalidDeals with all that is wrong with it; UnsupportedUpload, UploadTooLarge, UploadTooSlow, UploadsBusy,
        NoRoomForUpload, StorageUnavailable, UploadStopped; SenderLeft. The deals are what they were then. Only after
        StorageUnavailable and UploadStopped they may be those of the file all the same, where the connection was lost or given
        up while the database said that they are: to send the file again is safe, for it is recognised.
        """
        outcome = Outcome.FAILED
        try:
            replacement = await self._take_until_stopped(request)
            outcome = Outcome.LOADED if replacement.is_new else Outcome.SAME
            return replacement
        except _REFUSALS:
            outcome = Outcome.REFUSED
            raise
        finally:
            self._metrics.count(outcome)

    def stop_receiving(self) -> None:
        """Gives up the uploads that have not arrived as a whole: nothing more is read from connections."""
        self._is_receiving = False
        self._give_up(limit for limit, request in self._limits.items() if not request.content.is_eof())

    def stop(self) -> None:
        """Gives up all uploads in hand, whatever they wait for, and takes none any more."""
        self._is_stopped = True
        self._give_up(self._limits)

    async def close(self) -> None:
        """Ends what goes on in the background; the worker's upkeep does the rest of it."""
        if self._works:
            for work in self._works:
                work.cancel()
            await asyncio.wait(self._works, timeout=CLEAR_SECONDS)
        if self._noting:
            await asyncio.wait(self._noting, timeout=NOTE_SECONDS)
        tasks = [*self._noting, *([self._forgetting] if self._forgetting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_until_stopped(self, request: web.Request) -> Replacement:
        upload = Upload(request, most=self._most)
        if self._is_stopped or not (self._is_receiving or request.content.is_eof()):
            raise UploadStopped
        work = asyncio.create_task(self._take(upload), name="upload")
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        limit = asyncio.timeout(None)
        self._limits[limit] = request
        try:
            async with limit:
                return await asyncio.shield(work)
        except TimeoutError:
            if limit.expired():
                raise UploadStopped from None
            raise
        finally:
            del self._limits[limit]
            if not work.done():
                work.cancel()
                await asyncio.wait([work], timeout=CLEAR_SECONDS)

    @staticmethod
    def _give_up(limits: Iterable[asyncio.Timeout]) -> None:
        now = asyncio.get_running_loop().time()
        for limit in limits:
            if not limit.expired():
                limit.reschedule(now)

    async def _take(self, upload: Upload) -> Replacement:
        began = perf_counter()
        if self._in_hand >= MOST_AT_ONCE:
            raise UploadsBusy
        self._in_hand += 1
        try:
            async with Spool() as spool:
                sent = await upload.receive(spool)
                content = await spool.finish()
                replacement = await self._load(self._file_of(sent, spool), content)
        finally:
            self._in_hand -= 1
        if replacement.is_new:
            self._forget_soon()
        log.info(
            "deals loaded" if replacement.is_new else "deals are the same",
            upload=replacement.upload.id,
            rows=replacement.upload.rows,
            bytes=replacement.upload.file.size,
            seconds=round(perf_counter() - began, 3),
            file_name=replacement.upload.file.name,
        )
        return replacement

    def _file_of(self, sent: Sent, spool: Spool) -> DealsFile:
        return DealsFile(
            name=sent.name,
            size=spool.size,
            sha256=spool.sha256,
            charset=sent.charset,
            has_header=sent.has_header,
            received_at=self._clock(),
        )

    async def _load(self, file: DealsFile, content: Content) -> Replacement:
        reader = DealsReader(content, charset=file.charset, has_header=file.has_header)
        try:
            async with self._loading:
                columns = await reader.columns()
                return await self._storage.replace_deals(file, columns, reader.batches())
        except StorageUnavailable:
            self._forget_soon()  # it may be current all the same
            raise
        except InvalidDeals as error:
            # No transaction is open any more: what else is wrong is only looked for.
            errors = await reader.remaining_errors() or error.errors
            refusal = InvalidDeals(errors)
        await self._note_refused(file, refusal)
        raise refusal

    async def _note_refused(self, file: DealsFile, refusal: InvalidDeals) -> None:
        """The client learns what is wrong with its file, whatever becomes of the note."""
        noting = asyncio.create_task(
            _in_background(self._note(file, refusal), "refused deals not noted"), name="note refused deals"
        )
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)
        await asyncio.wait([noting], timeout=NOTE_SECONDS)

    async def _note(self, file: DealsFile, refusal: InvalidDeals) -> None:
        upload: DealsUpload | None = None
        try:
            upload = await self._storage.refuse_deals(file, error=str(refusal))
        finally:
            log.info(
                "deals refused",
                upload=None if upload is None else upload.id,
                errors=len(refusal.errors),
                error=refusal.errors[0],
                bytes=file.size,
                file_name=file.name,
            )

    def _forget_soon(self) -> None:
        """The rows of replaced uploads are read by nobody; deleting them takes as long as loading did."""
        self._is_more_to_forget = True
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(
                _in_background(self._forget(), "replaced deals not forgotten"), name="forget replaced deals"
            )

    async def _forget(self) -> None:
        while self._is_more_to_forget:
            self._is_more_to_forget = False
            forgotten = await self._storage.forget_replaced_deals()
            log.debug("replaced deals forgotten", rows=forgotten)


async def _in_background(work: Awaitable[None], failed: str) -> None:
    """`failed`: what the log says then."""
    try:
        await work
    except FreshrateError as error:
        log.warning(failed, error=str(error))
    except Exception:  # a defect there must not end in silence
        log.exception(failed)
