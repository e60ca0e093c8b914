"""The settings, read from the environment and `.env`: the only place that reads either.

A wrong value stops the start with one line that names the variable and what it may be.
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from cronsim import CronSim, CronSimError
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.schedule import Cron, Every, Schedule, duration_from
from shared.domain.times import utc_now
from shared.errors import SettingsError
from shared.messages import Role

SIMULATOR = "simulator"
CRYPTOCOMPARE = "cryptocompare"
FRANKFURTER = "frankfurter"
KNOWN_SOURCES = ("coinmarketcap", CRYPTOCOMPARE, SIMULATOR)
"""Those that SOURCES may name."""
RATE_SOURCES = (*KNOWN_SOURCES, FRANKFURTER)
"""Those that a rate may be of."""


class DatabaseType(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def _split(value: object) -> object:
    """Comma-separated text as a tuple."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _schedule(value: object) -> object:
    if not isinstance(value, str):
        return value
    if " " not in value.strip():
        return Every(duration_from(value.strip()))
    try:
        CronSim(value, utc_now())
    except CronSimError as error:
        raise ValueError(f"neither a duration like 5m nor a cron expression ({error}): {value!r}") from error
    return Cron(value.strip())


class Settings(BaseSettings):
    """Every setting, with its default. The README's table says what each means."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_type: DatabaseType = DatabaseType.SQLITE
    database_url: str = Field(default="", repr=False)
    database_host: str = "localhost"
    database_port: int = Field(default=5432, ge=1, le=65535)
    database_name: str = "freshrate"
    database_user: str = "freshrate"
    database_password: str = Field(default="", repr=False)
    migrate_on_start: bool = True
    redis_url: str = Field(default="", repr=False)

    sources: Annotated[tuple[str, ...], NoDecode] = ("coinmarketcap", CRYPTOCOMPARE)
    coinmarketcap_api_key: str = Field(default="", repr=False)
    coinmarketcap_url: str = "https://pro-api.coinmarketcap.com"
    coinmarketcap_calls_per_minute: int = Field(default=30, ge=0)
    coinmarketcap_credits_per_month: int = Field(default=15_000, ge=0)
    cryptocompare_api_key: str = Field(default="", repr=False)
    cryptocompare_url: str = "https://min-api.cryptocompare.com"
    cryptocompare_calls_per_minute: int = Field(default=300, ge=0)
    cryptocompare_credits_per_month: int = Field(default=50_000, ge=0)
    frankfurter_url: str = "https://api.frankfurter.dev"
    simulator_url: str = "http://127.0.0.1:8899"

    price_schedule: Annotated[Schedule, NoDecode] = Every(timedelta(minutes=5))
    ranking_schedule: Annotated[Schedule, NoDecode] = Every(timedelta(minutes=5))
    fiat_schedule: Annotated[Schedule, NoDecode] = Every(timedelta(hours=1))
    tracked_top: int = Field(default=200, ge=0, le=5000)
    tracked_symbols: Annotated[tuple[str, ...], NoDecode] = ()
    warm_hours: float = Field(default=24, ge=0, le=720)

    cache_ttl_seconds: int = Field(default=60, ge=1, le=86_400)
    stale_after_seconds: int = Field(default=900, ge=1)
    refresh_timeout_seconds: float = Field(default=10, gt=0, le=120)
    refresh_min_interval_seconds: float = Field(default=0, ge=0)
    refreshes_per_minute: int = Field(default=60, ge=0)

    api_host: str = "127.0.0.1"
    api_port: Annotated[tuple[int, ...], NoDecode] = (8000,)
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(default=(), repr=False)

    deals_max_bytes: int = Field(default=268_435_456, ge=1)
    deals_currency: str = "USD"

    worker_roles: Annotated[tuple[Role, ...], NoDecode] = (Role.PRICING, Role.RANKING)
    worker_metrics_port: int = Field(default=9101, ge=0, le=65535)

    otel_exporter_otlp_endpoint: str = ""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"

    _split_lists = field_validator(
        "sources", "tracked_symbols", "api_port", "api_keys", "worker_roles", mode="before"
    )(_split)
    _read_schedule = field_validator("price_schedule", "ranking_schedule", "fiat_schedule", mode="before")(
        _schedule
    )

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value) or set(value) - set(KNOWN_SOURCES):
            raise ValueError(f"one or more of {', '.join(KNOWN_SOURCES)}, each once")
        if SIMULATOR in value and len(value) > 1:
            raise ValueError(f"{SIMULATOR} alone, or real sources alone: their rates must not mix")
        if value == (CRYPTOCOMPARE,):
            raise ValueError("coinmarketcap must be among them: its catalog says which currencies there are")
        return value

    @field_validator("deals_currency")
    @classmethod
    def _symbol(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9$]{1,20}", value):
            raise ValueError("one symbol of the catalog, such as USD, EUR or BTC")
        return value.upper()

    @field_validator("api_port", "worker_roles")
    @classmethod
    def _not_empty(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("one or more values, comma-separated, each once")
        return value

    @field_validator("worker_roles")
    @classmethod
    def _roles_of_their_own(cls, value: tuple[Role, ...]) -> tuple[Role, ...]:
        if Role.CATALOG in value:
            raise ValueError("pricing and ranking; the catalog belongs to pricing")
        return value

    @field_validator("api_port")
    @classmethod
    def _ports(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= port <= 65535 for port in value):  # noqa: PLR2004 - the largest port
            raise ValueError("ports lie between 0 (any free one) and 65535")
        return value

    @field_validator("coinmarketcap_url", "cryptocompare_url", "frankfurter_url", "simulator_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("an http or https URL without query")
        return value.rstrip("/")

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _http_url_or_none(cls, value: str) -> str:
        return cls._http_url(value) if value else value

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError(
                "sqlite:///relative, sqlite:////absolute or postgresql://user:password@host/name"
            )
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("redis://, rediss:// or unix://")
        return value

    @property
    def database(self) -> str:
        """The URL of the database, from DATABASE_URL or else from its parts. Holds the password."""
        if self.database_url:
            return self.database_url
        if self.database_type is DatabaseType.SQLITE:
            return "sqlite:///data/freshrate.db"
        password = f":{quote(self.database_password, safe='')}" if self.database_password else ""
        user = quote(self.database_user, safe="")
        return f"postgresql://{user}{password}@{self.database_host}:{self.database_port}/{self.database_name}"

    @property
    def enabled_sources(self) -> tuple[str, ...]:
        """Those of SOURCES that can be asked: without a key CryptoCompare answers nobody, so it is off."""
        return tuple(one for one in self.sources if one != CRYPTOCOMPARE or self.cryptocompare_api_key)

    @property
    def fiat_source(self) -> str:
        """The name of the source that is asked first for fiat currencies."""
        return SIMULATOR if self.is_simulated else FRANKFURTER

    @property
    def price_sources(self) -> tuple[str, ...]:
        """All sources of prices, the preferred first: the one of fiat currencies knows no others, so it stands in nobody's
        way."""
        return tuple(dict.fromkeys((self.fiat_source, *self.sources)))

    @property
    def command_roles(self) -> tuple[Role, ...]:
        """What commands this worker process takes: its roles', and with pricing those for the catalog."""
        return (*self.worker_roles, *((Role.CATALOG,) if Role.PRICING in self.worker_roles else ()))

    @property
    def is_simulated(self) -> bool:
        """Whether the rates are the simulator's."""
        return SIMULATOR in self.sources

    @property
    def stale_after(self) -> timedelta:
        return timedelta(seconds=self.stale_after_seconds)


def read_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - as many types as settings
    """The settings, or a SettingsError of one line per wrong variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{str(problem['loc'][0]).upper() if problem['loc'] else 'settings'}: {message}")
        raise SettingsError("; ".join(dict.fromkeys(lines))) from None
