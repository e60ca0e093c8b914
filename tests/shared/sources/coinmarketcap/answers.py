"""Answers of CoinMarketCap for the tests: recorded ones cut small, and ones made to order.

The recorded bodies are public answers of 2019 to 2024 with fewer coins and tags, digits untouched; error texts are those
of the vendor's documentation.
"""

import json
import re
from pathlib import Path

from hypothesis import strategies as st

from shared.ports import UpstreamAnswer

_RECORDED = Path(__file__).parent / "recorded"
_MARKED = re.compile(r'"#(.*?)#"')
unmarked = st.text(st.characters(exclude_characters="#", exclude_categories=["Cs"]), max_size=5)
"""Texts that no mark of ours is found in."""
TIME = "2026-11-20T12:00:00.000Z"


def recorded(name: str) -> UpstreamAnswer:
    return UpstreamAnswer(200, {}, (_RECORDED / f"{name}.json").read_bytes())


def raw(body: str | bytes, *, status: int = 200) -> UpstreamAnswer:
    return UpstreamAnswer(status, {}, body.encode() if isinstance(body, str) else body)


def good(data: object, **status: object) -> UpstreamAnswer:
    """A good answer. A text like "#1.50#" stands in it as the bare 1.50, so a test can say how a number is written."""
    envelope = {"status": {"error_code": 0, "credit_count": 1, **status}, "data": data}
    return raw(_MARKED.sub(lambda marked: json.loads(f'"{marked[1]}"'), json.dumps(envelope)))


def error(status: int, code: object, message: str = "") -> UpstreamAnswer:
    envelope = {"error_code": code, "error_message": message, "elapsed": 10, "credit_count": 0}
    return raw(json.dumps({"status": {"timestamp": TIME, **envelope}}), status=status)


def coin(coin_id: object = 1, price: object = "42885.00187617128", **quote: object) -> dict[str, object]:
    """A coin in the shape of v3. `price`: as it shall be written in the JSON."""
    usd = {"id": 2781, "symbol": "USD", "price": f"#{price}#", "last_updated": TIME, **quote}
    return {"id": coin_id, "name": "Bitcoin", "quote": [usd]}
