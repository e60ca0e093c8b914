"""Celery's forced refresh: `delay().get()` of a task that visits the source and inserts one row.

python -m bench.peers.celery_refresh PROCESSES|client REDIS_URL DATABASE_URL SOURCE_URL

With a number it is the worker, of so many processes. As client it reads lines from stdin: `refresh`, `nothing` (an empty
task), `burst CALLERS REQUESTS`; and answers with the seconds that each took. Redis is broker and result backend.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import psycopg
import requests
from celery import Celery

LONGEST = 30.0
CURRENCIES = (1, 1027, 1839, 52, 5426, 74, 2010, 1958)


class Tasks:
    """The application and its two tasks."""

    def __init__(self, redis_url: str, database_url: str, source_url: str) -> None:
        self.app = Celery("refresh", broker=redis_url, backend=redis_url)
        self.app.conf.worker_prefetch_multiplier = 1
        self.refresh = self.app.task(name="refresh")(_visiting(database_url, source_url))
        self.nothing = self.app.task(name="nothing")(_nothing)


def _nothing() -> None:
    pass


def _visiting(database_url: str, source_url: str) -> Callable[[int], str]:
    @cache
    def connections() -> tuple[requests.Session, psycopg.Connection]:
        """Of one process: made when its first task needs them, after the fork."""
        database = psycopg.connect(database_url, autocommit=True)
        database.execute(
            "CREATE TABLE IF NOT EXISTS celery_rates (id bigserial PRIMARY KEY, currency_id bigint, price numeric, at timestamptz)"
        )
        return requests.Session(), database

    def visit(currency_id: int) -> str:
        http, database = connections()
        answer = http.get(source_url, params={"id": currency_id}, timeout=LONGEST)
        (coin,) = answer.json(parse_float=str)["data"]
        price: str = coin["quote"][0]["price"]
        database.execute(
            "INSERT INTO celery_rates (currency_id, price, at) VALUES (%s, %s::numeric, now())",
            (currency_id, price),
        )
        return price

    return visit


def _burst(tasks: Tasks, callers: int, requested: int) -> None:
    with ThreadPoolExecutor(callers) as threads:
        list(
            threads.map(
                lambda number: tasks.refresh.delay(CURRENCIES[number % len(CURRENCIES)]).get(timeout=LONGEST),
                range(requested),
            )
        )


def answer_lines(tasks: Tasks) -> None:
    for line in sys.stdin:
        started = time.perf_counter()
        match line.split():
            case ["refresh"]:
                tasks.refresh.delay(1).get(timeout=LONGEST)
            case ["nothing"]:
                tasks.nothing.delay().get(timeout=LONGEST)
            case ["burst", callers, requested]:
                _burst(tasks, int(callers), int(requested))
        print(time.perf_counter() - started, flush=True)


def main() -> None:
    role, *where = sys.argv[1:]
    tasks = Tasks(*where)
    if role == "client":
        answer_lines(tasks)
    else:
        tasks.app.worker_main(["worker", "--concurrency", role, "--loglevel", "WARNING"])


if __name__ == "__main__":
    main()
