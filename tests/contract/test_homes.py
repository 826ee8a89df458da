"""Where a connection belongs: its event loop, its trio run, its process; and what happens when nobody wants it."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest

from .flavours import FLAVOURS, Flavour, core_of
from .server import Peer, Server


@pytest.mark.only("aio", "trio")
def test_another_run_reconnects(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    flavour.streams.clear()

    async def ask(request: bytes) -> bytes:
        reply: bytes = await stream.write_readline(request, timeout=5)
        return reply

    for number in range(3):
        request = b"%d?\n" % number
        assert flavour.run(ask, request) == b"answer to " + request
        assert stream.connection_counter == number + 1
    flavour.run(stream.close)
    for peer in server.peers:
        assert peer.gone()


@pytest.mark.only("aio", "trio")
@pytest.mark.parametrize("method", ["open", "close", "readbuffer", "iteration"])
def test_the_first_thing_in_another_run(flavour: Flavour, server: Server, method: str) -> None:
    server.script = lambda peer: (peer.send(b"line\n"), peer.gone())
    stream = flavour.TCP(*server.address, timeout=5)
    flavour.streams.clear()
    flavour.run(stream.open)

    async def use() -> None:
        if method == "iteration":
            async for line in stream:
                assert line == b"line\n"
                break
        else:
            await getattr(stream, method)()
        assert stream.connected() == (method != "close")
        await stream.close()

    flavour.run(use)
    assert server.peer().gone()


@pytest.mark.only("aio", "trio")
def test_a_run_that_ended_in_the_middle_of_an_exchange(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    flavour.streams.clear()

    async def leave_in_the_middle() -> None:
        flavour.start(stream.write_readline, b"a?\n")
        peer = await flavour.call(scripted.peer)
        await flavour.call(peer.expect, b"a?\n")

    async def ask() -> None:
        asking = flavour.start(stream.write_readline, b"b?\n", timeout=5)
        peer = await flavour.call(scripted.peer)
        await flavour.call(peer.answer, b"b?\n", b"b\n")
        assert await flavour.result(asking) == b"b\n"
        await stream.close()

    flavour.run(leave_in_the_middle)
    assert scripted.peers[0].gone()
    flavour.run(ask)


def test_two_event_loops_that_are_both_alive(server: Server) -> None:
    from sockio.aio import TCP

    stream = TCP(*server.address, timeout=5)
    loops = [asyncio.new_event_loop() for _ in range(2)]
    try:
        for number in range(4):
            request = b"%d?\n" % number
            assert loops[number % 2].run_until_complete(stream.write_readline(request)) == b"answer to " + request
        loops[1].run_until_complete(stream.close())
    finally:
        for loop in loops:
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
    assert server.requests == [b"%d?\n" % number for number in range(4)]
    for peer in server.peers:
        assert peer.gone()


@pytest.mark.only("sio", "futures", "py2")
async def test_inside_a_running_event_loop(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address, timeout=5)

    async def in_a_notebook() -> None:
        assert await stream.write_readline(b"a?\n") == b"answer to a?\n"

    asyncio.run(in_a_notebook())


# Fork


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("kind", FLAVOURS.values(), ids=lambda kind: kind.name)
def test_after_a_fork_the_child_leaves_the_parent_s_connection_alone(kind: type[Flavour], server: Server) -> None:
    # In a process of its own, so that the child has nothing of pytest, and the parent's threads are few.
    code = FORK.format(flavour=kind.name, host=server.host, port=server.port)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert server.requests == [b"parent 1?\n", b"child?\n", b"parent 2?\n"]
    assert server.connections == 2


FORK = """
import os
from tests.contract.flavours import FLAVOURS

flavour = FLAVOURS[{flavour!r}]()
stream = flavour.TCP({host!r}, {port}, timeout=5)
flavour.streams.clear()
told = []
stream.on_connection_lost = told.append

async def child():
    assert not stream.connected()
    assert await stream.write_readline(b"child?\\n") == b"answer to child?\\n"
    await stream.close()

async def parent():
    assert await stream.write_readline(b"parent 1?\\n") == b"answer to parent 1?\\n"
    pid = os.fork()
    if pid == 0:
        return "child"
    assert os.waitpid(pid, 0)[1] == 0
    assert stream.connected()
    assert await stream.write_readline(b"parent 2?\\n") == b"answer to parent 2?\\n"
    assert stream.connection_counter == 1
    assert told == []
    await stream.close()

if flavour.blocks:
    if flavour.run(parent) == "child":
        flavour.run(child)
        os._exit(0)
