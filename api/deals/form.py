"""What a client sends as a file of deals: the field `deals` of a form, or the file itself as the body."""

from dataclasses import dataclass

from aiohttp import web

from api.deals.body import Body
from api.deals.charsets import codec_of
from api.deals.multipart import ContentType, Form, Part, content_type_of, refuse_encoded
from api.deals.spool import Spool
from shared.errors import InvalidDeals, UnsupportedUpload, UploadTooLarge

FIELD = "deals"
FORM = "multipart/form-data"
CSV = "text/csv"
MOST_BESIDE = 64 * 1024
"""Bytes of a form that are not content of its files: boundaries, headers, other fields, and what nobody reads."""
LONGEST_NAME = 255
"""Characters of a file name that are kept."""
_DEFAULT_CHARSET = "utf-8"
_SHOWN = 100
"""Characters of what a client sent that an error repeats."""
_UNPRINTABLE = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True, slots=True)
class Sent:
    """What the client says of its file."""

    name: str
    """As data: no path is ever made of it."""
    charset: str
    """Python's name of the codec."""
    has_header: bool


class Upload:
    """One request with a file. What its head tells is checked when this is made, so that a large body need not be sent."""

    def __init__(self, request: web.Request, *, most: int) -> None:
        """`most`: bytes of a file. Raises UnsupportedUpload, UploadTooLarge, InvalidDeals."""
        self._request = request
        self._most = most
        self._skipped = 0
        """Bytes of files that nobody wants."""
        refuse_encoded("Content-Encoding", ", ".join(request.headers.getall("Content-Encoding", ())))
        transfer = ", ".join(request.headers.getall("Transfer-Encoding", ()))
        refuse_encoded("Transfer-Encoding", "" if transfer.strip().lower() == "chunked" else transfer)
        self._type = content_type_of(request.headers.get("Content-Type", ""))
        if self._type.value not in {FORM, CSV}:
            raise UnsupportedUpload(f"{UnsupportedUpload()} Its Content-Type is {self._type.value!r}.")
        length = request.content_length or 0
        if length > most + (MOST_BESIDE if self._type.value == FORM else 0):
            raise self._too_large()

    async def receive(self, spool: Spool) -> Sent:
        """Puts the file into the spool. Raises what `Body`, `Form` and the spool do, UploadTooLarge, and InvalidDeals or
        UnsupportedUpload where it is no file of deals."""
        body = Body(self._request)
        if self._type.value == FORM:
            return await self._receive_form(body, Form(self._type.parameters.get("boundary", "")), spool)
        sent = _sent("", self._type)
        while chunk := await body.read():
            await self._keep(spool, chunk)
        return sent

    async def _receive_form(self, body: Body, form: Form, spool: Spool) -> Sent:
        """A form is read to its end even if something is wrong with it, so that all of that can be said."""
        parts: list[Part] = []
        is_wanted = False
        beside = 0
        while True:
            chunk = await body.read()
            beside += len(chunk)
            for event in form.parse(chunk):
                if isinstance(event, Part):
                    is_wanted = event.field == FIELD and all(one.field != FIELD for one in parts)
                    parts.append(event)
                elif _is_file(parts[-1]):
                    beside -= len(event)
                    await self._take(spool, event, is_wanted=is_wanted)
            if beside > MOST_BESIDE:
                raise UploadTooLarge(f"The form holds more than {MOST_BESIDE:,} bytes beside its file.")
            if not chunk:
                return _sent_in(parts)

    async def _take(self, spool: Spool, chunk: bytes, *, is_wanted: bool) -> None:
        if is_wanted:
            await self._keep(spool, chunk)
        else:
            self._skip(chunk)

    def _skip(self, chunk: bytes) -> None:
        self._skipped += len(chunk)
        if self._skipped > self._most:
            raise self._too_large()

    async def _keep(self, spool: Spool, chunk: bytes) -> None:
        if spool.size + len(chunk) > self._most:
            raise self._too_large()
        await spool.write(chunk)

    def _too_large(self) -> UploadTooLarge:
        return UploadTooLarge(f"The file is larger than the {self._most:,} bytes of DEALS_MAX_BYTES.")


def _is_file(part: Part) -> bool:
    return part.field == FIELD or part.file_name is not None


def _sent_in(parts: list[Part]) -> Sent:
    """Raises InvalidDeals with all that is wrong with the parts of a form."""
    wanted = [part for part in parts if part.field == FIELD]
    if not wanted:
        fields = ", ".join(repr(part.field[:_SHOWN]) for part in parts) or "none"
        raise InvalidDeals([f"The form has no field deals. Its fields: {fields}."])
    errors = [
        f"There is a file in the field {part.field[:_SHOWN]!r} too: send one file, in the field deals."
        for part in parts
        if _is_file(part) and part.field != FIELD
    ]
    if len(wanted) > 1:
        errors.append("The form has the field deals more than once: send one file.")
    try:
        sent = _sent(wanted[0].file_name or "", wanted[0].type)
    except InvalidDeals as error:
        raise InvalidDeals([*errors, *error.errors]) from None
    if errors:
        raise InvalidDeals(errors)
    return sent


def _sent(file_name: str, kind: ContentType) -> Sent:
    """Raises InvalidDeals with all that is wrong with the parameters of the content type."""
    errors: list[str] = []
    codec = ""
    try:
        codec = codec_of(kind.parameters.get("charset", _DEFAULT_CHARSET))
    except InvalidDeals as error:
        errors.extend(error.errors)
    header = kind.parameters.get("header", "present").lower()
    if header not in {"present", "absent"}:
        errors.append(f"The parameter header of Content-Type is present or absent, not {header[:_SHOWN]!r}.")
    if errors:
        raise InvalidDeals(errors)
    return Sent(_clean(file_name), codec, has_header=header == "present")


def _clean(name: str) -> str:
    """A name that databases and logs can hold."""
    return name.translate(_UNPRINTABLE)[:LONGEST_NAME]
