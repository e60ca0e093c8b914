"""What an HTTP status means for us where the source says no more in its body."""

from shared.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamLimited,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamRejected,
)

OK = 200
TOO_MANY = frozenset({418, 429})
REFUSALS = frozenset({401, 402, 403})
REDIRECT = 300
BAD_REQUEST = 400
SERVER_ERROR = 500


def error_by_status(status: int, message: str) -> UpstreamError:
    """For a status that is no success, or a success whose body is none. Redirects are never followed."""
    if status in TOO_MANY:
        return UpstreamLimited(message)
    if status in REFUSALS:
        return UpstreamRefused(message)
    if status >= SERVER_ERROR:
        return UpstreamBroken(message)
    if status >= BAD_REQUEST:
        return UpstreamRejected(message)
    if status >= REDIRECT:
        return UpstreamMalformed(f"{message.rstrip('.')}: redirects are not followed.")
    return UpstreamMalformed(message)
