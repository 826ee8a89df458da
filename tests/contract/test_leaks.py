"""Nothing is left behind: not by streams that are dropped, not by loops that are closed, not by failures."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trio

from sockio import aio, sio
from sockio import trio as sockio_trio
from sockio.errors import LimitError, ProtocolError
from tests.contract.faults_leaks import eventually, no_noise, nothing_left
from tests.contract.faults_server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        server.clients()  # opens the tests' own connection
        yield server


@contextmanager
def no_collection() -> Iterator[None]:
    """What is dropped here goes at once or never: the collector of cycles does not run."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def trio_run(coroutine: Coroutine[Any, Any, None]) -> None:
    async def main() -> None:
        await coroutine

    trio.run(main)


def all_closed(server: Server) -> bool:
    return bool(eventually(lambda: server.clients() == 0))


# Things that can go wrong before a stream is dropped; each is a call and what it raises.
FAILURES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], tuple[type[BaseException], ...]]] = {
    "nothing": ("write_readline", (b"echo well\n",), {}, ()),
    "time-out": ("write_readline", (b"silence\n",), {"timeout": 0.01}, (TimeoutError,)),
    "cut short": ("write_readline", (b"end cut\n",), {}, (EOFError,)),
    "reset": ("write_readline", (b"reset\n",), {}, (ConnectionResetError,)),
    "no block": ("write_readblock", (b"echo no block\n",), {}, (ProtocolError,)),
    "line too long": ("write_readline", (b"block 5000\n", b"never\n"), {}, (LimitError,)),
    "closed while reading": ("readexactly", (100_000,), {"timeout": 0.01}, (TimeoutError,)),
    "wrong argument": ("write_readline", ("text",), {}, (TypeError,)),
}
failures = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)


@failures
def test_dropped_blocking_stream(server: Server, failure: Any) -> None:
    method, args, options, errors = failure
    with nothing_left(), no_collection():
        stream = sio.TCP(server.host, server.port, buffer_size=1000)
        with suppress(*errors):
            getattr(stream, method)(*args, **options)
        assert stream.write_readline(b"echo here\n") == b"here\n"
        assert server.clients() == 1
        del stream
        assert all_closed(server)


@failures
def test_dropped_futures_stream(server: Server, failure: Any) -> None:
    method, args, options, errors = failure
    first = sio.TCP(server.host, server.port, resolve_futures=False)
    first.open().result(5)  # starts the loop's thread
    first.close().result(5)
    with nothing_left(), no_collection():
        stream = sio.TCP(server.host, server.port, buffer_size=1000, resolve_futures=False)
        with suppress(*errors):
            getattr(stream, method)(*args, **options).result(5)
        assert stream.write_readline(b"echo here\n").result(5) == b"here\n"
        assert server.clients() == 1
        del stream
        assert all_closed(server)


@failures
def test_dropped_asyncio_stream(server: Server, failure: Any) -> None:
    method, args, options, errors = failure

    async def main() -> None:
        stream = aio.TCP(server.host, server.port, buffer_size=1000)
        with suppress(*errors):
            await getattr(stream, method)(*args, **options)
        assert await stream.write_readline(b"echo here\n") == b"here\n"
        assert server.clients() == 1
        del stream
        assert all_closed(server)

    with nothing_left(), no_collection():
        asyncio.run(main())


@failures
def test_dropped_trio_stream(server: Server, failure: Any) -> None:
    method, args, options, errors = failure

    async def main() -> None:
        stream = sockio_trio.TCP(server.host, server.port, buffer_size=1000)
        with suppress(*errors):
            await getattr(stream, method)(*args, **options)
        assert await stream.write_readline(b"echo here\n") == b"here\n"
        assert server.clients() == 1
        del stream
        assert all_closed(server)

    with nothing_left(), no_collection():
        trio.run(main)


def test_dropped_with_callbacks(server: Server) -> None:
    def lost(error: BaseException | None) -> None:
        pass

    first = sio.TCP(server.host, server.port, on_connection_lost=lost)
    first.open()  # starts the watcher
    first.close()

    async def main(TCP: Any) -> None:
        stream = TCP(server.host, server.port, on_connection_lost=lost)
        await stream.open()
        del stream
        assert all_closed(server)
        # What waited for a hang-up ends as well.
        stream = TCP(server.host, server.port, on_connection_lost=lost)
        await stream.open()
        await stream.close()

    with nothing_left(), no_collection():
        stream = sio.TCP(server.host, server.port, on_connection_lost=lost)
        stream.open()
        del stream
        assert all_closed(server)
        asyncio.run(main(aio.TCP))
        trio.run(main, sockio_trio.TCP)


def drop_in_thread(streams: list[Any]) -> None:
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join()


