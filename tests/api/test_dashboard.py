"""The dashboard's page and its files, as a browser gets them."""

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from api.dashboard.assets import FOLDER, PLOTLY, load_assets
from api.dashboard.page import FIRST_VIEW
from tests.api.rig import Rig

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SCRIPTS = sorted(FOLDER.glob("*.js"))
SHEETS = sorted(FOLDER.glob("*.css"))
LONGEST = 250
"""Lines of a file."""
_IMPORT = re.compile(r"""(?:^import\b[^"]*|^export\b[^"]*\bfrom\s*|\bimport\()"([^"]+)\"""", re.MULTILINE)
_FOREIGN = re.compile(r"(?:https?|wss?)://(?!www\.w3\.org/2000/svg)[a-z0-9]", re.IGNORECASE)
"""The address of another host; the name of the language of drawings only looks like one."""


async def page_of(rig: Rig, **headers: str) -> tuple[int, Any, str]:
    async with rig.client.get("/", headers={"Accept": BROWSER, **headers}, allow_redirects=False) as response:
        return response.status, response.headers, await response.text()


def imports_of(name: str) -> set[str]:
    """The modules that a module needs before it runs."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return {one.removeprefix("./") for one in re.findall(r'^import\b[^"]*"([^"]+)"', text, re.MULTILINE)}


# The page


async def test_a_browser_gets_the_page_at_the_root(rig: Rig) -> None:
    status, headers, text = await page_of(rig)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Vary"] == "Accept"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert text.startswith("<!DOCTYPE html>")
    assert "$" not in text


async def test_programs_and_queries_get_the_list_at_the_root(rig: Rig) -> None:
    for path, accept in (("/", "*/*"), ("/", "text/html;level=1;q=0, text/csv"), ("/?limit=2", BROWSER)):
        status, headers = await rig.headers(path, Accept=accept)
        assert status == 200
        assert headers["Content-Type"].startswith("text/csv")


async def test_the_policy_lets_scripts_come_from_here_only(rig: Rig) -> None:
    _, headers, _ = await page_of(rig)
    policy = dict(one.strip().partition(" ")[::2] for one in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"


async def test_the_page_has_nothing_inline_that_runs(rig: Rig) -> None:
    _, _, text = await page_of(rig)
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"\son[a-z]+=", text) == []
    assert "javascript:" not in text


async def test_every_file_that_the_page_names_exists_and_is_ours(rig: Rig) -> None:
    _, _, text = await page_of(rig)
    addresses = set(re.findall(r'(?:src|href|data-plotly)="([^"#]+)"', text))
    assert len(addresses) >= len(FIRST_VIEW)
    for address in addresses:
        assert re.match(r"/[a-z]", address), address
        if address.startswith("/assets/"):
            status, _ = await rig.headers(address)
            assert status == 200, address


async def test_the_page_is_not_sent_twice(rig: Rig) -> None:
    _, headers, _ = await page_of(rig)
    status, again, text = await page_of(rig, **{"If-None-Match": headers["ETag"]})
    assert (status, text) == (304, "")
    assert again["ETag"] == headers["ETag"]
    assert "Content-Security-Policy" in again


async def test_page_and_documentation_lead_to_each_other(rig: Rig) -> None:
    _, _, text = await page_of(rig)
    assert 'href="/api/docs/"' in text
    async with rig.client.get("/api/docs/") as response:
        assert 'href="/"' in await response.text()


# Files


async def test_files_may_be_kept_for_ever(rig: Rig) -> None:
    assets = load_assets()
    for digest, name in ((assets.own, "main.js"), (assets.plotly, PLOTLY)):
        status, headers = await rig.headers(f"/assets/{digest}/{name}")
        assert status == 200
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["Vary"] == "Accept-Encoding"
        assert headers["X-Content-Type-Options"] == "nosniff"
        again, told = await rig.headers(f"/assets/{digest}/{name}", **{"If-None-Match": headers["ETag"]})
        assert again == 304
        assert "Content-Type" not in told


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_files_have_their_media_types(rig: Rig, name: str, media_type: str) -> None:
    _, headers = await rig.headers(f"/assets/{load_assets().own}/{name}")
    assert headers["Content-Type"] == media_type


async def test_files_are_compressed_for_those_who_take_that(rig: Rig) -> None:
    path, plain = f"/assets/{load_assets().own}/main.js", (FOLDER / "main.js").read_bytes()
    async with rig.client.get(
        path, headers={"Accept-Encoding": "br, gzip"}, auto_decompress=False
    ) as response:
        packed = await response.read()
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Content-Length"] == str(len(packed))
        assert gzip.decompress(packed) == plain
        assert len(packed) < len(plain)
    async with rig.client.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.read() == plain


async def test_the_library_of_charts_comes_whole(rig: Rig) -> None:
    asset = load_assets().find(load_assets().plotly, PLOTLY)
    assert asset is not None
    async with rig.client.get(
        f"/assets/{load_assets().plotly}/{PLOTLY}", headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert await response.read() == asset.body()
    assert asset.compressed is not None
    assert len(asset.compressed) < len(asset.body()) / 2


async def test_a_file_can_be_asked_for_without_its_body(rig: Rig) -> None:
    async with rig.client.head(f"/assets/{load_assets().own}/main.js") as response:
        assert response.status == 200
        assert await response.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/assets/{own}/nothing.js",
        "/assets/0123456789abcdef0123/main.js",
        "/assets/{plotly}/main.js",
        "/assets/{own}/plotly.min.js",
        "/assets/{own}/..%2Fpage.html",
        "/assets/{own}/%00",
        "/assets/main.js",
    ],
)
async def test_nothing_else_is_served(rig: Rig, path: str) -> None:
    assets = load_assets()
    body = await rig.get(path.format(own=assets.own, plotly=assets.plotly), status=404)
    assert body["detail"]


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.8", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0, x-gzip", True),
        ("deflate, br", False),
        (None, False),
    ],
)
async def test_what_a_client_takes(rig: Rig, said: str | None, takes: bool) -> None:  # noqa: FBT001 - a table of cases
    headers = {} if said is None else {"Accept-Encoding": said}
    skipped = {"Accept-Encoding"} if said is None else set()
    async with rig.client.get(
        f"/assets/{load_assets().own}/main.js",
        headers=headers,
        skip_auto_headers=skipped,
        auto_decompress=False,
    ) as response:
        assert ("Content-Encoding" in response.headers) is takes


# What the files say


def test_what_the_first_view_needs_is_fetched_at_once() -> None:
    needed, waiting = set[str](), {"main.js", "prices.js"}
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= imports_of(name) - needed
    assert needed == set(FIRST_VIEW)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_modules_import_only_what_there_is(path: Path) -> None:
    named = _IMPORT.findall(path.read_text(encoding="utf-8"))
    assert all(one.startswith("./") and (FOLDER / one).is_file() for one in named), named


@pytest.mark.parametrize("path", [*SCRIPTS, *SHEETS], ids=lambda path: path.name)
def test_files_are_short_and_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST
    assert text.startswith("/*")
    assert text.endswith("\n")
    for word in (
        "console.",
        "debugger",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ):
        assert word not in text
    assert _FOREIGN.findall(text) == []


def test_the_digest_changes_with_the_files() -> None:
    assets = load_assets()
    assert re.fullmatch(r"[0-9a-f]{20}", assets.own)
    assert assets.own != assets.plotly
    assert set(assets.names()) == {
        path.name for path in FOLDER.iterdir() if path.suffix in {".js", ".css", ".svg"}
    }
