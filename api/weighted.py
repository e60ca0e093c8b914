"""What a client says that it takes: Accept and its kin, lists of names with weights (RFC 9110, 12.4.2)."""

from aiohttp import web


def names(request: web.BaseRequest, header: str, *wanted: str) -> bool:
    """Whether the header names one of these (in lower case), and not with a weight of zero."""
    return any(
        name in wanted and not any(map(_is_zero, parameters))
        for value in request.headers.getall(header, ())
        for name, *parameters in map(_parts, value.split(","))
    )


def _parts(item: str) -> list[str]:
    """The name, and what stands behind it."""
    return [part.strip().lower() for part in item.split(";")]


def _is_zero(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and not weight.strip().strip("0.")
