"""RFC 8259, one text a line."""

from __future__ import annotations

import pytest

from sockio.buffer import Buffer
from sockio.errors import LimitError, ProtocolError
from sockio.framing import JSON, Need


def buffer_of(content):
    buffer = Buffer()
    buffer.append(content)
    return buffer


def test_example_of_the_standard():
    """Section 13, without its white space."""
    text = b'{"Image":{"Width":800,"Title":"View from 15th Floor","Animated":false,"IDs":[116,943,234,38793]}}\r\n'
    value = JSON().decode(buffer_of(text))
    assert value == {
        "Image": {"Width": 800, "Title": "View from 15th Floor", "Animated": False, "IDs": [116, 943, 234, 38793]}
    }


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"{'id': 1}", b'{"id": 1} x', b"NaN", b"[1, -Infinity]", b"\xff", b'"\xc3"', b"1" * 100_000 + b"x"],
)
def test_what_is_not_json_is_refused_and_taken(text):
    buffer = buffer_of(text + b"\n[1]\n")
    with pytest.raises(ProtocolError, match="expected JSON, got b") as error:
        JSON().decode(buffer)
    assert error.value.data == text + b"\n"
    assert len(str(error.value)) < 500
    assert JSON().decode(buffer) == [1]


def test_bottomless_nesting_is_refused():
    with pytest.raises(ProtocolError, match="expected JSON"):
        JSON().decode(buffer_of(b"[" * 500_000 + b"\n"))


def test_what_json_cannot_express_is_refused():
    for value in (float("nan"), float("inf"), b"bytes", {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            JSON().encode(value)


def test_limit():
    assert JSON(limit=6).decode(buffer_of(b"[1,2]\n")) == [1, 2]
    with pytest.raises(LimitError):
        JSON(limit=5).decode(buffer_of(b"[1,2]\n"))
    assert isinstance(JSON(limit=5).decode(buffer_of(b"[1,2")), Need)


def test_other_encodings():
    assert JSON(encoding="latin-1").decode(buffer_of(b'"\xb5"\n')) == "\u00b5"
    with pytest.raises(LookupError):
        JSON(encoding="morse")
