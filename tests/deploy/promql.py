"""What an expression of PromQL needs of the metrics: enough of the language for our board and alerts."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

TARGET_LABELS = {"job", "instance"}
"""Prometheus adds these to whatever it scrapes."""
_OPERATORS = {"and", "or", "unless", "bool", "offset"}
_RANGE = re.compile(r"\[[^]]*\]")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_NAME = re.compile(r"(?<![\w:$.])[a-zA-Z_:][\w:]*\b(?!\s*\()")


@dataclass
class Scraped:
    """The label names of each sample name, with their values."""

    labels: dict[str, dict[str, set[str]]] = field(default_factory=lambda: {"up": {}})

    def add(self, exposition: str) -> None:
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                values = self.labels.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    values[label].add(value)


def missing(expression: str, scraped: Scraped, *, shown: Iterable[str] = ()) -> list[str]:
    """What the expression names and nobody exposes: metrics, labels, and values that a label must equal.

    `shown`: the labels that a legend or a text takes from the result.
    """
    faults = []
    for name, matchers in _SELECTOR.findall(expression):
        known = scraped.labels.get(name, {})
        for label, operator, value in _MATCHER.findall(matchers):
            if label not in known and label not in TARGET_LABELS:
                faults.append(f"{name}{{{label}}}")
            elif operator in {"=", "!="} and label in known and value not in known[label]:
                faults.append(f'{name}{{{label}="{value}"}}')
    bare = _RANGE.sub("", _SELECTOR.sub(r" \1 ", expression))
    grouped = {label for labels in _GROUPING.findall(bare) for label in re.findall(r"\w+", labels)}
    names = set(_NAME.findall(_GROUPING.sub("", bare))) - _OPERATORS
    faults += sorted(names - scraped.labels.keys())
    available = TARGET_LABELS.union(*(_labels(scraped.labels, name) for name in names))
    faults += sorted((grouped | set(shown)) - available)
    return faults


def _labels(labels: Mapping[str, Mapping[str, set[str]]], name: str) -> set[str]:
    return set(labels.get(name, ()))
