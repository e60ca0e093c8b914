"""The HTTP API of Frankfurter, version 1: the reference rates of the European Central Bank, one set per working day.

A day's rates appear at 15:00 UTC; before that, on weekends and on holidays an answer carries the earlier day's date.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import orjson

from simulator.asking import Answer, Ask, Endpoint, Refused
from simulator.coins import Coin
from simulator.market import Market

_FIRST_DAY = date(1999, 1, 4)
_FIXING = time(15, tzinfo=UTC)
_FIXED_HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}
_SATURDAY = 5
_HEADERS = {"Cache-Control": "public, max-age=86400"}


class Frankfurter:
    name = "frankfurter"

    def __init__(self, market: Market) -> None:
        self._market = market
        self._fiats = {symbol: fiat for symbol, fiat in sorted(market.fiats.items()) if fiat.set_by_ecb}

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "/v1/latest": self._latest,
            "/v1/currencies": self._currencies,
            r"/v1/{date:\d{4}-\d{2}-\d{2}}": self._on_date,
        }

    def error(self, code: int, now: datetime, message: str = "") -> Answer:  # noqa: ARG002 - a vendor that states no time
        return _error(code, message or ("not found" if code == 404 else "an error occurred"))  # noqa: PLR2004 - HTTP

    def _latest(self, ask: Ask) -> Answer:
        published = ask.now - timedelta(hours=_FIXING.hour)
        return self._rates(ask, working_day(published.date()))

    def _on_date(self, ask: Ask) -> Answer:
        try:
            asked = date.fromisoformat(ask.path.rsplit("/", 1)[-1])
        except ValueError:
            raise Refused(_error(422, "invalid date")) from None
        if asked < _FIRST_DAY:
            raise Refused(_error(404, "not found"))
        published = (ask.now - timedelta(hours=_FIXING.hour)).date()
        return self._rates(ask, working_day(min(asked, published)))

    def _currencies(self, _ask: Ask) -> Answer:
        return _answer({symbol: fiat.name for symbol, fiat in self._fiats.items()})

    def _rates(self, ask: Ask, day: date) -> Answer:
        base = self._fiats.get(ask.query.get("base", "EUR").upper())
        symbols = ask.query.get("symbols", ",".join(self._fiats)).upper().split(",")
        wanted = [self._fiats[symbol] for symbol in symbols if symbol in self._fiats]
        wanted = [fiat for fiat in wanted if fiat is not base]
        if base is None or not wanted:
            raise Refused(_error(404, "not found"))
        shown = [fiat for fiat in wanted if ask.distortion.shows(fiat.id)]
        stated = datetime.combine(day, _FIXING)
        shift = ask.distortion.stated_ms(base.id, 0)
        return _answer(
            {
                "amount": 1.0,
                "base": base.symbol,
                "date": (stated + timedelta(milliseconds=shift)).date().isoformat(),
                "rates": {fiat.symbol: self._rate(ask, base, fiat, stated) for fiat in shown},
            }
        )

    def _rate(self, ask: Ask, base: Coin, fiat: Coin, fixed_at: datetime) -> float | orjson.Fragment:
        """How many units of `fiat` one of `base` buys, in five digits."""
        distorted = ask.distortion.price(fiat.id)
        if distorted is not None:
            return orjson.Fragment(distorted)
        moment = self._market.at(int(fixed_at.timestamp()) * 1000)
        return float(f"{self._market.price(base, moment) / self._market.price(fiat, moment):.5g}")


def working_day(day: date) -> date:
    """The last day, up to this one, for which the central bank set rates."""
    while day.weekday() >= _SATURDAY or (day.month, day.day) in _FIXED_HOLIDAYS or _is_easter(day):
        day -= timedelta(days=1)
    return day


def _is_easter(day: date) -> bool:
    """Good Friday or Easter Monday."""
    sunday = _easter_sunday(day.year)
    return day in {sunday - timedelta(days=2), sunday + timedelta(days=1)}


def _easter_sunday(year: int) -> date:
    """By the Gregorian computus in the form of Meeus and Jones."""
    century, rest = divmod(year, 100)
    golden = year % 19
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _answer(data: object) -> Answer:
    return Answer(200, orjson.dumps(data), headers=_HEADERS)


def _error(status: int, message: str) -> Answer:
    return Answer(status, orjson.dumps({"message": message}))
