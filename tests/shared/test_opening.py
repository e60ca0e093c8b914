"""Opening everything that the settings name."""

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.opening import open_world
from shared.settings import Settings, read_settings


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