else:
    # The child has the memory of a run that is not its own: it begins one in a thread of its own.
    import sys, threading

    async def parent_of_a_run():
        assert await stream.write_readline(b"parent 1?\\n") == b"answer to parent 1?\\n"
        pid = os.fork()
        if pid == 0:
            code = []
            thread = threading.Thread(target=lambda: code.append(FLAVOURS[{flavour!r}]().run(child)))
            thread.start()
            thread.join()
            os._exit(0 if code == [None] else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert stream.connected()
        assert await stream.write_readline(b"parent 2?\\n") == b"answer to parent 2?\\n"
        assert stream.connection_counter == 1
        await stream.close()

    flavour.run(parent_of_a_run)
"""


@pytest.mark.only("sio", "py2")
def test_a_child_that_just_exits_ends_no_connection(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.module.TCP(*scripted.address)
    stream.open()
    peer = scripted.peer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        try:
            del stream
            gc.collect()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert peer.still_there(), "the child has ended the parent's connection"
    stream.write(b"still there\n")
    peer.expect(b"still there\n")
    stream.close()
    assert peer.gone()


# Nobody wants it any more


@pytest.mark.only("aio", "trio", "sio", "futures", "py2")
@pytest.mark.parametrize("callbacks", [False, True])
async def test_dropping_the_last_reference_closes_without_noise(
    flavour: Flavour, scripted: Server, callbacks: bool, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"on_connection_lost": print, "on_eof_received": print} if callbacks else {}
    stream = flavour.TCP(*scripted.address, **options)
    flavour.streams.clear()
    asking = flavour.start(stream.write_readline, b"a?\n")
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.answer, b"a?\n", b"a\n")
    await flavour.result(asking)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del stream, asking
        if flavour.name in ("futures", "trio"):
            await flavour.sleep(0.05)
            gc.collect()  # the loop's own frames
        gone = flavour.start(flavour.call, peer.gone)
        assert await flavour.result(gone), "the socket is still open"
    assert [str(warning.message) for warning in caught] == []
    assert caplog.records == []


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_dropped_after_an_error_too(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    flavour.streams.clear()
    try:
        await stream.write_readline(b"a?\n", timeout=0.02)
    except TimeoutError:
        pass
    await stream.open()
    peer = [await flavour.call(scripted.peer) for _ in range(2)][1]
    gc.disable()
    try:
        del stream
        if flavour.name in ("futures", "trio"):
            await flavour.sleep(0.05)
            gc.collect()
        assert await flavour.call(peer.gone), "an error keeps the connection alive"
    finally:
        gc.enable()


@pytest.mark.only("aio")
async def test_dropped_in_another_thread(flavour: Flavour, scripted: Server) -> None:
    streams = [flavour.TCP(*scripted.address)]
    flavour.streams.clear()
    await streams[0].open()
    peer = scripted.peer()
    errors: list[Any] = []

    def drop() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            streams.clear()
            gc.collect()
        errors.extend(caught)

    await asyncio.to_thread(drop)
    assert await asyncio.to_thread(peer.gone)
    assert errors == []


def test_dropped_after_its_event_loop(scripted: Server) -> None:
    from sockio.aio import TCP

    stream = TCP(*scripted.address)
    asyncio.run(stream.open())
    peer = scripted.peer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del stream
        gc.collect()
    assert peer.gone()


async def test_opening_and_closing_many_times_leaves_nothing(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address, on_connection_lost=lambda error: None, timeout=5)
    await stream.open()
    await stream.close()
    threads = threading.active_count()
    await flavour.sleep(0.05)
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        await stream.write_readline(b"a?\n")
        await stream.close()
    await flavour.until(lambda: server.connections == 101)
    for peer in server.peers:
        peer.close()
    await flavour.until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
    await flavour.until(lambda: threading.active_count() <= threads)


async def test_close_wakes_who_waits(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(*scripted.address)
    await stream.open()
    peer: Peer = scripted.peer()
    reading = flavour.start(stream.readline)
    await flavour.receiving(stream)
    waiting = flavour.start(stream.readline)
    await flavour.waiting(stream, 2)
    stream.auto_reconnect = False
    await stream.close()
    for task in (reading, waiting):
        error = await flavour.error(task)
        assert isinstance(error, ConnectionError)
        assert "closed" in str(error) or "open()" in str(error)
    assert await flavour.call(peer.gone)
    assert core_of(stream)._turns.queue == core_of(stream)._turns.queue.__class__()
