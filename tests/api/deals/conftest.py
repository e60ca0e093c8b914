"""Each test on both kinds of servers."""

from typing import Any

import pytest

from tests.api.deals.ledger import Reads
from tests.api.rig import Rig


@pytest.fixture(params=["sqlite", "postgresql"])
def servers(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "sqlite":
        return {}
    return {"database_url": request.getfixturevalue("postgresql_url")}


@pytest.fixture
def reads(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(rig.storage, monkeypatch)
