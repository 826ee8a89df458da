"""The bytes of the blob protocol, and what happens when they are not as they should be, on every flavour."""

from __future__ import annotations

import struct
import threading
import zlib

import numpy as np
import pytest

from sockio import LimitError, ProtocolError
from sockio.buffer import Buffer
from sockio.framing import Need
from sockio.messages import MessageRefusedError, NotAcknowledgedError
from sockio.messages.blob import Blob
from sockio.messages.events import Body, Message, Rejected
from tests.messages.kit import PATIENCE, expect, receive, receive_all

TEXT, BYTES, ARRAY = 1, 2, 3


def frame(kind=1, type=BYTES, number=1, description=b"", data=b"", flags=1, length=None, magic=b"\xabLOB", version=1):
    """A frame, put together by hand."""
    length = len(data) if length is None else length
    head = struct.pack(">4sBBBBIIQ", magic, version, kind, flags, type, number, len(description), length) + description
    wire = head + struct.pack(">I", zlib.crc32(head))
    return wire + data + struct.pack(">I", zlib.crc32(data)) if kind == 1 else wire


def acknowledgement(number):
    return frame(kind=2, type=0, number=number, flags=0)


def refusal(number, reason):
    return frame(kind=3, type=0, number=number, flags=0, description=reason)


def test_the_frame_of_the_documentation():
    assert frame(data=b"abc", number=7) == bytes.fromhex(
        "AB 4C 4F 42  01 01 01 02  00 00 00 07  00 00 00 00  00 00 00 00 00 00 00 03  F4 F2 12 F261 62 63  35 24 41 C2"
    )


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("hé", frame(type=TEXT, data=b"h\xc3\xa9")),
        ("", frame(type=TEXT)),
        (b"\x00\xff", frame(data=b"\x00\xff")),
        (bytearray(b"ab"), frame(data=b"ab")),
        (memoryview(b"abcdef")[::2], frame(data=b"ace")),
        (
            np.array([[1, 2], [3, 4]], ">i2"),
            frame(type=ARRAY, description=b'{"dtype":">i2","shape":[2,2]}', data=bytes([0, 1, 0, 2, 0, 3, 0, 4])),
        ),
        (
            np.array([(1, 2.0)], [("n", "<u2"), ("x", "<f4")]),
            frame(
                type=ARRAY,
                description=b'{"dtype":[["n","<u2"],["x","<f4"]],"shape":[1]}',
                data=b"\x01\x00\x00\x00\x00\x40",
            ),
        ),
    ],
)
async def test_sends_receives_and_acknowledges(flavour, value, wire):
    def peer(sock):
        expect(sock, wire)
        sock.sendall(acknowledgement(1))
        for byte in wire:
            sock.sendall(bytes([byte]))
        expect(sock, acknowledgement(1))

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address)
        await connection.send(value)
        received = await connection.receive()
        if isinstance(value, np.ndarray):
            assert received.dtype == value.dtype
            np.testing.assert_array_equal(received, value)
        else:
            assert received == value


async def test_a_message_need_not_be_acknowledged(flavour):
    def peer(sock):
        expect(sock, frame(data=b"a", flags=0))
        sock.sendall(frame(data=b"b", flags=0))
        assert receive_all(sock) == b""

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address)
        await connection.send(b"a", acknowledge=False)
        assert await connection.receive() == b"b"
        await connection.close()


ARRAYS = [
    np.array(5.5),
    np.float32(1.5),
    np.empty((0, 3), "c16"),
    np.arange(24, dtype="<u4").reshape(2, 3, 4),
    np.arange(24, dtype=">u4").reshape(2, 3, 4)[:, ::2, 1:],
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([True, False]),
    np.array(["a", "longer"]),
    np.array([b"x", b"yz"]),
    np.array(["2026-11-21T12:00:00", "NaT"], "M8[ns]"),
    np.array([1, 2], "m8[25us]"),
    np.zeros(3, [("a", "<f4"), ("b", ">i2", (2, 3)), ("c", [("t", "<M8[ms]"), ("s", "S3")])]),
    np.zeros(2, np.dtype({"names": ["a", "b"], "formats": ["u1", "<f8"], "offsets": [1, 8], "itemsize": 24})),
    np.zeros(2, [(("a title", "n"), "<i4")]),
    np.zeros(3, "S0"),
    np.arange(5, dtype=np.longdouble),
]


