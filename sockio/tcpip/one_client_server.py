"""A server for one client at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .base import BaseClientOrServer, ConnectCallbackType
from .constants import (
    CLOSE_TIMEOUT,
    DEFAULT_ENCODING,
    DEFAULT_LIMIT,
    DEFAULT_MONITOR_CONNECTION_INTERVAL,
    DEFAULT_TERMINATOR,
    HANDSHAKE_TIMEOUT,
    KEEP_ALIVE,
)
from .streams import ResumableServer, ServedStream

if TYPE_CHECKING:
    from logging import Logger
    from ssl import SSLContext

    from .resumable import ResumableStream


class OneClientServer(BaseClientOrServer):
    """A server that has one client at a time, and goes on listening when that has gone.

    Another client that connects meanwhile is disconnected at once. It cannot be told before its connection has been
    made, so what it sees is a connection that ends.

    Args:
        host: where to listen: a name or an address of this machine; None for all of them.
        port: 0 for any that is free.
        log, connect_callback, monitor_connection_interval, name, encoding, terminator: see `BaseClientOrServer`.
        **kwargs: arguments of `start`, which `asyncio.start_server` takes too.

    Attributes:
        host: as given.
        port: 0 becomes the real port when the server has started, if it listens at one address; see `addresses`.
    """

    def __init__(
        self,
        host: str | None,
        port: int,
        log: Logger,
        connect_callback: ConnectCallbackType | None = None,
        monitor_connection_interval: float = DEFAULT_MONITOR_CONNECTION_INTERVAL,
        name: str = "",
        encoding: str = DEFAULT_ENCODING,
        terminator: bytes = DEFAULT_TERMINATOR,
        **kwargs: Any,
    ) -> None:
        if host is not None and not isinstance(host, str):
            raise TypeError(f"host must be one name or address, or None for all of this machine, not {host!r}")
        self.host = host
        self.port = port
        self._connected_task: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._core_server: ResumableServer | None = None
        super().__init__(
            log=log,
            connect_callback=connect_callback,
            monitor_connection_interval=monitor_connection_interval,
            name=name,
            encoding=encoding,
            terminator=terminator,
            **kwargs,
        )

    @property
    def connected_task(self) -> asyncio.Future[Any]:
        """A future that is done (with None) when a client connects. It may be replaced.

        There is a new one when that client has gone, and when whoever awaited it was cancelled, and it was too.
        """
        if self._connected_task.cancelled():
            self._connected_task = asyncio.get_running_loop().create_future()
        return self._connected_task

    @connected_task.setter
    def connected_task(self, task: asyncio.Future[Any]) -> None:
        self._connected_task = task

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The hosts and ports at which it listens."""
        return [] if self._core_server is None else self._core_server.addresses

    async def start(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        ssl: SSLContext | None = None,
        family: int = 0,
        backlog: int = 100,
        reuse_address: bool | None = None,
        reuse_port: bool | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> None:
        """Listen; called by the constructor. The arguments are those of `asyncio.start_server`.

        Args:
            limit: the longest line, in bytes.
            ssl: TLS: a context with the server's certificate.
            family: `socket.AF_INET` or `socket.AF_INET6` to listen at addresses of that kind alone.
            backlog: how many connections may wait to be accepted.
            reuse_address: listen at a port although connections to it are still ending; it always does.
            reuse_port: let other processes listen at the same port.
            ssl_handshake_timeout: seconds that a client has for the TLS handshake; 60 if None.
            ssl_shutdown_timeout: kept in any case, since closing does not wait for the client.

        Raises:
            RuntimeError: it has been called already.
            ConnectionAbortedError: the server was closed meanwhile.
            OSError: the port is in use, the address is not one of this machine, ...
        """
        async with self._starting_once():
            if reuse_address is False:
                raise ValueError("reuse_address must be True or None: the port can always be used again at once")
            listening = ResumableServer(
                self._serve_client,
                self.host,
                self.port,
                buffer_size=limit,
                ssl=ssl,
                handshake_timeout=HANDSHAKE_TIMEOUT if ssl_handshake_timeout is None else ssl_handshake_timeout,
                backlog=backlog,
                keep_alive=KEEP_ALIVE,
                family=family,
                reuse_port=bool(reuse_port),
            )
            await listening.open()
            self._core_server = listening
            if self.port == 0 and len(listening.addresses) == 1:
                self.port = listening.port

    async def close(self) -> None:
        """Disconnect the client and stop listening, for good. What goes wrong meanwhile is logged."""
        self._close_called = True
        try:
            await self._stop_starting()
            await self.close_client()
        except Exception:
            self.log.exception("closing the client failed")
        finally:
            if self._core_server is not None:
                await self._core_server.close(CLOSE_TIMEOUT)
            self._set_done()

    async def close_client(self) -> None:
        """Disconnect the client, if there is one, and go on listening."""
        self.should_be_connected = False
        await self.basic_close_client()

    async def basic_close_client(self) -> None:
        """Disconnect the client, if there is one, but leave ``should_be_connected`` as it is."""
        await self._let_go()

    async def _take(self, stream: ResumableStream) -> None:
        if not self.connected_task.done():
            self.connected_task.set_result(None)
        await super()._take(stream)

    async def _let_go(self) -> None:
        if self.connected_task.done():
            self.connected_task = asyncio.get_running_loop().create_future()
        await super()._let_go()

    async def _serve_client(self, stream: ServedStream) -> None:
        """Have a client that has connected, until it is let go."""
        await self._finish_with_last_client()
        while self._present_stream is not None:
            if self._present_stream.is_usable():
                self.log.error("%s is disconnected: there is a client already, %s", stream, self._present_stream)
                return
            await self._note_connection_loss(self._present_stream)  # it comes back before that was noticed
            await self._finish_with_last_client()
        if self._close_called:
            return
        try:
            await self._take(stream)
            await self._attend_client(stream)
        finally:
            await self._note_connection_loss(stream)

    async def _finish_with_last_client(self) -> None:
        """Wait until nothing goes on for a client that has gone."""

    async def _attend_client(self, stream: ServedStream) -> None:
        """Return when the client has been let go, or is found to have gone."""
        await self._wait_for_loss(stream)
