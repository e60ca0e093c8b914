"""What the page's modules say by themselves: numbers, problems, notices."""

from typing import Any

import pytest

from tests.browser.pages import LoadModule

NUMBERS = {
    "price": {
        "92637.51": "92,637.51",
        "0.00000006316": "0.00000006316",
        "0.000000006316": "6.316E-9",
        "999999999": "999,999,999.00",
        "1234567890.12": "1.23B",
        "0": "0.00",
    },
    "compact": {"1850000000000": "1.85T", "1234000000000000000": "1.234E18", "": "\u2013"},
}
CHANGES = {
    1.839: "+1.84",
    -0.001: "0.00",
    999.994: "+999.99",
    1234.5: "+1,235",
    -99999: "-99,999",
    1234567: "+1.23M",
}
WELL: dict[str, Any] = {
    "datetime": "2026-11-20T12:00:00Z",
    "simulated": False,
    "newest_rate_at": None,
    "database": "ok",
    "queue": "ok",
    "stream": "ok",
    "catalog": "ok",
    "workers": {"pricing": 1, "ranking": 1},
}
TROUBLES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"stream": "Not read."}, ["stream"]),
    ({"catalog": "Not loaded."}, ["catalog"]),
    ({"workers": {"pricing": 1, "ranking": 0}}, ["ranking"]),
    ({"workers": {"pricing": 0, "ranking": 1}}, ["workers"]),
    ({"queue": "Gone.", "workers": None, "stream": "Not read."}, ["queue"]),
    ({"database": "Gone.", "catalog": "Not loaded."}, ["database"]),
]
NEVER = (
    "window.fetch = (_path, { signal }) => new Promise((_, no) => (signal.onabort = () => no(signal.reason)))"
)
TOLD = "error => ({ title: error.title, detail: error.detail, status: error.status })"


async def test_numbers_fit_their_columns(load_module: LoadModule) -> None:
    module = await load_module("format.js")
    for name, texts in NUMBERS.items():
        shown = await module.evaluate("(module, [name, texts]) => texts.map(module[name])", [name, [*texts]])
        assert dict(zip(texts, shown, strict=True)) == texts
    shown = await module.evaluate(
        "(module, changes) => changes.map(one => module.percent(one).text)", [*CHANGES]
    )
    assert [one.removesuffix("\u00a0%") for one in shown] == [*CHANGES.values()]


async def test_each_trouble_has_its_notice(load_module: LoadModule) -> None:
    module = await load_module("status.js")
    for changed, kinds in TROUBLES:
        told = await module.evaluate(
            "(module, value) => module.troublesOf(value, true).map(({ kind }) => kind)", WELL | changed
        )
        assert told == kinds


async def test_no_answer_in_time_is_a_problem(load_module: LoadModule) -> None:
    module = await load_module("http.js")
    problem = await module.evaluate(
        f"module => {{ {NEVER}; return module.getJson('/', {{ patience: 20 }}).catch({TOLD}); }}"
    )
    assert problem["title"] == "No answer in time"
    assert problem["status"] == 0


@pytest.mark.parametrize(("status", "again"), [(400, 0), (404, 0), (429, 1), (503, 1)])
async def test_only_what_may_help_is_offered(load_module: LoadModule, status: int, again: int) -> None:
    module = await load_module("http.js")
    body = '{"title": "Refused", "detail": "See errors.", "errors": {"convert": ["No such currency."]}}'
    shown = await module.evaluate(
        "(module, [status, body]) => {"
        "  const card = module.showProblem(module.problemOf(status, body), { retry: () => {} });"
        "  return [card.querySelector('.muted').textContent, card.querySelectorAll('button').length];"
        "}",
        [status, body],
    )
    assert shown == ["No such currency.", again]
