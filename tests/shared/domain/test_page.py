"""Cursors."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.page import Cursor

keys = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)


@given(keys, keys, st.booleans())
def test_a_cursor_survives_the_way_to_the_client_and_back(first: int, second: int, backwards: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    cursor = Cursor((first, second), backwards=backwards)
    assert Cursor.decode(cursor.encode()) == cursor


@pytest.mark.parametrize(
    "text",
    ["", "x", "!!!!", "ключ", "A" * 81]
    + [
        base64.urlsafe_b64encode(raw).decode()
        for raw in (b"n1", b"n1.2.3", b"n1.x", b"z1.2", b"n 1.2", b"\xff", b"n1_0.2")
    ]
    + [base64.urlsafe_b64encode(f"n{2**63}.1".encode()).decode().rstrip("=")],
)
def test_what_this_service_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.decode(text)


@given(st.text(max_size=90))
def test_any_other_text_is_refused_cleanly(text: str) -> None:
    try:
        cursor = Cursor.decode(text)
    except ValueError:
        return
    assert cursor.encode() == text
