"""Frames that devices push, on every flavour."""

from __future__ import annotations

import gc
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from instruments.byte_stream import ByteStreamPipe
from instruments.cobs_stream import CheckedCOBS, CobsStream
from instruments.receiver import FrameDecoder
from sockio.buffer import Buffer
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError, LimitError, ProtocolError
from sockio.framing import COBS
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, listen, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(listen) as peer:
        yield peer


def started(flavour: Flavour, peer: Peer, *args: Any, **options: Any) -> Any:
    """Return a stream that streams, and whose connection the peer has."""
    stream = flavour.make(CobsStream, peer.address, *args, **options)
    connections = peer.connections
    assert flavour.call(stream.start) is stream
    until(lambda: peer.connections > connections)
    return stream


# What goes over the wire


def test_the_crc() -> None:
    """The check value of CRC-32/ISO-HDLC is 0xCBF43926; here it comes least significant byte first."""
    framing = CheckedCOBS()
    wire = b"\x0e123456789\x26\x39\xf4\xcb\x00"
    assert framing.encode(b"123456789") == wire
    assert framing.encode(b"") == b"\x01\x01\x01\x01\x01\x00"  # the CRC of nothing is 0
    for data in (wire, b"\x00\x00" + wire):
        buffer = Buffer()
        buffer.append(data)
        assert framing.decode(buffer) == b"123456789"


@pytest.mark.parametrize("wire", [b"\x0e123456789\x26\x39\xf4\xca\x00", b"\x03ab\x00", b"\x01\x00", b"\x05abcd\x00"])
def test_a_wrong_crc(wire: bytes) -> None:
    buffer = Buffer()
    buffer.append(wire)
    with pytest.raises(ProtocolError, match=r"expected a CRC-32 of [0-9a-f]{8} after b'.*', got"):
        CheckedCOBS().decode(buffer)
    assert not buffer


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_a_decoder_goes_on_after_anything(step: int) -> None:
    """A frame, one that is cut short, an empty one, one of ten bytes where eight are allowed, and a frame."""
    decoder = FrameDecoder(COBS(8), b"\0")
    wire = b"\x00\x02a\x00\x05b\x00\x01\x00\x0bcccccccccc\x00\x0bcccccccccc\x00\x02d\x00\x02e"
    items = [item for at in range(0, len(wire), step) for item in decoder.feed(wire[at : at + step])]
    assert [item for item in items if isinstance(item, bytes)] == [b"a", b"", b"d"]
    assert [type(item) for item in items if not isinstance(item, bytes)] == [ProtocolError, LimitError, LimitError]
    decoder.reset()
    assert list(decoder.feed(b"\x02f\x00")) == [b"f"]


# Taking frames


def test_frames_are_taken_one_by_one(flavour: Flavour, peer: Peer) -> None:
    stream = started(flavour, peer)
    assert stream.streaming
    assert stream.locked
    peer.send(b"\x00\x02a\x00\x01\x00\x02")
    assert flavour.call(stream.next) == b"a"
    assert flavour.call(stream.next, 5.0) == b""
    with pytest.raises(ConnectionTimeoutError, match=rf"CobsStream\('tcp://.*:{peer.port}'\): no frame within 0.02 s"):
        flavour.call(stream.next, 0.02)
    peer.send(b"b\x00")
    assert flavour.call(stream.next, None) == b"b"
    peer.send(b"\x02c\x00\x02d\x00\x02e\x00")
    assert flavour.collect(stream, 2) == [b"c", b"d"]
    assert flavour.collect(stream, 1) == [b"e"]
    flavour.call(stream.close)
    assert not stream.streaming
    assert not stream.locked
    assert (stream.frames_lost, stream.frames_malformed, stream.connections_lost) == (0, 0, 0)


