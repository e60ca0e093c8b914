"""What a client says that it takes: Accept and its kin, lists of names with weights (RFC 9110, 12.4.2)."""

from aiohttp import web


def names(request: web.BaseRequest, header: str, *wanted: str) -> bool:
    """Whether the header names one of these (in lower case), and not with a weight of zero."""
    for value in request.headers.getall(header, ()):
        for item in value.split(","):
            name, *parameters = (part.strip().lower() for part in item.split(";"))
            if name in wanted:
                return not any(map(_is_zero, parameters))
    return False


def _is_zero(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and not weight.strip().strip("0.")
