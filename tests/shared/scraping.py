"""What a process told Prometheus at one moment."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import until

Key = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self._samples: dict[Key, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, default: float | None = None, /, **labels: str) -> float:
        """Raises KeyError where there is no such sample, unless there is a default."""
        key = (name, frozenset(labels.items()))
        return self._samples[key] if default is None else self._samples.get(key, default)

    def has(self, name: str, /, **labels: str) -> bool:
        return (name, frozenset(labels.items())) in self._samples

    def labels(self, name: str) -> list[dict[str, str]]:
        """Of every sample of this name."""
        return [dict(labels) for one, labels in self._samples if one == name]


@dataclass(frozen=True)
class Target:
    """Whom Prometheus would scrape."""

    http: aiohttp.ClientSession
    url: str

    async def scrape(self) -> Scrape:
        async with self.http.get(f"{self.url}/metrics") as response:
            assert response.status == 200
            return Scrape(await response.text())

    async def scraped_when(self, condition: Callable[[Scrape], bool], what: str) -> Scrape:
        """What comes too late for one scrape stands in a later one, and so does a sample that is not there yet."""

        async def seen() -> Scrape | None:
            scrape = await self.scrape()
            with suppress(KeyError):
                return scrape if condition(scrape) else None
            return None

        found: Scrape = await until(seen, seconds=10, what=what)
        return found


def phases(scrape: Scrape) -> dict[str, float]:
    """How often each phase of a refresh was observed. One that never was has no sample."""
    return {
        phase: scrape.value("freshrate_refresh_phase_seconds_count", 0, phase=phase)
        for phase in ("queue", "visit", "store", "announce")
    }
