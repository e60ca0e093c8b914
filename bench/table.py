"""What the benchmarks print: medians with their spread, ratios of the same rounds, and targets."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_NAME_WIDTH = 46


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured once in every round."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def over(self, base: "Series") -> list[float]:
        """The ratios to the base, round by round: what slowed one down in a round slowed the other too."""
        return [one / other for one, other in zip(self.values, base.values, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A target beside what was seen."""

    what: str
    seen: float
    target: float
    unit: str = ""
    at_least: bool = False
    """Else at most."""

    @property
    def is_met(self) -> bool:
        return self.seen >= self.target if self.at_least else self.seen <= self.target


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not pass."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def print_table(title: str, unit: str, series: Iterable[Series], *, base: Series | None = None) -> None:
    """`base`: the series that the others are compared with, if any."""
    head = f"{'median':>9}  {'spread':<20}"
    if base is not None:
        head += f"{'times ' + base.name}"
    print(f"\n{title + ', ' + unit:<{_NAME_WIDTH}}{head}".rstrip(" "))
    for one in series:
        spread = f"{_figure(min(one.values))} to {_figure(max(one.values))}"
        line = f"  {one.name:<{_NAME_WIDTH - 2}}{_figure(one.median):>9}  {spread:<20}"
        if base is not None and one is not base:
            ratios = one.over(base)
            line += (
                f"{_figure(statistics.median(ratios))}  ({_figure(min(ratios))} to {_figure(max(ratios))})"
            )
        print(line.rstrip(), flush=True)


def print_goals(goals: Iterable[Goal]) -> None:
    print(f"\n{'targets':<{_NAME_WIDTH}}{'seen':>9}  target")
    for goal in goals:
        target = f"{'>=' if goal.at_least else '<='} {_plain(goal.target)} {goal.unit}"
        verdict = "met" if goal.is_met else "missed"
        print(f"  {goal.what:<{_NAME_WIDTH - 2}}{_figure(goal.seen):>9}  {target:<20}{verdict}", flush=True)


def _figure(value: float) -> str:
    """Three digits, or all that stand before the point."""
    for limit, digits in ((0.1, 4), (10, 2), (100, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}"
    return f"{value:.0f}"


def _plain(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value}"