def decode(data, limit=2**28):
    buffer = Buffer()
    buffer.append(data)
    return Blob(limit).decoder().decode(buffer)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_arrive_as_they_were(array):
    parcel = Blob().encode(array, 1, None, None, False)
    event = decode(parcel.head + parcel.body + parcel.trailer(zlib.crc32(parcel.body)))
    assert isinstance(event, Message)
    assert event.data.dtype == array.dtype
    assert event.data.shape == array.shape
    assert event.data.tobytes() == array.tobytes()
    assert event.data.flags.writeable
    assert event.data.flags.c_contiguous


def test_a_contiguous_array_is_not_copied_to_be_sent():
    array = np.arange(100.0)
    parcel = Blob().encode(array, 1, None, None, False)
    array[0] = 7
    assert parcel.body[:8] == struct.pack("<d", 7) if array.dtype.str == "<f8" else True


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.zeros(2, [("a", "i4"), ("b", object)]),
        np.ma.masked_array([1, 2], [True, False]),
        pytest.param(
            getattr(np.dtypes, "StringDType", lambda: None)() and np.array(["a"], np.dtypes.StringDType()), id="strings"
        ),
    ],
)
def test_arrays_that_are_more_than_their_bytes_are_not_sent(array):
    with pytest.raises(TypeError, match="cannot be sent"):
        Blob().encode(array, 1, None, None, False)


@pytest.mark.parametrize("value", [None, 1, 1.5, [b"a"], {"a": 1}, object()])
def test_other_things_are_not_sent(value):
    with pytest.raises(TypeError, match="str, bytes, bytearray, memoryview or a numpy array"):
        Blob().encode(value, 1, None, None, False)


@pytest.mark.parametrize(
    ("description", "length"),
    [
        (b"", 0),
        (b"[]", 0),
        (b"[" * 60000, 0),
        (b"\xff", 0),
        (b'{"dtype":"|O","shape":[1]}', 8),
        (b'{"dtype":[["a","|O"]],"shape":[1]}', 8),
        (b'{"dtype":"<f8"}', 8),
        (b'{"dtype":"<f8","shape":[2]}', 8),
        (b'{"dtype":"<f8","shape":[-1]}', 8),
        (b'{"dtype":"<f8","shape":[1.0]}', 8),
        (b'{"dtype":"<f8","shape":[true]}', 8),
        (b'{"dtype":"<f8","shape":8}', 8),
        (b'{"dtype":"<f8","shape":[0,1208925819614629174706176]}', 0),
        (b'{"dtype":"<f8","shape":[' + b"1," * 100 + b"1]}", 8),
        (b'{"dtype":"f8,i4","shape":[1]}', 12),
        (b'{"dtype":"__import__","shape":[1]}', 8),
        (b'{"dtype":"<f3","shape":[1]}', 3),
        (b'{"dtype":"|V99999999999","shape":[0]}', 0),
        (b'{"dtype":[["a"]],"shape":[1]}', 8),
        (b'{"dtype":[["a","<f4"],["a","<f4"]],"shape":[1]}', 8),
        (b'{"dtype":{"names":["a"]},"shape":[1]}', 8),
        (b'{"dtype":["<f4",[2]],"shape":[1]}', 8),
    ],
)
def test_descriptions_that_make_no_sense_are_refused_and_skipped(description, length):
    buffer = Buffer()
    buffer.append(frame(type=ARRAY, number=5, description=description, data=bytes(length)) + frame(data=b"next"))
    decoder = Blob().decoder()
    event = decoder.decode(buffer)
    assert isinstance(event, Rejected), event
    assert isinstance(event.error, ProtocolError)
    assert not event.final
    assert event.answer.startswith(refusal(5, b"")[:12])
    following = decoder.decode(buffer)
    assert isinstance(following, Message)
    assert following.data == b"next"


