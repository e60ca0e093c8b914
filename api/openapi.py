"""The OpenAPI 3.1 document, made of the same table and schemas that route and validate."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from api.deals.schemas import DealsSchema, ExactNumber
from api.deals.upload_schemas import UPLOAD_HEADER, DealsRefusedSchema, DealsTakenSchema
from api.errors import PROBLEM_JSON, STALE_HEADER, problem_of
from api.fields import (
    Amount,
    Choice,
    CursorText,
    DecimalText,
    IdList,
    Moment,
    PastMoment,
    PlainInteger,
    SearchText,
    SymbolList,
    SymbolOrId,
    UtcTime,
)
from api.keys import KeyNeed
from api.queries import NoQuerySchema
from api.quotes.schemas import QuotesSchema
from api.schemas import ProblemSchema, RateSchema, TopSchema
from shared import __version__
from shared.domain.currency import LARGEST_ID
from shared.errors import FreshrateError, InvalidDeals, KeyRequired, RetryableError

if TYPE_CHECKING:  # the package of the routes imports this module, for one of them shows the document
    from api.routes.route import Route

Json = dict[str, Any]

TITLE = "freshrate"
_DESCRIPTION = (
    "Cryptocurrency rates: polled, kept, and fresh on demand. Prices are exact decimals as text; times are ISO 8601 "
    "in UTC; lists are pages by cursor; errors are problem+json (RFC 9457)."
)
_RATE_HEADERS = {
    "Age": "Seconds since `fetched_at`, judged against `Date`.",
    "Last-Modified": "`fetched_at`.",
    "ETag": "A weak validator.",
    STALE_HEADER: "`true` where the rate is stale; else absent.",
}
_TOP_HEADERS = {
    "Freshrate-Ranking-Source": "The source of the ranking; absent before the first.",
    "Freshrate-Price-Sources": "The sources of the prices, comma-separated; absent where there is none.",
    "Content-Disposition": "A file name, for CSV.",
    STALE_HEADER: "`true` where the list is stale; else absent.",
    "Age": "Of the list of now: seconds since its oldest part was fetched, judged against `Date`.",
    "Last-Modified": "Of the list of now: when its newest part was fetched.",
    "ETag": "Of the list of now: a weak validator.",
}
_QUOTES_HEADERS = {
    "Cache-Status": "RFC 9211: the longest way that any of the rates took. `freshrate; hit`: all from memory. `freshrate; "
    "fwd=miss; detail=store`: from the database. `freshrate; fwd=miss; detail=upstream`: a source was asked. `freshrate; "
    "hit; detail=stale`: from memory past its life, for the database does not answer (soon enough).",
    "Age": "Seconds since the oldest of the rates was fetched, judged against `Date`; absent where no rate is needed, and "
    "with `datetime`.",
    "ETag": "A weak validator.",
    STALE_HEADER: "`true` where a quote is stale; else absent.",
}
_DEALS_HEADERS = {
    UPLOAD_HEADER: "The id of the upload that the answer is of; absent before the first.",
    "ETag": "A weak validator.",
}
_REFUSED = {"Status": "Error", "Desc": "line 17: total is not a number: '12,5'"}
_HEADERS: Mapping[object, Mapping[str, str]] = {
    RateSchema: _RATE_HEADERS,
    TopSchema: _TOP_HEADERS,
    QuotesSchema: _QUOTES_HEADERS,
    DealsSchema: _DEALS_HEADERS,
    DealsTakenSchema: {UPLOAD_HEADER: "The id of the upload whose deals are the deals now."},
}


def openapi_document(routes: "Sequence[Route]") -> Json:
    """The whole document."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title=TITLE,
        version=__version__,
        openapi_version="3.1.0",
        info={"description": _DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "/"}],
        plugins=[plugin],
    )
    _teach_fields(plugin)
    spec.components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for path, group in _by_path(routes).items():
        operations = {route.method.lower(): _operation(route) for route in group}
        spec.path(path=path, parameters=_path_parameters(path), operations=operations)
    document: Json = spec.to_dict()
    return document


def _by_path(routes: "Sequence[Route]") -> "dict[str, list[Route]]":
    groups: dict[str, list[Route]] = {}
    for route in routes:
        if route.is_documented:
            groups.setdefault(route.path, []).append(route)
    return groups


def _operation(route: "Route") -> Json:
    operation: Json = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [] if route.query is NoQuerySchema else [{"in": "query", "schema": route.query}],
        "responses": _responses(route),
    }
    if route.description:
        operation["description"] = route.description
    if route.body is not None:
        operation["requestBody"] = dict(route.body)
    if route.needs_key is not KeyNeed.NEVER:
        without: list[Json] = [{}] if route.needs_key is KeyNeed.ONCE_SET else []
        operation["security"] = [*without, {"apiKey": []}, {"bearer": []}]
    return operation


