"""The charsets that a file of deals may be in. In all of them the bytes of ASCII mean ASCII, so a line ends where its bytes say."""

from collections.abc import Mapping

from shared.errors import InvalidDeals

UTF_8 = "utf-8"
KNOWN = "UTF-8, US-ASCII, ISO-8859-1 to -11 and -13 to -16, windows-1250 to -1258, KOI8-R, KOI8-U, cp866"
_NAMES: Mapping[str, str] = {
    UTF_8: "UTF-8",
    "ascii": "US-ASCII",
    **{f"iso8859-{part}": f"ISO-8859-{part}" for part in (*range(1, 12), *range(13, 17))},
    **{f"cp{page}": f"windows-{page}" for page in range(1250, 1259)},
    "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U",
    "cp866": "cp866",
}
"""By Python's name of the codec, the one of IANA."""
_SPELLINGS: Mapping[str, str] = {
    **{codec: codec for codec in _NAMES},
    **{name.lower(): codec for codec, name in _NAMES.items()},
    "utf8": UTF_8,
    "latin1": "iso8859-1",
    "latin-1": "iso8859-1",
    "ibm866": "cp866",
}


def codec_of(charset: str) -> str:
    """Python's name of the codec. Raises InvalidDeals for a charset that is not known here.

    Names are looked up in a table of our own: Python's look-up imports modules by that name, and remembers each in vain.
    """
    codec = _SPELLINGS.get(charset.strip().lower().replace("_", "-"))
    if codec is None:
        raise InvalidDeals([f"charset {charset[:40]!r} is not known here; known are {KNOWN}"])
    return codec


def name_of(codec: str) -> str:
    """What people call the charset."""
    return _NAMES[codec]
