"""The same work with sockio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sockio import aio, sio
from tests.benchmarks.peers.workload import LINE, REPLY, REQUEST, serve

Run = Callable[[int], None]

loop = asyncio.new_event_loop()


def blocking(host: str, port: str | int) -> Run:
    """Blocking requests and replies."""
    tcp = sio.TCP(host, int(port))

    def run(count: int) -> None:
        for _ in range(count):
            assert tcp.write_readline(REQUEST) == REPLY

    return run


def blocking_timeout(host: str, port: str | int) -> Run:
    """Blocking requests and replies, each with a time limit."""
    tcp = sio.TCP(host, int(port))

    def run(count: int) -> None:
        for _ in range(count):
            assert tcp.write_readline(REQUEST, timeout=5) == REPLY

    return run


def asynchronous(host: str, port: str | int) -> Run:
    """Requests and replies on asyncio."""
    tcp = aio.TCP(host, int(port))

    async def run(count: int) -> None:
        for _ in range(count):
            assert await tcp.write_readline(REQUEST) == REPLY

    return lambda count: loop.run_until_complete(run(count))


def asynchronous_timeout(host: str, port: str | int) -> Run:
    """Requests and replies on asyncio, each with a time limit."""
    tcp = aio.TCP(host, int(port))

    async def run(count: int) -> None:
        for _ in range(count):
            assert await tcp.write_readline(REQUEST, timeout=5) == REPLY

    return lambda count: loop.run_until_complete(run(count))


def connections(host: str, port: str | int) -> Run:
    """One request on each of ``count`` asyncio connections."""
    streams: list[aio.TCP] = []

    async def run(count: int) -> None:
        streams.extend(aio.TCP(host, int(port)) for _ in range(count - len(streams)))
        for tcp in streams[:count]:
            assert await tcp.write_readline(REQUEST) == REPLY

    return lambda count: loop.run_until_complete(run(count))


def blocking_lines(host: str, port: str | int) -> Run:
    """``for line`` until the stream ends."""

    def run(count: int) -> None:
        tcp = sio.TCP(host, int(port))
        tcp.write(b"lines %d\n" % count)
        seen = 0
        line = b""
        for line in tcp:  # noqa: B007
            seen += 1
        assert seen == count
        assert line == LINE
        tcp.close()

    return run


def asynchronous_lines(host: str, port: str | int) -> Run:
    """``async for line`` until the stream ends."""

    async def run(count: int) -> None:
        tcp = aio.TCP(host, int(port))
        await tcp.write(b"lines %d\n" % count)
        seen = 0
        line = b""
        async for line in tcp:  # noqa: B007
            seen += 1
        assert seen == count
        assert line == LINE
        await tcp.close()

    return lambda count: loop.run_until_complete(run(count))


def blocking_block(host: str, port: str | int) -> Run:
    """A block of ``count`` bytes, blocking."""
    tcp = sio.TCP(host, int(port))

    def run(size: int) -> None:
        tcp.write(b"block %d\n" % size)
        assert len(tcp.readexactly(size)) == size

    return run


def blocking_block_into(host: str, port: str | int) -> Run:
    """A block of ``count`` bytes into the memory of the one before it, blocking."""
    tcp = sio.TCP(host, int(port))
    buffer = bytearray()

    def run(size: int) -> None:
        nonlocal buffer
        if len(buffer) != size:
            buffer = bytearray(size)
        tcp.write(b"block %d\n" % size)
        tcp.read_into(buffer)

    return run


def asynchronous_block(host: str, port: str | int) -> Run:
    """A block of ``count`` bytes on asyncio."""
    tcp = aio.TCP(host, int(port))

    async def run(size: int) -> None:
        await tcp.write(b"block %d\n" % size)
        assert len(await tcp.readexactly(size)) == size

    return lambda size: loop.run_until_complete(run(size))


def serial(path: str) -> Run:
    """Blocking requests and replies over a serial line."""
    port = sio.Serial(path, 115200)

    def run(count: int) -> None:
        for _ in range(count):
            assert port.write_readline(REQUEST) == REPLY

    return run


if __name__ == "__main__":
    serve(
        {
            "asynchronous_block": asynchronous_block,
            "blocking_block": blocking_block,
            "connections": connections,
        }
    )
