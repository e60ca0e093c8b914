"""How schemathesis makes values of our own formats."""

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
    "search-text", st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60)
)
