"""Opening everything that the settings name."""

from pathlib import Path

import pytest

from shared.domain.times import utc_now
from shared.errors import SettingsError
from shared.opening import open_world
from shared.settings import Settings, read_settings
from tests.contract.storage.samples import load_currencies, observation


def settings(folder: Path, sources: str) -> Settings:
    return read_settings(_env_file=None, database_url=f"sqlite:///{folder}/one.db", sources=sources)


async def keep_a_rate(folder: Path, source: str) -> None:
    now = utc_now()
    async with open_world(settings(folder, source)) as world:
        await load_currencies(world.storage, 1)
        await world.storage.record_rates(
            [observation(1, at=now, source=source)], fetched_at=now, stored_at=now
        )


@pytest.mark.parametrize(
    ("held", "sources", "says"),
    [
        (
            "simulator",
            "coinmarketcap",
            r"^SOURCES: SQLite file .*one.db holds simulated rates, .* DATABASE_URL",
        ),
        ("coinmarketcap", "simulator", r"^SOURCES: SQLite file .*one.db holds real rates, .* DATABASE_URL"),
    ],
)
async def test_simulated_and_real_rates_never_share_a_database(
    tmp_path: Path, held: str, sources: str, says: str
) -> None:
    await keep_a_rate(tmp_path, held)
    with pytest.raises(SettingsError, match=says):
        await keep_a_rate(tmp_path, sources)
    await keep_a_rate(tmp_path, held)
