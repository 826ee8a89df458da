"""Servers for many clients, each a process of its own: what they do is to send every line back, or to all.

Run as a module of its own, with the name of one. It prints the port.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading

from sockio.aio import ClientStream, serve
from tests.benchmarks.connections import allow_open_files
from tests.benchmarks.server import end_with_parent

MOST_CLIENTS = 10_000

WELCOME = b"welcome\n"


class Echo(asyncio.Protocol):
    """The least that an asyncio server can do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def limit() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def asyncio_streams() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def sockio() -> None:
    async def echo(client: ClientStream) -> None:
        async for line in client:
            await client.write(line)

    async with serve(echo, max_clients=MOST_CLIENTS, backlog=1000) as server:
        print(server.port, flush=True)
        await server.wait_closed()


async def chat() -> None:
    async def pass_on(client: ClientStream) -> None:
        await client.write(WELCOME)
        async for line in client:
            server.broadcast(line)

    async with serve(pass_on, max_clients=MOST_CLIENTS, backlog=1000) as server:
        print(server.port, flush=True)
        await server.wait_closed()


SERVERS = {"limit": limit, "asyncio streams": asyncio_streams, "sockio": sockio, "chat": chat}

if __name__ == "__main__":
    logging.disable(logging.WARNING)  # clients that are gone when a measurement ends are no news
    threading.Thread(target=end_with_parent, daemon=True).start()
    allow_open_files(2 * MOST_CLIENTS)
    asyncio.run(SERVERS[sys.argv[1]]())
