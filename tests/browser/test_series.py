"""What a chart is drawn from: candles with live rates, their gaps, their lengths, and the marks of the axes."""

from typing import Any

from tests.browser.pages import LoadModule

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
START = 1_795_305_600_000
"""2026-11-22T00:00Z."""


def points(*minutes: int) -> list[dict[str, int]]:
    return [{"time": START + minute * MINUTE} for minute in minutes]


async def parts(load_module: LoadModule, *minutes: int) -> list[list[int]]:
    gaps = await load_module("gaps.js")
    found = await gaps.evaluate(
        "(module, [all, step]) => module.unbroken(all, step)", [points(*minutes), MINUTE]
    )
    return [[(point["time"] - START) // MINUTE for point in part] for part in found]


async def test_rare_polls_are_no_gaps(load_module: LoadModule) -> None:
    assert await parts(load_module, *range(0, 60, 5)) == [[*range(0, 60, 5)]]


async def test_three_times_the_usual_distance_is_none_and_more_is_one(load_module: LoadModule) -> None:
    assert len(await parts(load_module, 0, 5, 10, 15, 30, 35, 40)) == 1
    assert await parts(load_module, 0, 5, 10, 15, 31, 36, 41) == [[0, 5, 10, 15], [31, 36, 41]]


async def test_what_is_usual_may_change_with_time(load_module: LoadModule) -> None:
    """Polls were hourly once, and are each minute now."""
    rare, often = [*range(0, 600, 60)], [*range(600, 640)]
    assert await parts(load_module, *rare, *often) == [rare + often]


async def test_of_no_points_there_are_no_parts(load_module: LoadModule) -> None:
    assert await parts(load_module) == []
    assert await parts(load_module, 3) == [[3]]


INTERVALS = {
    (60 * MINUTE, 750): "1m",
    (DAY, 750): "5m",
    (7 * DAY, 750): "15m",
    (30 * DAY, 750): "1h",
    (365 * DAY, 750): "1d",
    (100 * 365 * DAY, 750): "1d",
    (DAY, 200): "15m",
    (0, 200): "1m",
}
"""By the span and the most candles that are wanted."""


async def test_the_shortest_interval_that_fits_is_taken(load_module: LoadModule) -> None:
    ranges = await load_module("ranges.js")
    call = "(module, cases) => cases.map(([span, most]) => module.intervalFor(span, most))"
    found = await ranges.evaluate(call, [[*case] for case in INTERVALS])
    assert dict(zip(INTERVALS, found, strict=True)) == INTERVALS


def rate(number: int, minute: float, price: str) -> dict[str, Any]:
    return {
        "id": number,
        "price_usd": price,
        "actual_date": START + minute * MINUTE,
        "date_added": START + minute * MINUTE,
    }


APPLY = """
(module, rates) => {
  const candles = new module.Candles(1);
  candles.interval = "1m";
  const iso = (ms) => new Date(ms).toISOString();
  const said = rates.map((rate) =>
    candles.apply({ ...rate, actual_date: iso(rate.actual_date), date_added: iso(rate.date_added) }),
  );
  return [said, candles.list];
}
"""


async def test_live_rates_make_candles(load_module: LoadModule) -> None:
    candles = await load_module("candles.js")
    rates = [rate(1, 0, "5"), rate(2, 0.5, "10.50"), rate(3, 0.9, "4.0"), rate(4, 3.1, "6")]
    said, made = await candles.evaluate(APPLY, rates)
    assert said == ["begun", "changed", "changed", "begun"]
    assert made == [
        {"time": START, "open": "5", "high": "10.50", "low": "4.0", "close": "4.0", "count": 3},
        {"time": START + 3 * MINUTE, "open": "6", "high": "6", "low": "6", "close": "6", "count": 1},
    ]


async def test_a_rate_counts_once_and_the_past_is_left_alone(load_module: LoadModule) -> None:
    candles = await load_module("candles.js")
    said, made = await candles.evaluate(
        APPLY, [rate(5, 2, "5"), rate(5, 2, "5"), rate(4, 2.5, "6"), rate(6, 1, "7")]
    )
    assert said == ["begun", "nothing", "nothing", "nothing"]
    assert [one["count"] for one in made] == [1]


MARKS = {
    (0, 10): ["0", "2", "4", "6", "8", "10"],
    (91_123.4, 95_501.2): ["92,000", "93,000", "94,000", "95,000"],
    (0.41, 0.42): ["0.410", "0.412", "0.414", "0.416", "0.418", "0.420"],
    (7.1e-6, 9.9e-6): ["0.0000075", "0.0000080", "0.0000085", "0.0000090", "0.0000095"],
    (5, 5): [],
}
"""By the lowest and the highest value of an axis."""


async def test_marks_stand_at_round_numbers(load_module: LoadModule) -> None:
    ticks = await load_module("ticks.js")
    call = "(module, cases) => cases.map(([low, high]) => module.valueTicks(low, high, 6).texts)"
    found = await ticks.evaluate(call, [[*case] for case in MARKS])
    assert dict(zip(MARKS, found, strict=True)) == MARKS


async def test_a_mark_makes_room_for_another(load_module: LoadModule) -> None:
    """Its line stays, its words would lie below the price that is shown there."""
    ticks = await load_module("ticks.js")
    found = await ticks.evaluate("module => module.without(module.valueTicks(0, 10, 6), 4.3, 0.5)")
    assert found == {"values": [0, 2, 4, 6, 8, 10], "texts": ["0", "2", "", "6", "8", "10"]}


async def test_marks_stand_at_round_local_times(load_module: LoadModule) -> None:
    ticks = await load_module("ticks.js")
    for span in (5 * MINUTE, 60 * MINUTE, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3650 * DAY):
        found = await ticks.evaluate(
            "(module, [from, to]) => module.timeTicks(from, to, 10)", [START, START + span]
        )
        assert 2 <= len(found["values"]) <= 11
        assert len(set(found["values"])) == len(found["values"])
        assert all(START <= value <= START + span for value in found["values"])
        assert all(found["texts"])


ZOOMS: dict[tuple[str | None, str | None, float], tuple[str | None, str | None]] = {
    # from, to, days of the whole: what is looked at. It is day 100, and the whole ends there.
    ("d092", "d093", 2000): ("d092", "d093"),
    ("d098", None, 30): ("d098", None),
    (None, "d098", 7): (None, "d098"),
    ("d060", "d080", 30): (None, "d080"),
    ("d060", "d065", 30): (None, None),
    ("d110", "d120", 30): (None, None),
    ("d098", "d097", 30): (None, None),
    ("d000", "d200", 30): (None, None),
    ("rubbish", "d098", 30): (None, "d098"),
}
RESTORE = """
(module, cases) => cases.map(([from, to, days]) => {
  const day = 86_400_000;
  const text = (name) => /^d/.test(name ?? "") ? `${new Date(Number(name.slice(1)) * day).toISOString().slice(0, 19)}Z` : name;
  const bounds = () => ({ from: (100 - days) * day, to: 100 * day });
  const zoom = new module.Zoom({ wanted: { from: text(from), to: text(to) }, bounds, onChange: () => {} });
  zoom.restore({ isEmpty: false });
  const name = (time) => time && `d${String(Date.parse(time) / day).padStart(3, "0")}`;
  return [name(zoom.params.from), name(zoom.params.to)];
})
"""


async def test_a_zoom_of_a_link_is_looked_at_as_it_was_as_far_as_it_is_there(load_module: LoadModule) -> None:
    zoom = await load_module("zoom.js")
    found = await zoom.evaluate(RESTORE, [[*case] for case in ZOOMS])
    assert dict(zip(ZOOMS, map(tuple, found), strict=True)) == ZOOMS


RANGES: dict[tuple[str, float | None, float | None], str] = {
    ("7d", None, None): "7d",
    ("7d", 3, 2): "7d",
    ("7d", 8, 7.5): "30d",
    ("1h", None, 0.5): "24h",
    ("24h", 400, 1): "all",
    ("all", 400, 1): "all",
    ("nonsense", None, None): "24h",
}
"""By the range of a link, and how many days ago its zoom begins and ends."""


async def test_a_zoom_that_its_range_has_passed_is_shown_in_a_longer_one(load_module: LoadModule) -> None:
    ranges = await load_module("ranges.js")
    call = """
    (module, cases) => cases.map(([range, ...days]) => {
      const [from, to] = days.map((one) => one && `${new Date(Date.now() - one * 86_400_000).toISOString().slice(0, 19)}Z`);
      return module.rangeFrom({ range, from, to });
    })
    """
    found = await ranges.evaluate(call, [[*case] for case in RANGES])
    assert dict(zip(RANGES, found, strict=True)) == RANGES
