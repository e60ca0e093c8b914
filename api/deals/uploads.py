"""An upload from its first byte to the commit: received as a whole, then checked and loaded in one transaction."""

import asyncio
from time import perf_counter
from typing import IO

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from api.deals.form import Sent, Upload
from api.deals.meters import DealsMetrics, Outcome
from api.deals.reader import DealsReader
from api.deals.spool import Spool
from shared.domain.deals import DealsFile, Replacement
from shared.domain.times import Clock
from shared.errors import (
    FreshrateError,
    InvalidDeals,
    UnsupportedUpload,
    UploadsBusy,
    UploadTooLarge,
)
from shared.ports import Storage
from shared.settings import Settings

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 8
"""Uploads in hand, each of which may take DEALS_MAX_BYTES of the disk."""
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
        self._loading = asyncio.Lock()
        """Two loads at once would take twice the memory, and wait for each other in the database."""
        self._forgetting: asyncio.Task[None] | None = None
        self._is_more_to_forget = False

    async def take(self, request: web.Request) -> Replacement:
        """Makes the deals of the file that is being sent the deals.

        Raises InvalidDeals with all that is wrong with it; UnsupportedUpload, UploadTooLarge, UploadTooSlow, UploadsBusy,
        NoRoomForUpload, StorageUnavailable; SenderLeft. Whatever it raises, the deals are what they were.
        """
        outcome = Outcome.FAILED
        try:
            replacement = await self._take(Upload(request, most=self._most))
            outcome = Outcome.LOADED if replacement.is_new else Outcome.SAME
            return replacement
        except _REFUSALS:
            outcome = Outcome.REFUSED
            raise
        finally:
            self._metrics.count(outcome)

    async def close(self) -> None:
        """Ends what goes on in the background; the worker's upkeep does the rest of it."""
        if self._forgetting is not None:
            self._forgetting.cancel()
            await asyncio.gather(self._forgetting, return_exceptions=True)

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

    async def _load(self, file: DealsFile, content: IO[bytes]) -> Replacement:
        reader = DealsReader(content, charset=file.charset, has_header=file.has_header)
        try:
            async with self._loading:
                columns = await reader.columns()
                return await self._storage.replace_deals(file, columns, reader.batches())
        except InvalidDeals as error:
            # No transaction is open any more: what else is wrong is only looked for.
            errors = await reader.remaining_errors() or error.errors
            refusal = InvalidDeals(errors)
        await self._note_refused(file, refusal)
        raise refusal

    async def _note_refused(self, file: DealsFile, refusal: InvalidDeals) -> None:
        """The client learns what is wrong with its file, whatever becomes of the note."""
        upload_id: int | None = None
        try:
            upload_id = (await self._storage.refuse_deals(file, error=str(refusal))).id
        except FreshrateError as error:
            log.warning("refused deals not noted", error=str(error))
        log.info(
            "deals refused",
            upload=upload_id,
            errors=len(refusal.errors),
            error=refusal.errors[0],
            bytes=file.size,
            file_name=file.name,
        )

    def _forget_soon(self) -> None:
        """The rows of replaced uploads are read by nobody; deleting them takes as long as loading did."""
        self._is_more_to_forget = True
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(self._forget(), name="forget replaced deals")

    async def _forget(self) -> None:
        try:
            while self._is_more_to_forget:
                self._is_more_to_forget = False
                forgotten = await self._storage.forget_replaced_deals()
                log.debug("replaced deals forgotten", rows=forgotten)
        except FreshrateError as error:
            log.warning("replaced deals not forgotten", error=str(error))
        except Exception:  # a defect there must not end in silence
            log.exception("replaced deals not forgotten")
