from __future__ import annotations

import ctypes

import pytest

from sockio.buffer import Buffer
from sockio.errors import LimitError, ProtocolError
from sockio.framing import EOL, LengthPrefix, Need, Record, Struct


def buffer_of(content):
    buffer = Buffer()
    buffer.append(content)
    return buffer


@pytest.mark.parametrize("line", [b"*IDN?", b"*IDN?\n"])
def test_line_is_ended_when_it_is_not(line):
    assert EOL().encode(line) == b"*IDN?\n"


def test_line_with_a_terminator_inside_is_refused():
    with pytest.raises(ValueError, match="a line must have no"):
        EOL().encode(b"a\nb\n")


def test_empty_terminator_is_refused():
    with pytest.raises(ValueError, match="eol must be at least one byte"):
        EOL(b"")


def test_limit_of_a_line():
    assert EOL(limit=4).decode(buffer_of(b"abc\n")) == b"abc\n"
    assert EOL(limit=4).decode(buffer_of(b"abc")) == Need(1)
    for received in (b"abcd", b"abcd\n", b"abcdefghi"):
        with pytest.raises(LimitError, match=r"expected b'\\n' within 4 bytes") as caught:
            EOL(limit=4).decode(buffer_of(received))
        assert (caught.value.limit, caught.value.partial) == (4, b"abcd")


def test_line_after_a_too_long_one():
    buffer = buffer_of(b"abcd\ne\n")
    with pytest.raises(LimitError):
        EOL(limit=4).decode(buffer)
    assert EOL(limit=4).decode(buffer) == b"e\n"


@pytest.mark.parametrize("format", ["", "f", ">d", "s", "4s", "c", "?", "II", "P?", "nonsense", "x"])
def test_length_must_be_one_integer(format):
    with pytest.raises(ValueError, match="format must be one integer"):
        LengthPrefix(format)


@pytest.mark.parametrize(("format", "size"), [("b", 127), ("B", 255), ("<h", 32767), (">H", 65535)])
def test_largest_length(format, size):
    framing = LengthPrefix(format)
    assert framing.decode(buffer_of(framing.encode(b"x" * size))) == b"x" * size
    with pytest.raises(ValueError, match=f"{size + 1} bytes are too many for a length of {format!r}"):
        framing.encode(b"x" * (size + 1))


@pytest.mark.parametrize(
    ("framing", "header"),
    [(LengthPrefix(">h"), b"\xff\xff"), (LengthPrefix(">H", includes_itself=True), b"\0\1")],
)
def test_impossible_length(framing, header):
    with pytest.raises(ProtocolError, match="expected a length of at least") as caught:
        framing.decode(buffer_of(header + b"abc"))
    assert caught.value.data == header


def test_limit_of_a_length():
    framing = LengthPrefix(">I", limit=3)
    assert framing.decode(buffer_of(b"\0\0\0\3abc")) == b"abc"
    for received in (b"\0\0\0\4", b"\0\0\0\4abcdef", b"\xff\xff\xff\xff"):
        with pytest.raises(LimitError, match="at most 3 bytes, got the length") as caught:
            framing.decode(buffer_of(received))
        assert caught.value.limit == 3


@pytest.mark.parametrize("format", ["nonsense", "!!", "<Z"])
def test_impossible_struct(format):
    with pytest.raises(ValueError, match="format must be one of the struct module"):
        Struct(format)


def test_records_have_at_least_a_byte():
    class Nothing(ctypes.Structure):
        _fields_ = ()

    with pytest.raises(ValueError, match="at least one byte"):
        Struct("")
    with pytest.raises(ValueError, match="at least one byte, 'Nothing' has none"):
        Record(Nothing)


@pytest.mark.parametrize("frame", [(1,), (1, 2, 3), ("1", 2), (-1, 0), 5])
def test_values_that_do_not_fit(frame):
    with pytest.raises(ValueError, match="expected the values of '<HB'"):
        Struct("<HB").encode(frame)


class Big(ctypes.BigEndianStructure):
    _fields_ = (("value", ctypes.c_uint32),)


def test_byte_order_of_a_structure():
    assert Record(Big).encode(Big(0x01020304)) == b"\1\2\3\4"
    assert Record(Big).decode(buffer_of(b"\1\2\3\4")).value == 0x01020304


@pytest.mark.parametrize("structure", [int, "<I", Big(1), None])
def test_what_is_no_structure(structure):
    with pytest.raises(TypeError, match=r"must be a subclass of ctypes\.Structure"):
        Record(structure)


def test_what_is_no_object_of_the_structure():
    with pytest.raises(TypeError, match="expected a Big, got int: 5"):
        Record(Big).encode(5)
