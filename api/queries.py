"""What requests may say in their query: schemas by hand, each making a frozen dataclass.

Unknown and repeated parameters are errors: whoever mistypes a filter must not get an unfiltered answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NoReturn
from urllib.parse import unquote_to_bytes

from aiohttp import web
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema
from webargs.aiohttpparser import AIOHTTPParser

from api.fields import (
    Amount,
    Choice,
    CursorText,
    IdList,
    Moment,
    PastMoment,
    PlainInteger,
    SearchText,
    SymbolList,
)
from api.top.formats import Format
from shared.domain.currency import USD_ID
from shared.domain.page import Cursor
from shared.domain.ranking import LONGEST_RANKING
from shared.errors import InvalidInput
from shared.settings import RATE_SOURCES

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_AGE_LIMIT = 86_400
MOST_QUOTED = 100
"""Currencies of one request."""
MOST_TARGETS = 10
"""Currencies in which they are wanted."""
_UNKNOWN = Schema.error_messages.get("unknown", "Unknown field.")


class QuerySchema(Schema):
    """A query; `made_of` is the dataclass that the handler gets, with the defaults of what was not said."""

    made_of: ClassVar[type[Any]]

    @post_load
    def make(self, data: dict[str, Any], **_options: Any) -> Any:  # noqa: ANN401 - each schema makes its own class
        return self.made_of(**data)


@dataclass(frozen=True, slots=True)
class NoQuery:
    """No parameters at all."""


class NoQuerySchema(QuerySchema):
    made_of = NoQuery


class _PageSchema(QuerySchema):
    limit = PlainInteger(
        minimum=1, maximum=MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "Rows per page."}
    )
    cursor = CursorText(metadata={"description": "Where the page begins; taken from `next` or `previous`."})


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrenciesQuery:
    limit: int
    cursor: Cursor | None = None
    symbol: str | None = None
    text: str | None = None


class CurrenciesQuerySchema(_PageSchema):
    made_of = CurrenciesQuery
    symbol = SearchText(
        longest=64,
        metadata={"description": "Exactly this symbol, in any case. Several currencies may share it."},
    )
    text = SearchText(
        longest=100,
        data_key="q",
        metadata={"description": "Part of the name, symbol or slug, in any case."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesQuery:
    limit: int
    cursor: Cursor | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None


class RatesQuerySchema(_PageSchema):
    made_of = RatesQuery
    since = Moment(
        data_key="from",
        metadata={"description": "Observed at or after this: ISO 8601 (without zone: UTC) or Unix seconds."},
    )
    until = Moment(
        data_key="to",
        metadata={"description": "Observed before this: ISO 8601 (without zone: UTC) or Unix seconds."},
    )
    source = fields.String(
        validate=validate.OneOf(RATE_SOURCES),
        metadata={"description": "Only of this source."},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRateQuery:
    max_age: int | None = None


class LastRateQuerySchema(QuerySchema):
    made_of = LastRateQuery
    max_age = PlainInteger(
        minimum=0,
        maximum=MAX_AGE_LIMIT,
        metadata={
            "description": "Seconds since `fetched_at` that the rate may be old; an older one is refreshed first."
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopQuery:
    limit: int
    format: Format
    moment: datetime | None = None


class _TopSchema(QuerySchema):
    made_of = TopQuery
    limit = PlainInteger(
        minimum=1,
        maximum=LONGEST_RANKING,
        load_default=DEFAULT_LIMIT,
        metadata={"description": "How many places, from the first."},
    )
    moment = PastMoment(
        data_key="datetime",
        metadata={
            "description": "The list as it was known then: ISO 8601 (without zone: UTC) or Unix seconds. Without: now."
        },
    )


class TopQuerySchema(_TopSchema):
    format = Choice(Format, load_default=Format.JSON)


class RootQuerySchema(_TopSchema):
    format = Choice(Format, load_default=Format.CSV)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotesQuery:
    symbols: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    convert: tuple[str, ...] = ()
    convert_ids: tuple[int, ...] = ()
    amount: Decimal = Decimal(1)
    moment: datetime | None = None
    max_age: int | None = None

    def with_ids(self, ids: Iterable[int], convert_ids: Iterable[int]) -> "QuotesQuery":
        return replace(self, ids=tuple(ids), convert_ids=tuple(convert_ids))


class QuotesQuerySchema(QuerySchema):
    made_of = QuotesQuery
    symbols = SymbolList(
        most=MOST_QUOTED,
        data_key="symbol",
        metadata={
            "description": f"Up to {MOST_QUOTED} symbols in any case, comma-separated. Where several currencies share one, the best-ranked that is "
            "active is meant. Either this or `id` is needed.",
            "example": "BTC,ETH",
        },
    )
    ids = IdList(
        most=MOST_QUOTED,
        data_key="id",
        metadata={
            "description": f"Up to {MOST_QUOTED} ids instead, comma-separated: exactly these, active or not.",
            "example": "1,1027",
        },
    )
    convert = SymbolList(
        most=MOST_TARGETS,
        metadata={
            "description": f"In which currencies, up to {MOST_TARGETS}, comma-separated: codes of fiat currencies, else "
            "symbols. Without: in USD.",
            "example": "EUR,ETH",
        },
    )
    convert_ids = IdList(
        most=MOST_TARGETS,
        data_key="convert_id",
        metadata={"description": "Ids instead, comma-separated.", "example": "2790,1027"},
    )
    amount = Amount(
        load_default=Decimal(1), metadata={"description": "How much of each currency.", "example": "1.5"}
    )
    moment = PastMoment(
        data_key="datetime",
        metadata={
            "description": "Rates as they were known then: ISO 8601 (without zone: UTC) or Unix seconds. Without: now."
        },
    )
    max_age = PlainInteger(
        minimum=0,
        maximum=MAX_AGE_LIMIT,
        metadata={
            "description": "Seconds since a rate was fetched that it may be old; older ones are refreshed first. Not "
            "together with `datetime`."
        },
    )

    @validates_schema
    def check(self, data: dict[str, Any], **_options: Any) -> None:  # noqa: ANN401 - marshmallow's signature
        """What parameters say of each other."""
        if "symbols" not in data and "ids" not in data:
            raise ValidationError("Is needed, or `id`. Say which currencies, as symbol=BTC,ETH.", "symbol")
        for one, other, names in (
            ("symbols", "ids", ("symbol", "id")),
            ("convert", "convert_ids", ("convert", "convert_id")),
            ("moment", "max_age", ("datetime", "max_age")),
        ):
            if one in data and other in data:
                raise ValidationError(
                    f"Cannot be given together with `{names[0]}`. Leave one of both out.", names[1]
                )

    @post_load
    def make(self, data: dict[str, Any], **_options: Any) -> QuotesQuery:  # noqa: ANN401 - marshmallow's signature
        if "convert" not in data:
            data.setdefault("convert_ids", (USD_ID,))
        return QuotesQuery(**data)


class _Parser(AIOHTTPParser):
    def __init__(self) -> None:
        super().__init__(unknown=RAISE)

    def handle_error(
        self,
        error: ValidationError,
        req: web.Request,  # noqa: ARG002 - webargs' signature
        schema: Schema,
        **_kwargs: Any,  # noqa: ANN401 - webargs' signature
    ) -> NoReturn:
        raise InvalidInput(_messages(error, schema))

    def _handle_invalid_json_error(self, *_args: Any, **_kwargs: Any) -> NoReturn:  # noqa: ANN401 - webargs' signature
        raise InvalidInput({"body": ["Not JSON."]})


_parser = _Parser()


async def query_of(request: web.Request, schema: QuerySchema) -> Any:  # noqa: ANN401 - the schema's own dataclass
    """The validated query. Raises InvalidInput."""
    garbled = _not_utf8(request.rel_url.raw_query_string)
    if garbled:
        raise InvalidInput({name: ["Not percent-encoded UTF-8."] for name in garbled})
    repeated = {name for name in request.query if len(request.query.getall(name)) > 1}
    if repeated:
        raise InvalidInput({name: ["May be given once only."] for name in sorted(repeated)})
    return await _parser.parse(schema, request, location="query")


def _not_utf8(raw: str) -> list[str]:
    """The parameters into which the decoder would put replacement characters."""
    garbled = []
    for pair in raw.split("&"):
        try:
            unquote_to_bytes(pair).decode()
        except UnicodeDecodeError:
            garbled.append(_shown(pair.partition("=")[0]))
    return garbled


def _messages(error: ValidationError, schema: Schema) -> dict[str, list[str]]:
    """webargs nests the messages under the location."""
    nested: dict[str, dict[str, list[str]]] = error.normalized_messages()  # type: ignore[no-untyped-call]
    known = sorted(field.data_key or name for name, field in schema.fields.items())
    unknown = f"Unknown parameter. Known here: {', '.join(known) or 'none'}."
    return {
        _shown(name): [unknown if text == _UNKNOWN else text for text in texts]
        for messages in nested.values()
        for name, texts in messages.items()
    }


def _shown(name: object) -> str:
    return str(name)[:100]
