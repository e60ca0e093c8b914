"""What a process told Prometheus at one moment."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self._samples: dict[Key, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, /, **labels: str) -> float:
        """0 where there is no such sample."""
        return self._samples.get((name, frozenset(labels.items())), 0.0)

    def has(self, name: str, **labels: str) -> bool:
        return (name, frozenset(labels.items())) in self._samples

    def labels(self, name: str) -> list[dict[str, str]]:
        """Of every sample of this name."""
        return [dict(labels) for one, labels in self._samples if one == name]


async def scraped(http: aiohttp.ClientSession, url: str) -> Scrape:
    async with http.get(f"{url}/metrics") as response:
        assert response.status == 200
        return Scrape(await response.text())


def phases(scrape: Scrape) -> dict[str, float]:
    """How often each phase of a refresh was observed."""
    return {
        phase: scrape.value("freshrate_refresh_phase_seconds_count", phase=phase)
        for phase in ("queue", "visit", "store", "announce")
    }
