"""The bytes of serpy, as the original puts them on the wire, on every flavour."""

from __future__ import annotations

import base64
import os
import pickle
import socket
import threading

import pytest

from sockio import ConnectionTimeoutError, LimitError, ProtocolError
from sockio.buffer import Buffer
from sockio.framing import Need
from sockio.messages import MessageRefusedError, NotAcknowledgedError
from sockio.messages.events import Message, Rejected
from sockio.messages.serpy import Serpy
from tests.messages.kit import PATIENCE, expect, receive, receive_all

SET_MODE = b"\x01SETMODE%d\x1f"
MODE_ACCEPTED = b"\x01ACKMODCG\x1f"
ACKNOWLEDGED = b"\x01ACKEOT!!\x1f"

#: Captured from the original: a value, the mode of the call, the mode on the wire, and the block.
SENT = [
    ("hello", 0, 0, b"hello\x1f"),
    (42, 0, 0, b"42\x1f"),
    (1.5, 0, 0, b"1.5\x1f"),
    ("hello", 1, 1, b"hello\x04\x1f"),
    (b"\x00\x1f\x04\xff", 0, 2, b"03QVZ\x1f"),
    (b"ab", 3, 3, b"VPX\x04\x1f"),
    (b"ab", 1, 3, b"VPX\x04\x1f"),
    (b"ab", 4, 2, b"VPX\x1f"),
    (b"ab", 5, 3, b"VPX\x04\x1f"),
    ([1, 2], 0, 4, b"fCZHa0000000018lqgF9O9Evs\x1f"),
    ([1, 2], 5, 5, b"fCZHa0000000018lqgF9O9Evs\x04\x1f"),
    ([1, 2], 1, 5, b"fCZHa0000000018lqgF9O9Evs\x04\x1f"),
]


@pytest.mark.parametrize(("value", "mode", "wire_mode", "block"), SENT)
async def test_sends_what_the_original_sends(flavour, value, mode, wire_mode, block):
    def original(sock: socket.socket) -> None:
        if wire_mode:
            expect(sock, SET_MODE % wire_mode)
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)  # the message itself waits until the mode has been accepted
            sock.setblocking(True)
            sock.sendall(MODE_ACCEPTED)
        expect(sock, block)
        if wire_mode % 2:
            sock.sendall(ACKNOWLEDGED)
        assert receive_all(sock) == b""

    async with flavour.peer(original) as address:
        connection = flavour.connect(address, "serpy", allow_unpickle=wire_mode > 3)
        await connection.send(value, mode=mode)
        assert connection.out_mode == wire_mode
        await connection.close()


async def test_a_mode_is_announced_only_when_it_changes(flavour):
    def original(sock: socket.socket) -> None:
        expect(sock, b"a\x1f" + SET_MODE % 2)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"Vg\x1f" + SET_MODE % 0)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"c\x1fd\x1f")

    async with flavour.peer(original) as address:
        connection = flavour.connect(address, "serpy")
        for value in ("a", b"b", "c", "d"):
            await connection.send(value)


