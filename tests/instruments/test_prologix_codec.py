"""What is said to a Prologix adapter, byte for byte as in its manual."""

from __future__ import annotations

import pytest

from instruments.prologix import codec
from instruments.simulators.prologix import LineReader
from sockio.errors import ProtocolError


def test_the_manuals_binary_example() -> None:
    # GPIB-USB manual 6.107, section 7.1.
    data = bytes([0, 1, 2, 13, 3, 10, 4, 27, 5, 43, 6])
    escaped = bytes([0, 1, 2, 27, 13, 3, 27, 10, 4, 27, 27, 5, 27, 43, 6])
    assert codec.encode_message(data) == escaped + b"\n"
    assert list(LineReader().feed(escaped + b"\n")) == [(False, data)]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (b"*IDN?\n", b"*IDN?\x1b\n\n"),
        (b"*IDN?", b"*IDN?\n"),
        (b"++rst\n", b"\x1b+\x1b+rst\x1b\n\n"),
        (b"VOLT +5\r\n", b"VOLT \x1b+5\x1b\r\x1b\n\n"),
        (b"", b"\n"),
    ],
)
def test_messages(message: bytes, line: bytes) -> None:
    assert codec.encode_message(message) == line


def test_every_byte_comes_through_however_it_is_split() -> None:
    data = bytes(range(256)) * 2
    line = codec.encode_message(data)
    for split in range(len(line) + 1):
        reader = LineReader()
        assert [*reader.feed(line[:split]), *reader.feed(line[split:])] == [(False, data)]


@pytest.mark.parametrize(
    ("primary", "secondary", "command"),
    [(9, None, b"++addr 9\n"), (9, 0, b"++addr 9 96\n"), (0, 30, b"++addr 0 126\n"), (30, None, b"++addr 30\n")],
)
def test_addresses(primary: int, secondary: int | None, command: bytes) -> None:
    assert codec.address(primary, secondary) == command


@pytest.mark.parametrize(("primary", "secondary"), [(31, None), (-1, None), (9, 31), (9, 96), ("9", None)])
def test_addresses_that_cannot_be(primary: int, secondary: int | None) -> None:
    with pytest.raises(ValueError, match="0 to 30"):
        codec.address(primary, secondary)


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(None, 3000), (10.0, 3000), (3, 3000), (0.5, 500), (1.951, 1951), (0.0001, 1), (0, 1)],
)
def test_read_timeouts_are_what_the_adapter_takes(seconds: float | None, milliseconds: int) -> None:
    assert codec.read_timeout(seconds) == milliseconds
    assert codec.set_read_timeout(milliseconds) == b"++read_tmo_ms %d\n" % milliseconds


def test_the_challenge() -> None:
    commands, answer = codec.challenge(bytes([7, 255]))
    assert commands == b"++eot_char 7\n++eot_char\n++eot_char 255\n++eot_char\n"
    assert answer == b"7\r\n255\r\n"


def test_numbers() -> None:
    assert codec.parse_number(b"64\r\n", 255) == 64
    assert codec.parse_number(b"0\r\n", 1) == 0


@pytest.mark.parametrize("line", [b"\r\n", b"256\r\n", b"-1\r\n", b"6 4\r\n", b"Unrecognized command\r\n", b"\xb2\r\n"])
def test_what_is_no_number(line: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        codec.parse_number(line, 255)
    assert caught.value.data == line
