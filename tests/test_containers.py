"""The images and the compose file, as far as they can be judged without an engine that runs them."""

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # PyYAML ships no types

from shared import __version__
from shared.opening import require_servers
from shared.settings import Settings, read_settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROCESSES = ("api", "worker-pricing", "worker-ranking")
PINNED = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+")


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(name, rest) of each instruction."""
    text = re.sub(r"^#.*\n", "", (ROOT / dockerfile).read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def last(dockerfile: str, instruction: str) -> str:
    return [rest for name, rest in instructions(dockerfile) if name == instruction][-1]


def copied(dockerfile: str) -> list[str]:
    """What an image takes from the repository."""
    rests = [rest for name, rest in instructions(dockerfile) if name == "COPY" and "--from" not in rest]
    return [source for rest in rests for source in rest.split()[:-1]]


def by_default(value: str) -> str:
    """A value of the compose file where nothing is set."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value)


def environment(service: str) -> dict[str, str]:
    return {name: by_default(value) for name, value in SERVICES[service]["environment"].items()}


dockerfiles = pytest.mark.parametrize("dockerfile", ["Dockerfile.api", "Dockerfile.worker"])
services = pytest.mark.parametrize("service", SERVICES)
processes = pytest.mark.parametrize("service", PROCESSES)


@services
def test_a_service_can_do_no_more_than_it_must(service: str) -> None:
    stated = SERVICES[service]
    assert stated["cap_drop"] == ["ALL"]
    assert stated["security_opt"] == ["no-new-privileges:true"]
    assert stated["read_only"] is True
    assert any(mount.startswith("/tmp:size=") for mount in stated["tmpfs"])
    assert not {"privileged", "network_mode", "pid", "devices"} & set(stated)


@services
def test_a_service_has_limits_that_a_machine_of_one_processor_can_give(service: str) -> None:
    stated = SERVICES[service]
    assert 0 < stated["cpus"] <= 1
    assert stated["pids_limit"] > 0
    assert re.fullmatch(r"\d+[mg]", stated["mem_limit"])


@services
def test_a_service_comes_back_and_tells_its_health(service: str) -> None:
    stated = SERVICES[service]
    assert stated["restart"] == "unless-stopped"
    assert int(stated["stop_grace_period"].removesuffix("s")) > 10
    if "healthcheck" in stated:
        assert stated["healthcheck"]["test"][0] == "CMD"
    else:
        assert " CMD [" in last(stated["build"]["dockerfile"], "HEALTHCHECK")


def test_capabilities_are_given_back_only_to_what_starts_as_root() -> None:
    assert {name: stated["cap_add"] for name, stated in SERVICES.items() if "cap_add" in stated} == {
        "postgres": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
    }
    assert {name: stated["user"] for name, stated in SERVICES.items() if "user" in stated} == {
        "redis": "redis"
    }


def test_only_the_api_is_published_and_only_on_this_machine() -> None:
    assert {name for name, stated in SERVICES.items() if "ports" in stated} == {"api"}
    assert [by_default(one) for one in SERVICES["api"]["ports"]] == [
        "127.0.0.1:8000:8000",
        "127.0.0.1:6667:6667",
    ]
    assert environment("api")["API_PORT"] == "8000,6667"


def test_foreign_images_are_pinned_and_ours_are_never_pulled() -> None:
    for stated in SERVICES.values():
        if "build" in stated:
            assert stated["pull_policy"] == "never"
        else:
            assert PINNED.fullmatch(stated["image"])


