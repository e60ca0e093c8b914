"""A file as it comes, from the form to the answer that is known for it."""

import hashlib
from pathlib import Path

import aiohttp
import pytest

from tests.api.deals.ledger import PATH, UPLOADS, exactly
from tests.api.rig import KEY, Rig
from tests.test_house import ROOT

FOLDER = ROOT / "tests" / "data" / "deals"
EXPECTED = exactly((FOLDER / "expected.json").read_text(encoding="utf-8"))


async def uploaded(rig: Rig, file: Path) -> None:
    form = aiohttp.FormData()
    form.add_field("deals", file.read_bytes(), filename=file.name, content_type="text/csv")
    async with rig.client.post(PATH, data=form, headers={"X-API-Key": KEY}) as response:
        assert (response.status, await response.json()) == (200, {"Status": "OK"})


@pytest.mark.parametrize("name", EXPECTED)
async def test_each_sample_has_its_known_answer_and_stands_in_the_history(rig: Rig, name: str) -> None:
    file = FOLDER / name
    await uploaded(rig, file)
    async with rig.client.get(PATH) as response:
        assert exactly(await response.text()) == EXPECTED[name]
        upload = response.headers["Freshrate-Deals-Upload"]
    (row,) = (await rig.get(UPLOADS))["results"]
    assert (str(row["id"]), row["state"], row["file_name"]) == (upload, "current", name)
    assert row["rows"] == file.read_bytes().count(b"\n") - 1
    assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
