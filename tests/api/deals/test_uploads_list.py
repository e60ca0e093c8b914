"""The history of uploads, as it is listed."""

from typing import Any

from shared.domain.deals import UploadState
from tests.api.deals.ledger import UPLOADS, file_of, replace_deals
from tests.api.rig import Rig

ROW = ("a", "ruby", "1", "2026-11-20 12:00:00")


async def listed(rig: Rig, query: str = "") -> list[Any]:
    found: list[Any] = (await rig.get(f"{UPLOADS}?{query}"))["results"]
    return found


async def test_before_the_first_upload_the_list_is_empty(rig: Rig) -> None:
    assert await rig.get(UPLOADS) == {"next": None, "previous": None, "results": []}


async def test_what_became_of_each_file_is_listed_newest_first(rig: Rig) -> None:
    first = await replace_deals(rig, ROW, name="old.csv")
    await rig.advance(seconds=60)
    second = await replace_deals(rig, ROW, ROW, name="new.csv")
    await rig.advance(seconds=60)
    refused = await rig.storage.refuse_deals(
        file_of("x", rig, name=""), error="line 1: no column total\nline 2: date is not a date"
    )
    rows = await listed(rig)
    assert [row["id"] for row in rows] == [refused.id, second, first]
    assert rows[0] == {
        "id": refused.id,
        "state": "refused",
        "file_name": "",
        "size": 1,
        "sha256": file_of("x", rig).sha256,
        "charset": "utf-8",
        "rows": None,
        "error": "line 1: no column total\nline 2: date is not a date",
        "date_added": "2026-11-20T12:02:00.250Z",
    }
    told = [
        (row["state"], row["file_name"], row["rows"], row["error"], row["date_added"]) for row in rows[1:]
    ]
    assert told == [
        ("current", "new.csv", 2, None, "2026-11-20T12:01:00.250Z"),
        ("replaced", "old.csv", 1, None, "2026-11-20T12:00:00.250Z"),
    ]
    assert {row["state"] for row in rows} == {state.value for state in UploadState}


async def test_a_file_name_is_data(rig: Rig) -> None:
    name = "../../etc/passwd\r\nX: <script>ё😀\u202e"
    await replace_deals(rig, ROW, name=name)
    assert [row["file_name"] for row in await listed(rig)] == [name]


async def test_pages_follow_each_other_in_both_directions(rig: Rig) -> None:
    ids = [await replace_deals(rig, *[ROW] * (n + 1)) for n in range(5)]
    first = await rig.get(f"{UPLOADS}?limit=2")
    assert first["previous"] is None
    second = await rig.get(first["next"])
    third = await rig.get(second["next"])
    assert third["next"] is None
    pages = [[row["id"] for row in page["results"]] for page in (first, second, third)]
    assert pages == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    assert await rig.get(second["previous"]) == first


async def test_a_query_that_cannot_be_used_is_400_by_name(rig: Rig) -> None:
    for query in ("limit=0", "limit=1001", "cursor=x", "cursor=", "state=current"):
        body = await rig.get(f"{UPLOADS}?{query}", status=400)
        assert list(body["errors"]) == [query.partition("=")[0]]


async def test_a_cursor_that_somebody_made_up_breaks_nothing(rig: Rig) -> None:
    await replace_deals(rig, ROW)
    for cursor in ("bi00NjExNjg2MDE4NDI3Mzg3OTA0LjA", "cDQ2MTE2ODYwMTg0MjczODc5MDQuMA"):
        assert len(await listed(rig, f"cursor={cursor}")) <= 1
