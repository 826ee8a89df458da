"""What type checkers see of clients and servers. Read by mypy and pyright, never run."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import logging
from typing import Any

from typing_extensions import assert_type

from sockio import aio, tcpip
from sockio.tcpip.testing import OneClientServerCase

log = logging.getLogger("types")


class Header(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32)]


class Controller(tcpip.OneClientReadLoopServer):
    def __init__(self, *, port: int, log: logging.Logger, speed: float, **kwargs: Any) -> None:
        self.speed = speed
        super().__init__(port=port, log=log, **kwargs)

    async def read_and_dispatch(self) -> None:
        await self.write_str((await self.read_str()).upper())


class Greeting(tcpip.Client):
    async def start(self, *, greeting: str = "hello", **kwargs: Any) -> None:
        await super().start(**kwargs)
        await self.write_str(greeting)


async def told(client_or_server: tcpip.BaseClientOrServer) -> None:
    assert_type(client_or_server.connected, bool)


async def told_of_a_client(extra: int, client: tcpip.Client) -> None:
    assert_type(client.host, str)


async def clients() -> None:
    async with tcpip.Client("host", 1, log, told, name="dome", limit=2**20) as client:
        assert_type(client, tcpip.Client)
        assert_type(await client.read(), bytes)
        assert_type(await client.readexactly(4), bytes)
        assert_type(await client.readline(), bytes)
        assert_type(await client.readuntil(), bytes)
        assert_type(await client.read_str(), str)
        assert_type(await client.read_into(Header()), None)
        assert_type(await client.write_from(Header(), Header()), None)
        assert_type(await client.exchange_str("?", timeout=1), str)
        assert_type(await client.stream.write_readline(b"?\n", timeout=1), bytes)
        assert_type(client.should_be_connected, bool)
    async with Greeting(host="host", port=1, log=log, greeting="hello") as greeting:
        assert_type(greeting, Greeting)
    tcpip.Client("host", 1, log, functools.partial(told_of_a_client, 1))


async def servers() -> None:
    async with Controller(port=0, log=log, speed=2.0, connect_callback=told) as server:
        assert_type(server, Controller)
        assert_type(server.port, int)
        assert_type(server.addresses, list[tuple[str, int]])
        await server.connected_task
        await server.close_client(cancel_read_loop_task=False)
        server.connected_task = asyncio.Future()
    async with tcpip.OneClientServer(None, 0, log) as plain:
        assert_type(plain, tcpip.OneClientServer)


async def functions(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: aio.TCP) -> None:
    await tcpip.read_into(reader, Header())
    await tcpip.read_into(stream, Header())
    await tcpip.write_from(writer, Header())
    await tcpip.write_from(stream, Header())
    await tcpip.set_socket_options(writer)
    await tcpip.set_socket_options(stream)
    await tcpip.close_stream_writer(writer)
    await tcpip.close_stream_writer(stream)


class Case(tcpip.BaseOneClientServerTestCase):
    server_class = Controller

    async def test_it(self) -> None:
        async with self.create_server(speed=1.0) as server, self.create_client(server) as client:
            assert_type(client, tcpip.Client)
            await self.assert_next_connected(True)


async def with_pytest(one_client_server_case: OneClientServerCase) -> None:
    one_client_server_case.server_class = Controller
    async with one_client_server_case.create_server(speed=1.0) as server:
        await server.close_client()
