"""Fields of requests and answers as they stand on the wire: strict where marshmallow is lenient."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from shared.domain.money import plain
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
        if not isinstance(value, str) or not 1 <= len(value) <= self.longest or not value.isprintable():
            raise ValidationError(f"Must be 1 to {self.longest} printable characters.")
        upper, lower = value.upper(), value.lower()
        if upper.lower() != lower or lower.upper() != upper:
            raise ValidationError("Has letters that upper and lower case do not map one to one.")
        return value


class CursorText(fields.Field[Cursor]):
    """The place in a list, as `next` and `previous` give it."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Cursor:  # noqa: ANN401 - marshmallow's signature
        try:
            return Cursor.decode(value)
        except ValueError:
            raise ValidationError(
                "Not a cursor of this service. Follow the `next` and `previous` of a page."
            ) from None
