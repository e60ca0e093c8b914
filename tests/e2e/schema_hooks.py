"""How schemathesis makes values of our own formats."""

from datetime import datetime

import schemathesis
from hypothesis import strategies as st

from shared.domain.page import Cursor

_KEYS = st.integers(min_value=-(2**62), max_value=2**62)

schemathesis.openapi.format(
    "cursor",
    st.builds(
        lambda first, second, back: Cursor((first, second), back).encode(), _KEYS, _KEYS, st.booleans()
    ),
)
schemathesis.openapi.format(
    "search-text",
    # Texts whose case cannot be told for sure (İ) are refused.
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60).filter(
        lambda text: text.upper().lower() == text.lower() and text.lower().upper() == text.upper()
    ),
)
schemathesis.openapi.format(
    "past-moment",
    st.datetimes(datetime(1, 1, 2), datetime(2026, 1, 1)).map(  # noqa: DTZ001 - a time without zone is UTC
        lambda time: time.isoformat(timespec="milliseconds") + "Z"
    )
    | st.integers(0, 1_700_000_000).map(str),
)
