"""Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999."""

from __future__ import annotations

import sys

import pytest

from sockio.buffer import Buffer
from sockio.errors import LimitError, ProtocolError
from sockio.framing import COBS, Need

VECTORS = [
    (b"", "01 00"),
    (b"\x00", "01 01 00"),
    (b"\x01\x02\x03\x04", "05 01 02 03 04 00"),
    (b"\x01\x02\x00\x04", "03 01 02 02 04 00"),
    (b"\x00\x00\x00\x01\x02\x03\x00", "01 01 01 04 01 02 03 01 00"),
    (b"\x01" * 255, "FF" + "01" * 254 + "02 01 00"),
]


def buffer_of(content):
    buffer = Buffer()
    buffer.append(content)
    return buffer


@pytest.mark.parametrize(("data", "sent"), VECTORS)
def test_vectors(data, sent):
    assert COBS().encode(data) == bytes.fromhex(sent)
    assert COBS().decode(buffer_of(bytes.fromhex(sent))) == data


@pytest.mark.parametrize("sent", ["FF" + "01" * 254 + "00", "FF" + "01" * 254 + "01 00"])
def test_a_full_last_group_with_and_without_an_empty_one_after_it(sent):
    """Both are in use: the second is what the paper's own encoder sends."""
    assert COBS().decode(buffer_of(bytes.fromhex(sent))) == b"\x01" * 254


def test_zeros_before_a_frame_are_skipped():
    buffer = buffer_of(bytes.fromhex("00 00 02 05 00 00 02 06 00 00"))
    assert COBS().decode(buffer) == b"\x05"
    assert COBS().decode(buffer) == b"\x06"
    assert COBS().decode(buffer) == Need(1)


def test_a_truncated_group_is_no_frame_and_the_next_one_is_read():
    buffer = buffer_of(bytes.fromhex("05 01 02 00 02 07 00"))
    with pytest.raises(ProtocolError, match="expected a COBS frame") as caught:
        COBS().decode(buffer)
    assert caught.value.data == bytes.fromhex("05 01 02 00")
    assert COBS().decode(buffer) == b"\x07"


@pytest.mark.parametrize("limit", [1, 253, 254, 255, 508, 1000])
def test_limit(limit):
    framing = COBS(limit)
    sent = framing.encode(b"\x01" * limit)
    assert framing.decode(buffer_of(sent)) == b"\x01" * limit
    assert framing.decode(buffer_of(sent[:-1])) == Need(1)
    too_long = framing.encode(b"\x01" * (limit + 1))
    for received in (too_long, too_long + b"\x01" * 300):
        buffer = buffer_of(received)
        with pytest.raises(LimitError, match=f"at most {limit} bytes") as caught:
            framing.decode(buffer)
        assert caught.value.limit == limit
        assert too_long.startswith(caught.value.partial)
    buffer = buffer_of(too_long + framing.encode(b"\x02"))
    with pytest.raises(LimitError):
        framing.decode(buffer)
    assert framing.decode(buffer) == b"\x02"


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cobs", None)
    with pytest.raises(ImportError, match=r"pip install sockio\[cobs\]"):
        COBS().encode(b"")
