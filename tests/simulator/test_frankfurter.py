from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from simulator.frankfurter import working_day
from tests.simulator.visitor import Visitor, differences, recorded


async def test_the_latest_rates_have_the_shape_of_the_recorded_ones(visitor: Visitor) -> None:
    ours = await visitor.ask("/v1/latest", base="USD", symbols="EUR")
    assert differences(ours, recorded("frankfurter-latest")) == []
    assert ours["rates"].keys() == {"EUR"}


async def test_without_parameters_one_euro_buys_all_the_others(visitor: Visitor) -> None:
    ours = await visitor.ask("/v1/latest")
    assert ours["base"] == "EUR"
    assert len(ours["rates"]) == 29
    assert "EUR" not in ours["rates"]
    assert "RUB" not in ours["rates"]


async def test_the_dollar_of_a_euro_and_all_others_have_five_digits(visitor: Visitor) -> None:
    ours = await visitor.ask("/v1/latest", base="EUR", symbols="USD,JPY,RUB")
    assert (ours["amount"], ours["base"], ours["date"]) == (1, "EUR", "2026-11-19")
    assert ours["rates"].keys() == {"USD", "JPY"}
    assert Decimal("0.8") < ours["rates"]["USD"] < Decimal("1.6")
    every = (await visitor.ask("/v1/latest", base="EUR"))["rates"]
    assert every.items() >= ours["rates"].items()
    assert all(len(rate.normalize().as_tuple().digits) <= 5 for rate in map(Decimal, every.values()))


async def test_currencies_have_names(visitor: Visitor) -> None:
    ours = await visitor.ask("/v1/currencies")
    assert len(ours) == 30
    assert ours["EUR"] == "Euro"


@pytest.mark.parametrize(
    ("now", "stated"),
    [
        (datetime(2026, 10, 1, 14, 59, tzinfo=UTC), "2026-09-30"),
        (datetime(2026, 10, 1, 15, 0, tzinfo=UTC), "2026-10-01"),
        (datetime(2026, 10, 3, 18, 0, tzinfo=UTC), "2026-10-02"),
        (datetime(2026, 10, 5, 8, 0, tzinfo=UTC), "2026-10-02"),
        (datetime(2026, 12, 26, 18, 0, tzinfo=UTC), "2026-12-24"),
    ],
)
async def test_rates_are_dated_by_the_last_working_day(visitor: Visitor, now: datetime, stated: str) -> None:
    visitor.clock.now = now
    assert (await visitor.ask("/v1/latest"))["date"] == stated


async def test_a_past_saturday_is_answered_with_its_friday(visitor: Visitor) -> None:
    saturday = await visitor.ask("/v1/2026-10-03", base="USD")
    friday = await visitor.ask("/v1/2026-10-02", base="USD")
    assert saturday == friday
    assert friday["date"] == "2026-10-02"


@pytest.mark.parametrize(
    ("year", "friday", "thursday"),
    [(2024, (3, 29), (3, 28)), (2025, (4, 18), (4, 17)), (2026, (4, 3), (4, 2)), (2027, (3, 26), (3, 25))],
)
def test_there_are_no_rates_on_good_friday(
    year: int, friday: tuple[int, int], thursday: tuple[int, int]
) -> None:
    assert working_day(date(year, *friday)) == date(year, *thursday)


async def test_a_future_day_is_answered_with_the_latest(visitor: Visitor) -> None:
    assert await visitor.ask("/v1/2027-01-15") == await visitor.ask("/v1/latest")


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v1/latest", {"base": "XYZ"}, 404),
        ("/v1/latest", {"base": "EUR", "symbols": "EUR"}, 404),
        ("/v1/latest", {"symbols": "XYZ"}, 404),
        ("/v1/1998-12-31", {}, 404),
        ("/v1/2026-02-30", {}, 422),
    ],
)
async def test_what_it_does_not_have_is_an_error(
    visitor: Visitor, path: str, params: dict[str, str], status: int
) -> None:
    assert (await visitor.refused(status, path, **params)).keys() == {"message"}


async def test_an_answer_may_be_kept_for_a_day(visitor: Visitor) -> None:
    async with visitor.client.get("/v1/latest") as response:
        assert response.headers["Cache-Control"] == "public, max-age=86400"
