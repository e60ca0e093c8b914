"""Those who spent most, encoded once for each upload.

Every request reads the id of the current upload, so no answer is ever out of date; what was encoded for that id is kept, and
nothing of any other.
"""

import asyncio

from api.answers import Answer
from api.asking import Asking
from api.catalog import Catalog
from api.deals.conversions import Conversions
from api.deals.encoding import deals_answer, spenders_body
from api.deals.summaries import Summaries
from api.symbols import Symbols
from shared.domain.deals import DealsSummary
from shared.domain.times import Clock
from shared.ports import Storage
from shared.settings import Settings

LARGEST_CACHE = 16 * 1024 * 1024
"""Bytes."""


class DealsAnswers:
    """The answers of `GET /api/deals/`."""

    def __init__(
        self, *, storage: Storage, catalog: Catalog, symbols: Symbols, settings: Settings, clock: Clock
    ) -> None:
        self._storage = storage
        self._summaries = Summaries(storage)
        self._conversions = Conversions(
            storage=storage,
            summaries=self._summaries,
            catalog=catalog,
            symbols=symbols,
            settings=settings,
            clock=clock,
        )
        self._upload_id: int | None = None
        self._answers: dict[int, Answer] = {}
        """Of that upload, by how many customers they name."""
        self._bytes = 0
        self._encoding = asyncio.Lock()
        """Of those who ask for the same at once the first one encodes it; a long one takes memory while it is made."""

    async def top(self, count: int) -> Answer:
        """So many customers. Raises StorageUnavailable."""
        upload_id = await self._storage.current_upload()
        known = self._known(upload_id, count)
        if known is not None:
            return known
        summary = await self._summaries.of(upload_id) if upload_id is not None else None
        async with self._encoding:
            known = self._known(summary.upload.id if summary else None, count)
            return known or await self._encoded(summary, count)

    async def converted(self, count: int, symbol: str, asking: Asking) -> Answer:
        """The same with what they spent in another currency. Raises whatever `Conversions.answer` does."""
        return await self._conversions.answer(count, symbol, asking)

    def prepare(self, upload_id: int) -> None:
        """Reads in the background what the answers of a new upload need."""
        self._summaries.prepare(upload_id)

    async def close(self) -> None:
        await self._conversions.close()
        await self._summaries.close()

    def _known(self, upload_id: int | None, count: int) -> Answer | None:
        return self._answers.get(count) if upload_id == self._upload_id else None

    async def _encoded(self, summary: DealsSummary | None, count: int) -> Answer:
        upload_id = summary.upload.id if summary else None
        spenders = summary.spenders[:count] if summary else ()
        answer = await deals_answer(upload_id, spenders, lambda: spenders_body(spenders))
        self._keep(upload_id, count, answer)
        return answer

    def _keep(self, upload_id: int | None, count: int, answer: Answer) -> None:
        if upload_id != self._upload_id:
            self._answers.clear()
            self._upload_id, self._bytes = upload_id, 0
        self._answers[count] = answer
        self._bytes += len(answer.body)
        while self._bytes > LARGEST_CACHE and len(self._answers) > 1:
            self._bytes -= len(self._answers.pop(next(iter(self._answers))).body)
