"""The hand-written limits: the least that the work costs in Python, with no thought for anything else.

Like every workload here, a function prepares the work and gives a callable that does it ``count`` times.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import struct
import tty
from collections.abc import Callable

from tests.benchmarks.peers.workload import REPLY, REQUEST, serve

CHUNK = 2**18

Run = Callable[[int], None]

loop = asyncio.new_event_loop()


def connect(host: str, port: str | int) -> socket.socket:
    """A blocking socket that sends at once."""
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def blocking(host: str, port: str | int) -> Run:
    """Requests and replies in a loop over a blocking socket."""
    connection = connect(host, port)

    def run(count: int) -> None:
        for _ in range(count):
            connection.sendall(REQUEST)
            reply = connection.recv(4096)
            while not reply.endswith(b"\n"):
                reply += connection.recv(4096)
            assert reply == REPLY

    return run


class PingPong(asyncio.Protocol):
    """A bare protocol with one future for each request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.reply.set_result(data)

    def request(self) -> asyncio.Future[bytes]:
        self.reply: asyncio.Future[bytes] = loop.create_future()
        self.transport.write(REQUEST)
        return self.reply


async def ping_pong(host: str, port: str | int) -> PingPong:
    """A connected `PingPong`; asyncio has set TCP_NODELAY."""
    _, protocol = await loop.create_connection(PingPong, host, int(port))
    return protocol


def asynchronous(host: str, port: str | int) -> Run:
    """Requests and replies over a bare protocol."""
    protocol = loop.run_until_complete(ping_pong(host, port))

    async def run(count: int) -> None:
        for _ in range(count):
            assert await protocol.request() == REPLY

    return lambda count: loop.run_until_complete(run(count))


def connections(host: str, port: str | int) -> Run:
    """One request on each of ``count`` bare protocols."""
    protocols: list[PingPong] = []

    async def run(count: int) -> None:
        while len(protocols) < count:
            protocols.append(await ping_pong(host, port))
        for protocol in protocols[:count]:
            assert await protocol.request() == REPLY
            del protocol.reply

    return lambda count: loop.run_until_complete(run(count))


def lines(host: str, port: str | int) -> Run:
    """Chunks split into lines, on a connection that ends with the last line."""

    def run(count: int) -> None:
        with connect(host, port) as connection:
            connection.sendall(b"lines %d\n" % count)
            seen = 0
            rest = b""
            while chunk := connection.recv(CHUNK):
                *complete, rest = (rest + chunk).split(b"\n")
                for _line in complete:
                    seen += 1
            assert seen == count
            assert not rest

    return run


def block(host: str, port: str | int) -> Run:
    """A block of ``count`` bytes into memory that is new each time.

    ``bytes`` takes zeroed pages from the system as they are touched; ``bytearray`` would write them all first.
    """
    connection = connect(host, port)
    return lambda size: receive_into(connection, io.BytesIO(bytes(size)).getbuffer())


def block_into(host: str, port: str | int) -> Run:
    """A block of ``count`` bytes into the memory of the one before it."""
    connection = connect(host, port)
    buffer = bytearray()

    def run(size: int) -> None:
        nonlocal buffer
        if len(buffer) != size:
            buffer = bytearray(size)
        receive_into(connection, buffer)

    return run


def receive_into(connection: socket.socket, buffer: bytearray | memoryview) -> None:
    connection.sendall(b"block %d\n" % len(buffer))
    view = memoryview(buffer)
    while view:
        view = view[connection.recv_into(view) :]


def hislip(host: str, port: str | int) -> Run:
    """One HiSLIP message and its response in a loop over the bare synchronous channel."""
    connection = connect(host, port)
    request = struct.pack(">2sBBIQ", b"HS", 7, 0, 0xFFFFFF00, len(REQUEST)) + REQUEST

    def run(count: int) -> None:
        for _ in range(count):
            connection.sendall(request)
            response = connection.recv(4096)
            assert response[16:] == REPLY

    return run


def serial(path: str) -> Run:
    """Requests and replies over a terminal's descriptor."""
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(terminal)

    def run(count: int) -> None:
        for _ in range(count):
            os.write(terminal, REQUEST)
            reply = os.read(terminal, 4096)
            while not reply.endswith(b"\n"):
                reply += os.read(terminal, 4096)
            assert reply == REPLY

    return run


if __name__ == "__main__":
    serve({"block": block, "connections": connections})
