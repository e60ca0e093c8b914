"""The files of the dashboard, under addresses that change with their content, so browsers may keep them for ever.

All own files share one digest: a module names another by `./name.js`, and so gets the one of its own release. The library
of charts comes from the wheel of plotly, found without importing it, and has a digest of its own: it stays in the caches of
browsers when only our files change. What is compressed is compressed once.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

FOLDER = Path(__file__).parent / "assets"
ROOT = "/assets"
PLOTLY = "plotly.min.js"
_MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(slots=True, eq=False)
class Asset:
    """One file."""

    media_type: str
    digest: str
    _path: Path
    _body: bytes | None
    """None where it is large and seldom asked for as it is: then it is read each time."""
    _compressed: bytes | None = None
    _compressing: Lock = field(default_factory=Lock)

    @property
    def compressed(self) -> bytes | None:
        """Where it has been compressed already."""
        return self._compressed

    def body(self) -> bytes:
        """May read a large file: not for the loop."""
        return self._path.read_bytes() if self._body is None else self._body

    def compress(self) -> bytes:
        """As gzip; the first time that takes up to half a second: not for the loop."""
        with self._compressing:
            if self._compressed is None:
                self._compressed = gzip.compress(self.body(), compresslevel=9, mtime=0)
            return self._compressed


@dataclass(frozen=True, slots=True)
class Assets:
    """All files, by digest and name."""

    own: str
    """The digest of our files."""
    plotly: str
    """The digest of the library of charts."""
    _by_address: Mapping[tuple[str, str], Asset]

    def find(self, digest: str, name: str) -> Asset | None:
        return self._by_address.get((digest, name))

    def names(self) -> list[str]:
        """Of our own files."""
        return sorted(name for digest, name in self._by_address if digest == self.own)


@lru_cache(maxsize=1)
def load_assets() -> Assets:
    """Reads them once per process. Raises ModuleNotFoundError where plotly is not installed."""
    bodies = {
        path.name: path.read_bytes()
        for path in sorted(FOLDER.iterdir())
        if path.suffix in _MEDIA_TYPES and not path.name.startswith(".")
    }
    own = _digest(*(part for name, body in bodies.items() for part in (name.encode(), body)))
    library = _plotly_path()
    plotly = _digest(library.read_bytes())
    files = {(own, name): _asset(FOLDER / name, own, body) for name, body in bodies.items()}
    return Assets(own, plotly, {**files, (plotly, PLOTLY): _asset(library, plotly, None)})


def _asset(path: Path, digest: str, body: bytes | None) -> Asset:
    return Asset(_MEDIA_TYPES[path.suffix], digest, path, body)


def _plotly_path() -> Path:
    package = find_spec("plotly")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("plotly")
    return Path(package.submodule_search_locations[0]) / "package_data" / PLOTLY


def _digest(*parts: bytes) -> str:
    """Each part counts with its length, so that no two sets of files look alike."""
    digest = blake2b(digest_size=10)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
