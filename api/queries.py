"""What requests may say in their query: schemas by hand, each making a frozen dataclass.

Unknown and repeated parameters are errors: whoever mistypes a filter must not get an unfiltered answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NoReturn
from urllib.parse import unquote_to_bytes

from aiohttp import web
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate
from webargs.aiohttpparser import AIOHTTPParser

from api.fields import (
    Choice,
    CursorText,
    Moment,
    PastMoment,
    PlainInteger,
    SearchText,
)
from api.top.formats import Format
from shared.domain.page import Cursor
from shared.domain.ranking import LONGEST_RANKING
from shared.errors import InvalidInput
from shared.settings import RATE_SOURCES

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_AGE_LIMIT = 86_400
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
class DealsUploadsQuery:
    limit: int
    cursor: Cursor | None = None


class DealsUploadsQuerySchema(_PageSchema):
    made_of = DealsUploadsQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRateQuery:
    max_age: int | None = None


class LastRateQuerySchema(QuerySchema):
    made_of = LastRateQuery
    max_age = PlainInteger(
        minimum=0,
        maximum=MAX_AGE_LIMIT,
        metadata={
            "description": "Seconds since `fetched_at` that the rate may be old when the request arrives; an older one is "
            "refreshed first."
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
