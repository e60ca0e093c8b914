"""The table of sources."""

from typing import Any

import pytest

from shared.ports import CatalogSource, ProfileSource
from shared.settings import KNOWN_SOURCES, Settings, read_settings
from shared.sources import BUILDERS, build_fiat_source, build_sources, ranking_sources


def settings(**values: Any) -> Settings:
    return read_settings(_env_file=None, **values)


def test_every_source_that_the_settings_know_can_be_built_and_no_other() -> None:
    assert tuple(BUILDERS) == KNOWN_SOURCES


@pytest.mark.parametrize("name", KNOWN_SOURCES)
def test_a_source_goes_by_the_name_it_is_chosen_by(name: str) -> None:
    (source,) = build_sources(settings(cryptocompare_api_key="key").model_copy(update={"sources": (name,)}))
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


def test_cryptocompare_is_built_from_its_settings_and_only_with_a_key() -> None:
    values = {
        "cryptocompare_url": "https://example.test/",
        "cryptocompare_calls_per_minute": 7,
        "cryptocompare_credits_per_month": 8,
    }
    assert [source.name for source in build_sources(settings(**values))] == ["coinmarketcap"]
    source = build_sources(settings(cryptocompare_api_key="secret", **values))[1]
    assert source.base_url == "https://example.test"
    assert source.headers["Authorization"] == "Apikey secret"
    assert (source.calls_per_minute, source.credits_per_month) == (7, 8)


@pytest.mark.parametrize(
    ("sources", "key", "ranking"),
    [
        (("coinmarketcap", "cryptocompare"), "key", ["cryptocompare", "coinmarketcap"]),
        (("cryptocompare", "coinmarketcap"), "key", ["cryptocompare", "coinmarketcap"]),
        (("coinmarketcap", "cryptocompare"), "", ["coinmarketcap"]),
        (("simulator",), "key", ["simulator"]),
    ],
)
def test_cryptocompare_leads_the_ranking_wherever_it_stands(
    sources: tuple[str, ...], key: str, ranking: list[str]
) -> None:
    built = build_sources(settings(sources=sources, cryptocompare_api_key=key))
    assert [source.name for source in ranking_sources(built)] == ranking


def test_the_simulator_has_no_budget_and_speaks_the_keyless_protocol() -> None:
    (source,) = build_sources(settings(sources=("simulator",), simulator_url="http://127.0.0.1:1234"))
    assert (source.calls_per_minute, source.credits_per_month) == (0, 0)
    assert source.base_url == "http://127.0.0.1:1234"
    assert source.plan([1], {}, {})[0].path.startswith("/public-api/")
    assert isinstance(source, CatalogSource)
    assert isinstance(source, ProfileSource)


def test_fiat_currencies_are_asked_of_frankfurter_politely() -> None:
    source = build_fiat_source(settings(frankfurter_url="https://example.test/"))
    assert (source.name, source.base_url) == ("frankfurter", "https://example.test")
    assert (source.calls_per_minute, source.credits_per_month) == (30, 0)


def test_where_rates_are_simulated_those_of_fiat_currencies_are_too() -> None:
    source = build_fiat_source(settings(sources=("simulator",), simulator_url="http://127.0.0.1:1234"))
    assert (source.name, source.base_url) == ("simulator", "http://127.0.0.1:1234")
    assert (source.calls_per_minute, source.credits_per_month) == (0, 0)
    assert source.plan([1], {}, {}) == []


@pytest.mark.parametrize("sources", [("coinmarketcap", "cryptocompare"), ("simulator",)])
def test_the_settings_name_all_sources_of_prices_in_the_order_in_which_they_are_asked(
    sources: tuple[str, ...],
) -> None:
    chosen = settings(sources=sources, cryptocompare_api_key="key")
    asked = (build_fiat_source(chosen), *build_sources(chosen))
    assert tuple(dict.fromkeys(source.name for source in asked)) == chosen.price_sources
