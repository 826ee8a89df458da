"""What tests of servers need: a server that keeps what it reads, and a case that makes servers and clients.

For unittest, inherit from `BaseOneClientServerTestCase`; for pytest there is a fixture in `sockio.tcpip.pytest_plugin`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import unittest
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from .client import Client
from .constants import DEFAULT_LOCALHOST
from .one_client_server import OneClientServer
from .read_loop_server import OneClientReadLoopServer

#: Seconds that the state of a connection has to change in.
STANDARD_TIMEOUT = 2.0


class TestOneClientReadLoopServer(OneClientReadLoopServer):
    """A server that keeps the lines of text which it reads, and takes those with "heartbeat" in them for heartbeats.

    Attributes:
        data_queue: the lines, oldest first. The end of the connection counts as an empty one.
        fail_next_read: set it, and the next read raises a ConnectionError.
    """

    __test__ = False  # pytest, this is no test

    def __init__(self, **kwargs: Any) -> None:
        self.data_queue: asyncio.Queue[str] = asyncio.Queue()
        self.fail_next_read = False
        super().__init__(**kwargs)

    async def read_and_dispatch(self) -> None:
        if self.fail_next_read:
            self.fail_next_read = False
            raise ConnectionError("fail_next_read is set")
        try:
            text = await self.read_str()
        except asyncio.IncompleteReadError:
            text = ""
        if "heartbeat" in text:
            self.handle_received_heartbeat()
        else:
            self.data_queue.put_nowait(text)

    async def get_next_data(self) -> str:
        """Return the oldest line that has not been returned yet; wait for one if there is none."""
        return await self.data_queue.get()


class OneClientServerCase:
    """Makes servers of one class, and clients for them.

    Attributes:
        server_class: what to make: `OneClientServer` or a subclass.
        log: the parent of the loggers of what it makes; itself named after this class.
        connect_queue: what `connected` was at each call of `connect_callback` by the present server; None before there
            is one.
    """

    server_class: type[OneClientServer] | None = None
    connect_queue: asyncio.Queue[bool] | None = None

    @cached_property
    def log(self) -> logging.Logger:
        return logging.getLogger(type(self).__name__)

    async def connect_callback(self, server: OneClientServer) -> None:
        """Keep whether a server is connected."""
        if self.connect_queue is not None:
            self.connect_queue.put_nowait(server.connected)

    async def assert_next_connected(self, connected: bool, timeout: float = STANDARD_TIMEOUT) -> None:
        """Assert what `connected` was at the next call of `connect_callback`.

        Raises:
            RuntimeError: no server has been made.
            asyncio.TimeoutError: it has not been called in *timeout* seconds.
        """
        if self.connect_queue is None:
            raise RuntimeError("there is no server: use create_server first")
        reported = await asyncio.wait_for(self.connect_queue.get(), timeout)
        assert reported == connected, f"connect_callback was called with connected = {reported}, not {connected}"

    @asynccontextmanager
    async def create_server(self, **kwargs: Any) -> AsyncIterator[Any]:
        """Make a server at a free port, which has started, and close it at the end.

        Args:
            **kwargs: arguments of `server_class`, instead of those it would get.

        Raises:
            RuntimeError: `server_class` is not set.
        """
        if self.server_class is None:
            raise RuntimeError(f"{type(self).__name__}.server_class must be set to the class of the server")
        self.connect_queue = asyncio.Queue()
        arguments: dict[str, Any] = {"port": 0, "log": self.log, "connect_callback": self.connect_callback}
        host = inspect.signature(self.server_class).parameters.get("host")
        if host is not None and host.default is host.empty:
            arguments["host"] = DEFAULT_LOCALHOST
        async with self.server_class(**(arguments | kwargs)) as server:
            yield server

    @asynccontextmanager
    async def create_client(
        self, server: OneClientServer, *, wait_connected: bool = True, **kwargs: Any
    ) -> AsyncIterator[Client]:
        """Make a client that has connected to a server, and close it at the end.

        Args:
            server: where to connect.
            wait_connected: wait until the server has noticed, for 2 seconds at most.
            **kwargs: arguments of `Client`, instead of those it would get.
        """
        arguments: dict[str, Any] = {"host": server.host or DEFAULT_LOCALHOST, "port": server.port, "log": self.log}
        async with Client(**(arguments | kwargs)) as client:
            if wait_connected:
                await asyncio.wait_for(asyncio.shield(server.connected_task), STANDARD_TIMEOUT)
            yield client


class BaseOneClientServerTestCase(OneClientServerCase, unittest.IsolatedAsyncioTestCase):
    """A test case with servers of one class, and clients for them; see `OneClientServerCase`."""
