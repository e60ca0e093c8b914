"""Answers of CryptoCompare for the tests: recorded ones cut small, and ones made to order.

The recorded bodies are public answers of 2018 to 2026 with fewer coins and fields, digits untouched.
"""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from shared.ports import UpstreamAnswer

_RECORDED = Path(__file__).parent / "recorded"
_MARKED = re.compile(r'"#(.*?)#"')
unmarked = st.text(st.characters(exclude_characters="#", exclude_categories=["Cs"]), max_size=5)
"""Texts that no mark of ours is found in."""
TIME = 1_795_176_000
"""2026-11-20T12:00:00Z."""


def recorded(name: str, *, status: int = 200) -> UpstreamAnswer:
    return UpstreamAnswer(status, {}, (_RECORDED / f"{name}.json").read_bytes())


def facts(name: str) -> Any:
    return json.loads((_RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def raw(body: str | bytes, *, status: int = 200) -> UpstreamAnswer:
    return UpstreamAnswer(status, {}, body.encode() if isinstance(body, str) else body)


def answer(body: object, *, status: int = 200) -> UpstreamAnswer:
    """A text like "#1.50#" stands in it as the bare 1.50, so a test can say how a number is written."""
    return raw(_MARKED.sub(lambda marked: json.loads(f'"{marked[1]}"'), json.dumps(body)), status=status)


def top_list(elements: object, **envelope: object) -> UpstreamAnswer:
    return answer({"Message": "Success", "Type": 100, "Data": elements, "HasWarning": False, **envelope})


def error(kind: object, message: str = "", *, status: int = 200, **envelope: object) -> UpstreamAnswer:
    body = {"Response": "Error", "Message": message, "Type": kind, "RateLimit": {}, "Data": {}, **envelope}
    return answer(body, status=status)


def usd(price: object = "1.5", **quote: object) -> dict[str, Any]:
    """A RAW object. `price`: as it shall be written in the JSON."""
    return {"USD": {"FROMSYMBOL": "BTC", "PRICE": f"#{price}#", "LASTUPDATE": TIME, **quote}}


def element(source_id: object = "1182", symbol: object = "BTC", **more: object) -> dict[str, Any]:
    info = {"Id": source_id, "Name": symbol, "FullName": "Bitcoin"}
    return {"CoinInfo": info, "RAW": usd(), **more}
