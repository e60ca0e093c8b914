"""What an answer with a top list says beside the list."""

from datetime import UTC, datetime

import pytest

from api.top.formats import Facts, Format, list_headers


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (None, "freshrate-top-7.csv"),
        (datetime(2026, 11, 20, 9, 5, 7, tzinfo=UTC), "freshrate-top-7-2026-11-20T090507Z.csv"),
        (datetime(1, 1, 1, tzinfo=UTC), "freshrate-top-7-0001-01-01T000000Z.csv"),
    ],
)
def test_a_csv_has_a_file_name_that_tells_its_length_and_moment(moment: datetime | None, name: str) -> None:
    facts = Facts(moment=moment, is_stale=False, ranking_source=None, price_sources=())
    assert list_headers(Format.CSV, facts, limit=7, moment=moment) == {
        "Content-Disposition": f'attachment; filename="{name}"'
    }
