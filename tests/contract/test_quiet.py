"""quiet=: a late answer that crosses the reconnection never reaches the next request.

The other side is a bridge to a serial line, as ser2net is one: the line outlives the TCP connections, and what the
device says goes to whoever is connected.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .flavours import Flavour, core_of
from .server import Bridge, Server


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    with Bridge() as bridge:
        yield bridge


async def time_out(flavour: Flavour, stream: Any, bridge: Bridge) -> None:
    """Make a request that the device will answer too late."""
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.write_readline(b"slow?\n", timeout=0.02)
    assert await flavour.call(bridge.request) == b"slow?\n"
    bridge.wait_for_client()


async def test_a_late_answer_is_drained(flavour: Flavour, bridge: Bridge, logged: Any) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.15)
    await time_out(flavour, stream, bridge)
    asking = flavour.start(stream.write_readline, b"fast?\n", timeout=8)
    await flavour.call(bridge.wait_for_client)
    bridge.answer(b"late ")
    await flavour.sleep(0.05)
    assert bridge.requests.empty(), "the next request went out while the line was not known to be silent"
    bridge.answer(b"answer\n")
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(asking) == b"right\n"
    assert any("discarded 12 late bytes" in record.getMessage() for record in logged.records)
    # In step again: the next reconnection needs no silence.
    asking = flavour.start(stream.write_readline, b"next?\n", timeout=8)
    await flavour.call(bridge.request)
    bridge.answer(b"next\n")
    assert await flavour.result(asking) == b"next\n"


async def test_without_it_nothing_is_drained(flavour: Flavour, bridge: Bridge) -> None:
    # What a bridge does to a stream that does not know about it: the reason why quiet exists.
    stream = flavour.TCP(*bridge.address)
    await time_out(flavour, stream, bridge)
    asking = flavour.start(stream.write_readline, b"fast?\n", timeout=8)
    assert await flavour.call(bridge.request) == b"fast?\n", "sent at once"
    bridge.answer(b"late answer\n")
    assert await flavour.result(asking) == b"late answer\n"


async def test_nothing_is_drained_where_nothing_has_failed(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=30)
    for number in range(3):
        asking = flavour.start(stream.write_readline, b"%d?\n" % number, timeout=8)
        assert await flavour.call(bridge.request) == b"%d?\n" % number
        bridge.answer(b"%d\n" % number)
        assert await flavour.result(asking) == b"%d\n" % number
        await stream.close()


@pytest.mark.parametrize("method", ["open", "readline", "write"])
async def test_whatever_comes_next_drains_first(flavour: Flavour, bridge: Bridge, method: str) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.1)
    await time_out(flavour, stream, bridge)
    task = flavour.start(getattr(stream, method), *([b"x\n"] if method == "write" else []))
    await flavour.call(bridge.wait_for_client)
    bridge.answer(b"late answer\n")
    if method == "readline":
        await flavour.receiving(stream)
        bridge.answer(b"news\n")
        assert await flavour.result(task) == b"news\n"
    else:
        await flavour.result(task)
        assert stream.in_waiting() == 0


async def test_a_line_that_is_never_silent_raises_at_the_deadline_and_is_drained_next_time(
    flavour: Flavour, bridge: Bridge
) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.2)
    await time_out(flavour, stream, bridge)
    stop = threading.Event()

    def chatter() -> None:
        while not stop.wait(0.01):
            try:
                bridge.answer(b"chatter\n")
            except (OSError, AssertionError):
                pass

    talking = threading.Thread(target=chatter)
    talking.start()
    started = time.monotonic()
    with pytest.raises(flavour.ConnectionTimeoutError, match="silent"):
        await stream.write_readline(b"a?\n", timeout=0.4)
    assert time.monotonic() - started < 4
    assert not stream.connected()
    assert bridge.requests.empty(), "the request has gone out all the same"
    stop.set()
    talking.join()
    asking = flavour.start(stream.write_readline, b"b?\n", timeout=8)
    assert await flavour.call(bridge.request) == b"b?\n"
    bridge.answer(b"b\n")
    assert await flavour.result(asking) == b"b\n"


async def test_it_is_longer_than_the_timeout(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=5, timeout=0.05)
    await time_out(flavour, stream, bridge)
    for _ in range(2):
        with pytest.raises(flavour.ConnectionTimeoutError, match="silent"):
            await stream.write_readline(b"a?\n")
    assert bridge.requests.empty()


async def poll(flavour: Flavour, stream: Any) -> bytes:
    """Make calls that are shorter than the silence until one gets through; return its answer."""
    for _ in range(10):
        try:
            answer: bytes = await stream.write_readline(b"fast?\n", timeout=0.2)
            return answer
        except flavour.ConnectionTimeoutError:
            pass
    raise AssertionError("it never recovers")


async def test_calls_that_are_shorter_share_the_silence(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.5)
    await time_out(flavour, stream, bridge)
    polling = flavour.start(poll, flavour, stream)
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(polling) == b"right\n"


async def test_a_late_answer_between_such_calls_is_drained(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.5)
    await time_out(flavour, stream, bridge)
    with pytest.raises(flavour.ConnectionTimeoutError, match="silent"):
        await stream.write_readline(b"fast?\n", timeout=0.2)
    bridge.wait_for_client()
    polling = flavour.start(poll, flavour, stream)
    await flavour.call(bridge.wait_for_client)
    bridge.answer(b"late answer\n")
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(polling) == b"right\n"


@pytest.mark.only("aio", "trio")
async def test_calls_that_are_cancelled_share_the_silence(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.3)
    await time_out(flavour, stream, bridge)
    for _ in range(20):
        task: Any = flavour.start(stream.write_readline, b"fast?\n")
        await flavour.sleep(0.1)
        if core_of(stream)._link is not None:
            break  # in step again
        task.cancel()
        await flavour.until(task.done)
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(task) == b"right\n"


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_connection_timeout_is_its_limit_where_given(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.2, timeout=0.1, connection_timeout=5)
    await time_out(flavour, stream, bridge)
    asking = flavour.start(stream.write_readline, b"a?\n")
    assert await flavour.call(bridge.request) == b"a?\n"
    bridge.answer(b"a\n")
    assert await flavour.result(asking) == b"a\n"


@pytest.mark.needs("url")
async def test_from_the_url(flavour: Flavour, bridge: Bridge) -> None:
    host, port = bridge.address
    stream = flavour.socket_for_url(f"tcp://{host}:{port}?quiet=0.1&timeout=8")
    assert stream.quiet == 0.1
    await time_out(flavour, stream, bridge)
    asking = flavour.start(stream.write_readline, b"fast?\n")
    await flavour.call(bridge.wait_for_client)
    bridge.answer(b"late answer\n")
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(asking) == b"right\n"


@pytest.mark.only("aio", "trio")
async def test_after_a_cancellation_too(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.1, timeout=8)
    slow: Any = flavour.start(stream.write_readline, b"slow?\n")
    await flavour.call(bridge.request)
    slow.cancel()
    await flavour.until(slow.done)
    bridge.wait_for_client()
    asking = flavour.start(stream.write_readline, b"fast?\n")
    await flavour.call(bridge.wait_for_client)
    bridge.answer(b"late answer\n")
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(asking) == b"right\n"


async def test_after_close_in_the_middle_of_an_exchange_too(flavour: Flavour, bridge: Bridge) -> None:
    stream = flavour.TCP(*bridge.address, quiet=0.1, timeout=8)
    slow = flavour.start(stream.write_readline, b"slow?\n")
    await flavour.call(bridge.request)
    bridge.wait_for_client()
    await stream.close()
    assert isinstance(await flavour.error(slow), ConnectionError)
    asking = flavour.start(stream.write_readline, b"fast?\n")
    await flavour.call(bridge.wait_for_client)
    bridge.answer(b"late answer\n")
    assert await flavour.call(bridge.request) == b"fast?\n"
    bridge.answer(b"right\n")
    assert await flavour.result(asking) == b"right\n"


async def test_a_bridge_that_loses_its_client(flavour: Flavour, scripted: Server) -> None:
    # The connection in front breaks in the middle of an exchange: the device answers to the next one.
    stream = flavour.TCP(*scripted.address, quiet=0.1, timeout=8)
    slow = flavour.start(stream.write_readline, b"slow?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.expect, b"slow?\n")
    peer.reset()
    assert isinstance(await flavour.error(slow), ConnectionResetError)
    asking = flavour.start(stream.write_readline, b"fast?\n")
    fresh = await flavour.call(scripted.peer)
    fresh.send(b"late answer\n")
    await flavour.call(fresh.answer, b"fast?\n", b"right\n")
    assert await flavour.result(asking) == b"right\n"
