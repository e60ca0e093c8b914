"""How schemathesis makes values of our own formats, and of moments that must be past."""

from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

from shared.domain.page import Cursor

PAST_MOMENTS = {"datetime"}
"""Parameters. That these are not in the future is what a schema cannot say."""
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


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    for item in raw_schema["paths"].values():
        for parameter in item["get"].get("parameters", ()):
            if parameter["name"] in PAST_MOMENTS:
                del parameter["schema"]["anyOf"]
                parameter["schema"]["format"] = "past-moment"
