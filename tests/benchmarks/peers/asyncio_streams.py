"""asyncio's own streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workload import REPLY, REQUEST, serve

loop = asyncio.new_event_loop()


def request_reply(host: str, port: str) -> Callable[[int], None]:
    reader, writer = loop.run_until_complete(asyncio.open_connection(host, int(port)))

    async def run(count: int) -> None:
        for _ in range(count):
            writer.write(REQUEST)
            assert await reader.readline() == REPLY

    return lambda count: loop.run_until_complete(run(count))


def request_reply_timeout(host: str, port: str) -> Callable[[int], None]:
    reader, writer = loop.run_until_complete(asyncio.open_connection(host, int(port)))

    async def run(count: int) -> None:
        for _ in range(count):
            writer.write(REQUEST)
            assert await asyncio.wait_for(reader.readline(), 5) == REPLY

    return lambda count: loop.run_until_complete(run(count))


def lines(host: str, port: str) -> Callable[[int], None]:
    async def run(count: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
        writer.write(b"lines %d\n" % count)
        seen = 0
        async for _line in reader:
            seen += 1
        assert seen == count
        writer.close()

    return lambda count: loop.run_until_complete(run(count))


def block(host: str, port: str) -> Callable[[int], None]:
    reader, writer = loop.run_until_complete(asyncio.open_connection(host, int(port), limit=2**20))

    async def run(size: int) -> None:
        writer.write(b"block %d\n" % size)
        assert len(await reader.readexactly(size)) == size

    return lambda size: loop.run_until_complete(run(size))


def connections(host: str, port: str) -> Callable[[int], None]:
    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def run(count: int) -> None:
        while len(streams) < count:
            streams.append(await asyncio.open_connection(host, int(port)))
        for reader, writer in streams[:count]:
            writer.write(REQUEST)
            assert await reader.readline() == REPLY

    return lambda count: loop.run_until_complete(run(count))


if __name__ == "__main__":
    serve(
        {
            "request_reply": request_reply,
            "request_reply_timeout": request_reply_timeout,
            "lines": lines,
            "block": block,
            "connections": connections,
        }
    )