@processes
def test_a_process_waits_for_healthy_servers_and_reads_an_env_file_if_there_is_one(service: str) -> None:
    stated = SERVICES[service]
    assert stated["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }
    assert stated["env_file"] == [{"path": ".env", "required": False}]


@processes
def test_the_environment_is_made_of_settings_and_can_be_started_on(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(service)
    assert {name.lower() for name in given} <= set(Settings.model_fields)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    standard = read_settings(_env_file=None)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(_env_file=None)
    require_servers(settings)
    postgres = SERVICES["postgres"]["environment"]
    assert settings.database == (
        f"postgresql://{postgres['POSTGRES_USER']}:{by_default(postgres['POSTGRES_PASSWORD'])}"
        f"@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    assert settings.sources == standard.sources
    assert settings.api_host == "0.0.0.0"


def test_every_role_has_a_worker() -> None:
    roles = [environment(name)["WORKER_ROLES"] for name in SERVICES if name.startswith("worker-")]
    assert sorted(roles) == sorted(Settings.model_fields["worker_roles"].default)


def test_the_simulator_of_the_demo_is_where_the_workers_look_for_it() -> None:
    simulator = SERVICES["simulator"]
    assert simulator["profiles"] == ["demo"]
    port = simulator["command"][simulator["command"].index("--port") + 1]
    assert environment("worker-pricing")["SIMULATOR_URL"] == f"http://simulator:{port}"


def test_redis_keeps_and_never_evicts() -> None:
    command = SERVICES["redis"]["command"].split()
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"


def test_the_servers_data_live_in_volumes() -> None:
    for name in ("postgres", "redis"):
        volume, _, folder = SERVICES[name]["volumes"][0].partition(":")
        assert volume in COMPOSE["volumes"]
        stated = SERVICES[name]
        assert folder in (*stated.get("command", "").split(), *stated.get("environment", {}).values())


def test_uploads_wait_on_a_disk_and_not_in_memory() -> None:
    mounts = dict(mount.split(":")[::-1] for mount in SERVICES["api"]["volumes"])
    folder = dict(one.split("=", 1) for one in last("Dockerfile.api", "ENV").split())["TMPDIR"]
    assert mounts[folder] in COMPOSE["volumes"]
    assert not any(mount.startswith(f"{folder}:") for mount in SERVICES["api"]["tmpfs"])
    assert [name for name in SERVICES if mounts[folder] in str(SERVICES[name].get("volumes"))] == ["api"]
    # A new volume takes the owner of the folder over which it is mounted.
    user = last("Dockerfile.api", "USER")
    assert f"mkdir --mode=0700 {folder} && chown {user} {folder}" in last("Dockerfile.api", "RUN")


@dockerfiles
def test_an_image_is_pinned_and_ends_as_somebody_who_is_nobody(dockerfile: str) -> None:
    for rest in (rest for name, rest in instructions(dockerfile) if name == "FROM"):
        assert PINNED.fullmatch(rest.split()[0])
    user, group = last(dockerfile, "USER").split(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000


@dockerfiles
def test_signals_and_checks_pass_no_shell(dockerfile: str) -> None:
    assert json.loads(last(dockerfile, "ENTRYPOINT"))[0] == "python"
    assert json.loads(last(dockerfile, "HEALTHCHECK").partition(" CMD ")[2])[0] == "python"


@dockerfiles
def test_an_image_installs_the_locked_dependencies_alone(dockerfile: str) -> None:
    installs = [rest for name, rest in instructions(dockerfile) if name == "RUN" and "install" in rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert {"deploy/requirements.txt", "deploy/requirements-otel.txt"} <= set(copied(dockerfile))
    assert last(dockerfile, "ARG") == "REQUIREMENTS=requirements.txt"


@dockerfiles
def test_an_image_says_which_version_it_holds(dockerfile: str) -> None:
    assert f'org.opencontainers.image.version="{__version__}"' in last(dockerfile, "LABEL")


@dockerfiles
def test_the_build_is_given_what_it_copies_and_nothing_else(dockerfile: str) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    given = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert set(copied(dockerfile)) <= set(given)
    assert all((ROOT / path).exists() for path in given)
    for kept_out in (".git", ".venv", ".env", "data", "tests", "bench"):
        assert not any(fnmatch(kept_out, path) for path in given)


@pytest.mark.parametrize(
    ("dockerfile", "modules"),
    [
        ("Dockerfile.api", "api.__main__, migrations.upgrade"),
        (
            "Dockerfile.worker",
            "worker.__main__, worker.run, worker.metrics, simulator.__main__, migrations.upgrade",
        ),
    ],
)
def test_an_image_holds_every_package_that_it_imports(dockerfile: str, modules: str, tmp_path: Path) -> None:
    for path in copied(dockerfile):
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, tmp_path / path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()


def test_the_check_of_a_worker_loads_nothing_that_only_serving_needs() -> None:
    loaded = "import sys, worker.__main__; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, check=True)
    assert not {"aiohttp", "asyncpg", "redis", "alembic"} & set(ran.stdout.decode().split())
