"""Every expected failure of freshrate, as one tree.

An exception's docstring is its default message. `api.errors` maps the tree to HTTP in one table.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from inspect import cleandoc
from typing import ClassVar


class FreshrateError(Exception):
    """Something in freshrate failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or cleandoc(type(self).__doc__ or ""))


class SettingsError(FreshrateError):
    """A setting is missing or wrong."""


class RetryableError(FreshrateError):
    """Not now; later it may work."""

    default_retry_after: ClassVar[float] = 1.0

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = self.default_retry_after if retry_after is None else retry_after
        """Seconds after which another try makes sense."""


# What a client asked


class InvalidInput(FreshrateError):
    """Correct what "errors" names; /api/docs/ lists the parameters of every request."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.errors = errors
        """What is wrong, by parameter."""


class NotFound(FreshrateError):
    """There is nothing at this address."""


class UnknownCurrency(NotFound):
    """No currency has this id. GET /api/currencies/ lists those that exist."""


class UnknownCurrencies(UnknownCurrency):
    """None of these currencies exists. GET /api/currencies/ lists those that do."""

    def __init__(self, unknown: Sequence[str | int]) -> None:
        super().__init__()
        self.unknown = unknown
        """The symbols or ids, as they were asked for."""


class UnknownRate(NotFound):
    """No rate has this id. GET /api/ratescurrency/ lists those that exist."""


class NoRateYet(NotFound):
    """No rate of this currency is stored yet."""


class KeyRequired(FreshrateError):
    """A valid key is needed. Send exactly one, as X-API-Key: KEY or Authorization: Bearer KEY."""


class ForeignOrigin(FreshrateError):
    """A page of another origin may not change anything here."""


class ForeignListener(ForeignOrigin):
    """A page of another origin may not listen here. Let it ask its own server, which may."""


class UpgradeRequired(FreshrateError):
    """Open it with a WebSocket client (RFC 6455, version 13). GET /api/stream/ tells the same as server-sent events."""


class StreamsBusy(RetryableError):
    """As many live streams as this process feeds at once are open."""

    default_retry_after = 5.0


class TooManyRequests(RetryableError):
    """Too many requests from this client. Wait as long as Retry-After says."""

    default_retry_after = 60.0


# An upload


class InvalidDeals(FreshrateError):
    """Something is wrong with the file of deals, or with how it was sent."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)
        """What is wrong, each in a line: "line 17: total is not a number: '12,5'"."""


class UploadTooLarge(FreshrateError):
    """The upload is larger than this service takes."""


class UnsupportedUpload(FreshrateError):
    """Send a form (multipart/form-data) with the file field deals, or the file itself as text/csv, neither compressed."""


class UploadTooSlow(FreshrateError):
    """The upload did not arrive in time."""


class UploadsBusy(RetryableError):
    """As many uploads as this process takes at once are being received."""

    default_retry_after = 5.0


class UploadStopped(RetryableError):
    """This process is stopping, so the upload was given up. Send the file again."""

    default_retry_after = 5.0


class NoRoomForUpload(RetryableError):
    """There is no room for the upload on the disk of this service."""

    default_retry_after = 60.0


# What our own servers did


class StorageUnavailable(RetryableError):
    """The database does not answer."""


class SchemaOutdated(FreshrateError):
    """The database schema is not the one of this version."""


class NotTried(RetryableError):
    """Nothing was tried."""


class QueueUnavailable(NotTried):
    """The command queue does not answer, so no refresh can be asked for."""


class WorkerGone(NotTried):
    """No worker is alive to execute the refresh."""


class CatalogNotLoaded(NotTried):
    """The catalog of currencies is not loaded yet."""


class SourceBlocked(NotTried):
    """The source asked not to be visited for now."""


class BreakerOpen(NotTried):
    """The source failed several times in a row and is being left alone for a moment."""


class BudgetSpent(NotTried):
    """The budget of calls or credits for the source is spent."""


class DeadlineExceeded(FreshrateError):
    """No fresh rate arrived within the time limit."""


# What a source did


class UpstreamError(FreshrateError):
    """The source was visited and failed."""


class UpstreamUnreachable(UpstreamError):
    """The source could not be reached, or did not answer in time."""


class UpstreamBroken(UpstreamError):
    """The source answered with a server error."""


class UpstreamMalformed(UpstreamError):
    """The source answered with something that cannot be used."""


class RankingTorn(UpstreamMalformed):
    """The ranking changed between two of its pages, so a currency stands in it twice. Another try may find it whole."""


class UpstreamRejected(UpstreamError):
    """The source rejected the request."""

    def __init__(self, message: str | None = None, *, rejected: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.rejected = rejected
        """The values that the source named as invalid."""


class UpstreamRefused(UpstreamError):
    """The source does not accept our account or plan."""


class LimitPeriod(StrEnum):
    """When a limit that a source speaks of ends."""

    MINUTE = "minute"
    DAY = "day"
    """At the next UTC midnight."""
    MONTH = "month"
    """With the next UTC month."""


class UpstreamLimited(UpstreamError):
    """The source says that its rate limit is reached."""

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        period: LimitPeriod = LimitPeriod.MINUTE,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds to leave the source alone, where no Retry-After header says; None: neither does the source."""
        self.period = period


class RateMissing(UpstreamError):
    """The source answered without a usable rate of this currency."""
