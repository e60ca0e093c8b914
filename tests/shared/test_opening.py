"""Opening everything that the settings name."""

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.opening import open_world
from shared.settings import Settings, read_settings
from tests.waiting import until


def settings(folder: Path, sources: str) -> Settings:
    return read_settings(_env_file=None, database_url=f"sqlite:///{folder}/one.db", sources=sources)


async def open_and_close(folder: Path, sources: str) -> None:
    async with open_world(settings(folder, sources)) as world:
        await world.storage.ping()


@pytest.mark.parametrize(
    ("held", "sources", "says"),
    [
        (
            "simulator",
            "coinmarketcap",
            r"^SOURCES: SQLite file .*one.db is for simulated rates, .* DATABASE_URL",
        ),
        ("coinmarketcap", "simulator", r"^SOURCES: SQLite file .*one.db is for real rates, .* DATABASE_URL"),
    ],
)
async def test_simulated_and_real_rates_never_share_a_database(
    tmp_path: Path, held: str, sources: str, says: str
) -> None:
    await open_and_close(tmp_path, held)
    with pytest.raises(SettingsError, match=says):
        await open_and_close(tmp_path, sources)
    await open_and_close(tmp_path, held)


@pytest.mark.parametrize(
    ("sources", "key", "asked"),
    [
        ("coinmarketcap,cryptocompare", "", ["frankfurter", "coinmarketcap"]),
        ("coinmarketcap,cryptocompare", "key", ["frankfurter", "coinmarketcap", "cryptocompare"]),
        ("simulator", "key", ["simulator"]),
    ],
)
async def test_what_each_source_may_still_be_asked_is_told_once(
    tmp_path: Path, sources: str, key: str, asked: list[str]
) -> None:
    chosen = settings(tmp_path, sources).model_copy(update={"cryptocompare_api_key": key})
    async with open_world(chosen) as world:

        async def told() -> list[str] | None:
            lines = (await world.registry.scrape()).decode().splitlines()
            blocked = [line for line in lines if line.startswith("freshrate_upstream_blocked{")]
            return blocked if len(blocked) >= len(asked) else None

        lines: list[str] = await until(told, seconds=5, what="all sources")
        assert lines == [f'freshrate_upstream_blocked{{source="{name}"}} 0.0' for name in asked]


async def test_the_source_of_fiat_currencies_stands_beside_those_that_are_set(tmp_path: Path) -> None:
    async with open_world(settings(tmp_path, "coinmarketcap")) as world:
        assert [source.name for source in world.sources] == ["coinmarketcap"]
        assert world.fiat_source.name == "frankfurter"
