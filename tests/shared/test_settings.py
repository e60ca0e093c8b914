"""Settings: defaults, forms, and one clear line for whatever is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.schedule import Cron, Every
from shared.errors import SettingsError
from shared.messages import Role
from shared.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env`, and none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_anything_set_it_is_the_embedded_form() -> None:
    settings = read_settings()
    assert settings.database == "sqlite:///data/freshrate.db"
    assert settings.redis_url == ""
    assert settings.price_schedule == Every(timedelta(minutes=5))
    assert settings.fiat_schedule == Every(timedelta(hours=1))
    assert settings.warm_hours == 24
    assert settings.worker_roles == (Role.PRICING, Role.RANKING)
    assert settings.stale_after == timedelta(minutes=15)


def test_a_dotenv_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("TRACKED_TOP=7\nAPI_PORT=1234\nSOMETHING_ELSE=ignored\n")
    monkeypatch.setenv("API_PORT", "8000,6667")
    settings = read_settings()
    assert settings.tracked_top == 7
    assert settings.api_port == (8000, 6667)


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKED_TOP", "")
    assert read_settings().tracked_top == 200


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("20s", Every(timedelta(seconds=20))),
        ("1h", Every(timedelta(hours=1))),
        ("*/5 * * * *", Cron("*/5 * * * *")),
        ("*/10 * * * * *", Cron("*/10 * * * * *")),
    ],
)
def test_a_schedule_is_a_duration_or_a_cron_expression(
    monkeypatch: pytest.MonkeyPatch, text: str, schedule: Every | Cron
) -> None:
    monkeypatch.setenv("PRICE_SCHEDULE", text)
    assert read_settings().price_schedule == schedule


@pytest.mark.parametrize(("text", "hours"), [("0", 0), ("0.5", 0.5), ("720", 720)])
def test_currencies_stay_warm_for_hours_or_parts_of_one(
    monkeypatch: pytest.MonkeyPatch, text: str, hours: float
) -> None:
    monkeypatch.setenv("WARM_HOURS", text)
    assert read_settings().warm_hours == hours


def test_each_job_has_a_schedule_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIAT_SCHEDULE", "15 15 * * 1-5")
    settings = read_settings()
    assert settings.fiat_schedule == Cron("15 15 * * 1-5")
    assert settings.price_schedule == settings.ranking_schedule == Every(timedelta(minutes=5))


def test_the_base_of_a_source_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRANKFURTER_URL", "http://127.0.0.1:8899/frankfurter/")
    assert read_settings().frankfurter_url == "http://127.0.0.1:8899/frankfurter"


def test_rates_of_fiat_currencies_are_simulated_where_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().price_sources == ("frankfurter", "coinmarketcap", "cryptocompare")
    monkeypatch.setenv("SOURCES", "simulator")
    assert read_settings().price_sources == ("simulator",)


def test_who_prices_takes_commands_for_the_catalog_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().command_roles == (Role.PRICING, Role.RANKING, Role.CATALOG)
    monkeypatch.setenv("WORKER_ROLES", "ranking")
    assert read_settings().command_roles == (Role.RANKING,)


def test_the_parts_of_the_database_make_a_url_with_quoted_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_TYPE", "postgresql")
    monkeypatch.setenv("DATABASE_PASSWORD", "p@ss/word")
    assert read_settings().database == "postgresql://freshrate:p%40ss%2Fword@localhost:5432/freshrate"
    monkeypatch.delenv("DATABASE_PASSWORD")
    assert read_settings().database == "postgresql://freshrate@localhost:5432/freshrate"
    monkeypatch.setenv("DATABASE_URL", "sqlite:////srv/rates.db")
    assert read_settings().database == "sqlite:////srv/rates.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRICE_SCHEDULE", "often"),
        ("PRICE_SCHEDULE", "0s"),
        ("PRICE_SCHEDULE", "61 * * * *"),
        ("SOURCES", "coinmarketcap,unheard"),
        ("SOURCES", "simulator,simulator"),
        ("SOURCES", "coinmarketcap,simulator"),
        ("SOURCES", "cryptocompare"),
        ("API_PORT", "70000"),
        ("API_PORT", "eight"),
        ("API_PORT", ","),
        ("DATABASE_URL", "mysql://localhost"),
        ("DATABASE_TYPE", "oracle"),
        ("REDIS_URL", "localhost:6379"),
        ("COINMARKETCAP_URL", "pro-api.coinmarketcap.com"),
        ("COINMARKETCAP_URL", "https://host/?key=1"),
        ("CRYPTOCOMPARE_URL", "min-api.cryptocompare.com"),
        ("FRANKFURTER_URL", "api.frankfurter.dev"),
        ("FRANKFURTER_URL", "https://host/?base=EUR"),
        ("RANKING_SCHEDULE", "often"),
        ("FIAT_SCHEDULE", "daily"),
        ("FIAT_SCHEDULE", "0 25 * * *"),
        ("WARM_HOURS", "-1"),
        ("WARM_HOURS", "721"),
        ("WARM_HOURS", "nan"),
        ("WARM_HOURS", "always"),
        ("WORKER_ROLES", "catalog"),
        ("WORKER_ROLES", "baking"),
        ("LOG_LEVEL", "loud"),
        ("TRACKED_TOP", "-1"),
        ("REFRESH_TIMEOUT_SECONDS", "0"),
        ("DEALS_MAX_BYTES", "0"),
        ("DEALS_MAX_BYTES", "256M"),
        ("DEALS_CURRENCY", "US DOLLAR"),
        ("DEALS_CURRENCY", "USD,EUR"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_without_a_key_cryptocompare_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES", "cryptocompare,coinmarketcap")
    assert read_settings().enabled_sources == ("coinmarketcap",)
    monkeypatch.setenv("CRYPTOCOMPARE_API_KEY", "key")
    assert read_settings().enabled_sources == ("cryptocompare", "coinmarketcap")


def test_cryptocompare_alone_is_refused_even_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES", "cryptocompare")
    monkeypatch.setenv("CRYPTOCOMPARE_API_KEY", "key")
    with pytest.raises(SettingsError, match="SOURCES: coinmarketcap must be among them"):
        read_settings()


def test_levels_and_formats_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    assert read_settings().log_level == "warning"


def test_the_currency_of_deals_is_a_symbol_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().deals_currency == "USD"
    monkeypatch.setenv("DEALS_CURRENCY", "eur")
    assert read_settings().deals_currency == "EUR"


def test_no_secret_stands_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COINMARKETCAP_API_KEY", "CRYPTOCOMPARE_API_KEY", "DATABASE_PASSWORD", "API_KEYS"):
        monkeypatch.setenv(name, "hush-hush")
    monkeypatch.setenv("REDIS_URL", "redis://:hush-hush@localhost")
    assert "hush-hush" not in repr(read_settings())
