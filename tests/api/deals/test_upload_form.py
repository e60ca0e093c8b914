"""Forms, whatever their parts hold and in whatever pieces they arrive."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.deals.multipart import Form, Part, content_type_of
from shared.errors import InvalidDeals

BOUNDARY = "--x"
DELIMITER = b"\r\n----x"
_CONTENTS = st.lists(
    st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"--", b"-", b"x", b"\r\n--", b"\r\n---", b"\r\n--x", b"\0", b"a" * 50]
        )
    )
    .map(b"".join)
    .filter(lambda content: DELIMITER not in b"\r\n" + content + DELIMITER[:-1]),
    min_size=1,
    max_size=4,
)


def read(pieces: Sequence[bytes]) -> list[bytes]:
    """The contents of the parts of a form that arrives in these pieces."""
    form = Form(BOUNDARY)
    contents: list[bytes] = []
    for piece in [*filter(None, pieces), b""]:
        for event in form.parse(piece):
            if isinstance(event, Part):
                contents.append(b"")
            else:
                contents[-1] += event
    return contents


def cut(body: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(body[:size])
        body = body[size:]
    return [*pieces, body]


def encoded(contents: Sequence[bytes]) -> bytes:
    parts = [
        b"----x\r\nContent-Disposition: form-data; name=n\r\n\r\n%s\r\n" % content for content in contents
    ]
    return b"\r\npreamble\r\n" + b"".join(parts) + b"----x--"


@given(_CONTENTS, st.lists(st.integers(1, 60), max_size=60))
def test_every_part_comes_out_as_it_went_in(contents: list[bytes], sizes: list[int]) -> None:
    assert read(cut(encoded(contents) + b"\r\n", sizes)) == contents


@given(_CONTENTS, st.data())
def test_a_form_that_is_cut_off_anywhere_is_an_error(contents: list[bytes], data: st.DataObject) -> None:
    whole = encoded(contents)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InvalidDeals):
        read([whole[:end]])


@pytest.mark.parametrize(
    ("text", "value", "parameters"),
    [
        ("", "", {}),
        ("Text/CSV", "text/csv", {}),
        ("text/csv; CharSet=UTF-8 ;header=absent", "text/csv", {"charset": "UTF-8", "header": "absent"}),
        ('text/csv; charset="cp1251";', "text/csv", {"charset": "cp1251"}),
        ('multipart/form-data; boundary="a=(b) c"', "multipart/form-data", {"boundary": "a=(b) c"}),
        ('text/csv; name="a;b.csv"; header=absent', "text/csv", {"name": "a;b.csv", "header": "absent"}),
    ],
)
def test_content_types_are_read(text: str, value: str, parameters: dict[str, str]) -> None:
    read = content_type_of(text)
    assert (read.value, read.parameters) == (value, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "text/csv; charset=utf-8; Charset=utf-8",
        "text/csv; charset=",
        'text/csv; charset="cp1251',
        "text/csv; charset=\u0435",
        "text/csv;\tcharset=cp1251",
        "text/csv; charset*=utf-8''cp1251",
        "text/csv; charset*0=cp; charset*1=1251",
        "text/csv; header=absent; header=present",
    ],
)
def test_no_declaration_is_overlooked(text: str) -> None:
    with pytest.raises(InvalidDeals, match="cannot be read"):
        content_type_of(text)


@given(
    st.lists(
        st.sampled_from(
            [*"\"\\;=*'%\0 \ud800é0", "charset", "header", "utf-8''", "idna'x'%FF", "punycode''%FF", "text/csv", "=?utf-8?q?a?="]
        ),
        max_size=12,
    ).map("".join)
    | st.text()
)  # fmt: skip
def test_no_header_is_more_than_an_error(text: str) -> None:
    with suppress(InvalidDeals):
        found = content_type_of(text)
        assert all(isinstance(one, str) for one in (found.value, *found.parameters.values()))
