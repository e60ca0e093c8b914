"""The page itself: a frame that names its files; all that it shows it asks for.

Scripts run from files of our own origin only, none inline. Styles may be inline: the library of charts writes them.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

from api.dashboard.assets import PLOTLY, ROOT, load_assets
from api.etags import etag_of

_PAGE = Path(__file__).parent / "page.html"
FIRST_VIEW = (
    "main.js",
    "again.js",
    "clock.js",
    "csv.js",
    "dom.js",
    "elsewhere.js",
    "format.js",
    "http.js",
    "live.js",
    "market.js",
    "pager.js",
    "picks.js",
    "place.js",
    "pricefile.js",
    "prices.js",
    "sorter.js",
    "sparkline.js",
    "sparklines.js",
    "state.js",
    "status.js",
    "table.js",
)
"""What the first view needs: all of it is fetched at once, not one import after another."""
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Page:
    body: bytes
    etag: str


@lru_cache(maxsize=1)
def load_page() -> Page:
    """With the addresses of its files. Raises as `load_assets`."""
    assets = load_assets()
    own = f"{ROOT}/{assets.own}"
    preloads = [f'  <link rel="modulepreload" href="{own}/{name}">' for name in FIRST_VIEW]
    text = Template(_PAGE.read_text(encoding="utf-8")).substitute(
        assets=own, plotly=f"{ROOT}/{assets.plotly}/{PLOTLY}", preloads="\n".join(preloads)
    )
    body = text.encode()
    return Page(body, etag_of(body))
