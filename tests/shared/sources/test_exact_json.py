"""JSON is read without a binary float."""

import pytest

from shared.errors import UpstreamMalformed
from shared.sources.exact_json import read_json


@pytest.mark.parametrize(
    "number", ["1", "-0", "1e-8", "0.000029123550980711138", "1e400", "NaN", "-Infinity", "7" * 6000]
)
def test_a_number_arrives_as_its_own_text(number: str) -> None:
    assert read_json(f'{{"price": {number}}}'.encode()) == {"price": number}


def test_everything_else_arrives_as_what_it_is() -> None:
    assert read_json(b'[true, null, "x", {}]') == [True, None, "x", {}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>",
        b'{"a": 1, "a": 1}',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[01]",
    ],
)
def test_what_is_no_json_of_one_meaning_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        read_json(body)