async def test_wrong_checksums_of_data_are_refused_and_the_next_message_comes(flavour):
    wrong = bytearray(frame(data=b"measurement", number=9))
    wrong[-7] ^= 1
    reason = b"expected 11 bytes with CRC-32 0x%08x, got 0x%08x" % (
        zlib.crc32(b"measurement"),
        zlib.crc32(bytes(wrong[28:-4])),
    )

    def peer(sock):
        sock.sendall(wrong + frame(data=b"good", number=10))
        expect(sock, refusal(9, reason) + acknowledgement(10))

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address)
        await connection.open()
        with pytest.raises(ProtocolError, match="message 9: expected 11 bytes with CRC-32"):
            await connection.receive()
        assert await connection.receive() == b"good"


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "got b'GET / HTTP"),
        (b"\xabLOG", "expected a frame"),
        (b"\x00", "expected a frame"),
        (frame(version=2), "version 1 of the blob protocol, got 2"),
        (frame(kind=7), "kind 7"),
        (frame(data=b"abc")[:24] + b"\0\0\0\0", "header with CRC-32"),
        (frame(kind=2, length=5), "kind 2 with 5 bytes"),
        (frame(description=b"x" * 70000), "at most 65536 bytes"),
    ],
)
async def test_what_cannot_be_told_apart_any_more_ends_the_connection(flavour, wire, problem):
    def peer(sock):
        sock.sendall(wire)
        head = receive(sock, 24)
        assert head[:6] == b"\xabLOB\x01\x03"  # a refusal
        assert len(receive_all(sock)) == struct.unpack(">I", head[12:16])[0] + 4

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address, auto_reconnect=False)
        await connection.open()
        with pytest.raises(ProtocolError, match=problem):
            await connection.receive()
        with pytest.raises(ConnectionError):
            await connection.receive()


@pytest.mark.parametrize("length", [2**32, 2**63, 2**64 - 1, 1001])
async def test_more_than_the_limit_is_refused_before_any_memory_is_taken(flavour, length):
    wire = frame(number=3, length=length)

    def peer(sock):
        sock.sendall(wire)
        answer = receive_all(sock)
        assert answer == refusal(3, b"a message of %d bytes is announced, more than 1000 (limit)" % length)

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address, limit=1000, auto_reconnect=False)
        await connection.open()
        with pytest.raises(LimitError, match=f"{length} bytes is announced"):
            await connection.receive()


def test_4_gib_are_more_than_the_default_limit():
    event = decode(frame(length=2**32))
    assert isinstance(event, Rejected)
    assert isinstance(event.error, LimitError)


async def test_an_unknown_type_of_data_is_refused_and_the_next_message_comes(flavour):
    def peer(sock):
        sock.sendall(frame(type=9, number=1, data=b"abc") + frame(number=2, data=b"next"))
        expect(sock, refusal(1, b"there is no type 9, but 1 text, 2 bytes, 3 array") + acknowledgement(2))

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address)
        await connection.open()
        with pytest.raises(ProtocolError, match="no type 9"):
            await connection.receive()
        assert await connection.receive() == b"next"


async def test_verdicts_go_by_number(flavour):
    def peer(sock):
        expect(sock, frame(number=1, data=b"a"))
        expect(sock, frame(number=2, data=b"b"))
        sock.sendall(acknowledgement(2) + acknowledgement(77))
        expect(sock, frame(number=3, data=b"c"))
        sock.sendall(acknowledgement(1) + refusal(3, b"nicht heute"))
        expect(sock, frame(number=4, data=b"d"))
        sock.sendall(acknowledgement(4))

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address)
        with pytest.raises(NotAcknowledgedError):
            await connection.send(b"a", timeout=0.1)
        await connection.send(b"b")
        with pytest.raises(MessageRefusedError, match="nicht heute") as caught:
            await connection.send(b"c")
        assert caught.value.reason == "nicht heute"
        await connection.send(b"d")


