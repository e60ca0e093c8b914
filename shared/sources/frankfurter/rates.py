"""Frankfurter's rates: `{"amount": 1.0, "base": "EUR", "date": "2026-10-02", "rates": {"USD": 1.1225, ...}}`.

`rates` says how much of each currency a euro buys, and never holds the euro itself. Errors are a status and
`{"message"}`. The central bank sets rates once per working day: on other days an answer carries the date of an earlier one.

An answer has a date and no time, so the rates of a day count as published at 16:00 in Frankfurt. Where they come before
15:59 they are refused as of the future, and the first poll after it gets them.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from shared.domain.money import decimal_from, kept_quotient, price_from
from shared.domain.rate import Observation
from shared.errors import UpstreamMalformed
from shared.ports import Parsed, Quotes, UpstreamAnswer
from shared.sources.exact_json import read_json
from shared.sources.frankfurter.currencies import SYMBOLS
from shared.sources.statuses import OK, error_by_status
from shared.sources.values import line_from

BASE = "EUR"
USD = "USD"
_ONE = Decimal(1)
_PUBLISHED_AT = time(16, tzinfo=ZoneInfo("Europe/Berlin"))
"""About when the central bank publishes the rates of a day."""
_FIRST_DAY = date(1999, 1, 4)
"""Of the euro."""
_is_date = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def parse_rates(source: str, asked: Collection[int], answer: UpstreamAnswer) -> Parsed[Quotes]:
    """`asked`: currencies of SYMBOLS. One that the answer lacks is neither observed nor refused."""
    body = _body_of(answer)
    try:
        observed_at = _time(body)
        per_euro = _rates(body)
        dollars = _number(per_euro, USD)
    except ValueError as error:
        raise UpstreamMalformed(f"Frankfurter answered with rates that cannot be used: {error}.") from error
    observations = []
    refused = {}
    for currency_id in asked:
        symbol = SYMBOLS[currency_id]
        if symbol != BASE and symbol not in per_euro:
            continue
        try:
            price = (
                dollars if symbol == BASE else price_from(kept_quotient(dollars, _number(per_euro, symbol)))
            )
        except ValueError as error:
            refused[currency_id] = str(error)
            continue
        observations.append(
            Observation(currency_id=currency_id, source=source, price_usd=price, observed_at=observed_at)
        )
    return Parsed(Quotes(tuple(observations), refused))


def _body_of(answer: UpstreamAnswer) -> dict[str, Any]:
    """The JSON object of a good answer. Raises the UpstreamError that any other answer means."""
    if answer.status != OK:
        text = _message_of(answer)
        raise error_by_status(
            answer.status, f"Frankfurter answered {answer.status}" + (f": {text}" if text else ".")
        )
    body = read_json(answer.body)
    if not isinstance(body, dict):
        raise UpstreamMalformed("Frankfurter answered with something that is no object.")
    return body


def _message_of(answer: UpstreamAnswer) -> str:
    try:
        body = read_json(answer.body)
    except UpstreamMalformed:
        return ""
    return line_from(body.get("message")) if isinstance(body, dict) else ""


def _rates(body: Mapping[str, Any]) -> dict[str, Any]:
    """How much of each currency a euro buys. Else ValueError."""
    if decimal_from(body.get("amount")) != _ONE or body.get("base") != BASE:
        raise ValueError("they are not for one euro")
    rates = body.get("rates")
    if not isinstance(rates, dict):
        raise ValueError("there are none")  # noqa: TRY004 - bad data, whatever its type
    return rates


def _number(rates: Mapping[str, Any], symbol: str) -> Decimal:
    if symbol not in rates:
        raise ValueError(f"there is none of {symbol}")
    return price_from(rates[symbol])


def _time(body: Mapping[str, Any]) -> datetime:
    """When the rates of their date were published. Else ValueError."""
    value = body.get("date")
    if not isinstance(value, str) or not _is_date(value):
        raise ValueError(f"they have no date: {value!r:.40}")
    day = date.fromisoformat(value)
    if day < _FIRST_DAY:
        raise ValueError(f"they are older than the euro: {value}")
    return datetime.combine(day, _PUBLISHED_AT).astimezone(UTC)
