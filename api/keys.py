"""API keys: kept as SHA-256, compared in constant time, sent in exactly one header, never in the query."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import Enum, auto

import structlog
from aiohttp import web

from api.limits import RateLimit
from shared.domain.times import Clock
from shared.errors import KeyRequired, SettingsError

log = structlog.get_logger(__name__)

GUESSES_PER_MINUTE = 600
"""Wrong keys per address; a key has 128 bits or more, so this only keeps the noise down."""
SHORTEST_KEY = 22
"""128 bits in base64."""
_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_NO_KEYS = "No key is configured here, so this address is closed. Set API_KEYS to open it."


class KeyNeed(Enum):
    """Whether a request needs a key."""

    NEVER = auto()
    ONCE_SET = auto()
    """As soon as API_KEYS has one."""
    ALWAYS = auto()


class Keys:
    """The keys of API_KEYS."""

    def __init__(self, keys: Iterable[str], clock: Clock) -> None:
        self._digests = tuple(_digest(key) for key in keys)
        self._guesses = RateLimit(GUESSES_PER_MINUTE, clock)

    def check(self, request: web.Request, need: KeyNeed) -> None:
        """Raises what `require` does, where the request needs a key."""
        if need is KeyNeed.ALWAYS or (need is KeyNeed.ONCE_SET and self._digests):
            self.require(request)

    def require(self, request: web.Request) -> None:
        """Raises KeyRequired, or TooManyRequests where one address keeps on guessing."""
        if not self._digests:
            raise KeyRequired(_NO_KEYS)
        if self.holder(request) is None:
            self._guesses.spend(request.remote or "")
            raise KeyRequired

    def holder(self, request: web.Request) -> str | None:
        """A name for the holder of the one valid key that the request has; None where it has not."""
        sent = _sent_keys(request)
        if len(sent) != 1:
            return None
        digest = hashlib.sha256(sent[0].encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return digest.hex() if any(matches) else None


def client_of(request: web.Request, keys: Keys) -> str:
    """Who is asking: the key where it is valid, else the peer's address. X-Forwarded-For can be forged: ignored."""
    return keys.holder(request) or request.remote or ""


def _sent_keys(request: web.Request) -> list[str]:
    sent = list(request.headers.getall("X-API-Key", ()))
    for value in request.headers.getall("Authorization", ()):
        scheme, _, key = value.partition(" ")
        if scheme.lower() == "bearer":
            sent.append(key.strip())
    return sent


def _digest(key: str) -> bytes:
    if key.startswith("sha256:"):
        text = key.removeprefix("sha256:")
        if not _DIGEST.fullmatch(text):
            raise SettingsError("API_KEYS: a sha256: digest has 64 hexadecimal digits")
        return bytes.fromhex(text)
    if len(key) < SHORTEST_KEY:
        log.warning("short API key", advice=f"a key should have {SHORTEST_KEY} characters or more")
    return hashlib.sha256(key.encode()).digest()