def test_stop_leaves_what_has_come_and_ends_the_iteration(flavour: Flavour, peer: Peer) -> None:
    stream = started(flavour, peer)
    peer.send(b"\x02a\x00\x02b\x00")
    assert flavour.call(stream.next) == b"a"
    until(lambda: stream._inbox.queue)
    flavour.call(stream.stop)
    flavour.call(stream.stop)
    assert flavour.collect(stream, 5) == [b"b"]
    with pytest.raises(ConnectionEOFError, match=r"no frame is left, and none will come: it is not streaming"):
        flavour.call(stream.next)
    # The connection is still there, and so is what comes now.
    flavour.call(stream.start)
    flavour.call(stream.start)
    peer.send(b"\x02c\x00")
    assert flavour.call(stream.next) == b"c"
    waiting = flavour.actor().start(lambda: stream.next(None))
    time.sleep(0.05)
    flavour.call(stream.stop)
    with pytest.raises(EOFError):
        waiting.result(10)
    assert peer.connections == 1
    flavour.call(stream.drop)


def test_whoever_waits_gets_one_each(flavour: Flavour, peer: Peer) -> None:
    stream = started(flavour, peer)
    waiting = [flavour.actor().start(stream.next, None) for _ in range(3)]
    time.sleep(0.05)
    peer.send(b"\x02a\x00\x02b\x00\x02c\x00")
    assert sorted(call.result(10) for call in waiting) == [b"a", b"b", b"c"]
    flavour.call(stream.close)


def test_the_block_starts_and_closes(flavour: Flavour, peer: Peer) -> None:
    stream = flavour.make(CobsStream, peer.address)
    with flavour.inside(stream) as entered:
        assert entered is stream
        assert stream.streaming
        flavour.call(stream.send, b"\x00")
        until(lambda: peer.received == b"\x01\x01\x00")
    assert not stream.streaming
    assert not stream._place.connection.connected()


def test_the_wrong_kind_of_loop(peer: Peer) -> None:
    for kind in FLAVOURS:
        with kind() as flavour:
            stream = flavour.make(CobsStream, peer.address)
            with pytest.raises(TypeError, match=r"write `async for`" if flavour.is_async else r"write `for`"):
                iter(stream) if flavour.is_async else stream.__aiter__()


def test_before_it_starts(flavour: Flavour, peer: Peer) -> None:
    stream = flavour.make(CobsStream, peer.address)
    with pytest.raises(EOFError, match=r"not streaming"):
        flavour.call(stream.next)
    flavour.call(stream.stop)
    flavour.call(stream.send, b"x")
    until(lambda: peer.received == b"\x02x\x00")
    assert flavour.call(stream.connect) is stream
    flavour.call(stream.lock, 30)
    flavour.call(stream.start)
    assert flavour.call(stream.connect) is stream
    peer.send(b"\x02a\x00")
    assert flavour.call(stream.next) == b"a"
    flavour.call(stream.close)


def test_with_crc(flavour: Flavour, peer: Peer) -> None:
    errors: list[Exception] = []
    stream = started(flavour, peer, True, on_error=errors.append)
    flavour.call(stream.send, b"123456789")
    until(lambda: peer.received == b"\x0e123456789\x26\x39\xf4\xcb\x00")
    peer.send(b"\x0e123456789\x26\x39\xf4\xca\x00" + b"\x0e123456789\x26\x39\xf4\xcb\x00")
    assert flavour.call(stream.next) == b"123456789"
    assert stream.frames_malformed == 1
    until(lambda: len(errors) == 1)
    assert isinstance(errors[0], ProtocolError)
    flavour.call(stream.close)


# What goes wrong


def test_malformed_frames_are_counted_and_left_out(flavour: Flavour, peer: Peer) -> None:
    errors: list[Exception] = []
    stream = started(flavour, peer, on_error=errors.append)
    peer.send(b"\x02a\x00\x09short\x00\x02b\x00")
    assert flavour.collect(stream, 2) == [b"a", b"b"]
    assert stream.frames_malformed == 1
    until(lambda: [str(error) for error in errors])
    assert "expected a COBS frame, got b'\\tshort\\x00'" in str(errors[0])
    assert stream.streaming
    flavour.call(stream.close)


