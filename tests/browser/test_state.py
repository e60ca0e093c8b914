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


TIMES: dict[str, float | None] = {
    "2026-11-20T12:30:05Z": 1_795_177_805_000,
    "2026-11-20T12:30:05": None,
    "2026-13-20T12:30:05Z": None,
    "1": None,
    "": None,
}


async def test_times_are_read_whole_or_not_at_all(load_module: LoadModule) -> None:
    state = await load_module("state.js")
    assert await state.evaluate("(module, texts) => texts.map(module.timeOf)", [*TIMES]) == [*TIMES.values()]
    assert await state.evaluate("module => module.timeText(1795177805999)") == "2026-11-20T12:30:05Z"


async def test_times_and_lists_stay_readable(load_module: LoadModule) -> None:
    state = await load_module("state.js")
    params = {"ids": "1,1027", "from": "2026-11-20T12:30:05Z", "q": "a:b&c=%3A", "page": None}
    written = await state.evaluate("(module, params) => module.format({ view: 'compare', params })", params)
    assert written == "#compare?ids=1,1027&from=2026-11-20T12:30:05Z&q=a:b%26c%3D%253A"
    read = await state.evaluate("(module, fragment) => module.parse(fragment)", written)
    assert read["params"] == {name: value for name, value in params.items() if value}