def _responses(route: "Route") -> Json:
    content = {} if route.answers is None else _content(route)
    responses: Json = {}
    if route.answers is not None:
        responses["200"] = {"description": route.summary + ".", "content": content}
    if route.answers in _HEADERS:
        headers = _HEADERS[route.answers]
        responses["200"]["headers"] = {name: _header(text) for name, text in headers.items()}
    for status in route.statuses:
        responses[str(status)] = {"description": HTTPStatus(status).phrase + ".", "content": content}
    for status in route.redirects:
        responses[str(status)] = {"description": HTTPStatus(status).phrase + "."}
    for status, errors in _errors_by_status(route.errors).items():
        responses[str(status)] = _problem(route, status, errors)
    return responses


def _content(route: "Route") -> Json:
    media: Json
    if isinstance(route.answers, str):
        media = {"schema": {"type": "string"}}
        if route.answers in route.text_examples:
            media["example"] = route.text_examples[route.answers]
        return {route.answers: media}
    media = {"schema": route.answers}
    if route.example is not None:
        media["example"] = dict(route.example)
    texts: Json = {
        name: {"schema": {"type": "string"}, "example": example}
        for name, example in route.text_examples.items()
    }
    return {"application/json": media, **texts}


def _errors_by_status(
    errors: Sequence[type[FreshrateError]],
) -> dict[int, list[type[FreshrateError]]]:
    grouped: dict[int, list[type[FreshrateError]]] = {}
    for error in errors:
        grouped.setdefault(problem_of(error).status, []).append(error)
    return dict(sorted(grouped.items()))


def _problem(route: "Route", status: int, errors: Sequence[type[FreshrateError]]) -> Json:
    schema: type[Schema] = ProblemSchema
    if route.problem is not None and status > HTTPStatus.INTERNAL_SERVER_ERROR:
        schema = route.problem
    headers: Json = {}
    if any(issubclass(error, RetryableError) for error in errors):
        headers["Retry-After"] = _header("Seconds after which another try makes sense.")
    if KeyRequired in errors:
        headers["WWW-Authenticate"] = _header("How to send a key.")
    content: Json = {}
    if InvalidDeals in errors:
        content["application/json"] = {"schema": DealsRefusedSchema, "example": _REFUSED}
    if set(errors) - {InvalidDeals}:
        content[PROBLEM_JSON] = {"schema": schema}
    response: Json = {
        "description": " ".join(cleandoc(error.__doc__ or "") for error in errors),
        "content": content,
    }
    if headers:
        response["headers"] = headers
    return response


def _header(description: str) -> Json:
    return {"description": description, "schema": {"type": "string"}}


def _path_parameters(path: str) -> list[Json]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": LARGEST_ID}
    return [{"name": name, "in": "path", "required": True, "schema": schema, "example": 1} for name in names]


def _teach_fields(plugin: MarshmallowPlugin) -> None:
    """What our own fields are in JSON Schema."""
    converter: Any = plugin.converter  # apispec types neither method
    converter.map_to_openapi_type(DecimalText, "string", "decimal")
    converter.map_to_openapi_type(UtcTime, "string", "date-time")
    converter.map_to_openapi_type(ExactNumber, "number", None)
    converter.map_to_openapi_type(PlainInteger, "integer", None)
    for text in (SearchText, Moment, PastMoment, CursorText, Choice, SymbolList, IdList, Amount, SymbolOrId):
        converter.map_to_openapi_type(text, "string", None)
    converter.add_attribute_function(_own_attributes)


def _own_attributes(_converter: object, field: fields.Field[Any], **_options: object) -> Mapping[str, Any]:
    if isinstance(field, PlainInteger):
        return {"minimum": field.minimum, "maximum": field.maximum}
    if isinstance(field, SearchText):
        return {"format": "search-text", "minLength": 1, "maxLength": field.longest}
    if isinstance(field, Choice):
        return {"enum": list(field.words)}
    if isinstance(field, Moment):
        return {
            "anyOf": [{"format": "date-time"}, {"pattern": f"^{field.unix_seconds}$"}],
            "maxLength": field.longest,
        }
    if isinstance(field, CursorText):
        return {"format": "cursor", "maxLength": 80}
    return _quotes_attributes(field)


def _quotes_attributes(field: fields.Field[Any]) -> Mapping[str, Any]:
    if isinstance(field, SymbolList):
        return {"format": "symbols", "minLength": 1}
    if isinstance(field, IdList):
        return {"pattern": f"^ *{field.one} *(, *{field.one} *){{0,{field.most - 1}}}$"}
    if isinstance(field, Amount):
        return {"pattern": f"^{field.pattern}$", "maxLength": field.longest}
    if isinstance(field, SymbolOrId):
        return {"type": ["string", "integer"]}
    return {}
