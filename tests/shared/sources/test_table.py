"""The table of sources."""

from typing import Any

import pytest

from shared.ports import CatalogSource
from shared.settings import KNOWN_SOURCES, Settings, read_settings
from shared.sources import BUILDERS, build_sources


def settings(**values: Any) -> Settings:
    return read_settings(_env_file=None, **values)


def test_every_source_that_the_settings_know_can_be_built_and_no_other() -> None:
    assert tuple(BUILDERS) == KNOWN_SOURCES


@pytest.mark.parametrize("name", KNOWN_SOURCES)
def test_a_source_goes_by_the_name_it_is_chosen_by(name: str) -> None:
    (source,) = build_sources(settings(sources=(name,)))
    assert source.name == name


def test_sources_stand_in_the_order_of_preference() -> None:
    names = [
        source.name
        for source in build_sources(settings().model_copy(update={"sources": ("simulator", "coinmarketcap")}))
    ]
    assert names == ["simulator", "coinmarketcap"]


def test_coinmarketcap_is_built_from_its_settings() -> None:
    (source,) = build_sources(
        settings(
            coinmarketcap_url="https://example.test/",
            coinmarketcap_api_key="secret",
            coinmarketcap_calls_per_minute=7,
            coinmarketcap_credits_per_month=8,
        )
    )
    assert source.base_url == "https://example.test"
    assert source.headers["X-CMC_PRO_API_KEY"] == "secret"
    assert (source.calls_per_minute, source.credits_per_month) == (7, 8)


def test_the_simulator_has_no_budget_and_speaks_the_keyless_protocol() -> None:
    (source,) = build_sources(settings(sources=("simulator",), simulator_url="http://127.0.0.1:1234"))
    assert (source.calls_per_minute, source.credits_per_month) == (0, 0)
    assert source.base_url == "http://127.0.0.1:1234"
    assert source.plan([1], {})[0].path.startswith("/public-api/")
    assert isinstance(source, CatalogSource)
