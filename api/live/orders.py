"""What clients say on a WebSocket: `{"subscribe": [1, 1027]}`, `{"unsubscribe": [1]}`, or "all" instead of ids."""

from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, TypeAlias

import orjson

from api.live.wanted import MOST_IDS
from shared.domain.currency import LARGEST_ID
from shared.errors import InvalidInput

_WORDS = ("subscribe", "unsubscribe")
_MOST_TOLD = 10
"""Names of what we do not know that are told back."""
_SHAPE = (
    'Send one JSON object, as {"subscribe": [1, 1027]} or {"unsubscribe": [1]}; "all" may stand for the ids.'
)


class All(Enum):
    """Not these or those, but all."""

    ALL = "all"


Named: TypeAlias = tuple[int, ...] | All


@dataclass(frozen=True, slots=True)
class Order:
    """`unsubscribe` goes first."""

    subscribe: Named = ()
    unsubscribe: Named = ()


def order_of(text: str) -> Order:
    """Raises InvalidInput."""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidInput({"message": [f"Not JSON. {_SHAPE}"]}) from None
    if not isinstance(said, dict) or not said:
        raise InvalidInput({"message": [_SHAPE]})
    unknown = [name[:100] for name in islice((name for name in said if name not in _WORDS), _MOST_TOLD)]
    if unknown:
        raise InvalidInput({name: [f"Unknown. {_SHAPE}"] for name in unknown})
    return Order(**{name: _named(name, value) for name, value in said.items()})


def _named(word: str, value: Any) -> Named:  # noqa: ANN401 - JSON
    if value == All.ALL.value:
        return All.ALL
    if not isinstance(value, list) or not value or not all(map(_is_id, value)):
        raise InvalidInput({word: ['Must be a list of ids of currencies, such as [1, 1027], or "all".']})
    if len(value) > MOST_IDS:
        raise InvalidInput({word: [f"Names {len(value)}; at most {MOST_IDS} may be named."]})
    return tuple(dict.fromkeys(value))


def _is_id(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_ID
