"""Never a wrong answer: the six promises, and what an error carries."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from .flavours import Flavour, collect, core_of
from .server import Peer, Server

# 1. Exchanges do not interleave: test_turns.py

# 2. An exchange that ends in any exception leaves a link that is not trusted


async def test_the_late_answer_of_a_timed_out_request_is_never_read(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    for number in range(5):
        with pytest.raises(flavour.ConnectionTimeoutError):
            await stream.write_readline(b"slow?\n", timeout=0.02)
        slow = await flavour.call(scripted.peer)
        asking = flavour.start(stream.write_readline, b"fast?\n", timeout=5)
        fast = await flavour.call(scripted.peer)
        await flavour.call(slow.expect, b"slow?\n")
        try:
            slow.send(b"late answer\n")
        except OSError:
            pass  # nobody is there any more, as it should be
        await flavour.call(fast.answer, b"fast?\n", b"%d\n" % number)
        assert await flavour.result(asking) == b"%d\n" % number
        await stream.close()


@pytest.mark.parametrize("ending", ["FIN", "RST", "silence", "flood"])
async def test_after_any_failure_the_next_request_is_made_on_a_new_connection(
    flavour: Flavour, scripted: Server, ending: str
) -> None:
    def fail(peer: Peer) -> None:
        peer.expect(b"a?\n")
        peer.send(b"half")
        if ending == "RST":
            peer.reset()
        elif ending == "silence":
            peer.gone()
        elif ending == "flood":
            peer.flood(b"x" * 100)

    scripted.script = fail
    stream = flavour.TCP(*scripted.address, buffer_size=1000)
    with pytest.raises((OSError, flavour.LimitError)):
        await stream.write_readline(b"a?\n", timeout=0.1 if ending == "silence" else 5)
    assert not stream.connected()
    scripted.script = lambda peer: peer.answer(b"b?\n", b"b\n")
    assert await stream.write_readline(b"b?\n", timeout=5) == b"b\n"
    assert stream.connection_counter == 2


# 3. What is cut short is an error with what there is of it


@pytest.mark.parametrize(
    ("method", "arguments", "sent", "partial"),
    [
        ("readline", (), b"+1.2", b"+1.2"),
        ("readline", (), b"", b""),
        ("readline", (b"\r\n",), b"+1.2\r", b"+1.2\r"),
        ("readuntil", (b";",), b"ab\n", b"ab\n"),
        ("readexactly", (10,), b"12345", b"12345"),
        ("readexactly", (1_000_000,), b"12345", b"12345"),
        ("readlines", (4,), b"1.23\n4.", b"1.23\n4."),
        ("readlines", (4,), b"1.23\n", b"1.23\n"),
        ("write_readline", (b"?\n",), b"+1.2", b"+1.2"),
        ("write_readlines", (b"?\n", 3), b"1\n2\n3", b"1\n2\n3"),
        ("writelines_readlines", ([b"?\n", b"?\n"],), b"1\n", b"1\n"),
        ("write_read", (b"?\n", 5), b"", b""),
        ("write_read", (b"?\n",), b"", b""),
        ("read", (), b"", b""),
        ("read", (5,), b"", b""),
        ("readblock", (), b"#15hel", b"#15hel"),
        ("readblock", (), b"#15hello", b"#15hello"),
        ("readblock", (), b"#3", b"#3"),
        ("readblock", (), b"#0hello", b"#0hello"),
        ("write_readblock", (b"CURVE?\n",), b"#800100000" + b"x" * 50000, b"#800100000" + b"x" * 50000),
    ],
)
async def test_what_is_cut_short_carries_the_partial_bytes(
    flavour: Flavour, scripted: Server, method: str, arguments: tuple[Any, ...], sent: bytes, partial: bytes
) -> None:
    def script(peer: Peer) -> None:
        if method.startswith("write"):
            request = arguments[0] if isinstance(arguments[0], bytes) else b"".join(arguments[0])
            peer.expect(request)
        else:
            peer.expect(b"go\n")
        peer.send(sent)

    scripted.script = script
    stream = flavour.TCP(*scripted.address, timeout=5)
    task = flavour.start(getattr(stream, method), *arguments)
    if not method.startswith("write"):
        await flavour.receiving(stream)
        await stream.write(b"go\n")
    error: Any = await flavour.error(task)
    assert isinstance(error, flavour.ConnectionEOFError)
    assert isinstance(error, ConnectionError)
    assert isinstance(error, EOFError)
    assert error.partial == partial
    assert str(scripted.port) in str(error)
    assert not stream.connected()
    assert stream.connection_counter == 1


@pytest.mark.only("aio")
async def test_on_asyncio_the_errors_are_asyncio_s_kind_too(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    with pytest.raises(asyncio.TimeoutError) as expired:
        await stream.readline(timeout=0.01)
    assert isinstance(expired.value, TimeoutError)
    assert isinstance(expired.value, ConnectionError)

    scripted.script = lambda peer: (peer.send(b"abc"), peer.readline())
    reading = flavour.start(stream.readexactly, 5)
    await flavour.receiving(stream)
    await stream.write(b"go\n")  # the script sends, waits for this, and ends
    error = await flavour.error(reading)
    assert isinstance(error, asyncio.IncompleteReadError)
    assert error.partial == b"abc"
    scripted.script = lambda peer: peer.send(b"x" * 200)
    with pytest.raises(asyncio.LimitOverrunError):
        await flavour.TCP(*scripted.address, buffer_size=100).readuntil(b"\n")


async def test_the_errors_are_those_of_sockio(flavour: Flavour) -> None:
    import sockio

    if flavour.name == "py2":
        return  # has errors of its own: it is a single file
    for name in ("ConnectionTimeoutError", "ConnectionEOFError", "LimitError"):
        assert issubclass(getattr(flavour, name), getattr(sockio, name))


# 4. A request is never sent twice


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_request_is_never_sent_twice(flavour: Flavour, scripted: Server, ending: str) -> None:
    def script(peer: Peer) -> None:
        received.append(peer.readline())
        getattr(peer, ending)()

    received: list[bytes] = []
    scripted.script = script
    stream = flavour.TCP(*scripted.address, retry=flavour.Retry(5, delay=0.001))
    for number in range(10):
        with pytest.raises(ConnectionError):
            await stream.write_readline(b"%d?\n" % number, timeout=5)
    await flavour.until(lambda: len(received) == 10)
    assert received == [b"%d?\n" % number for number in range(10)]


async def test_a_request_to_a_peer_that_went_while_idle_is_sent_once(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    for number in range(10):
        request = b"%d?\n" % number
        assert await stream.write_readline(request) == b"answer to " + request
        server.peers[-1].shut_down()
        await flavour.until(lambda: not stream.connected())
    assert server.requests == [b"%d?\n" % number for number in range(10)]
    assert server.connections == 10


# 5. A request first discards leftover input


@pytest.mark.parametrize(
    ("method", "arguments", "reply"),
    [
        ("write_readline", (b"a?\n",), b"right\n"),
        ("write_read", (b"a?\n", 6), b"right\n"),
        ("write_readlines", (b"a?\n", 1), [b"right\n"]),
        ("writelines_readlines", ([b"a?\n"],), [b"right\n"]),
        ("write_readblock", (b"a?\n",), b"right"),
    ],
)
async def test_leftover_input_does_not_answer_a_request_and_is_logged(
    flavour: Flavour, scripted: Server, logged: Any, method: str, arguments: tuple[Any, ...], reply: Any
) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"read\nstale one\nstale two")
    await flavour.until(lambda: stream.in_waiting() == 24)
    assert await stream.readline() == b"read\n"
    asking = flavour.start(getattr(stream, method), *arguments)
    await flavour.call(peer.answer, b"a?\n", b"#15right\n" if "block" in method else b"right\n")
    assert await flavour.result(asking) == reply
    assert stream.connection_counter == 1
    (record,) = [record for record in logged.records if record.levelname == "WARNING"]
    assert "19" in record.getMessage()
    assert "stale one" in record.getMessage()
    assert method in record.getMessage()


async def test_separate_reads_keep_it(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    scripted.peer().send(b"one\ntwo\n")
    await flavour.until(lambda: stream.in_waiting() == 8)
    await stream.write(b"something\n")
    assert await stream.readline() == b"one\n"
    await stream.writelines([b"something\n"])
    assert await stream.readline() == b"two\n"


async def test_leftover_input_of_a_peer_that_has_gone_does_not_answer_either(
    flavour: Flavour, scripted: Server
) -> None:
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"stale\n")
    peer.close()
    await flavour.until(lambda: not stream.connected())
    asking = flavour.start(stream.write_readline, b"a?\n")
    fresh = await flavour.call(scripted.peer)
    await flavour.call(fresh.answer, b"a?\n", b"right\n")
    assert await flavour.result(asking) == b"right\n"


async def test_a_flood_before_a_request_is_an_error(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: peer.flood(b"x" * 100)
    stream = flavour.TCP(*scripted.address, buffer_size=5000)
    await stream.open()
    await flavour.until(lambda: stream.in_waiting() > 5000)
    with pytest.raises(flavour.LimitError, match="5000"):
        await stream.write_readline(b"a?\n", timeout=5)
    assert not stream.connected()


# 6. What cannot be parsed is an error with the offending bytes: test_bulk.py


# buffer_size: what a peer can make us hold


@pytest.mark.parametrize("method", ["readline", "readuntil", "readlines", "write_readline", "iteration"])
async def test_an_endless_line_is_a_LimitError(flavour: Flavour, scripted: Server, method: str) -> None:
    scripted.script = lambda peer: peer.flood(b"x" * 100)
    stream = flavour.TCP(*scripted.address, buffer_size=10_000, timeout=5)
    arguments: dict[str, tuple[Any, ...]] = {"readlines": (2,), "write_readline": (b"?\n",)}
    with pytest.raises(flavour.LimitError, match="10000") as caught:
        await (collect(stream, []) if method == "iteration" else getattr(stream, method)(*arguments.get(method, ())))
    assert isinstance(caught.value, ValueError)
    assert caught.value.limit == 10_000
    assert not stream.connected()
    await flavour.call(scripted.peers[0].gone)


@pytest.mark.parametrize("method", ["readline", "iteration"])
async def test_the_longest_line_is_of_buffer_size(flavour: Flavour, scripted: Server, method: str) -> None:
    scripted.script = lambda peer: peer.send(b"x" * 99 + b"\n" + b"x" * 100 + b"\n")
    stream = flavour.TCP(*scripted.address, buffer_size=100, timeout=5)
    lines: list[bytes] = []

    async def read_lines() -> None:
        while True:
            lines.append(await stream.readline())

    with pytest.raises(flavour.LimitError):
        await (collect(stream, lines) if method == "iteration" else read_lines())
    assert lines == [b"x" * 99 + b"\n"]


async def test_a_flooding_peer_is_not_read_further(flavour: Flavour, scripted: Server) -> None:
    size = 100_000
    stream = flavour.TCP(*scripted.address, buffer_size=size, timeout=5)
    await stream.open()
    peer = scripted.peer()
    # What the systems on both sides hold without anybody reading.
    with Server(script=None) as other:
        idle = flavour.TCP(*other.address, buffer_size=size)
        import socket

        with socket.create_connection(other.address):
            system = await flavour.call(other.peer().flood, b"y" * 99 + b"\n")
        assert idle is not None
    flood = flavour.start(flavour.call, peer.flood, b"x" * 99 + b"\n")
    sent = await flavour.result(flood)
    assert sent < 2 * system + 3 * size, "everything that the peer sends is read into memory"
    assert len(core_of(stream)._link.buffer) <= 2 * size
    assert await stream.readline() == b"x" * 99 + b"\n", "and nothing of it is lost"
    if flavour.name == "aio":
        assert core_of(stream)._link.transport._buffered < size + 2 * 65536


async def test_reset_input_buffer_and_readbuffer_end_though_the_peer_floods(flavour: Flavour, scripted: Server) -> None:
    import threading

    stop = threading.Event()

    def flood(peer: Peer) -> None:
        data = bytes(1 << 20)
        peer.socket.settimeout(0.5)
        while not stop.is_set():
            try:
                peer.send(data)
            except OSError:
                return

    scripted.script = flood
    stream = flavour.TCP(*scripted.address, timeout=5)
    await stream.open()
    await flavour.until(lambda: stream.in_waiting() > 100_000)
    for _ in range(10):
        await stream.readbuffer()
        stream.reset_input_buffer()
    stop.set()


# All of it at once


async def test_random_splits_and_delays_make_no_difference(flavour: Flavour, scripted: Server) -> None:
    chance = random.Random(20)

    def script(peer: Peer) -> None:
        while request := peer.readline():
            reply = b"answer to " + request
            while reply:
                cut = chance.randint(1, len(reply))
                peer.send(reply[:cut])
                reply = reply[cut:]

    scripted.script = script
    stream = flavour.TCP(*scripted.address, timeout=5)
    for number in range(200):
        request = b"%d %s?\n" % (number, b"x" * chance.randint(0, 200))
        assert await stream.write_readline(request) == b"answer to " + request
    assert stream.connection_counter == 1
