"""The board and the alerts speak of metrics that API and worker expose, and of headings that the README has."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml  # type: ignore[import-untyped] # only tests read YAML: not worth a package of types

from api.routes.top import ROUTES as TOP_ROUTES
from deploy.servers.ports import free_port
from shared.messages import Role
from shared.settings import read_settings
from tests.deploy.promql import Scraped, missing
from tests.e2e.processes import ROOT, Stack
from tests.waiting import until
from worker.jobs import JOBS

BOARD = ROOT / "deploy" / "grafana" / "freshrate.json"
PROMETHEUS = ROOT / "deploy" / "prometheus"
SEVERITIES = {"critical", "warning"}
GRID_WIDTH = 24


def board() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(BOARD.read_text())
    return whole


def panels() -> list[dict[str, Any]]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def questions() -> Iterator[tuple[str, str, set[str]]]:
    """Where it stands, the expression, and the labels that are shown of its result."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], set(re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]))
    for alert in alerts():
        texts = " ".join(alert["annotations"].values())
        yield alert["alert"], alert["expr"], set(re.findall(r"\$labels\.(\w+)", texts))


def faults(scraped: Scraped) -> list[str]:
    return [
        f"{where}: {what}"
        for where, expr, shown in questions()
        for what in missing(expr, scraped, shown=shown)
    ]


def test_every_path_of_the_top_list_is_in_its_time_to_answer() -> None:
    (panel,) = (one for one in panels() if one["title"] == "Time to answer")
    for target in panel["targets"]:
        (shown,) = re.findall(r'route=~"([^"]*)"', target["expr"])
        assert [route.path for route in TOP_ROUTES if not re.fullmatch(shown, route.path)] == []


@pytest.fixture
async def stack(tmp_path: Path, postgresql_url: str, redis_url: str) -> AsyncIterator[Stack]:
    """With both budgets on, so that what is left of them is exposed, and a top list that is due soon."""
    running = Stack(
        tmp_path,
        {
            "DATABASE_URL": postgresql_url,
            "REDIS_URL": redis_url,
            "COINMARKETCAP_CALLS_PER_MINUTE": "600",
            "TRACKED_TOP": "20",
            "CACHE_TTL_SECONDS": "1",
        },
    )
    yield running
    await running.close()


async def test_every_metric_and_label_of_board_and_alerts_is_exposed(stack: Stack) -> None:
    await stack.simulator()
    api = await stack.api()
    metrics_port = str(free_port())
    await stack.worker(WORKER_METRICS_PORT=metrics_port, WORKER_ROLES="pricing,ranking")
    await until(lambda: api.answers("/api/lastrate/1/"), seconds=15, what="the first poll")
    assert await api.answers("/api/latestrate/1/")
    assert await api.answers("/api/ratescurrency/")
    pages = (f"{api.url}/metrics", f"http://127.0.0.1:{metrics_port}/metrics")
    left: list[str] = []

    async def all_are_exposed() -> bool:
        """Some appear a moment after what they tell of: a job's end, a budget read in the background, a renewal."""
        await api.answers("/api/top/?limit=3")
        scraped = Scraped()
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            for page in pages:
                async with session.get(page) as response:
                    scraped.add(await response.text())
        left[:] = faults(scraped)
        return not left

    with suppress(AssertionError):
        await until(all_are_exposed, seconds=15, what="all metrics")
    assert left == []


EXPOSITION = """\
# TYPE freshrate_calls counter
freshrate_calls_total{source="a",outcome="answered"} 3
# TYPE freshrate_seconds histogram
freshrate_seconds_bucket{source="a",le="1.0"} 1
freshrate_seconds_bucket{source="a",le="+Inf"} 1
freshrate_seconds_count{source="a"} 1
freshrate_seconds_sum{source="a"} 0.5
"""


@pytest.mark.parametrize(
    ("expression", "shown", "faulty"),
    [
        ('sum by (source) (rate(freshrate_calls_total{outcome!="answered"}[5m])) > 0.1', {"source"}, []),
        (
            "histogram_quantile(0.9, sum by (le) (rate(freshrate_seconds_bucket[$__rate_interval])))",
            set(),
            [],
        ),
        ('up{job=~"freshrate-.*"} == 0 or absent(freshrate_calls_total)', {"job", "instance"}, []),
        ("freshrate_made_up > 1", set(), ["freshrate_made_up"]),
        ("rate(freshrate_calls[5m])", set(), ["freshrate_calls"]),
        ("time() - max by (source) (freshrate_seconds)", set(), ["freshrate_seconds", "source"]),
        ('freshrate_calls_total{role="a"}', set(), ["freshrate_calls_total{role}"]),
        ('freshrate_calls_total{source="b"}', set(), ['freshrate_calls_total{source="b"}']),
        ("sum by (role) (freshrate_calls_total)", set(), ["role"]),
        ("freshrate_calls_total * on (phase) group_left () up", set(), ["phase"]),
        ("freshrate_calls_total", {"state"}, ["state"]),
    ],
)
def test_what_nobody_exposes_would_be_found(expression: str, shown: set[str], faulty: list[str]) -> None:
    scraped = Scraped()
    scraped.add(EXPOSITION)
    assert missing(expression, scraped, shown=shown) == faulty


def test_every_question_would_be_missed_if_nothing_was_exposed() -> None:
    asked = list(questions())
    assert len(asked) > len(panels())
    assert {where for where, expr, _ in asked if not missing(expr, Scraped())} <= {
        "Up",
        "FreshrateTargetDown",
    }


def test_the_board_is_whole() -> None:
    [variable] = board()["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    ids = [panel["id"] for panel in board()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["title"], panel["id"]
        assert panel["description"], panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]


def test_no_panel_of_the_board_covers_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= GRID_WIDTH, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+[mh]", alert["for"])
    assert alert["labels"]["severity"] in SEVERITIES
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    assert all(text.strip() for text in alert["annotations"].values())
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)


def test_every_alert_of_the_readme_exists() -> None:
    written = {anchor for anchor in anchors(ROOT / "README.md") if anchor.startswith("alert-")}
    assert {alert["annotations"]["runbook"] for alert in alerts()} == {f"README.md#{one}" for one in written}


def test_alerts_have_names_of_their_own() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names)


def test_every_scheduled_job_has_a_longest_time_that_it_may_be_late_and_stands_on_the_board() -> None:
    names = {job.name for job in JOBS}
    (late,) = (alert["expr"] for alert in alerts() if alert["alert"] == "FreshrateJobNotDone")
    assert set(re.findall(r'{name="(\w+)"}', late)) == names
    (shown,) = (panel for panel in panels() if panel["title"] == "Time since a job's last success")
    assert {name for name in names if not re.search(rf"\b{name}\b", shown["description"])} == set()


def test_a_worker_that_is_missing_is_told_once_by_the_role_that_people_set() -> None:
    """A worker of the role pricing is one of the role catalog as well."""
    (expression,) = (alert["expr"] for alert in alerts() if alert["alert"] == "FreshrateNoWorker")
    (left_out,) = re.findall(r'role!="(\w+)"', expression)
    assert left_out == Role.CATALOG
    assert left_out not in read_settings(_env_file=None).worker_roles


def test_the_example_scrapes_the_jobs_that_the_alerts_name() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    named = {job for _, expr, _ in questions() for job in re.findall(r'up\{job="([^"]+)"', expr)}
    assert named == jobs
    assert [PROMETHEUS / name for name in config["rule_files"]] == [PROMETHEUS / "alerts.yml"]


def anchors(page: Path) -> set[str]:
    """The headings of a Markdown page as GitHub's anchors."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
