"""How schemathesis makes values of our own formats, and of what a schema cannot say: moments that must be past, currencies
that must exist, parameters that exclude each other, and files of deals.
"""

from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

from shared.domain.page import Cursor

PAST_MOMENTS = {"datetime"}
"""Parameters. That these are not in the future is what a schema cannot say."""
SYMBOLS_OF_QUOTES = {"symbol", "convert", "amount", "max_age"}
"""Parameters of quotes that can be given together; the others exclude one of these."""
ENDLESS = ("/api/stream/", "/api/ws/")
"""Live streams, which no client reads to their end; tests/api/live has what can be sent to them."""
QUOTES = "/api/quotes/"
EXCLUSIVE = (("symbol", "id"), ("convert", "convert_id"), ("datetime", "max_age"))
"""Parameters of quotes of which a request has one at most, and of the first two exactly one. A schema cannot say that either."""
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
    "symbols",
    st.lists(st.sampled_from(["BTC", "eth", "EUR", "Usd", "NO SUCH COIN"]), min_size=1, max_size=100).map(
        ",".join
    ),
)
schemathesis.openapi.format(
    "targets",
    st.lists(st.sampled_from(["BTC", "eth", "EUR", "Usd"]), min_size=1, max_size=10).map(", ".join),
)
schemathesis.openapi.format(
    "deals",
    st.lists(
        st.tuples(
            st.sampled_from(["bellwether", '"a, b"']),
            st.sampled_from(["ruby", "Опал"]),
            st.integers(0, 10**9).map(str),
            st.sampled_from(["2018-12-14 08:29:52.506166", "2026-11-20T9:45:00Z"]),
        ),
        min_size=1,
        max_size=9,
    ).map(
        lambda rows: "\n".join(
            ["customer,item,total,date,quantity", *(",".join([*row, "1.5"]) for row in rows)]
        )
    ),
)
schemathesis.openapi.format("target", st.sampled_from(["BTC", "eth", " EUR", "Usd "]))
schemathesis.openapi.format(
    "past-moment",
    st.datetimes(datetime(1, 1, 2), datetime(2026, 1, 1)).map(  # noqa: DTZ001 - a time without zone is UTC
        lambda time: time.isoformat(timespec="milliseconds") + "Z"
    )
    | st.integers(0, 1_700_000_000).map(str),
)


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    for path in ENDLESS:
        del raw_schema["paths"][path]
    quotes = raw_schema["paths"]["/api/quotes/"]["get"]
    quotes["parameters"] = [one for one in quotes["parameters"] if one["name"] in SYMBOLS_OF_QUOTES]
    for parameter in quotes["parameters"]:
        if parameter["name"] == "convert":
            parameter["schema"]["format"] = "targets"
        parameter["required"] = parameter["name"] == "symbol"
    deals = raw_schema["paths"]["/api/deals/"]
    contents = deals["post"]["requestBody"]["content"]
    contents["text/csv"]["schema"] = {"type": "string", "format": "deals"}
    contents["multipart/form-data"]["schema"]["properties"]["deals"]["format"] = "deals"
    for parameter in deals["get"]["parameters"]:
        if parameter["name"] == "convert":
            parameter["schema"]["format"] = "target"
    for item in raw_schema["paths"].values():
        for parameter in item["get"].get("parameters", ()):
            if parameter["name"] in PAST_MOMENTS:
                del parameter["schema"]["anyOf"]
                parameter["schema"]["format"] = "past-moment"


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: "schemathesis.Case[Any]", _kwargs: dict[str, Any]
) -> None:
    if case.operation.path != QUOTES or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    query = case.query or {}
    for kept, dropped in EXCLUSIVE:
        if kept in query:
            query.pop(dropped, None)
    if not {"symbol", "id"} & {*query}:
        query["id"] = "1"
    case.query = query
