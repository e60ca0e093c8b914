"""The table of all scheduled jobs. A new job is one file here and one line below."""

from worker.job import Job
from worker.jobs.catalog import CATALOG
from worker.jobs.fiat import FIAT
from worker.jobs.prices import PRICES
from worker.jobs.profiles import PROFILES
from worker.jobs.ranking import RANKING
from worker.jobs.upkeep import UPKEEP

JOBS: tuple[Job, ...] = (CATALOG, PRICES, FIAT, RANKING, PROFILES, UPKEEP)
