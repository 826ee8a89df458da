"""What the tests of clients and servers share."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

from sockio import tcpip

#: Seconds; nothing here waits longer for something that is to happen.
PATIENCE = 10.0

log = logging.getLogger("controller")


class Telemetry(ctypes.Structure):
    """A structure as controllers send them: 32 bytes."""

    _fields_ = [("a_double", ctypes.c_double), ("three_ints", ctypes.c_int64 * 3)]


def telemetry() -> Telemetry:
    return Telemetry(1.2e3, (ctypes.c_int64 * 3)(-1, 2, 3))


#: The same, as a little-endian machine has it in memory: 1200.0 as IEEE 754, then three integers of 64 bits.
TELEMETRY = b"\0\0\0\0\0\xc0\x92\x40" + b"\xff" * 8 + b"\2" + bytes(7) + b"\3" + bytes(7)


class Reports:
    """A connect_callback that keeps what it was called with."""

    def __init__(self) -> None:
        self.states: list[bool] = []
        self.objects: list[Any] = []

    async def callback(self, client_or_server: Any) -> None:
        self.objects.append(client_or_server)
        self.states.append(client_or_server.connected)


async def soon(awaitable: Any) -> Any:
    """Return what something awaited gives in good time."""
    return await asyncio.wait_for(awaitable, PATIENCE)


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it has not come true in good time"
        await asyncio.sleep(0.002)


async def raises_timeout(awaitable: Any) -> None:
    """Cancel something that waits, as a program does that polls."""
    try:
        await asyncio.wait_for(awaitable, 0.02)
    except asyncio.TimeoutError:
        return
    raise AssertionError("there was something to be read")


class Peer:
    """The other side of a connection, by asyncio's own streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def expect(self, data: bytes) -> None:
        assert await soon(self.reader.readexactly(len(data))) == data

    async def expect_end(self) -> None:
        """See that nothing more comes, but the end."""
        assert await soon(self.reader.read()) == b""

    def reset(self) -> None:
        """End at once: RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(server: tcpip.OneClientServer) -> Peer:
    return Peer(*await soon(asyncio.open_connection("127.0.0.1", server.port)))


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, asyncio.Queue[Peer]]]:
    """A server by asyncio itself: its port, and the peers as they connect."""
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    everybody: list[Peer] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everybody.append(Peer(reader, writer))
        peers.put_nowait(everybody[-1])

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], peers
    finally:
        server.close()
        for peer in everybody:
            await peer.close()


@contextlib.asynccontextmanager
async def one_side(kind: str, reports: Reports | None = None, **kwargs: Any) -> AsyncIterator[tuple[Any, Peer]]:
    """A connected client, or a server with its client, and the other side of it."""
    reports = reports or Reports()
    if kind == "client":
        async with listening() as (port, peers):
            client = tcpip.Client("127.0.0.1", port, log, reports.callback, **kwargs)
            async with client:
                yield client, await soon(peers.get())
    else:
        async with tcpip.OneClientServer("127.0.0.1", 0, log, reports.callback, **kwargs) as server:
            peer = await connect(server)
            try:
                await soon(server.connected_task)
                await eventually(lambda: reports.states)
                yield server, peer
            finally:
                await peer.close()


def unreachable() -> tuple[list[socket.socket], int]:
    """A port at which connecting takes for ever, since nobody accepts and no more may wait; what keeps it so."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [listener]
    for _ in range(2):
        visitor = socket.socket()
        visitor.setblocking(False)
        visitor.connect_ex(listener.getsockname())
        waiting.append(visitor)
    return waiting, listener.getsockname()[1]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
