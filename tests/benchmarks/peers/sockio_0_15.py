"""sockio 0.15, blocking (a proxy to a loop in a thread) and on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workload import REPLY, REQUEST, serve

import sockio.aio
import sockio.sio

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def blocking(host: str, port: str, timeout: float | None = None) -> Callable[[int], None]:
    tcp = sockio.sio.TCP(host, int(port), timeout=timeout)

    def run(count: int) -> None:
        for _ in range(count):
            assert tcp.write_readline(REQUEST) == REPLY

    return run


def asynchronous(host: str, port: str, timeout: float | None = None) -> Callable[[int], None]:
    async def make() -> sockio.aio.TCP:
        return sockio.aio.TCP(host, int(port), timeout=timeout)

    tcp = loop.run_until_complete(make())

    async def run(count: int) -> None:
        for _ in range(count):
            assert await tcp.write_readline(REQUEST) == REPLY

    return lambda count: loop.run_until_complete(run(count))


def lines(host: str, port: str) -> Callable[[int], None]:
    async def run(count: int) -> None:
        tcp = sockio.aio.TCP(host, int(port))
        await tcp.write(b"lines %d\n" % count)
        seen = 0
        async for _line in tcp:
            seen += 1
        assert seen == count
        await tcp.close()

    return lambda count: loop.run_until_complete(run(count))


def block(host: str, port: str) -> Callable[[int], None]:
    async def make() -> sockio.aio.TCP:
        return sockio.aio.TCP(host, int(port))

    tcp = loop.run_until_complete(make())

    async def run(size: int) -> None:
        await tcp.write(b"block %d\n" % size)
        assert len(await tcp.readexactly(size)) == size

    return lambda size: loop.run_until_complete(run(size))


def connections(host: str, port: str) -> Callable[[int], None]:
    streams: list[sockio.aio.TCP] = []

    async def run(count: int) -> None:
        while len(streams) < count:
            streams.append(sockio.aio.TCP(host, int(port)))
        for tcp in streams[:count]:
            assert await tcp.write_readline(REQUEST) == REPLY

    return lambda count: loop.run_until_complete(run(count))


if __name__ == "__main__":
    serve(
        {
            "blocking": blocking,
            "blocking_timeout": lambda host, port: blocking(host, port, timeout=5),
            "asyncio": asynchronous,
            "asyncio_timeout": lambda host, port: asynchronous(host, port, timeout=5),
            "lines": lines,
            "block": block,
            "connections": connections,
        }
    )
