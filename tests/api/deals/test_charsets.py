"""Which charsets a file may be in."""

import codecs

import pytest

from api.deals.charsets import codec_of, name_of
from shared.errors import InvalidDeals

NAMES = [
    "UTF-8",
    "US-ASCII",
    *(f"ISO-8859-{part}" for part in range(1, 17) if part != 12),
    *(f"windows-{page}" for page in range(1250, 1259)),
    "KOI8-R",
    "KOI8-U",
    "cp866",
]
ASCII = bytes(range(128))


@pytest.mark.parametrize("name", NAMES)
def test_a_known_charset_keeps_ascii_where_it_is(name: str) -> None:
    codec = codec_of(name)
    assert codec == codecs.lookup(codec).name == codecs.lookup(name).name
    assert name_of(codec) == name
    assert ASCII.decode(codec) == ASCII.decode("ascii")


@pytest.mark.parametrize(
    ("spelling", "codec"),
    [
        (" utf8 ", "utf-8"),
        ("UTF_8", "utf-8"),
        ("Windows-1251", "cp1251"),
        ("CP1251", "cp1251"),
        ("latin1", "iso8859-1"),
        ("iso8859-15", "iso8859-15"),
        ("ibm866", "cp866"),
        ("ASCII", "ascii"),
    ],
)
def test_spellings_of_a_charset(spelling: str, codec: str) -> None:
    assert codec_of(spelling) == codec


@pytest.mark.parametrize(
    "name", ["utf-16", "utf-7", "", "idna", "rot13", "cp037", "iso-8859-12", "../x", "a" * 1000]
)
def test_an_unknown_charset_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(InvalidDeals) as refused:
        codec_of(name)
    (error,) = refused.value.errors
    assert error == (
        f"charset {name[:40]!r} is not known here; known are UTF-8, US-ASCII, ISO-8859-1 to -11 and -13 to -16,"
        " windows-1250 to -1258, KOI8-R, KOI8-U, cp866"
    )
