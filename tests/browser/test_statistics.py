"""The figures of a comparison, against the same ones by Python's statistics module."""

import math
import random
import statistics
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import pytest
import pytest_asyncio

from tests.browser.pages import LoadModule

YEAR_MS = 365 * 86_400_000
HOUR_MS = 3_600_000
START_MS = 1_795_000_000_000
EVEN = [1]
WITH_GAPS = [1, 1, 1, 2, 24]
CALL = "(module, [name, args]) => module[name](...args)"

Point = dict[str, float]


def walk(seed: int, *, length: int = 200, steps: Sequence[int] = EVEN) -> list[Point]:
    """Prices that wander, by one of these steps in hours from each to the next."""
    chance = random.Random(seed)
    price, time = chance.uniform(1e-7, 1e5), START_MS
    points = []
    for _ in range(length):
        points.append({"time": time, "price": price})
        price *= math.exp(chance.gauss(0, 0.02))
        time += HOUR_MS * chance.choice(steps)
    return points


def prices(points: list[Point]) -> list[float]:
    return [point["price"] for point in points]


def yearly_returns(points: list[Point]) -> list[float]:
    return [
        math.log(after["price"] / before["price"]) / math.sqrt((after["time"] - before["time"]) / YEAR_MS)
        for before, after in pairwise(points)
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def figure(load_module: LoadModule) -> Any:
    """Calls a function of the module."""
    module = await load_module("statistics.js")

    async def call(name: str, *args: Any) -> Any:
        return await module.evaluate(CALL, [name, [*args]])

    return call


async def test_volatility_is_the_deviation_of_yearly_returns(figure: Any) -> None:
    for seed, steps in product(range(20), (EVEN, WITH_GAPS)):
        points = walk(seed, steps=steps)
        expected = statistics.stdev(yearly_returns(points)) * 100
        assert await figure("volatility", points) == pytest.approx(expected, rel=1e-9)


async def test_of_even_points_it_is_the_deviation_times_the_root_of_their_number_in_a_year(
    figure: Any,
) -> None:
    points = walk(1)
    returns = [math.log(b / a) for a, b in pairwise(prices(points))]
    expected = statistics.stdev(returns) * math.sqrt(365 * 24) * 100
    assert await figure("volatility", points) == pytest.approx(expected, rel=1e-9)


async def test_correlation_is_of_the_times_that_both_have(figure: Any) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        one, other = walk(seed), walk(seed + 100)
        for mine, theirs in zip(one, other, strict=True):
            theirs["price"] *= math.sqrt(mine["price"])
        one, other = ([point for point in points if chance.random() > 0.2] for points in (one, other))
        common = {point["time"] for point in one} & {point["time"] for point in other}
        ours, theirs_ = (
            yearly_returns([point for point in points if point["time"] in common]) for points in (one, other)
        )
        expected = statistics.correlation(ours, theirs_)
        assert await figure("returnCorrelation", one, other) == pytest.approx(expected, abs=1e-9)


async def test_a_price_goes_with_itself_and_against_its_inverse(figure: Any) -> None:
    points = walk(3)
    inverse = [{"time": point["time"], "price": 1 / point["price"]} for point in points]
    assert await figure("returnCorrelation", points, points) == pytest.approx(1)
    assert await figure("returnCorrelation", points, inverse) == pytest.approx(-1)


async def test_the_greatest_drawdown_is_that_of_all_pairs(figure: Any) -> None:
    for seed in range(20):
        series = prices(points := walk(seed, length=60))
        naive = min(series[j] / series[i] - 1 for i in range(len(series)) for j in range(i, len(series)))
        assert await figure("greatestDrawdown", points) == pytest.approx(naive * 100, rel=1e-9)


async def test_the_return_is_of_the_ends(figure: Any) -> None:
    series = prices(points := walk(5))
    assert await figure("totalReturn", points) == pytest.approx((series[-1] / series[0] - 1) * 100)


async def test_the_common_start_is_the_first_time_of_all(figure: Any) -> None:
    hours = [range(10), range(3, 10), [1, 2, 5, 9]]
    series = [[{"time": START_MS + hour * HOUR_MS, "price": 1} for hour in some] for some in hours]
    assert await figure("commonStart", series) == START_MS + 5 * HOUR_MS
    assert await figure("commonTimes", series) == [START_MS + hour * HOUR_MS for hour in (5, 9)]


async def test_the_median_is_pythons(figure: Any) -> None:
    chance = random.Random(2)
    for length in range(1, 12):
        numbers = [chance.uniform(-5, 50) for _ in range(length)]
        assert await figure("median", numbers) == pytest.approx(statistics.median(numbers))


FLAT = [{"time": START_MS + hour * HOUR_MS, "price": 7.5} for hour in range(5)]


UNSAYABLE: list[tuple[str, list[Any]]] = [
    ("commonStart", [[]]),
    ("commonStart", [[FLAT[:2], FLAT[3:]]]),
    ("totalReturn", [FLAT[:1]]),
    ("volatility", [FLAT[:2]]),
    ("greatestDrawdown", [FLAT[:1]]),
    ("returnCorrelation", [FLAT, walk(1, length=5)]),
    ("returnCorrelation", [walk(1, length=3), walk(2, length=3)]),
    ("median", [[]]),
]


async def test_what_cannot_be_said_is_null(figure: Any) -> None:
    said = [(name, args, await figure(name, *args)) for name, args in UNSAYABLE]
    assert [one for one in said if one[2] is not None] == []


async def test_a_price_that_does_not_move_has_neither_risk_nor_fall(figure: Any) -> None:
    assert [await figure(name, FLAT) for name in ("volatility", "greatestDrawdown")] == [0, 0]
