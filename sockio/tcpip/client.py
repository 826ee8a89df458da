"""A client: one connection to a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .base import BaseClientOrServer, ConnectCallbackType, finished, launch, stop
from .constants import (
    DEFAULT_ENCODING,
    DEFAULT_LIMIT,
    DEFAULT_MONITOR_CONNECTION_INTERVAL,
    DEFAULT_TERMINATOR,
    HANDSHAKE_TIMEOUT,
    HEARTBEAT,
)
from .streams import ClientTCP

if TYPE_CHECKING:
    from logging import Logger
    from ssl import SSLContext

    from .resumable import ResumableStream


class Client(BaseClientOrServer):
    """A client that connects once, when it is made, and does not connect again: make another one for that.

    Args:
        host: name or address of the server; ``""`` for a client that is closed already.
        port: of the server.
        log, connect_callback, monitor_connection_interval, name, encoding, terminator: see `BaseClientOrServer`.
        run_heartbeat_send_task: send the line ``heartbeat`` at once and again and again.
        heartbeat_send_sleep: seconds between heartbeats.
        **kwargs: arguments of `start`, which `asyncio.open_connection` takes too.

    Attributes:
        heartbeat_send_task: the task that sends heartbeats.
    """

    def __init__(
        self,
        host: str,
        port: int,
        log: Logger,
        connect_callback: ConnectCallbackType | None = None,
        monitor_connection_interval: float = DEFAULT_MONITOR_CONNECTION_INTERVAL,
        name: str = "",
        encoding: str = DEFAULT_ENCODING,
        terminator: bytes = DEFAULT_TERMINATOR,
        run_heartbeat_send_task: bool = False,
        heartbeat_send_sleep: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.host = host
        self.port = port
        self.run_heartbeat_send_task = run_heartbeat_send_task
        self.heartbeat_send_sleep = heartbeat_send_sleep
        self.heartbeat_send_task: asyncio.Future[Any] = finished()
        self._monitor_connection_task: asyncio.Future[Any] = finished()
        super().__init__(
            log=log,
            connect_callback=connect_callback,
            monitor_connection_interval=monitor_connection_interval,
            name=name,
            do_start=bool(host),
            encoding=encoding,
            terminator=terminator,
            **kwargs,
        )
        if not host:
            self.start_task.set_result(False)
            self.done_task.set_result(False)

    async def start(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        ssl: SSLContext | bool | None = None,
        family: int = 0,
        flags: int = 0,
        local_addr: tuple[str, int] | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> None:
        """Connect; called by the constructor. The arguments are those of `asyncio.open_connection`.

        Args:
            limit: the longest line, in bytes.
            ssl: TLS: True, or a context.
            family, flags: which addresses to look up, as for `socket.getaddrinfo`.
            local_addr: host and port to connect from.
            server_hostname: whom the server's certificate has to be for, instead of the host.
            ssl_handshake_timeout: seconds for the TLS handshake; 60 if None.
            ssl_shutdown_timeout: kept in any case, since closing does not wait for the server.

        Raises:
            RuntimeError: it has been called already.
            ConnectionAbortedError: the client was closed meanwhile.
            OSError: the connection was refused, the host is unreachable, ...
        """
        async with self._starting_once():
            stream = ClientTCP(
                self.host,
                self.port,
                limit=limit,
                ssl=ssl or False,
                family=family,
                flags=flags,
                local_addr=local_addr,
                server_hostname=server_hostname,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if ssl_handshake_timeout is None else ssl_handshake_timeout,
            )
            await stream.open()
            self._monitor_connection_task = launch(self._monitor_connection(stream), f"monitor {self}")
            if self.run_heartbeat_send_task:
                self.heartbeat_send_task = launch(self._send_heartbeats(), f"heartbeats of {self}")
            await self._take(stream)

    async def close(self) -> None:
        """Close the connection, or stop connecting, for good."""
        self.should_be_connected = False
        self._close_called = True
        try:
            await self._stop_starting()
            await stop(self._monitor_connection_task)
        finally:
            await self.basic_close()

    async def basic_close(self) -> None:
        """Close the connection, but leave ``should_be_connected`` as it is."""
        try:
            await self._let_go()
        finally:
            self._set_done()

    async def _let_go(self) -> None:
        try:
            await stop(self.heartbeat_send_task)
        finally:
            await super()._let_go()

    # A task that has found the connection lost is none of those that close() cancels any more: connect_callback may
    # have another task call that, and wait for it.

    async def _monitor_connection(self, stream: ResumableStream) -> None:
        await self._wait_for_loss(stream)
        self._monitor_connection_task = finished()
        await self._note_connection_loss(stream)

    async def _send_heartbeats(self) -> None:
        try:
            while True:
                await self.stream.write(HEARTBEAT + self.terminator)
                await asyncio.sleep(self.heartbeat_send_sleep)
        except OSError as error:
            self.log.warning("no heartbeats are sent any more: %s", error)
        self.heartbeat_send_task = finished()
        await self._note_connection_end()
