"""Byte pipes: lines, COBS frames and bytes over real sockets, on every flavour."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from instruments.byte_stream import ByteStreamPipe
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError, ProtocolError
from sockio.resource import parse
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, answer, listen, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


# Lines


def test_lines(flavour: Flavour) -> None:
    replies = {b"*IDN?\n": b"ACME,1\n", b"A\r": b"a\r", b"B\r\n": b"b\r\n", "°C?\n".encode(): "23 °C\n".encode()}
    with Peer(answer(replies)) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        assert flavour.call(pipe.query_line, "*IDN?") == "ACME,1"
        assert flavour.call(pipe.query_line, "*IDN?", 5.0) == "ACME,1"
        assert flavour.call(pipe.query_line, "*IDN?", None, "\n") == "ACME,1"
        assert flavour.call(pipe.query_line, "A", 5.0, "\r") == "a"
        assert flavour.call(pipe.query_line, "A", 5.0, 13) == "a"
        assert flavour.call(pipe.query_line, "B", term="\r\n") == "b"
        assert flavour.call(pipe.query_line, "°C?") == "23 °C"
        flavour.call(pipe.write_line, "*IDN?")
        assert flavour.call(pipe.read_line) == "ACME,1"
        flavour.call(pipe.write_line, "A", "\r")
        assert flavour.call(pipe.read_line, 5.0, "\r") == "a"
        flavour.call(pipe.drop)
    assert peer.connections == 1


def test_the_terminator_of_the_resource_string(flavour: Flavour) -> None:
    with Peer(answer({b"A\r": b"a\r"})) as peer:
        pipe = flavour.make(ByteStreamPipe, f"tcp://127.0.0.1:{peer.port}?eol=\\r")
        assert flavour.call(pipe.query_line, "A") == "a"
        flavour.call(pipe.write_line, "A")
        assert flavour.call(pipe.read_line) == "a"
        flavour.call(pipe.drop)


@pytest.mark.parametrize("term", [0, 128, -1, 256, "", "\0", "é", True, 10.0, b"\n"])
def test_a_terminator_that_cannot_be(flavour: Flavour, term: object) -> None:
    pipe = flavour.make(ByteStreamPipe, "tcp::127.0.0.1:1")
    calls: list[tuple[Any, ...]] = [
        (pipe.write_line, "x", term),
        (pipe.read_line, 1.0, term),
        (pipe.query_line, "x", 1.0, term),
    ]
    for method, *args in calls:
        with pytest.raises(ValueError, match=r"term must be one or more characters, or the code of one, from 1 to 127"):
            flavour.call(method, *args)


@pytest.mark.parametrize("term", [1, 127, "\x01", "\x7f", "END"])
def test_terminators_at_the_edges(flavour: Flavour, term: str | int) -> None:
    end = (chr(term) if isinstance(term, int) else term).encode()
    with Peer(answer({b"x" + end: b"\xc3\xa4" + end})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        assert flavour.call(pipe.query_line, "x", 5, term) == "ä"
        flavour.call(pipe.drop)


def test_what_is_no_text(flavour: Flavour) -> None:
    with Peer(answer({b"x\n": b"\xb0C\n", b"y\n": b"y\n"})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        with pytest.raises(ProtocolError, match=rf"{peer.port}.*expected a line in UTF-8, got b'\\xb0C\\n'") as caught:
            flavour.call(pipe.query_line, "x")
        assert caught.value.data == b"\xb0C\n"
        assert flavour.call(pipe.query_line, "y") == "y"
        flavour.call(pipe.write_line, "x")
        with pytest.raises(ProtocolError, match=r"UTF-8"):
            flavour.call(pipe.read_line)
        with pytest.raises(TypeError, match=r"a line must be a str, not b'x'"):
            flavour.call(pipe.write_line, b"x")
        flavour.call(pipe.drop)
    assert peer.connections == 1


def test_a_query_empties_the_input_first(flavour: Flavour) -> None:
    with Peer(answer({b"x\n": b"x\n", b"\x02x\x00": b"\x02y\x00"})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        assert flavour.call(pipe.query_line, "x") == "x"
        peer.send(b"event\n\x02")
        until(lambda: flavour.call(in_waiting, pipe, flavour) == 7)
        assert flavour.call(pipe.query_line, "x") == "x"
        peer.send(b"event\n\x02")
        until(lambda: flavour.call(in_waiting, pipe, flavour) == 7)
        assert flavour.call(pipe.cobs_query, b"x") == b"y"
        flavour.call(pipe.drop)
    assert peer.connections == 1


def in_waiting(pipe: object, flavour: Flavour) -> object:
    """Return how many bytes have come, as each flavour wants to be called."""
    count: int = pipe._place.connection.in_waiting()  # type: ignore[attr-defined]

    async def result() -> int:
        return count

    return result() if flavour.is_async else count


# COBS


COBS_FRAMES = [
    (b"", b"\x01\x00"),
    (b"\x00", b"\x01\x01\x00"),
    (b"\x01\x02\x03\x04", b"\x05\x01\x02\x03\x04\x00"),
    (b"\x01\x02\x00\x04", b"\x03\x01\x02\x02\x04\x00"),
    (b"\x00\x00\x00\x01\x02\x03\x00", b"\x01\x01\x01\x04\x01\x02\x03\x01\x00"),
]


def test_cobs_frames(flavour: Flavour) -> None:
    with Peer(answer({wire: b"\x00\x00" + wire for _, wire in COBS_FRAMES})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        for frame, _ in COBS_FRAMES:
            assert flavour.call(pipe.cobs_query, frame, 5.0) == frame
        for frame, _ in COBS_FRAMES:
            flavour.call(pipe.cobs_write, frame)
        assert [flavour.call(pipe.cobs_read, 5.0) for _ in COBS_FRAMES] == [frame for frame, _ in COBS_FRAMES]
        assert peer.received == 2 * b"".join(wire for _, wire in COBS_FRAMES)
        flavour.call(pipe.drop)


def test_a_full_group_of_cobs(flavour: Flavour) -> None:
    """After 254 bytes without a zero most encoders open a new group, this one need not; both are understood."""
    data = b"\x01" * 254
    with Peer(answer({b"\xff" + data: b"\xff" + data + b"\x01\x00"})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        assert flavour.call(pipe.cobs_query, data) == data
        flavour.call(pipe.drop)
    assert peer.received in (b"\xff" + data + b"\x01\x00", b"\xff" + data + b"\x00")


def test_a_malformed_frame(flavour: Flavour) -> None:
    """A group that says to be longer than it is."""
    with Peer(answer({b"\x02x\x00": b"\x05ab\x00"})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        with pytest.raises(ProtocolError, match=rf"{peer.port}: expected a COBS frame, got b'\\x05ab\\x00'"):
            flavour.call(pipe.cobs_query, b"x")
        flavour.call(pipe.connect)
        until(lambda: peer.connections == 2)
        peer.send(b"\x05ab\x00\x02z\x00")
        with pytest.raises(ProtocolError, match=r"expected a COBS frame"):
            flavour.call(pipe.cobs_read)
        assert flavour.call(pipe.cobs_read) == b"z"  # the one after it is none the worse
        flavour.call(pipe.drop)
    assert peer.connections == 2


# Bytes


def test_bytes(flavour: Flavour) -> None:
    with Peer(listen) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        assert flavour.call(pipe.read_all) == b""
        for data in (b"\x00\x01", bytearray(b"\xff"), memoryview(b"\n")):
            flavour.call(pipe.write, data)
        until(lambda: peer.received == b"\x00\x01\xff\n")
        peer.send(b"abc\x03de\x00fg")
        assert flavour.call(pipe.read_to_term, 3, 5.0) == b"abc"
        assert flavour.call(pipe.read_to_term, 0) == b"de"
        assert flavour.call(pipe.read_exact, 2, 5.0) == b"fg"
        assert flavour.call(pipe.read_exact, 0) == b""
        peer.send(b"\xff\xff")
        assert flavour.call(pipe.read_to_term, 255) == b""
        assert flavour.call(pipe.read, 100) == b"\xff"
        peer.send(b"xyz")
        until(lambda: flavour.call(in_waiting, pipe, flavour) == 3)
        assert flavour.call(pipe.read_all) == b"xyz"
        assert flavour.call(pipe.read_all, 0) == b""
        with pytest.raises(TypeError, match=r"data to be sent must be bytes, not 'x'"):
            flavour.call(pipe.write, "x")
        for term in (-1, 256):
            with pytest.raises(ValueError, match=r"term must be"):
                flavour.call(pipe.read_to_term, term)
        for count in (-1, 1.5):
            with pytest.raises((ValueError, TypeError), match=r"count must be"):
                flavour.call(pipe.read_exact, count)
        flavour.call(pipe.drop)
    assert peer.connections == 1


def test_read_all_ends_when_the_peer_has_closed(flavour: Flavour) -> None:
    def serve(connection: socket.socket, peer: Peer) -> None:
        connection.sendall(b"%d" % peer.connections)

    with Peer(serve) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        flavour.call(pipe.connect)
        until(lambda: flavour.call(in_waiting, pipe, flavour) == 1)
        until(lambda: not pipe._place.connection.connected())  # the end has come as well
        assert flavour.call(pipe.read_all) == b"1"
        assert flavour.call(pipe.read_exact, 1) == b"2"  # of a new connection
        flavour.call(pipe.drop)


def test_what_does_not_come_in_time(flavour: Flavour) -> None:
    with Peer(listen) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address, 0.05)
        for method, *args in [
            (pipe.read_line,),
            (pipe.query_line, "x"),
            (pipe.cobs_read,),
            (pipe.cobs_query, b"x"),
            (pipe.read, 1),
            (pipe.read_exact, 3),
            (pipe.read_to_term, 10),
        ]:
            flavour.call(pipe.connect, 20)
            with pytest.raises(ConnectionTimeoutError, match=rf"tcp://127.0.0.1:{peer.port}: \w+ timed out after 0\.0"):
                flavour.call(method, *args)
        slow = flavour.make(ByteStreamPipe, peer.address, 60)
        flavour.call(slow.connect)
        with pytest.raises(TimeoutError, match=r"timed out after 0.02 s receiving"):
            flavour.call(slow.read_line, 0.02)
        flavour.call(pipe.drop)


def test_a_late_reply_is_not_taken_for_the_next(flavour: Flavour) -> None:
    def serve(connection: socket.socket, peer: Peer) -> None:
        while data := peer.recv(connection):
            if data == b"slow\n":
                until(lambda: b"quick\n" in peer.received)
            connection.sendall(data)

    with Peer(serve) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        with pytest.raises(TimeoutError):
            flavour.call(pipe.query_line, "slow", 0.05)
        assert flavour.call(pipe.query_line, "quick") == "quick"
        flavour.call(pipe.drop)


def test_a_peer_that_closes_in_the_middle(flavour: Flavour) -> None:
    def serve(connection: socket.socket, peer: Peer) -> None:
        peer.recv(connection)
        connection.sendall(b"half")

    with Peer(serve) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        with pytest.raises(ConnectionEOFError, match=r"closed the connection after 4 bytes: b'half'") as caught:
            flavour.call(pipe.query_line, "x")
        assert caught.value.partial == b"half"


# Pipes


def test_connect_and_disconnect(flavour: Flavour) -> None:
    with Peer(answer({b"x\n": b"x\n"})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        assert peer.connections == 0
        assert flavour.call(pipe.connect) is pipe
        flavour.call(pipe.connect)
        until(lambda: peer.connections == 1)
        flavour.call(pipe.disconnect)
        flavour.call(pipe.disconnect)
        assert flavour.call(pipe.query_line, "x") == "x"
        flavour.call(pipe.drop)
        assert peer.connections == 2
    with pytest.raises(ConnectionRefusedError, match=str(peer.port)):
        flavour.call(pipe.query_line, "x")


def test_all_pipes_share_one_connection(flavour: Flavour) -> None:
    with Peer(answer({b"x\n": b"x\n"})) as peer:
        spellings = [
            f"tcp::127.0.0.1:{peer.port}",
            f"tcp:127.0.0.1:{peer.port}",
            f"tcp://127.0.0.1:{peer.port}?timeout=3",
            f"TCPIP::127.0.0.1::{peer.port}::SOCKET",
            parse(peer.address),
        ]
        pipes = [flavour.make(ByteStreamPipe, address) for address in spellings]
        actors = [flavour.actor() for _ in pipes]
        calls = [
            actor.start(pipe.query_line, "x") for _ in range(20) for actor, pipe in zip(actors, pipes, strict=True)
        ]
        assert {call.result(20) for call in calls} == {"x"}
        assert peer.connections == 1
        assert [pipe.timeout for pipe in pipes] == [2.0, 2.0, 3.0, 2.0, 2.0]
        flavour.call(pipes[0].drop)


@pytest.mark.parametrize("setting", ["quiet=0.5", "connection_timeout=0.5"])
def test_everybody_agrees_on_how_the_connection_behaves(flavour: Flavour, setting: str) -> None:
    """Whoever wants a line to be quiet first would not be safe from late answers with somebody else's connection."""
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        url = f"tcp://127.0.0.1:{peer.port}"
        pipe = flavour.make(ByteStreamPipe, url, 10)
        assert flavour.call(pipe.query_line, "x") == "y"
        other = flavour.make(ByteStreamPipe, f"{url}?{setting}", 10)
        name = setting.partition("=")[0]
        with pytest.raises(ValueError, match=rf"in use with {name}=None: it cannot be had with {setting} as well"):
            flavour.call(other.query_line, "x")
        # What each call has of its own may be different.
        other = flavour.make(ByteStreamPipe, f"{url}?timeout=10&eol=%0D%0A")
        flavour.call(other.write_line, "z")
        until(lambda: peer.received == b"x\nz\r\n")
        assert peer.connections == 1
        flavour.call(pipe.drop)


