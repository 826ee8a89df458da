"""What holds for every framing: literal frames, cut in every way."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockio.buffer import Buffer
from sockio.framing import COBS, EOL, JSON, Block, Framing, LengthPrefix, Need, Record, Struct


class Point(ctypes.LittleEndianStructure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("x", ctypes.c_uint16), ("y", ctypes.c_float)]

    def __eq__(self, other):
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None


# (framing, frames, the bytes of all of them)
STREAMS = [
    (EOL(), [b"a\n", b"\n", b"b c\n"], b"a\n\nb c\n"),
    (EOL(b"\r\n"), [b"a\rb\r\n", b"\n\r\n"], b"a\rb\r\n\n\r\n"),
    (EOL(b";;"), [b"a;b;;", b";;"], b"a;b;;;;"),
    (COBS(), [b"", b"\0", b"\1\2\3\4", b"\1\2\0\4"], b"\1\0\1\1\0\5\1\2\3\4\0\3\1\2\2\4\0"),
    (LengthPrefix(), [b"", b"abc"], b"\0\0\0\0\0\0\0\3abc"),
    (LengthPrefix("<H"), [b"abc", b"\0"], b"\3\0abc\1\0\0"),
    (LengthPrefix("B", includes_itself=True), [b"", b"ab"], b"\1\3ab"),
    (LengthPrefix(">xH", includes_itself=True), [b"ab"], b"\0\0\5ab"),
    (Block(), [b"hello", b"#\n", b""], b"#15hello\n#12#\n\n#10\n"),
    (Block(b"\r\n"), [b"0123456789"], b"#2100123456789\r\n"),
    (Block(b""), [b"a", b"bc"], b"#11a#12bc"),
    (Struct("<Hf"), [(1, 0.5), (0xFFFF, -2.0)], b"\1\0\0\0\0\x3f\xff\xff\0\0\0\xc0"),
    (Struct("2s"), [(b"ab",), (b"\0\0",)], b"ab\0\0"),
    (Record(Point), [Point(1, 0.5), Point(0xFFFF, -2.0)], b"\1\0\0\0\0\x3f\xff\xff\0\0\0\xc0"),
    (JSON(), [{"id": 1}, [None, True], "\u00b5"], b'{"id": 1}\n[null, true]\n"\\u00b5"\n'),
    (JSON(b"\r\n"), [1.5, ""], b'1.5\r\n""\r\n'),
]
every_stream = pytest.mark.parametrize(("framing", "frames", "stream"), STREAMS)


def decode(framing, chunks):
    """Decode as a stream does, whenever bytes have come. Returns the frames and what is left."""
    buffer = Buffer()
    frames = []
    for chunk in chunks:
        buffer.append(chunk)
        while True:
            size = len(buffer)
            frame = framing.decode(buffer)
            if isinstance(frame, Need):
                assert frame.size >= 1
                assert len(buffer) == size
                break
            frames.append(frame)
            if not buffer:
                break
    return frames, buffer.take_all()


@every_stream
def test_encoded(framing, frames, stream):
    assert b"".join(framing.encode(frame) for frame in frames) == stream


@every_stream
def test_every_cut_in_three(framing, frames, stream):
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert decode(framing, [stream[:first], stream[first:second], stream[second:]]) == (frames, b"")


@every_stream
def test_byte_by_byte(framing, frames, stream):
    assert decode(framing, [stream[index : index + 1] for index in range(len(stream))]) == (frames, b"")


@every_stream
def test_need_is_never_too_much(framing, frames, stream):
    """Waiting for as many bytes as were asked for never waits for a byte of the next frame."""
    buffer = Buffer()
    rest = stream
    for frame in frames:
        while isinstance(decoded := framing.decode(buffer), Need):
            assert decoded.size <= len(rest)
            buffer.append(rest[: decoded.size])
            rest = rest[decoded.size :]
        assert decoded == frame
        assert not buffer
    assert not rest


@every_stream
def test_incomplete_frame_stays(framing, frames, stream):
    decoded, rest = decode(framing, [stream[:-1]])
    assert decoded == frames[:-1]
    assert stream[:-1] == b"".join(framing.encode(frame) for frame in decoded) + rest


@given(data=st.binary(), other=st.binary())
@pytest.mark.parametrize(
    "framing",
    [COBS(), LengthPrefix(), LengthPrefix("<H", includes_itself=True), Block(), Block(b"")],
)
def test_any_bytes_come_through(framing, data, other):
    assert decode(framing, [framing.encode(data) + framing.encode(other)]) == ([data, other], b"")


@pytest.mark.parametrize("framing", [EOL(), COBS(), LengthPrefix(), Block()])
def test_frames_of_text_are_refused(framing):
    with pytest.raises(TypeError, match="a frame must be bytes, got str: 'abc'"):
        framing.encode("abc")


@pytest.mark.parametrize("kind", [EOL, COBS, LengthPrefix, Block])
@pytest.mark.parametrize(("limit", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), ("1", TypeError)])
def test_impossible_limits(kind, limit, error):
    with pytest.raises(error, match="limit must be"):
        kind(limit=limit)


@pytest.mark.parametrize("kind", [EOL, Block])
def test_terminators_of_text_are_refused(kind):
    with pytest.raises(TypeError, match="eol must be bytes, got str"):
        kind("\n")


def test_a_framing_of_ones_own():
    class Pairs(Framing[bytes]):
        def encode(self, frame):
            return frame

        def decode(self, buffer):
            return buffer.take(2) if len(buffer) >= 2 else Need(2 - len(buffer))

    assert decode(Pairs(), [b"a", b"bcde"]) == ([b"ab", b"cd"], b"e")


def test_need_compares_by_value():
    assert Need(3) == Need(3) != Need(4)
    assert {Need(3), Need(3)} == {Need(3)}
    assert Need(1) != 1
    assert repr(Need(3)) == "Need(3)"