async def test_a_refusal_in_the_middle_of_a_big_message_stops_it(flavour):
    stopped = threading.Event()

    def peer(sock):
        receive(sock, 28)
        sock.sendall(refusal(1, b"too big"))
        assert stopped.wait(PATIENCE)
        assert len(receive_all(sock)) < 64 * 2**20

    array = np.zeros(64 * 2**20, "u1")
    async with flavour.peer(peer) as address:
        connection = flavour.connect(address, auto_reconnect=False)
        await connection.open()
        with pytest.raises(MessageRefusedError, match="too big"):
            await connection.send(array)
        assert not connection.connected()
        stopped.set()


@pytest.mark.parametrize("size", [100, 200_000, 3_000_000])
async def test_a_message_cut_short_is_an_error_and_the_connection_begins_anew(flavour, size):
    data = bytes(size)

    def dying(sock):
        sock.sendall(frame(data=data)[: 28 + size // 2])

    def again(sock):
        sock.sendall(frame(data=b"new"))
        expect(sock, acknowledgement(1))

    async with flavour.peer(dying, again) as address:
        connection = flavour.connect(address, restart=True)
        await connection.open()
        with pytest.raises(EOFError, match="after"):
            await connection.receive()
        assert await connection.receive() == b"new"


async def test_a_peer_that_dies_ends_an_acknowledged_send(flavour):
    for data in (b"small", bytes(50_000_000)):
        async with flavour.peer(lambda sock: receive(sock, 20)) as address:
            connection = flavour.connect(address, auto_reconnect=False)
            await connection.open()
            with pytest.raises(ConnectionError):
                await connection.send(data, timeout=None)


async def test_a_deadline_in_the_middle_of_a_big_message_loses_nothing_of_it(flavour):
    data = np.random.default_rng(1).bytes(1_000_000)
    rest = threading.Event()

    def slow(sock):
        wire = frame(data=data)
        sock.sendall(wire[:500_000])
        assert rest.wait(PATIENCE)
        sock.sendall(wire[500_000:])
        expect(sock, acknowledgement(1))

    async with flavour.peer(slow) as address:
        connection = flavour.connect(address)
        await connection.open()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await connection.receive(timeout=0.02)
        rest.set()
        assert await connection.receive() == data


async def test_progress_of_big_messages_is_told_at_both_ends(flavour):
    data = bytes(5_000_000)

    def echo(sock):
        wire = frame(data=data)
        expect(sock, wire)
        sock.sendall(acknowledgement(1) + wire)
        expect(sock, acknowledgement(1))

    async with flavour.peer(echo) as address:
        connection = flavour.connect(address)
        sent, received = [], []
        await connection.send(data, progress=lambda done, total: sent.append((done, total)))
        assert await connection.receive(progress=lambda done, total: received.append((done, total))) == data
    for told in (sent, received):
        assert told == sorted(told)
        assert {total for _, total in told} == {len(data)}
    assert len(sent) > 5
    assert sent[-1] == (len(data), len(data))


async def test_what_progress_raises_ends_the_send_and_the_connection(flavour):
    def stop(done, total):
        raise RuntimeError("stopped by the user")

    async with flavour.peer(receive_all) as address:
        connection = flavour.connect(address, auto_reconnect=False)
        await connection.open()
        with pytest.raises(RuntimeError, match="stopped by the user"):
            await connection.send(bytes(1_000_000), progress=stop)
        assert not connection.connected()


def test_a_big_body_is_not_waited_for_in_the_buffer():
    event = decode(frame(data=bytes(100_000))[:50_000])
    assert isinstance(event, Body)
    assert isinstance(decode(frame(data=bytes(1000))[:500]), Need)
