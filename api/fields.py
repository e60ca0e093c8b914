"""Fields of requests and answers as they stand on the wire: strict where marshmallow is lenient."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from shared.domain.currency import LARGEST_ID
from shared.domain.money import MAX_DIGITS, plain
from shared.domain.page import Cursor
from shared.domain.times import EPOCH, iso, time_from_iso

_PLAIN_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?", re.ASCII)


class DecimalText(fields.Field[Decimal]):
    """An exact decimal as text, without exponent."""

    def _serialize(self, value: Decimal | None, *_args: Any, **_kwargs: Any) -> str | None:  # noqa: ANN401 - marshmallow's signature
        return None if value is None else plain(value)


class UtcTime(fields.Field[datetime]):
    """ISO 8601, UTC, milliseconds and Z."""

    def _serialize(self, value: datetime | None, *_args: Any, **_kwargs: Any) -> str | None:  # noqa: ANN401 - marshmallow's signature
        return None if value is None else iso(value)


class PlainInteger(fields.Field[int]):
    """ASCII digits without sign, blanks or leading zeros, of a range."""

    def __init__(self, *, minimum: int, maximum: int, **options: Any) -> None:  # noqa: ANN401 - marshmallow's signature
        super().__init__(**options)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, str) and _PLAIN_INTEGER.fullmatch(value):
            number = int(value)
            if self.minimum <= number <= self.maximum:
                return number
        raise ValidationError(f"Must be a whole number from {self.minimum} to {self.maximum}.")


class Moment(fields.Field[datetime]):
    """ISO 8601 (without zone: UTC) or Unix seconds."""

    longest: ClassVar[int] = 40
    unix_seconds: ClassVar[str] = r"-?[0-9]{1,10}(\.[0-9]{1,6})?"
    """All that matches is a moment, of 1653 to 2286."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:  # noqa: ANN401 - marshmallow's signature
        if not isinstance(value, str) or len(value) > self.longest or not value.isascii():
            raise ValidationError("Must be ISO 8601 or Unix seconds.")
        if not value.isprintable():
            # The reader of dates stops at a NUL, and takes what comes before it.
            raise ValidationError("Must be ISO 8601 or Unix seconds.")
        if " " in value:
            raise ValidationError("Has a blank. A + in a query must be written as %2B.")
        try:
            return self._moment(value)
        except (ValueError, OverflowError):
            raise ValidationError("Must be ISO 8601 or Unix seconds.") from None

    def _moment(self, text: str) -> datetime:
        if re.fullmatch(self.unix_seconds, text):
            return EPOCH + timedelta(seconds=float(text))
        if _NUMBER.fullmatch(text):
            # Milliseconds, for one, may pass for a date without dashes.
            raise ValueError(text)
        return time_from_iso(text)


class PastMoment(Moment):
    """A moment that data can be of: not before 1970 in Unix seconds. That it is not in the future is for who has a clock."""

    unix_seconds = Moment.unix_seconds.removeprefix("-?")

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, str) and value.startswith("-"):
            raise ValidationError("Must be ISO 8601 or Unix seconds, 0 or more.")
        return super()._deserialize(value, *args, **kwargs)


class Choice(fields.Field[Any]):
    """One of a few words."""

    def __init__(self, words: type[StrEnum], **options: Any) -> None:  # noqa: ANN401 - marshmallow's signature
        super().__init__(**options)
        self.words = words

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> StrEnum:  # noqa: ANN401 - marshmallow's signature
        try:
            return self.words(value)
        except ValueError:
            raise ValidationError(f"Must be one of: {', '.join(self.words)}.") from None


class SearchText(fields.Field[str]):
    """Printable text of 1 to `longest` characters, all of which upper and lower case map one to one.

    A dotless i would otherwise match I, and a sharp s would match SS.
    """

    def __init__(self, *, longest: int, **options: Any) -> None:  # noqa: ANN401 - marshmallow's signature
        super().__init__(**options)
        self.longest = longest

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's signature
        return searchable(value, self.longest)


def searchable(value: object, longest: int) -> str:
    """The text itself. Raises ValidationError."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise ValidationError(f"Must be 1 to {longest} printable characters.")
    upper, lower = value.upper(), value.lower()
    if upper.lower() != lower or lower.upper() != upper:
        raise ValidationError("Has letters that upper and lower case do not map one to one.")
    return value


class _CommaList(fields.Field[Any]):
    """Several values, comma-separated; blanks around a comma mean nothing. One that is doubled counts once, but for the
    limit."""

    def __init__(self, *, most: int, **options: Any) -> None:  # noqa: ANN401 - marshmallow's signature
        super().__init__(**options)
        self.most = most

    def _parts(self, value: object) -> list[str]:
        parts = [part.strip(" ") for part in value.split(",")] if isinstance(value, str) else []
        if len(parts) > self.most:
            raise ValidationError(f"Names {len(parts)}; at most {self.most} may be asked for at once.")
        if "" in parts:
            raise ValidationError("Has an empty place. Write values with a comma between two, such as A,B.")
        return parts


class SymbolList(_CommaList):
    """Symbols in any case, each once, as they were written first."""

    longest: ClassVar[int] = 64

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[str, ...]:  # noqa: ANN401 - marshmallow's signature
        symbols: dict[str, str] = {}
        for part in self._parts(value):
            symbols.setdefault(searchable(part, self.longest).casefold(), part)
        return tuple(symbols.values())


class IdList(_CommaList):
    """Ids of currencies, each once."""

    one: ClassVar[str] = "[1-9][0-9]{0,18}"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[int, ...]:  # noqa: ANN401 - marshmallow's signature
        parts = self._parts(value)
        if not all(re.fullmatch(self.one, part, re.ASCII) and int(part) <= LARGEST_ID for part in parts):
            raise ValidationError("Must be ids of currencies: whole numbers from 1, such as 1,1027.")
        return tuple(dict.fromkeys(map(int, parts)))


class Amount(DecimalText):
    """A plain decimal without sign and exponent."""

    pattern: ClassVar[str] = r"[0-9]{1,30}(\.[0-9]{1,30})?"
    longest: ClassVar[int] = MAX_DIGITS + 1
    """With its point."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Decimal:  # noqa: ANN401 - marshmallow's signature
        if isinstance(value, str) and len(value) <= self.longest and re.fullmatch(self.pattern, value):
            return Decimal(value)
        raise ValidationError(
            "Must be a plain decimal such as 1.5, without sign and exponent: at most 30 digits before the point, 30 after "
            f"it, and {MAX_DIGITS} altogether."
        )


class SymbolOrId(fields.Field[str | int]):
    """A currency that there is not, as it was asked for."""


class CursorText(fields.Field[Cursor]):
    """The place in a list, as `next` and `previous` give it."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Cursor:  # noqa: ANN401 - marshmallow's signature
        try:
            return Cursor.decode(value)
        except ValueError:
            raise ValidationError(
                "Not a cursor of this service. Follow the `next` and `previous` of a page."
            ) from None
