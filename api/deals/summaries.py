"""The summary of the current upload, read once for all who need it: it may be a megabyte of names."""

from api.deals.sharing import SharedWork
from shared.domain.deals import DealsSummary
from shared.ports import Storage


class Summaries:
    """Keeps the last one that was read."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: DealsSummary | None = None
        self._readings: SharedWork[int, DealsSummary | None] = SharedWork(self._read, name="summary of deals")

    async def of(self, upload_id: int) -> DealsSummary | None:
        """Of the upload that was just found to be the current one, or of one that is current since; None where there is none
        any more. Raises StorageUnavailable."""
        if self._has(upload_id):
            return self._kept
        # A reading for this id began after its commit, so it finds that upload or a newer one.
        return await self._readings.result(upload_id)

    def prepare(self, upload_id: int) -> None:
        """Reads it in the background, for those who will ask."""
        if not self._has(upload_id):
            self._readings.begin(upload_id)

    async def close(self) -> None:
        await self._readings.close()

    def _has(self, upload_id: int) -> bool:
        return self._kept is not None and self._kept.upload.id == upload_id

    async def _read(self, _upload_id: int) -> DealsSummary | None:
        self._kept = await self._storage.deals_summary()
        return self._kept
