"""A timeout bounds the whole call, whatever the call is waiting for.

The times here only tell "bounded" from "unbounded": a call that is to end after hundredths of a second has seconds.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from sockio.framing import LengthPrefix
from tests.ports import free_port

from .flavours import Flavour, collect
from .server import Peer, Server, Unresponsive

#: What a call with a timeout of hundredths of a second may take on a busy machine; the peers go on for longer.
BOUND = 3.0

READS: list[tuple[str, tuple[Any, ...]]] = [
    ("read", (1,)),
    ("read", ()),
    ("readline", ()),
    ("readlines", (2,)),
    ("readuntil", (b"!",)),
    ("readexactly", (3,)),
    ("readexactly", (1_000_000,)),
    ("write_read", (b"?\n", 1)),
    ("write_readline", (b"?\n",)),
    ("write_readlines", (b"?\n", 2)),
    ("writelines_readlines", ([b"?\n"],)),
]


@pytest.mark.parametrize(("method", "arguments"), READS, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_silent_peer(flavour: Flavour, scripted: Server, method: str, arguments: tuple[Any, ...]) -> None:
    stream = flavour.TCP(*scripted.address, connection_timeout=BOUND)
    for number in (1, 2):
        with pytest.raises(flavour.ConnectionTimeoutError, match=f"{scripted.port}.*{method} .*0.02 s") as caught:
            await getattr(stream, method)(*arguments, timeout=0.02)
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, ConnectionError)
        assert not stream.connected(), "a reply that comes now would be taken for the answer to the next request"
        assert stream.connection_counter == number
    assert await flavour.call(scripted.peer().gone)


@pytest.mark.only("aio", "trio", "sio", "futures")
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("read_into", (bytearray(10),)),
        ("readblock", ()),
        ("write_readblock", (b"CURVE?\n",)),
        ("readframe", (LengthPrefix(),)),
        ("write_readframe", (b"abc", LengthPrefix())),
    ],
)
async def test_a_silent_peer_and_frames(
    flavour: Flavour, scripted: Server, method: str, arguments: tuple[Any, ...]
) -> None:
    stream = flavour.TCP(*scripted.address, connection_timeout=BOUND)
    with pytest.raises(flavour.ConnectionTimeoutError, match=method):
        await getattr(stream, method)(*arguments, timeout=0.02)
    assert not stream.connected()


@pytest.mark.parametrize("method", ["readline", "readlines", "readexactly", "read", "write_readline"])
async def test_a_trickling_peer_does_not_stretch_it(flavour: Flavour, scripted: Server, method: str) -> None:
    scripted.script = lambda peer: peer.trickle(b"x" * 1000)
    stream = flavour.TCP(*scripted.address)
    arguments: dict[str, tuple[Any, ...]] = {
        "readline": (),
        "readlines": (2,),
        "readexactly": (1000,),
        "read": (),
        "write_readline": (b"?\n",),
    }
    started = time.monotonic()
    with pytest.raises(flavour.ConnectionTimeoutError):
        await getattr(stream, method)(*arguments[method], timeout=0.06)
    assert time.monotonic() - started < BOUND


async def test_the_message_says_what_had_come(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    scripted.peer().send(b"+1.23")
    await flavour.until(lambda: stream.in_waiting() == 5)
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"\+1\.23"):
        await stream.readline(timeout=0.02)


async def test_the_default_and_the_call_s_own(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=0.02, connection_timeout=BOUND)
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"0\.02 s"):
        await stream.readline()
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"0\.03 s"):
        await stream.readline(timeout=0.03)
    reading = flavour.start(stream.readline, timeout=None)
    await flavour.until(lambda: scripted.connections == 3)
    await flavour.sleep(0.1)
    assert not reading.done(), "timeout=None is no limit, whatever the stream's is"
    scripted.peers[2].send(b"in the end\n")
    assert await flavour.result(reading) == b"in the end\n"


@pytest.mark.parametrize("timeout", [float("inf"), 1e7, 1e12])
async def test_a_limit_that_never_comes(flavour: Flavour, scripted: Server, timeout: float) -> None:
    def script(peer: Peer) -> None:
        peer.expect(b"?\n")
        time.sleep(0.02)
        peer.send(b"answer\n")
        peer.readexactly(8 << 20)

    scripted.script = script
    stream = flavour.TCP(*scripted.address)
    assert await stream.write_readline(b"?\n", timeout=timeout) == b"answer\n"
    await stream.write(bytes(8 << 20), timeout=timeout)


async def test_zero_takes_what_is_there_and_waits_for_nothing(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"one\ntwo\n")
    await flavour.until(lambda: stream.in_waiting() == 8)
    assert await stream.readline(timeout=0) == b"one\n"
    assert await stream.readline(timeout=0) == b"two\n"
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.readline(timeout=0)
    assert not stream.connected()


async def test_a_limit_after_a_call_without_one_and_the_other_way_round(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"1\n")
    assert await stream.readline(timeout=0.05) == b"1\n"
    reading = flavour.start(stream.readline)
    await flavour.waiting(stream, 1)
    await flavour.sleep(0.1)
    assert not reading.done(), "the limit of an earlier call is still in force"
    peer.send(b"2\n")
    assert await flavour.result(reading) == b"2\n"
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.readline(timeout=0.05)


async def test_a_peer_that_does_not_read_does_not_stretch_a_write(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"write .*sending"):
        await stream.write(bytes(64 << 20), timeout=0.1)
    assert not stream.connected(), "half a request has gone out"
    with pytest.raises(flavour.ConnectionTimeoutError, match=r"write_readline .*sending"):
        await stream.write_readline(bytes(64 << 20), timeout=0.1)
    assert not stream.connected()


async def test_waiting_for_a_turn_and_then_for_the_reply(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    first = flavour.start(stream.write_readline, b"a?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"a?\n")
    second = flavour.start(stream.write_readline, b"b?\n", timeout=0.5)
    await flavour.waiting(stream, 2)
    await flavour.sleep(0.1)
    peer.send(b"a\n")
    assert await flavour.result(first) == b"a\n"
    await flavour.call(peer.expect, b"b?\n")
    assert isinstance(await flavour.error(second), flavour.ConnectionTimeoutError)


async def test_it_bounds_connecting_too(flavour: Flavour) -> None:
    with Unresponsive() as address:
        stream = flavour.TCP(*address, timeout=0.05)
        started = time.monotonic()
        with pytest.raises(flavour.ConnectionTimeoutError):
            await stream.write_readline(b"?\n")
        with pytest.raises(flavour.ConnectionTimeoutError):
            await stream.open()
        assert time.monotonic() - started < BOUND


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_connection_timeout_bounds_connecting_instead(flavour: Flavour) -> None:
    with Unresponsive() as address:
        stream = flavour.TCP(*address, connection_timeout=0.05, timeout=60)
        started = time.monotonic()
        with pytest.raises(flavour.ConnectionTimeoutError, match="no connection in time"):
            await stream.write_readline(b"?\n")
        with pytest.raises(flavour.ConnectionTimeoutError, match="no connection in time"):
            await stream.open()
        assert time.monotonic() - started < BOUND
        with pytest.raises(flavour.ConnectionTimeoutError):
            await flavour.TCP(*address, connection_timeout=60).open(timeout=0.05)


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_with_connection_timeout_the_time_for_connecting_is_not_counted_in(flavour: Flavour) -> None:
    # The port refuses for longer than the call's timeout; the server then takes half of that to answer.
    with Server() as server:
        server.refuse()
        timer = threading.Timer(0.4, server.listen)
        timer.start()
        stream = flavour.TCP(
            *server.address,
            connection_timeout=8,
            timeout=0.25,
            retry=flavour.Retry(None, delay=0.02, growth=1, jitter=0),
        )
        assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
        timer.join()
        await stream.close()


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_without_connection_timeout_it_is_counted_in(flavour: Flavour) -> None:
    retry = flavour.Retry(None, delay=0.01, growth=1)
    stream = flavour.TCP("127.0.0.1", free_port(), timeout=0.1, retry=retry)
    started = time.monotonic()
    with pytest.raises(flavour.ConnectionTimeoutError, match="refused"):
        await stream.write_readline(b"a?\n")
    assert time.monotonic() - started < BOUND


async def test_it_bounds_what_on_connection_made_asks_as_well(flavour: Flavour, scripted: Server) -> None:
    async def set_up() -> None:
        await stream.write_readline(b"who are you?\n")

    stream = flavour.TCP(*scripted.address, on_connection_made=flavour.callback(set_up))
    started = time.monotonic()
    with pytest.raises(ConnectionError):
        await stream.write_readline(b"value?\n", timeout=0.1)
    assert time.monotonic() - started < BOUND


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_iteration_has_the_stream_s_timeout_for_each_item(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address, timeout=0.05)
    await stream.open()
    scripted.peer().send(b"one\nhalf a li")
    lines = []
    with pytest.raises(flavour.ConnectionTimeoutError):
        await collect(stream, lines)
    assert lines == [b"one\n"]
    assert not stream.connected()