def test_a_dropped_pipe_closes_its_connection(flavour: Flavour) -> None:
    closed = []

    def serve(connection: socket.socket, peer: Peer) -> None:
        listen(connection, peer)
        closed.append(True)

    with Peer(serve) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        flavour.call(pipe.write, b"x")
        del pipe
        until(lambda: closed)


@pytest.mark.parametrize(
    "address",
    ["vxi::192.168.1.20", "modbus::tcp::1.2.3.4:502", "can::loopback", "hid::0483:5750", "GPIB0::1::INSTR"],
)
def test_what_is_no_stream(address: str) -> None:
    with pytest.raises(ValueError, match=r"no stream of bytes; \w+ opens it"):
        ByteStreamPipe(address)


@pytest.mark.parametrize("address", ["tcp::host", "tcp::host:0", "serial::", "nonsense", ""])
def test_what_is_no_resource_string(address: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no resource|port|must"):
        ByteStreamPipe(address)


def test_the_addresses_of_the_guide() -> None:
    assert ByteStreamPipe("tcp:1.2.3.4:1234").address == "tcp://1.2.3.4:1234"
    assert ByteStreamPipe("serial::COM1::9600::8N1").address.startswith("serial://COM1")
    assert ByteStreamPipe("ftdi::A50285BI::115200::7E2").timeout == 2.0
    assert repr(ByteStreamPipe("tcp:1.2.3.4:1234")) == "ByteStreamPipe('tcp://1.2.3.4:1234')"
