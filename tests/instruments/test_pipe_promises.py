"""What goes wrong in other services for instruments, and must not here, on every flavour."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe
from instruments.cobs_stream import CobsStream
from instruments.comsrv import ComSrv
from instruments.scpi import ScpiPipe, SerialScpiPipe
from sockio import registry
from sockio.errors import ConnectionTimeoutError, LockExpiredError
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, answer, listen, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    devices = [
        {"class": "Multimeter", "*idn": "one", "transports": [{}]},
        {"class": "Prologix", "transports": [{}, {"type": "serial"}], "instruments": {22: "multimeter"}},
    ]
    with serve_bench(devices) as bench:
        yield bench


def test_a_device_that_does_not_answer_is_a_timeout(flavour: Flavour) -> None:
    """Also for who asks for a lock that somebody else has."""
    with Peer(listen) as peer:
        for make in (ByteStreamPipe, ScpiPipe, SerialScpiPipe):
            pipe = flavour.make(make, peer.address)
            query = pipe.query_line if make is ByteStreamPipe else pipe.query
            flavour.call(pipe.connect)
            with pytest.raises(ConnectionTimeoutError, match=rf"{peer.port}.* timed out after 0.02 s"):
                flavour.call(query, "x", 0.02)
        holder = flavour.make(ByteStreamPipe, peer.address)
        flavour.call(holder.lock, 30)
        other = flavour.make(ByteStreamPipe, peer.address, 0.02)
        with pytest.raises(ConnectionTimeoutError, match=r"in use by a lock of ByteStreamPipe"):
            flavour.call(other.lock)
        flavour.call(holder.unlock)
        flavour.call(holder.drop)


@pytest.mark.parametrize("transport", [0, 1], ids=["network", "serial"])
def test_an_adapter_waits_as_long_as_the_call_says(flavour: Flavour, bench: Any, transport: int) -> None:
    """And not as long as the pipe."""
    address = f"prologix::{bench.url('prologix', transport)}::22"
    patient = flavour.make(ScpiPipe, address, 60)
    hasty = flavour.make(ScpiPipe, address, 0.2)
    flavour.call(patient.write, "SIM:LAT 0.6")
    assert flavour.call(hasty.query, "*IDN?", 30) == "one"
    with pytest.raises(ConnectionTimeoutError):
        flavour.call(patient.query, "*IDN?", 0.2)
    flavour.call(patient.write, "SIM:LAT 0")
    assert flavour.call(patient.query, "*IDN?") == "one"
    flavour.call(patient.drop)


@pytest.mark.parametrize("message", [5, None, [65, 66], 1.5])
def test_what_is_no_message_is_not_sent(flavour: Flavour, message: Any) -> None:
    """Not as so many zeros either, which a whole number is to bytes()."""
    with Peer(listen) as peer:
        pipe = flavour.make(ScpiPipe, peer.address, 10)
        flavour.call(pipe.connect)
        for method in (pipe.write, pipe.query, pipe.query_int, pipe.query_binary, pipe.query_array):
            with pytest.raises(TypeError, match="a message must be a str or bytes, not"):
                flavour.call(method, message)
        with pytest.raises(TypeError, match="a message must be a str or bytes, not"):
            flavour.call(pipe.write_array, message, [1, 2])
        flavour.call(pipe.write, "end")
        until(lambda: peer.received.endswith(b"end\n"))
        assert peer.received == b"end\n"
        flavour.call(pipe.drop)


def test_a_peer_that_has_closed_ends_neither_reading_nor_asking(flavour: Flavour) -> None:
    def serve(connection: socket.socket, peer: Peer) -> None:
        if peer.connections == 1:
            connection.sendall(b"bye")
            return
        while data := peer.recv(connection):
            connection.sendall(data)

    with Peer(serve) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        flavour.call(pipe.connect)
        until(lambda: not pipe._place.connection.connected())
        assert flavour.call(pipe.read_all) == b"bye"
        assert flavour.call(pipe.query_line, "x") == "x"
        flavour.call(pipe.drop)


def test_a_request_is_sent_once(flavour: Flavour) -> None:
    """Whether the peer closes or resets the connection, before the answer or in the middle of it."""

    def serve(connection: socket.socket, peer: Peer) -> None:
        peer.recv(connection)
        if peer.connections % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif peer.connections % 4:
            connection.sendall(b"hal")

    with Peer(serve) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address)
        scpi = flavour.make(ScpiPipe, peer.address)
        for query in (pipe.query_line, scpi.query) * 4:
            connections, received = peer.connections, peer.received
            with pytest.raises((OSError, EOFError), match=str(peer.port)):
                flavour.call(query, "INIT")
            assert (peer.connections, peer.received) == (connections + 1, received + b"INIT\n")


def test_an_expired_lock_lets_in_one_at_a_time(flavour: Flavour) -> None:
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        late = flavour.make(ByteStreamPipe, peer.address)
        flavour.call(late.lock, 0.2)
        actors = [flavour.actor() for _ in range(5)]
        pipes = [flavour.make(ByteStreamPipe, peer.address, 30) for _ in actors]
        waiting = [actor.start(pipe.lock, 30) for actor, pipe in zip(actors, pipes, strict=True)]
        let_in = []
        for _ in actors:
            until(lambda: any(pipe.locked for pipe in pipes if pipe not in let_in))
            assert not late.locked
            (holder,) = [pipe for pipe in pipes if pipe.locked]
            let_in.append(holder)
            actor = actors[pipes.index(holder)]
            assert actor.call(holder.query_line, "x") == "y"
            assert [pipe for pipe in pipes if pipe.locked] == [holder]
            actor.call(holder.unlock)
        for call in waiting:
            call.result(20)
        with pytest.raises(LockExpiredError):
            flavour.call(late.query_line, "x")
        flavour.call(late.drop)


def test_frames_reach_the_stream_of_their_own_instrument(flavour: Flavour) -> None:
    with Peer(listen) as one, Peer(listen) as other:
        peers = [one, other]
        streams = [flavour.make(CobsStream, peer.address) for peer in peers]
        for stream, peer in zip(streams, peers, strict=True):
            flavour.call(stream.start)
            until(lambda peer=peer: peer.connections == 1)  # type: ignore[misc]
        for number in range(1, 21):
            for offset, peer in enumerate(peers):
                peer.send(b"\x02%c\x00" % (number + 100 * offset))
        for offset, stream in enumerate(streams):
            assert flavour.collect(stream, 20) == [bytes([number + 100 * offset]) for number in range(1, 21)]
            assert not stream._inbox.queue
        for stream in streams:
            flavour.call(stream.close)


def test_repeated_zeros_are_no_frames(flavour: Flavour) -> None:
    with Peer(listen) as peer:
        stream = flavour.make(CobsStream, peer.address)
        flavour.call(stream.start)
        until(lambda: peer.connections == 1)
        peer.send(b"\x00\x00\x00\x02a\x00\x00\x00\x01\x00\x00\x02b\x00")
        assert flavour.collect(stream, 3) == [b"a", b"", b"b"]
        flavour.call(stream.close)


def test_a_dropped_instrument_is_taken_up_again_by_its_name(flavour: Flavour) -> None:
    """What is dropped may be named by a text, by an address or in another spelling."""
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        pipe, comsrv = flavour.make(ByteStreamPipe, peer.address), flavour.make(ComSrv)
        for address in (peer.address, peer.address.replace("::", ":", 1), pipe._address):
            assert flavour.call(pipe.query_line, "x") == "y"
            flavour.call(comsrv.drop, address)
            assert not pipe._place.connection.connected()
        assert peer.connections == 3


@pytest.mark.parametrize("address", ["serial:///dev/nosuch", "tcp://no.such.host.invalid:1", "tcp://127.0.0.1:9"])
def test_a_pipe_that_could_not_connect_leaves_nothing_behind(address: str) -> None:
    """At once, without the help of the garbage collector: the next one may want other settings."""
    gc.disable()
    try:
        pipe = blocking(ByteStreamPipe)(address)
        reference = weakref.ref(registry.resource(pipe.address))
        try:
            pipe.query_line("x")
        except OSError:
            del pipe
        assert reference() is None
    finally:
        gc.enable()