def test_too_many_frames(flavour: Flavour, peer: Peer) -> None:
    overflows: list[int] = []
    stream = started(flavour, peer, maxsize=3, on_overflow=overflows.append)
    assert stream.receiver_overflow is False
    peer.send(b"".join(b"\x02%c\x00" % number for number in range(1, 11)))
    until(lambda: stream.frames_lost == 7)
    assert [stream.receiver_overflow, stream.receiver_overflow] == [True, False]
    assert flavour.collect(stream, 3) == [b"\x01", b"\x02", b"\x03"]
    peer.send(b"\x02a\x00")
    assert flavour.call(stream.next) == b"a"
    assert stream.receiver_overflow is False
    peer.send(b"\x02a\x00" * 5)
    until(lambda: stream.frames_lost == 9)
    until(lambda: overflows == [1, 8])
    flavour.call(stream.close)


def test_any_number_of_frames(flavour: Flavour, peer: Peer) -> None:
    stream = started(flavour, peer, maxsize=0)
    peer.send(b"".join(b"\x05\x01%s\x00" % struct.pack(">I", number | 0x01010101)[1:] for number in range(5000)))
    until(lambda: len(stream._inbox.queue) == 5000)
    assert len(flavour.collect(stream, 5000)) == 5000
    assert stream.receiver_overflow is False
    flavour.call(stream.close)


def test_a_lost_connection_is_made_again(flavour: Flavour, peer: Peer) -> None:
    errors: list[Exception] = []
    stream = started(flavour, peer, on_error=errors.append)
    peer.send(b"\x02a\x00\x05b")  # half a frame, which the end of the connection ends
    assert flavour.call(stream.next) == b"a"
    for connections in (2, 3):
        peer.hang_up()
        until(lambda connections=connections: peer.connections == connections)  # type: ignore[misc]
        peer.send(b"\x02%d\x00" % connections)
        assert flavour.call(stream.next, 10) == b"%d" % connections
        flavour.call(stream.send, b"x")
        until(lambda connections=connections: peer.received == (connections - 1) * b"\x02x\x00")  # type: ignore[misc]
    until(lambda: len(errors) == 2)
    assert all(isinstance(error, OSError) and str(peer.port) in str(error) for error in errors)
    assert (stream.connections_lost, stream.frames_malformed) == (2, 0)
    flavour.call(stream.close)


def test_a_loss_is_counted_whoever_connects_again(flavour: Flavour, peer: Peer) -> None:
    """Who sends at that moment may be faster than what receives."""
    errors: list[Exception] = []
    stream = started(flavour, peer, on_error=errors.append)
    for losses in range(1, 6):
        peer.hang_up()
        try:
            flavour.call(stream.send, b"x")
        except OSError:
            pass  # it was on its way
        until(lambda losses=losses: peer.connections == losses + 1)  # type: ignore[misc]
        peer.send(b"\x02a\x00")
        assert flavour.call(stream.next, 10) == b"a"
        until(lambda losses=losses: len(errors) == losses)  # type: ignore[misc]
        assert stream.connections_lost == losses
    assert all(isinstance(error, OSError) and str(peer.port) in str(error) for error in errors)
    flavour.call(stream.close)