def test_dropped_by_another_thread(server: Server) -> None:
    async def main(TCP: Any, sleep: Callable[[float], Any]) -> None:
        streams = [TCP(server.host, server.port)]
        await streams[0].write_readline(b"echo here\n")
        drop_in_thread(streams)
        for _ in range(100):
            if server.clients() == 0:
                return
            await sleep(0.01)
        raise AssertionError("still connected")

    with nothing_left(), no_collection():
        asyncio.run(main(aio.TCP, asyncio.sleep))
        trio.run(main, sockio_trio.TCP, trio.sleep)
        streams: list[Any] = [sio.TCP(server.host, server.port)]
        streams[0].open()
        drop_in_thread(streams)
        assert all_closed(server)


def test_collected_by_another_thread(server: Server) -> None:
    """A stream that is part of a cycle goes in whichever thread the collector runs."""

    async def main() -> None:
        stream: Any = aio.TCP(server.host, server.port)
        await stream.open()
        stream.itself = stream
        del stream
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()
        for _ in range(100):
            if server.clients() == 0:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still connected")

    with nothing_left(), no_collection():
        asyncio.run(main())


@pytest.mark.parametrize(
    ("run", "TCP"),
    [(asyncio.run, aio.TCP), (trio_run, sockio_trio.TCP)],
    ids=["asyncio", "trio"],
)
def test_loop_is_closed_first(server: Server, run: Any, TCP: Any) -> None:
    async def connect(stream: Any) -> None:
        assert await stream.write_readline(b"echo here\n") == b"here\n"

    with nothing_left(), no_collection():
        stream = TCP(server.host, server.port)
        for round_number in (1, 2, 3):
            run(connect(stream))
            assert stream.connection_counter == round_number
            assert server.clients() == 1
        del stream
        assert all_closed(server)

        # Dropped in another thread, when there is no loop any more.
        streams = [TCP(server.host, server.port)]
        run(connect(streams[0]))
        drop_in_thread(streams)
        assert all_closed(server)

        # Closed in another loop.
        stream = TCP(server.host, server.port)
        run(connect(stream))
        run(stream.close())
        assert all_closed(server)
        assert not stream.connected()


def test_a_read_is_under_way_when_the_loop_ends(server: Server) -> None:
    async def main(stream: aio.TCP) -> None:
        await stream.open()
        asyncio.get_running_loop().create_task(stream.readline())
        await asyncio.sleep(0.01)

    with nothing_left():
        stream = aio.TCP(server.host, server.port)
        asyncio.run(main(stream))
        asyncio.run(main(stream))
        del stream
        assert all_closed(server)


def test_open_and_close_many_times(server: Server) -> None:
    async def main(TCP: Any) -> None:
        stream = TCP(server.host, server.port)
        for number in range(200):
            await stream.open()
            if number % 2:
                assert await stream.write_readline(b"echo here\n") == b"here\n"
            await stream.close()
        assert stream.connection_counter == 200

    with nothing_left(), no_collection():
        asyncio.run(main(aio.TCP))
        trio.run(main, sockio_trio.TCP)
        stream = sio.TCP(server.host, server.port)
        for _ in range(200):
            stream.open()
            stream.close()
        assert all_closed(server)


def test_nothing_is_made_of_what_never_connected(server: Server) -> None:
    with nothing_left(), no_noise():
        for TCP in (aio.TCP, sockio_trio.TCP, sio.TCP):
            TCP(server.host, server.port)


async def cancelled_by_asyncio(call: Any) -> None:
    task = asyncio.create_task(call)
    await asyncio.sleep(0.02)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def cancelled_by_trio(call: Any) -> None:
    with trio.move_on_after(0.02):
        await call


@pytest.mark.parametrize(
    ("run", "TCP", "cancelled"),
    [(asyncio.run, aio.TCP, cancelled_by_asyncio), (trio_run, sockio_trio.TCP, cancelled_by_trio)],
    ids=["asyncio", "trio"],
)
def test_dropped_after_a_refusal_and_a_cancellation(server: Server, run: Any, TCP: Any, cancelled: Any) -> None:
    async def main() -> None:
        stream = TCP("127.0.0.1", 1)
        with pytest.raises(ConnectionRefusedError):
            await stream.open()
        with pytest.raises(ConnectionRefusedError):
            await stream.write_readline(b"echo here\n", timeout=5)
        stream.port = server.port
        await cancelled(stream.write_readline(b"silence\n"))
        assert await stream.write_readline(b"echo here\n") == b"here\n"
        del stream
        assert all_closed(server)

    with nothing_left(), no_collection():
        run(main())


def test_dropped_blocking_stream_after_a_refusal(server: Server) -> None:
    with nothing_left(), no_collection():
        stream = sio.TCP("127.0.0.1", 1)
        for options in ({}, {"timeout": 5}):
            with pytest.raises(ConnectionRefusedError):
                stream.open(**options)
        stream.stream.port = server.port
        assert stream.write_readline(b"echo here\n") == b"here\n"
        del stream
        assert all_closed(server)


def test_refused_many_times() -> None:
    with nothing_left(), no_collection():
        stream = sio.TCP("127.0.0.1", 1)
        for _ in range(50):
            with pytest.raises(ConnectionRefusedError):
                stream.open()
