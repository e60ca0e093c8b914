"""Gauges of what all processes share: the sources' budgets, the queue's books, and the connections to the database."""

import asyncio
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.domain.times import Clock
from shared.errors import QueueUnavailable
from shared.messages import Role
from shared.ports import Queue, QueueDepth, Source, Storage
from shared.upstream import Upstream


class AllowanceGauges(Collector):
    """What the sources may still be asked. While the database is down: by what this process knew last."""

    def __init__(self, sources: Sequence[Source], upstream: Upstream, clock: Clock) -> None:
        self._sources = sources
        self._upstream = upstream
        self._clock = clock

    async def ask(self) -> None:
        for source in self._sources:
            await self._upstream.look_up(source)

    def collect(self) -> Iterable[Metric]:
        credits = GaugeMetricFamily(
            "freshrate_upstream_credits_left", "Credits left of the month's budget.", labels=["source"]
        )
        calls = GaugeMetricFamily(
            "freshrate_upstream_calls_left", "Calls left of this minute's budget.", labels=["source"]
        )
        blocked = GaugeMetricFamily(
            "freshrate_upstream_blocked",
            "1 while the breaker is open or the source blocked, else 0.",
            labels=["source"],
        )
        now = self._clock()
        for source in self._sources:
            known = self._upstream.known(source)
            if known is None:
                continue
            labels = [source.name]
            blocked.add_metric(labels, known.is_closed(now))
            if source.credits_per_month:
                credits.add_metric(labels, known.credits_left(now=now, limit=source.credits_per_month))
            if source.calls_per_minute:
                calls.add_metric(labels, known.calls_left(now=now, limit=source.calls_per_minute))
        return (credits, calls, blocked)


class QueueGauges(Collector):
    """The books of the roles. Nothing of them is told while the queue is down: what was true then is not now."""

    def __init__(self, queue: Queue, roles: Sequence[Role]) -> None:
        self._queue = queue
        self._roles = roles
        self._depths: dict[Role, QueueDepth] = {}

    async def ask(self) -> None:
        try:
            depths = await asyncio.gather(*map(self._queue.depth, self._roles))
        except QueueUnavailable:
            self._depths = {}
            raise
        self._depths = dict(zip(self._roles, depths, strict=True))

    def collect(self) -> Iterable[Metric]:
        commands = GaugeMetricFamily(
            "freshrate_queue_commands",
            "Commands that wait, or are in a worker's hands.",
            labels=["role", "state"],
        )
        dead = CounterMetricFamily(
            "freshrate_queue_dead_letters", "Commands that were given up, ever.", labels=["role"]
        )
        workers = GaugeMetricFamily("freshrate_queue_workers", "Workers that are alive.", labels=["role"])
        for role, depth in self._depths.items():
            commands.add_metric([role.value, "waiting"], depth.waiting)
            commands.add_metric([role.value, "processing"], depth.processing)
            dead.add_metric([role.value], depth.dead)
            workers.add_metric([role.value], depth.workers)
        return (commands, dead, workers)


class DatabaseGauges(Collector):
    """The connections of this process."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def collect(self) -> Iterable[Metric]:
        held = self._storage.connections()
        connections = GaugeMetricFamily(
            "freshrate_database_connections", "Connections to the database.", labels=["state"]
        )
        connections.add_metric(["used"], held.used)
        connections.add_metric(["idle"], held.idle)
        yield connections
        yield GaugeMetricFamily(
            "freshrate_database_waiting", "Statements that wait for a connection.", value=held.waiting
        )