@pytest.mark.parametrize(
    ("mode", "block", "value"),
    [
        (1, b"hello\x04\x1f", b"hello"),
        (1, b"\x04\x1f", b""),
        (2, b"03QVZ\x1f", b"\x00\x1f\x04\xff"),
        (3, b"VPX\x04\x1f", b"ab"),
        (4, b"fCZHa0000000018lqgF9O9Evs\x1f", [1, 2]),
        (5, b"fCZHa0000000018lqgF9O9Evs\x04\x1f", [1, 2]),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
async def test_receives_and_answers_as_the_original_does(flavour, mode, block, value, apart):
    def original(sock: socket.socket) -> None:
        sock.sendall(b"before\x1f\x1f")  # an empty block is skipped
        for byte in SET_MODE % mode if apart else [SET_MODE % mode]:
            sock.sendall(bytes([byte]) if apart else byte)
        expect(sock, MODE_ACCEPTED)
        for byte in block if apart else [block]:
            sock.sendall(bytes([byte]) if apart else byte)
        if mode % 2:
            expect(sock, ACKNOWLEDGED)
        assert receive_all(sock) == b""

    async with flavour.peer(original) as address:
        connection = flavour.connect(address, "serpy", allow_unpickle=True)
        await connection.open()
        assert await connection.receive() == b"before"
        assert await connection.receive() == value
        assert connection.in_mode == mode
        await connection.close()


async def test_the_peer_is_answered_while_nobody_receives(flavour):
    def original(sock: socket.socket) -> None:
        sock.sendall(SET_MODE % 1)
        expect(sock, MODE_ACCEPTED)
        for _ in range(5):
            sock.sendall(b"hello\x04\x1f")
            expect(sock, ACKNOWLEDGED)

    async with flavour.peer(original) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        await flavour.until(lambda: connection.waiting == 5)
    assert [await connection.receive() for _ in range(5)] == [b"hello"] * 5


async def test_nothing_more_is_read_when_ten_messages_wait(flavour):
    async with flavour.peer(lambda sock: (sock.sendall(b"x\x1f" * 25), expect(sock, b"now\x1f"))) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        await flavour.until(lambda: connection.waiting >= 10)
        await flavour.sleep(0.03)
        assert connection.waiting == 10
        assert [await connection.receive() for _ in range(25)] == [b"x"] * 25
        await connection.send("now")


# Text that the wire cannot carry


@pytest.mark.parametrize(
    ("text", "mode", "remedy"),
    [
        ("a\x1fb", 0, "mode 2"),
        ("a\x1fb", 1, "mode 3"),
        ("a\x04b", 1, "mode 3"),
        ("a\x04", 1, "mode 3"),
        ("\x01a", 0, "mode 2"),
        ("\x01ACKEOT!!", 1, "mode 3"),
        ("", 0, "mode 1"),
        (b"", 2, "mode 3"),
    ],
)
def test_what_would_not_arrive_is_not_sent(text, mode, remedy):
    with pytest.raises(ValueError, match=remedy):
        Serpy().encode(text, 1, None, mode, False)


@pytest.mark.parametrize("text", ["a\x1fb", "a\x04b", "\x01a", "\x04", "\x1f"])
@pytest.mark.parametrize("mode", [2, 3])
def test_base_85_carries_any_text(text, mode):
    parcel = Serpy().encode(text, 1, None, mode, False)
    assert decode(parcel.head, mode) == text.encode()


def test_an_end_of_transmission_is_text_where_nothing_is_acknowledged():
    assert decode(Serpy().encode("a\x04", 1, None, 0, False).head, 0) == b"a\x04"


def test_text_is_encoded_as_the_connection_says():
    with pytest.raises(UnicodeEncodeError):
        Serpy().encode("é", 1, None, 0, False)
    assert Serpy(encoding="utf-8").encode("é", 1, None, 0, False).head == b"\xc3\xa9\x1f"
    with pytest.raises(ValueError, match="0x1F"):
        Serpy(encoding="utf-16-le").encode("\u1f00", 1, None, 0, False)


def test_force_mode_declares_another_mode():
    parcel = Serpy().encode(b"ab", 1, None, 0, True)
    assert (parcel.head, parcel.mode) == (b"VPX\x1f", 0)
    parcel = Serpy().encode(b"ab", 1, None, 1, True)
    assert (parcel.head, parcel.mode, parcel.acknowledged) == (b"VPX\x04\x1f", 1, True)


@pytest.mark.parametrize("mode", [-1, 6, "1", 1.0, True])
def test_there_are_six_modes(mode):
    with pytest.raises(ValueError, match="from 0 to 5"):
        Serpy().encode("a", 1, None, mode, False)


def decode(data: bytes, mode: int) -> object:
    buffer = Buffer()
    buffer.append(data)
    decoder = Serpy().decoder()
    decoder.mode = mode
    event = decoder.decode(buffer)
    assert not isinstance(event, Need)
    assert not buffer
    return event.data


# Pickled objects


class Bomb:
    """Something that does harm when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("bomb",)


@pytest.mark.parametrize("mode", [4, 5])
async def test_nothing_is_unpickled_unless_it_is_allowed(flavour, mode, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = Serpy(allow_unpickle=True).encode(Bomb(), 1, None, mode, False).head

    def attacker(sock: socket.socket) -> None:
        sock.sendall(SET_MODE % mode + block)
        answer = receive_all(sock)
        assert answer.startswith(b"\x01REFUSED! ")
        assert b"allow_unpickle=True" in answer
        assert answer.endswith(b"\x1f")

    async with flavour.peer(attacker) as address:
        connection = flavour.connect(address, "serpy", auto_reconnect=False)
        await connection.open()
        with pytest.raises(ProtocolError, match="allow_unpickle=True"):
            await connection.receive()
    assert not (tmp_path / "bomb").exists()
    pickle.loads(pickle.dumps(Bomb()))
    assert (tmp_path / "bomb").exists()  # it would have gone off


@pytest.mark.parametrize("value", [[1], None, True, bytearray(b"x"), {"a": 1}])
def test_nothing_is_pickled_unless_it_is_allowed(value):
    with pytest.raises(TypeError, match="allow_unpickle=True"):
        Serpy().encode(value, 1, None, 0, False)
    with pytest.raises(TypeError, match="allow_unpickle=True"):
        Serpy().encode("text", 1, None, 4, False)


async def test_a_sender_is_told_that_pickled_objects_are_refused(flavour):
    def ours(sock: socket.socket) -> None:
        expect(sock, SET_MODE % 4)
        sock.sendall(b"\x01REFUSED! no pickled objects here\x1f")
        receive_all(sock)

    async with flavour.peer(ours) as address:
        connection = flavour.connect(address, "serpy", allow_unpickle=True)
        with pytest.raises(MessageRefusedError, match="no pickled objects here") as caught:
            await connection.send([1, 2])
        assert caught.value.reason == "no pickled objects here"
        await connection.close()


# Peers that misbehave


async def test_a_late_acknowledgement_is_not_taken_for_the_next_one(flavour):
    def slow(sock: socket.socket) -> None:
        expect(sock, SET_MODE % 1)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"first\x04\x1fsecond\x04\x1f")
        sock.sendall(ACKNOWLEDGED)  # of the first
        expect(sock, b"third\x04\x1f")
        sock.sendall(ACKNOWLEDGED * 2)

    async with flavour.peer(slow) as address:
        connection = flavour.connect(address, "serpy")
        with pytest.raises(NotAcknowledgedError):
            await connection.send("first", mode=1, timeout=0.2)
        with pytest.raises(NotAcknowledgedError):
            await connection.send("second", mode=1, timeout=0.2)
        await connection.send("third", mode=1)


async def test_a_mode_that_is_not_accepted_in_time_is_not_announced_again(flavour):
    late = threading.Event()

    def slow(sock: socket.socket) -> None:
        expect(sock, SET_MODE % 2)
        assert late.wait(PATIENCE)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"VPX\x1f")

    async with flavour.peer(slow) as address:
        connection = flavour.connect(address, "serpy")
        with pytest.raises(ConnectionTimeoutError):
            await connection.send(b"b", timeout=0.1)
        late.set()
        await connection.send(b"ab")


async def test_a_silent_peer_holds_nobody_up_for_ever(flavour):
    def silent(sock: socket.socket) -> None:
        expect(sock, SET_MODE % 1)
        sock.sendall(b"go\x1f")
        assert receive_all(sock) == b""  # neither the mode again, nor the message

    async with flavour.peer(silent) as address:
        connection = flavour.connect(address, "serpy")
        for _ in range(2):
            with pytest.raises(ConnectionTimeoutError):
                await connection.send("hello", mode=1, timeout=0.1)
        assert await connection.receive() == b"go"
        assert connection.connected()
        await connection.close()


async def test_a_peer_that_dies_ends_an_acknowledged_send(flavour):
    def dying(sock: socket.socket) -> None:
        expect(sock, SET_MODE % 1)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"hello\x04\x1f")

    async with flavour.peer(dying) as address:
        connection = flavour.connect(address, "serpy", auto_reconnect=False)
        await connection.open()
        with pytest.raises(ConnectionError):
            await connection.send("hello", mode=1, timeout=None)
        assert not connection.connected()


async def test_each_connection_begins_in_mode_0(flavour):
    def original(sock: socket.socket) -> None:
        expect(sock, SET_MODE % 2)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"Vg\x1f")
        sock.sendall(SET_MODE % 2 + b"Vg\x1f")
        expect(sock, MODE_ACCEPTED)

    def again(sock: socket.socket) -> None:
        sock.sendall(b"Vg\x1f")
        expect(sock, b"text\x1f")
        expect(sock, SET_MODE % 2)
        sock.sendall(MODE_ACCEPTED)
        expect(sock, b"Vg\x1f")

    async with flavour.peer(original, again) as address:
        connection = flavour.connect(address, "serpy", restart=True, retry=flavour.module.Retry(None, 0.01))
        await connection.send(b"b")
        assert await connection.receive() == b"b"
        assert await connection.receive() == b"Vg"
        await connection.send("text")
        await connection.send(b"b")


@pytest.mark.parametrize("mode", [b"9", b"", b"10", b"x"])
async def test_a_mode_that_there_is_not_ends_the_connection(flavour, mode):
    async with flavour.peer(lambda sock: (sock.sendall(b"\x01SETMODE" + mode + b"\x1f"), receive_all(sock))) as address:
        connection = flavour.connect(address, "serpy", auto_reconnect=False)
        await connection.open()
        with pytest.raises(ProtocolError, match="mode"):
            await connection.receive()
        with pytest.raises(ConnectionError):
            await connection.receive()


async def test_an_unknown_command_and_bad_base_85_are_errors_and_the_next_message_comes(flavour):
    def peer(sock: socket.socket) -> None:
        sock.sendall(b"\x01FORMAT C:\x1f" + SET_MODE % 2 + b"a~ \x1fVg\x1f")
        expect(sock, MODE_ACCEPTED)

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        with pytest.raises(ProtocolError, match="FORMAT C:") as caught:
            await connection.receive()
        assert caught.value.data == b"\x01FORMAT C:"
        with pytest.raises(ProtocolError, match="base 85"):
            await connection.receive()
        assert await connection.receive() == b"b"


async def test_a_message_that_should_be_acknowledged_and_makes_no_sense_ends_the_connection(flavour):
    def peer(sock: socket.socket) -> None:
        sock.sendall(SET_MODE % 3 + b"a~ \x04\x1f")
        assert b"REFUSED! expected base 85" in receive_all(sock)

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address, "serpy", auto_reconnect=False)
        await connection.open()
        with pytest.raises(ProtocolError, match="base 85"):
            await connection.receive()


async def test_an_endless_message_ends_the_connection(flavour):
    def endless(sock: socket.socket) -> None:
        try:
            while True:
                sock.sendall(b"x" * 10_000)
        except OSError:
            pass

    async with flavour.peer(endless) as address:
        connection = flavour.connect(address, "serpy", limit=100_000, auto_reconnect=False)
        await connection.open()
        with pytest.raises(LimitError, match="more than 100000 bytes"):
            await connection.receive()
        await flavour.until(lambda: not connection.connected())


@pytest.mark.parametrize("mode", range(6))
def test_the_limit_is_exact_in_every_mode(mode):
    protocol = Serpy(limit=10, allow_unpickle=True)

    def receive_text(text: bytes) -> object:
        decoder = protocol.decoder()
        decoder.mode = mode
        end = b"\x04\x1f" if mode % 2 else b"\x1f"
        buffer = Buffer()
        buffer.append((text if mode < 2 else base64.b85encode(text)) + end)
        return decoder.decode(buffer)

    event = receive_text(b"12345678901")
    assert isinstance(event, Rejected)
    assert isinstance(event.error, LimitError)
    # A pickled 1 that needs less.
    event = receive_text(b"\x80\x04K\x01." if mode > 3 else b"1234567890")
    assert isinstance(event, Message)


async def test_a_message_cut_short_is_an_error(flavour):
    async with flavour.peer(lambda sock: sock.sendall(b"whole\x1fhalf of")) as address:
        connection = flavour.connect(address, "serpy", auto_reconnect=False)
        await connection.open()
        assert await connection.receive() == b"whole"
        with pytest.raises(EOFError) as caught:
            await connection.receive()
        assert caught.value.partial == b"half of"


async def test_a_flood_of_commands_is_answered_only_as_far_as_it_is_read(flavour):
    """The answers that the peer does not take do not pile up; who waits for a message gets it when the peer reads."""

    def flood(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        block = SET_MODE % 0 * 1000
        for _ in range(20):
            sock.sendall(block)
            received = receive(sock, len(MODE_ACCEPTED) * 1000)
            assert received == MODE_ACCEPTED * 1000
        sock.sendall(b"end\x1f")

    async with flavour.peer(flood) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        assert await connection.receive() == b"end"
