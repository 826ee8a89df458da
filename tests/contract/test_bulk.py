"""Blocks, frames and buffers: large amounts of bytes, and bytes with a structure."""

from __future__ import annotations

import array
import ctypes
import hashlib
from typing import Any

import pytest

from sockio.framing import COBS, EOL, LengthPrefix, Record, Struct

from .flavours import Flavour
from .server import Peer, Server


def pattern(size: int) -> bytes:
    """Return bytes that do not repeat, so that nothing can be lost, doubled or swapped unnoticed."""
    blocks = [hashlib.sha256(b"%d" % number).digest() for number in range(size // 32 + 1)]
    return b"".join(blocks)[:size]


async def connected(flavour: Flavour, server: Server, **options: Any) -> tuple[Any, Peer]:
    stream = flavour.TCP(*server.address, **{"timeout": 8, **options})
    await stream.open()
    return stream, server.peer()


@pytest.mark.parametrize("size", [65535, 65536, 65537, 8 << 20])
async def test_a_large_readexactly_is_right_to_the_byte(flavour: Flavour, scripted: Server, size: int) -> None:
    data = pattern(size)
    scripted.script = lambda peer: peer.send(b"before\n" + data + b"after\n")
    stream = flavour.TCP(*scripted.address, timeout=8)
    assert await stream.readline() == b"before\n"
    received = await stream.readexactly(size)
    assert type(received) is bytes
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()
    assert await stream.readline() == b"after\n"


async def test_a_large_read_of_everything(flavour: Flavour, scripted: Server) -> None:
    data = pattern(4 << 20)
    scripted.script = lambda peer: peer.send(data)
    received = await flavour.TCP(*scripted.address, timeout=8).read()
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


# read_into


class Reading(ctypes.BigEndianStructure):
    _pack_ = 1
    _fields_ = [("channel", ctypes.c_uint8), ("value", ctypes.c_float)]


async def test_read_into_anything_that_has_a_buffer(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"0123456789")
    whole = bytearray(10)
    assert await stream.read_into(whole) is None
    assert whole == b"0123456789"

    peer.send(b"abcd")
    part = bytearray(b"__________")
    await stream.read_into(memoryview(part)[3:7])
    assert part == b"___abcd___"

    values = array.array("d", [1.5, -2.25, 1e300])
    peer.send(values.tobytes())
    received = array.array("d", bytes(24))
    await stream.read_into(received)
    assert received == values

    peer.send(bytes([7]) + b"\x3f\xc0\x00\x00")
    reading = Reading()
    await stream.read_into(reading)
    assert (reading.channel, reading.value) == (7, 1.5)

    await stream.read_into(bytearray())
    assert stream.connection_counter == 1


async def test_read_into_a_numpy_array(flavour: Flavour, scripted: Server) -> None:
    numpy = pytest.importorskip("numpy")
    stream, peer = await connected(flavour, scripted)
    expected = numpy.arange(600_000, dtype="<i4").reshape(600, 1000)
    received = numpy.zeros_like(expected)
    filling = flavour.start(stream.read_into, received)
    await flavour.call(peer.send, expected.tobytes() + b"rest\n")
    await flavour.result(filling)
    assert (received == expected).all()
    assert await stream.readline() == b"rest\n"


async def test_read_into_begins_with_what_is_buffered(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    data = pattern(300_000)
    sending = flavour.start(flavour.call, peer.send, b"header\n" + data)
    assert await stream.readline() == b"header\n"
    received = bytearray(len(data))
    await stream.read_into(received)
    await flavour.result(sending)
    assert received == data


async def test_read_into_that_is_cut_short(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.send(b"abc")
    stream = flavour.TCP(*scripted.address, timeout=8)
    buffer = bytearray(b"______")
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await stream.read_into(buffer)
    assert caught.value.partial == b"abc"
    assert buffer == b"abc___"


@pytest.mark.parametrize("buffer", [b"bytes", "text", 5, None])
async def test_read_into_what_cannot_be_written(flavour: Flavour, scripted: Server, buffer: Any) -> None:
    stream = flavour.TCP(*scripted.address)
    with pytest.raises(TypeError):
        await stream.read_into(buffer)
    assert stream.connection_counter == 0


# IEEE 488.2 blocks


@pytest.mark.parametrize(
    ("sent", "eol", "data"),
    [
        (b"#15hello\n", None, b"hello"),
        (b"#3005hello\n", None, b"hello"),
        (b"#10\n", None, b""),
        (b"#15a\nb\nc\n", None, b"a\nb\nc"),
        (b"#15hello\r\n", b"\r\n", b"hello"),
        (b"#15hello", b"", b"hello"),
    ],
)
async def test_blocks(flavour: Flavour, scripted: Server, sent: bytes, eol: bytes | None, data: bytes) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(sent + b"next\n")
    assert await stream.readblock(eol=eol) == data
    assert await stream.readline() == b"next\n"
    asking = flavour.start(stream.write_readblock, b"CURVE?\n", eol=eol)
    await flavour.call(peer.answer, b"CURVE?\n", sent)
    assert await flavour.result(asking) == data


async def test_a_block_may_be_longer_than_the_buffer(flavour: Flavour, scripted: Server) -> None:
    data = pattern(2_000_000)
    scripted.script = lambda peer: peer.answer(b"CURVE?\n", b"#72000000" + data + b"\n")
    stream = flavour.TCP(*scripted.address, buffer_size=10_000, timeout=8)
    assert await stream.write_readblock(b"CURVE?\n") == data


@pytest.mark.parametrize(
    ("sent", "data"),
    [
        (b"#15hello\n", b"hello"),
        (b"#15a\nb\nc\n", b"a\nb\nc"),
        (b"#10\n", b""),
    ],
)
async def test_a_block_into_memory_of_the_users(flavour: Flavour, scripted: Server, sent: bytes, data: bytes) -> None:
    stream, peer = await connected(flavour, scripted)
    made: list[bytearray] = []

    def allocate(size: int) -> bytearray:
        made.append(bytearray(size))
        return made[-1]

    for index in range(len(sent)):
        reading = flavour.start(stream.readblock, allocate=allocate)
        await flavour.call(peer.send, sent[:index])
        await flavour.call(peer.send, sent[index:] + b"next\n")
        received = await flavour.result(reading)
        assert received == data
        assert received is made[index]
        assert await stream.readline() == b"next\n"
    asking = flavour.start(stream.write_readblock, b"CURVE?\n", allocate=allocate)
    await flavour.call(peer.answer, b"CURVE?\n", sent)
    assert await flavour.result(asking) == data
    assert len(made) == len(sent) + 1


async def test_a_large_block_into_a_numpy_array(flavour: Flavour, scripted: Server) -> None:
    numpy = pytest.importorskip("numpy")
    expected = numpy.arange(1_000_000, dtype="<i4")
    scripted.script = lambda peer: peer.answer(b"CURVE?\n", b"#74000000" + expected.tobytes() + b"\n")
    stream = flavour.TCP(*scripted.address, buffer_size=10_000, timeout=8)
    received = await stream.write_readblock(b"CURVE?\n", allocate=lambda size: numpy.zeros(size // 4, "<i4"))
    assert isinstance(received, numpy.ndarray)
    assert (received == expected).all()


async def test_a_block_that_is_cut_short_in_memory_of_the_users(flavour: Flavour, scripted: Server) -> None:
    for sent in (b"#15hel", b"#15hello", b"#800100000" + b"x" * 50000):
        scripted.script = lambda peer, sent=sent: peer.answer(b"CURVE?\n", sent)
        stream = flavour.TCP(*scripted.address, timeout=8)
        with pytest.raises(flavour.ConnectionEOFError) as caught:
            await stream.write_readblock(b"CURVE?\n", allocate=bytearray)
        assert caught.value.partial == sent


@pytest.mark.parametrize(
    ("allocate", "error", "message"),
    [
        (bytes, TypeError, "writable"),
        (lambda size: None, TypeError, "bytes-like"),
        (lambda size: bytearray(size - 1), ValueError, "5 bytes"),
        (lambda size: bytearray(size + 1), ValueError, "5 bytes"),
    ],
    ids=["readonly", "nothing", "small", "large"],
)
@pytest.mark.parametrize("sent", [b"#15hello\n", b"#0hello\n"], ids=["definite", "indefinite"])
async def test_memory_that_does_not_fit_the_block(
    flavour: Flavour, scripted: Server, sent: bytes, allocate: Any, error: type[Exception], message: str
) -> None:
    scripted.script = lambda peer: peer.answer(b"CURVE?\n", sent)
    stream = flavour.TCP(*scripted.address, timeout=8)
    with pytest.raises(error, match=message):
        await stream.write_readblock(b"CURVE?\n", allocate=allocate)
    assert not stream.connected(), "the rest of the block is nobody's answer"


async def test_an_endless_indefinite_block_is_a_LimitError(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.flood(b"#0" + b"x" * 98)
    stream = flavour.TCP(*scripted.address, buffer_size=10_000, timeout=8)
    with pytest.raises(flavour.LimitError, match="10000"):
        await stream.readblock()


@pytest.mark.parametrize("sent", [b"ERROR: no curve\n", b"#15helloX", b"#A\n", b"#2x5hello\n"])
async def test_what_is_no_block_is_a_ProtocolError_with_the_offending_bytes(
    flavour: Flavour, scripted: Server, sent: bytes
) -> None:
    scripted.script = lambda peer: (peer.answer(b"CURVE?\n", sent), peer.gone())
    stream = flavour.TCP(*scripted.address, timeout=8)
    with pytest.raises(flavour.ProtocolError) as caught:
        await stream.write_readblock(b"CURVE?\n")
    assert isinstance(caught.value, ValueError)
    assert caught.value.data
    assert caught.value.data in sent
    assert not stream.connected(), "an exchange that failed leaves nothing to be trusted"


async def test_a_plain_read_goes_on_after_an_error_message(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"ERROR: no curve\n#15hello\n")
    with pytest.raises(flavour.ProtocolError, match="no curve"):
        await stream.readblock()
    assert await stream.readblock() == b"hello"
    assert stream.connection_counter == 1


# Response messages: lines and blocks


@pytest.mark.parametrize(
    "message",
    [
        b"1.5\n",
        b"\n",
        b"#\n",
        b"#H1F\n",
        b"#15hello\n",
        b"#15a\nb\nc\n",
        b"#10\n",
        b"#15a\nb\nc;1.5\n",
        b"#3300" + bytes(range(256)) + bytes(44) + b"\n",
        b"#6100000" + b"\n" * 100_000 + b"\n",
        b"#6100000" + bytes(100_000) + b"\n",
    ],
    ids=lambda message: repr(message[:16]),
)
async def test_messages(flavour: Flavour, scripted: Server, message: bytes) -> None:
    stream, peer = await connected(flavour, scripted, buffer_size=10_000)
    for split in [0, *range(1, min(len(message), 12)), len(message) - 1]:
        asking = flavour.start(stream.write_readmessage, b"CURVE?\n")
        await flavour.call(peer.answer, b"CURVE?\n", message[:split])
        await flavour.call(peer.send, message[split:])
        assert await flavour.result(asking) == message
    sending = flavour.start(flavour.call, peer.send, message + message + b"next\n")
    assert await stream.readmessage() == message
    assert await stream.readmessage() == message
    assert await stream.readmessage() == b"next\n"
    await flavour.result(sending)
    assert stream.connection_counter == 1


@pytest.mark.parametrize("message", [b"#15hel", b"#15hello", b"#", b"#3", b"#15hello;1", b"1.5", b"#520000" + bytes(9)])
async def test_a_message_that_is_cut_short(flavour: Flavour, scripted: Server, message: bytes) -> None:
    scripted.script = lambda peer: peer.answer(b"CURVE?\n", message)
    stream = flavour.TCP(*scripted.address, timeout=8)
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await stream.write_readmessage(b"CURVE?\n")
    assert caught.value.partial == message
    assert not stream.connected()


@pytest.mark.parametrize("line", [b"#HFF\n", b"#Q17\n", b"#B101\n", b"#\n", b"# 1\n", b"1.5\n"])
async def test_a_message_that_is_no_block_is_not_received_into_memory(
    flavour: Flavour, scripted: Server, line: bytes
) -> None:
    """Numbers that are not decimal begin as blocks do (IEEE 488.2, 8.7.5 to 8.7.7)."""
    scripted.script = lambda peer: peer.answer(b"*ESE?\n", line)
    stream = flavour.TCP(*scripted.address, timeout=8)
    received = await stream.write_readmessage(b"*ESE?\n", allocate=bytearray)
    assert received.__class__ is bytes
    assert received == line


@pytest.mark.parametrize("block", [b"#15a\nbcd\n", b"#0abcde\n"])
async def test_a_message_that_is_a_block_is(flavour: Flavour, scripted: Server, block: bytes) -> None:
    scripted.script = lambda peer: peer.answer(b"CURVE?\n", block)
    stream = flavour.TCP(*scripted.address, timeout=8)
    received = await stream.write_readmessage(b"CURVE?\n", allocate=bytearray)
    assert received.__class__ is bytearray
    assert received == block.rstrip(b"\n")[-5:]


async def test_messages_with_another_end(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"#15a\r\nbc\r\n1.5\n\r\n")
    assert await stream.readmessage(b"\r\n") == b"#15a\r\nbc\r\n"
    assert await stream.readmessage(b"\r\n") == b"1.5\n\r\n"
    with pytest.raises(TypeError):
        await stream.write_readmessage("text")


# Frames

framed = pytest.mark.only("aio", "trio", "sio", "futures")


@framed
@pytest.mark.parametrize(
    ("framing", "frame", "sent"),
    [
        (COBS(), b"\x11\x22\x00\x33", b"\x03\x11\x22\x02\x33\x00"),
        (LengthPrefix(), b"hello", b"\0\0\0\x05hello"),
        (LengthPrefix("<H", includes_itself=True), b"hello", b"\x07\0hello"),
        (EOL(b"\r"), b"hello\r", b"hello\r"),
        (Struct("<If"), (7, 1.5), b"\x07\0\0\0\0\0\xc0\x3f"),
    ],
    ids=["COBS", "LengthPrefix", "LengthPrefix-itself", "EOL", "Struct"],
)
async def test_frames(flavour: Flavour, scripted: Server, framing: Any, frame: Any, sent: bytes) -> None:
    stream, peer = await connected(flavour, scripted)
    await stream.writeframe(frame, framing)
    peer.expect(sent)
    peer.send(sent * 2)
    assert await stream.readframe(framing) == frame
    assert await stream.readframe(framing) == frame
    asking = flavour.start(stream.write_readframe, frame, framing)
    await flavour.call(peer.expect, sent)
    for index in range(len(sent)):
        peer.send(sent[index : index + 1])
    assert await flavour.result(asking) == frame


@framed
async def test_ctypes_records(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(bytes([1]) + b"\x3f\x80\x00\x00" + bytes([2]) + b"\x40\x00\x00\x00")
    first = await stream.readframe(Record(Reading))
    second = await stream.readframe(Record(Reading))
    assert [(record.channel, record.value) for record in (first, second)] == [(1, 1.0), (2, 2.0)]


@framed
async def test_a_malformed_frame_leaves_the_next_one(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"\x09\x11\x22\x00" + b"\x02\x33\x00")
    with pytest.raises(flavour.ProtocolError) as caught:
        await stream.readframe(COBS())
    assert caught.value.data == b"\x09\x11\x22\x00"
    assert await stream.readframe(COBS()) == b"\x33"


@framed
async def test_a_malformed_answer_ends_the_connection(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: (peer.answer(b"\x02a\x00", b"\x09\x11\x22\x00"), peer.gone())
    stream = flavour.TCP(*scripted.address, timeout=8)
    with pytest.raises(flavour.ProtocolError):
        await stream.write_readframe(b"a", COBS())
    assert not stream.connected()


@framed
async def test_frames_that_are_too_long_or_cut_short(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: (peer.send(b"\0\0\x10\0"), peer.gone())
    with pytest.raises(flavour.LimitError, match="100"):
        await flavour.TCP(*scripted.address, timeout=8).readframe(LengthPrefix(limit=100))
    scripted.script = lambda peer: peer.send(b"\0\0\0\x05hel")
    with pytest.raises(flavour.ConnectionEOFError) as caught:
        await flavour.TCP(*scripted.address, timeout=8).readframe(LengthPrefix())
    assert caught.value.partial == b"\0\0\0\x05hel"


@framed
async def test_what_cannot_be_a_frame_is_not_sent(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    for frame, framing in [("text", LengthPrefix()), (b"x" * 300, LengthPrefix("B")), (("x",), Struct("<I"))]:
        with pytest.raises((TypeError, ValueError)):
            await stream.writeframe(frame, framing)
        with pytest.raises((TypeError, ValueError)):
            await stream.write_readframe(frame, framing)
    assert stream.connection_counter == 0
