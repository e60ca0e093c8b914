"""Those who spent most, encoded once for each upload.

Every request reads the id of the current upload, so no answer is ever out of date; what was encoded for that id is kept, and
nothing of any other.
"""

from api.answers import Answer
from api.asking import Asking
from api.catalog import Catalog
from api.deals.conversion import Conversions
from api.deals.encoding import deals_answer, spenders_body
from api.symbols import Symbols
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
        self._conversions = Conversions(
            storage=storage, catalog=catalog, symbols=symbols, settings=settings, clock=clock
        )
        self._upload_id: int | None = None
        self._answers: dict[int, Answer] = {}
        """Of that upload, by how many customers they name."""
        self._bytes = 0

    async def top(self, count: int) -> Answer:
        """So many customers. Raises StorageUnavailable."""
        upload_id = await self._storage.current_upload()
        known = self._answers.get(count) if upload_id == self._upload_id else None
        if known is not None:
            return known
        summary = await self._storage.deals_summary() if upload_id is not None else None
        upload_id = summary.upload.id if summary else None
        spenders = summary.spenders[:count] if summary else ()
        answer = await deals_answer(upload_id, spenders, lambda: spenders_body(spenders))
        self._keep(upload_id, count, answer)
        return answer

    async def converted(self, count: int, symbol: str, asking: Asking) -> Answer:
        """The same with what they spent in another currency. Raises whatever `Conversions.answer` does."""
        return await self._conversions.answer(count, symbol, asking)

    async def close(self) -> None:
        await self._conversions.close()

    def _keep(self, upload_id: int | None, count: int, answer: Answer) -> None:
        if upload_id != self._upload_id:
            self._answers.clear()
            self._upload_id, self._bytes = upload_id, 0
        if count in self._answers:
            return
        self._answers[count] = answer
        self._bytes += len(answer.body)
        while self._bytes > LARGEST_CACHE and len(self._answers) > 1:
            self._bytes -= len(self._answers.pop(next(iter(self._answers))).body)
