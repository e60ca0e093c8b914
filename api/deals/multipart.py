"""Forms (multipart/form-data, RFC 7578) and headers with parameters: the library's parser, with limits and errors of ours.

Not in its strict mode: that refuses a line end behind the last boundary, which all clients send, where it comes in a piece of
its own. What strict mode is for, endless bytes that nobody wants, is counted by whoever reads the form.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from multipart import (
    MultipartSegment,
    ParserError,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from shared.errors import InvalidDeals, UnsupportedUpload, UploadTooLarge

MOST_PARTS = 16
MOST_HEADERS = 8
"""Of a part."""
LONGEST_HEADER = 4096
"""Bytes of one header of a part."""
_BOUNDARY = re.compile(r"[ -~]{1,70}")
"""RFC 2046, 5.1.1."""
_MATTERING = re.compile(r";\s*(boundary|charset|header)[\s\d*]*=")
_AS_THEY_ARE = frozenset({"", "binary", "7bit", "8bit"})
_SHOWN = 100
"""Characters of what a client sent that an error repeats."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """`text/csv; charset=utf-8`."""

    value: str
    """In lower case."""
    parameters: Mapping[str, str]
    """By name in lower case."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of a form says of itself."""

    field: str
    file_name: str | None
    type: ContentType


class Form:
    """Takes a form as it comes in, and gives what is in it. Holds no more than a header or a boundary of it."""

    def __init__(self, boundary: str) -> None:
        """Raises InvalidDeals."""
        if not _BOUNDARY.fullmatch(boundary):
            raise InvalidDeals(
                [
                    "Content-Type: multipart/form-data needs a boundary of 1 to 70 ASCII characters: boundary=..."
                ]
            )
        self._parser = PushMultipartParser(
            boundary,
            max_segment_count=MOST_PARTS,
            max_header_count=MOST_HEADERS,
            max_header_size=LONGEST_HEADER,
            # Any byte is a character there, so a name in another charset than UTF-8 is no error: see `_utf_8`.
            header_charset="latin-1",
        )

    def parse(self, chunk: bytes) -> Iterator[Part | bytes]:
        """The parts, each followed by its content in pieces.

        `chunk`: the next bytes of the body; none at its end. Raises UploadTooLarge, InvalidDeals where it is no whole form, and
        UnsupportedUpload where a part is encoded.
        """
        try:
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    yield _part_of(event)
                elif event is not None:
                    yield event
        except ParserLimitReached as error:
            raise UploadTooLarge(
                f"The form is more than is taken here: {error}. It may have {MOST_PARTS} parts, each with {MOST_HEADERS} headers "
                f"of {LONGEST_HEADER:,} bytes. Send the field deals alone."
            ) from error
        except ParserError as error:
            hint = (
                f"The form cannot be read: {error}. Send it as RFC 7578 has it, as curl -F deals=@file does."
                if chunk
                else "The form ends before its last boundary: it was cut off, or its boundary is not the declared one."
            )
            raise InvalidDeals([hint]) from error


def content_type_of(text: str) -> ContentType:
    """Raises InvalidDeals where a parameter that matters stands there twice, or cannot be read: it would be overlooked."""
    value, parameters = parse_options_header(text)
    mattering = sorted(_MATTERING.findall(text.lower()))
    if mattering != sorted(parameters.keys() & set(mattering)):
        raise InvalidDeals(
            [
                f"This Content-Type cannot be read: {text[:_SHOWN]!r}. Give each parameter once and with a value, as in text/csv; charset=utf-8."
            ]
        )
    return ContentType(value, parameters)


def refuse_encoded(name: str, encoding: str) -> None:
    """Raises UnsupportedUpload."""
    if encoding.strip().lower() not in {"", "identity"}:
        raise UnsupportedUpload(
            f"The upload is compressed ({name}: {encoding[:_SHOWN]!r}). Send it as it is."
        )


def _part_of(segment: MultipartSegment) -> Part:
    headers = {name: _utf_8(value) for name, value in segment.headerlist}
    if len(headers) < len(segment.headerlist):
        raise InvalidDeals(["A part of the form has a header twice; give it once."])
    field = _utf_8(segment.name)
    refuse_encoded("Content-Encoding", headers.get("Content-Encoding", ""))
    transfer = headers.get("Content-Transfer-Encoding", "").strip().lower()
    if transfer not in _AS_THEY_ARE:
        raise UnsupportedUpload(
            f"A part of the form is encoded (Content-Transfer-Encoding: {transfer[:_SHOWN]!r}). Send the file as it is."
        )
    kind = content_type_of(headers.get("Content-Type", ""))
    if kind.value.startswith("multipart/"):
        raise UnsupportedUpload(f"The part {field[:_SHOWN]!r} is a form itself. Send the file as the part.")
    return Part(field, _file_name_of(segment), kind)


def _file_name_of(segment: MultipartSegment) -> str | None:
    """`filename*=` of RFC 5987, which clients in .NET send beside `filename=`, goes first. The library reads no such names."""
    disposition = segment.header("Content-Disposition").replace("*=", "-extended=")
    extended = parse_options_header(disposition)[1].get("filename-extended")
    if extended is not None:
        return unquote(extended.split("'", 2)[-1])
    return None if segment.filename is None else _utf_8(segment.filename)


def _utf_8(header: str) -> str:
    return header.encode("latin-1").decode(errors="replace")
