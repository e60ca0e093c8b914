"""The fragment of the link: what a view is shared by."""

from typing import Any

import pytest

from tests.browser.pages import LoadModule

PARSED: dict[str, dict[str, Any]] = {
    "": {"view": "prices", "id": None, "params": {}},
    "#": {"view": "prices", "id": None, "params": {}},
    "#prices?sort=change_24h&down=1&q=bit&page=2": {
        "view": "prices",
        "id": None,
        "params": {"sort": "change_24h", "down": "1", "q": "bit", "page": "2"},
    },
    "#currency/1?range=24h&chart=candles": {
        "view": "currency",
        "id": 1,
        "params": {"range": "24h", "chart": "candles"},
    },
    "#compare?ids=1,1027&range=7d": {
        "view": "compare",
        "id": None,
        "params": {"ids": "1,1027", "range": "7d"},
    },
    "#deals": {"view": "deals", "id": None, "params": {}},
    "#currency/0": {"view": "prices", "id": None, "params": {}},
    "#currency/1/": {"view": "prices", "id": None, "params": {}},
    "#currency/9007199254740993": {"view": "prices", "id": None, "params": {}},
}


@pytest.mark.parametrize("fragment", PARSED)
async def test_a_fragment_is_read(load_module: LoadModule, fragment: str) -> None:
    state = await load_module("state.js")
    assert await state.evaluate("(module, text) => module.parse(text)", fragment) == PARSED[fragment]
