"""What handlers work with, read once at their top: `api = request.app[CONTEXT]`."""

from dataclasses import dataclass

from aiohttp import web

from api.candles.sparklines import Sparklines
from api.catalog import Catalog
from api.catalog_renewals import CatalogRenewals
from api.deals.answers import DealsAnswers
from api.deals.uploads import Uploads
from api.demand import Demand
from api.direct import DirectVisits
from api.keys import Keys
from api.limits import RateLimit
from api.live.beat import Beat
from api.live.hub import LiveRates
from api.lookup import Lookup
from api.market.market import Market
from api.market.status import Status
from api.memory import RateMemory
from api.metrics import RequestMetrics
from api.quotes.quotes import Quotes
from api.refresh import Refresher
from api.request_log import RequestLog
from api.river import River
from api.symbols import Symbols
from api.top.top import Top
from shared.domain.times import Clock
from shared.ports import Queue, Storage
from shared.registry import Registry
from shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The parts of a running API."""

    settings: Settings
    storage: Storage
    queue: Queue
    clock: Clock
    registry: Registry
    memory: RateMemory
    catalog: Catalog
    refresher: Refresher
    lookup: Lookup
    direct: DirectVisits
    top: Top
    symbols: Symbols
    quotes: Quotes
    deals: DealsAnswers
    uploads: Uploads
    sparklines: Sparklines
    market: Market
    status: Status
    renewals: CatalogRenewals
    river: River
    live: LiveRates
    beat: Beat
    demand: Demand
    keys: Keys
    refresh_limit: RateLimit
    request_metrics: RequestMetrics
    request_log: RequestLog


CONTEXT = web.AppKey("context", ApiContext)
