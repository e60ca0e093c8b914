"""Schemathesis over the whole OpenAPI document of a real server: no 5xx, and every answer as documented."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import aiohttp

from tests.e2e.processes import ROOT, Stack
from tests.e2e.test_rates import catalog_ready

KEY = "a-key-that-is-long-enough-to-be-one"


async def test_no_input_breaks_the_service_and_every_answer_is_as_documented(
    stack: Stack, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await stack.simulator()
    api = await stack.api(API_KEYS=KEY)
    await stack.worker(WORKER_ROLES="pricing,ranking")
    await catalog_ready(http, api)
    process = await _schemathesis(api.url, tmp_path)
    assert process.returncode == 0, process.stdout[-6000:]
    assert "Traceback" not in api.log_text()


async def _schemathesis(url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{url}/api/openapi.json",
            "--header",
            f"X-API-Key: {KEY}",
            "--max-examples",
            "25",
            "--seed",
            "1",
            "--no-color",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.e2e.schema_hooks"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
