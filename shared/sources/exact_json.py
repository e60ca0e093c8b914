"""JSON of sources, read exactly: every number arrives as its own text, so no digit passes a binary float.

`1e-8`, a price of 21 digits, a number of 5,000 digits and NaN all become text; whoever needs a value reads it from
there and refuses what cannot be one. So one absurd number spoils its own coin and not the answer around it.
"""

import json
from typing import Any

from shared.errors import UpstreamMalformed


def read_json(body: bytes) -> Any:  # noqa: ANN401 - JSON may be anything; the caller checks what it uses
    """Objects, lists, texts, booleans, None, and numbers as text.

    Raises UpstreamMalformed for what is no JSON, is nested beyond reason, or holds an object with a key twice: there
    is no telling which of the two was meant.
    """
    try:
        return _DECODER.decode(body.decode())
    except RecursionError as error:
        raise UpstreamMalformed("The source answered with JSON nested too deeply.") from error
    except ValueError as error:
        raise UpstreamMalformed(f"The source answered with something that is no JSON: {error}.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return members


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_unique)