def test_what_cannot_be_started_is_not_streaming(flavour: Flavour, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = flavour.make(CobsStream, peer.address)
    flavour.call(stream.connect)

    def spawn(*args: Any) -> None:
        args[-1].close()
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(type(stream._place.connection.runtime), "spawn", spawn)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            flavour.call(stream.start)
    assert not stream.streaming
    assert not stream._lock.queue
    flavour.call(stream.stop)
    flavour.call(stream.start)
    peer.send(b"\x02a\x00")
    assert flavour.call(stream.next, 10) == b"a"
    flavour.call(stream.close)


def test_what_ends_by_itself_says_why(flavour: Flavour, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(COBS):
        def decode(self, buffer: Buffer) -> bytes:
            raise RuntimeError("a mistake in the decoder")

    stream = flavour.make(CobsStream, peer.address)
    stream._framing = Broken()
    flavour.call(stream.start)
    waiting = flavour.actor().start(stream.next, None)
    until(lambda: peer.connections == 1)
    peer.send(b"\x02a\x00")
    with pytest.raises(EOFError, match=r"it is not streaming"):
        waiting.result(10)
    assert not stream.streaming
    assert not stream._lock.queue
    assert f"{peer.port}'): receiving has ended" in caplog.text
    assert "a mistake in the decoder" in caplog.text
    flavour.call(stream.close)


def test_the_package_for_it_is_missed_at_once() -> None:
    code = "import sys; sys.modules['cobs'] = None\nfrom instruments import CobsStream\nCobsStream('tcp::127.0.0.1:9')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert "ImportError: COBS frames need the cobs package: pip install sockio[cobs]" in done.stderr


def test_blocking_calls_need_no_event_loop() -> None:
    code = """
import sys
from instruments.sio import CobsStream
stream = CobsStream("tcp::127.0.0.1:9")
try:
    stream.start()
except ConnectionRefusedError:
    print([name for name in ("asyncio", "trio", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_peer_that_is_away_for_a_while(flavour: Flavour) -> None:
    peer = Peer(listen)
    stream = started(flavour, peer)
    peer.close()
    until(lambda: stream.connections_lost == 1)
    time.sleep(0.3)
    with Peer(listen, peer.port) as again:
        until(lambda: again.connections == 1)
        again.send(b"\x02a\x00")
        assert flavour.call(stream.next, 10) == b"a"
        assert stream.connections_lost == 1
        flavour.call(stream.close)
    stream = flavour.make(CobsStream, peer.address)
    with pytest.raises(ConnectionRefusedError, match=str(peer.port)):
        flavour.call(stream.start)
    assert not stream.streaming
    assert not stream._lock.queue


def test_dropped_by_somebody_else(flavour: Flavour, peer: Peer) -> None:
    stream = started(flavour, peer)
    flavour.call(stream.close, False)
    until(lambda: peer.connections == 2)
    peer.send(b"\x02a\x00")
    assert flavour.call(stream.next, 10) == b"a"
    flavour.call(stream.close)


# Callbacks


def test_frames_go_to_a_callback(flavour: Flavour, peer: Peer) -> None:
    frames: list[bytes] = []
    threads: set[int] = set()

    def note(frame: bytes) -> None:
        threads.add(threading.get_ident())
        if frame == b"bad":
            raise ValueError("this callback fails")
        frames.append(frame)

    async def note_later(frame: bytes) -> None:
        note(frame)

    stream = started(flavour, peer, on_frame=note_later if flavour.name in ("asyncio", "trio") else note)
    peer.send(b"\x02a\x00\x04bad\x00\x02b\x00")
    until(lambda: frames == [b"a", b"b"])
    assert threading.get_ident() not in threads
    with pytest.raises(TypeError, match=r"frames go to on_frame"):
        flavour.call(stream.next)
    assert stream.streaming
    flavour.call(stream.close)


def test_a_callback_may_use_the_stream(flavour: Flavour, peer: Peer) -> None:
    """It sends an answer to each frame, and stops at the third."""
    count = 0

    async def answer(frame: bytes) -> None:
        nonlocal count
        count += 1
        await stream.send(frame)
        if count == 3:
            await stream.stop()

    def answer_now(frame: bytes) -> None:
        nonlocal count
        count += 1
        for call in [stream.send(frame)] + ([stream.stop()] if count == 3 else []):
            if flavour.name == "futures":
                call.result(10)

    stream = started(flavour, peer, on_frame=answer if flavour.is_async else answer_now)
    peer.send(b"\x02a\x00\x02b\x00\x02c\x00\x02d\x00")
    until(lambda: not stream.streaming)
    assert count == 3
    until(lambda: peer.received == b"\x02a\x00\x02b\x00\x02c\x00")
    flavour.call(stream.close)


def test_a_callback_that_cannot_be(flavour: Flavour, peer: Peer) -> None:
    async def later(frame: bytes) -> None:
        pass

    for callback in ["callback"] if flavour.is_async else ["callback", later]:
        stream = flavour.make(CobsStream, peer.address, on_frame=callback)
        with pytest.raises(TypeError, match=r"on_frame"):
            flavour.call(stream.start)
    with pytest.raises(ValueError, match=r"maxsize must be 0 or more"):
        CobsStream(peer.address, maxsize=-1)
    with pytest.raises(ValueError, match=r"no stream of bytes"):
        CobsStream("vxi::1.2.3.4")


# The lock


def test_others_wait_while_it_streams(flavour: Flavour, peer: Peer) -> None:
    stream = started(flavour, peer)
    other = flavour.make(ByteStreamPipe, peer.address, 0.1)
    for method, *args in [(other.read_line,), (other.write, b"x"), (other.lock,)]:
        with pytest.raises(
            TimeoutError, match=rf"in use by CobsStream\('tcp://127.0.0.1:{peer.port}'\) in this process"
        ):
            flavour.call(method, *args)
    second = flavour.make(CobsStream, peer.address, timeout=0.1)
    with pytest.raises(TimeoutError, match=r"in use by CobsStream"):
        flavour.call(second.start)
    assert not second.streaming
    waiting = flavour.actor().start(other.write, b"x", timeout=10)
    flavour.call(stream.send, b"y")
    time.sleep(0.05)
    assert not waiting.done()
    flavour.call(stream.stop)
    waiting.result(10)
    until(lambda: peer.received == b"\x02y\x00x")
    flavour.call(second.start)
    flavour.call(second.close)


def test_it_waits_for_others(flavour: Flavour, peer: Peer) -> None:
    other, actor = flavour.make(ByteStreamPipe, peer.address), flavour.actor()
    actor.call(other.lock, 30)
    stream = flavour.make(CobsStream, peer.address)
    with pytest.raises(TimeoutError, match=r"in use by a lock of ByteStreamPipe"):
        flavour.call(stream.start, 0.05)
    starting = flavour.start(stream.start, 10)
    actor.call(other.unlock)
    starting.result(10)
    flavour.call(stream.close)


# Nothing is left behind


def test_dropped_while_it_streams(flavour: Flavour) -> None:
    closed: list[bool] = []

    def serve(connection: socket.socket, peer: Peer) -> None:
        listen(connection, peer)
        closed.append(True)

    with Peer(serve) as peer:
        stream = started(flavour, peer)
        lock = stream._lock
        assert lock.queue
        del stream
        gc.collect()
        until(lambda: closed)
        until(lambda: not lock.queue)
    if not flavour.is_async:
        until(lambda: not [thread for thread in threading.enumerate() if thread.name == "sockio"])


def test_a_run_that_ends_while_it_streams(peer: Peer) -> None:
    """asyncio and trio cancel it; another run, and another flavour, can use the resource."""
    import asyncio

    import trio

    stream = CobsStream(peer.address)

    async def begin() -> None:
        await stream.start()

    runs: list[Callable[[], object]] = [lambda: asyncio.run(begin()), lambda: trio.run(begin)]
    for run in (*runs, runs[0]):
        run()
        assert not stream.streaming
        assert not stream._lock.queue

    async def use() -> bytes:
        async with stream:
            until(lambda: peer.connections == 4)
            peer.send(b"\x02a\x00")
            return await stream.next()

    assert asyncio.run(use()) == b"a"
