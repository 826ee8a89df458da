"""A server for one client at a time, whose requests are read by a loop."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from .base import ConnectCallbackType, finished, launch, stop
from .constants import (
    CLOSE_TIMEOUT,
    DEFAULT_ENCODING,
    DEFAULT_LOCALHOST,
    DEFAULT_MAX_HEARTBEAT_INTERVAL,
    DEFAULT_TERMINATOR,
    HEARTBEAT_CHECK_INTERVAL,
)
from .one_client_server import OneClientServer

if TYPE_CHECKING:
    from logging import Logger

    from .resumable import ResumableStream
    from .streams import ServedStream

#: TAI is ahead of UTC by so many seconds, since the leap second at the end of 2016 (IERS Bulletin C 52).
TAI_MINUS_UTC = 37.0


class OneClientReadLoopServer(OneClientServer):
    """A server that calls `read_and_dispatch` again and again while it has a client. Subclasses implement that.

    Args:
        port, host, log, connect_callback, name, encoding, terminator: see `OneClientServer`.
        run_heartbeat_monitor_task: give a client up that sends no heartbeats.
        max_heartbeat_interval: seconds without a heartbeat, from when the client connects, after which it is given up.
        **kwargs: arguments of `start`.

    Attributes:
        read_loop_task: the task that calls `read_and_dispatch`; a new one for every client.
        monitor_heartbeats_task: the task that waits for heartbeats; a new one for every client.
        heartbeat_received_tai: when this client last sent a heartbeat, in seconds of TAI since 1970; 0 for not yet.
    """

    def __init__(
        self,
        *,
        port: int,
        host: str | None = DEFAULT_LOCALHOST,
        log: Logger,
        connect_callback: ConnectCallbackType | None = None,
        name: str = "",
        encoding: str = DEFAULT_ENCODING,
        terminator: bytes = DEFAULT_TERMINATOR,
        run_heartbeat_monitor_task: bool = False,
        max_heartbeat_interval: float = DEFAULT_MAX_HEARTBEAT_INTERVAL,
        **kwargs: Any,
    ) -> None:
        self.run_heartbeat_monitor_task = run_heartbeat_monitor_task
        self.max_heartbeat_interval = max_heartbeat_interval
        self.read_loop_task: asyncio.Future[Any] = finished()
        self.monitor_heartbeats_task: asyncio.Future[Any] = finished()
        self.heartbeat_received_tai = 0.0
        self._last_sign_of_life = 0.0
        super().__init__(
            host=host,
            port=port,
            log=log,
            connect_callback=connect_callback,
            monitor_connection_interval=0,  # the read loop meets the end of the connection
            name=name,
            encoding=encoding,
            terminator=terminator,
            **kwargs,
        )

    @abstractmethod
    async def read_and_dispatch(self) -> None:
        """Read one item and handle it. What it raises is logged, and the client is disconnected."""

    async def close_client(self, cancel_read_loop_task: bool = True) -> None:
        """Disconnect the client, if there is one, and go on listening.

        Args:
            cancel_read_loop_task: False when called from something that `read_and_dispatch` waits for.
        """
        stream = self._present_stream
        try:
            if cancel_read_loop_task:
                await stop(self.read_loop_task)
        finally:
            if self._present_stream is stream:  # if it has gone meanwhile, there may be the next one
                await super().close_client()

    def handle_received_heartbeat(self) -> asyncio.Future[None]:
        """Note that the client has sent a heartbeat. The result may be awaited, but need not be.

        Raises:
            RuntimeError: heartbeats are not wanted (``run_heartbeat_monitor_task`` is False).
        """
        if not self.run_heartbeat_monitor_task:
            raise RuntimeError(f"{self}: a heartbeat has come, but run_heartbeat_monitor_task is False")
        self.heartbeat_received_tai = time.time() + TAI_MINUS_UTC
        self._last_sign_of_life = asyncio.get_running_loop().time()
        return finished()

    async def _finish_with_last_client(self) -> None:
        # Its loop may still be telling connect_callback that the client has gone, or closing it.
        if self._present_stream is None:
            reading = self.read_loop_task  # others who wait may be taken first
            await asyncio.wait([reading], timeout=CLOSE_TIMEOUT)
            await stop(reading)

    async def _attend_client(self, stream: ServedStream) -> None:
        if self._present_stream is not stream:
            return
        self.heartbeat_received_tai = 0.0
        self._last_sign_of_life = asyncio.get_running_loop().time()
        self.read_loop_task = launch(self._repeat_read_and_dispatch(stream), f"read loop of {self}")
        if self.run_heartbeat_monitor_task:
            self.monitor_heartbeats_task = launch(self._wait_for_heartbeats(), f"heartbeat monitor of {self}")
        await super()._attend_client(stream)

    async def _repeat_read_and_dispatch(self, stream: ServedStream) -> None:
        try:
            while self._present_stream is stream and self.connected:
                await self.read_and_dispatch()
        except Exception as error:
            if isinstance(error, ConnectionError) and not self.connected:
                self.log.info("the client has gone: %s", error)
            else:
                self.log.exception("read_and_dispatch failed; the client is disconnected")
        if self._present_stream is None or self._present_stream is stream:
            await self.close_client(cancel_read_loop_task=False)

    async def _wait_for_heartbeats(self) -> None:
        clock = asyncio.get_running_loop().time
        while (left := self._last_sign_of_life + self.max_heartbeat_interval - clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, HEARTBEAT_CHECK_INTERVAL))  # the interval may be changed meanwhile
        self.log.error("no heartbeat in %g s; the client is disconnected", self.max_heartbeat_interval)
        await self.close_client()

    async def _let_go(self) -> None:
        monitoring = self.monitor_heartbeats_task  # while connect_callback is being told, there may be the next one
        try:
            await super()._let_go()
        finally:
            await stop(monitoring)

    async def _note_connection_loss(self, stream: ResumableStream) -> None:
        if self._present_stream is stream:
            try:
                await stop(self.read_loop_task)  # so that it does not answer the next client
            finally:
                await super()._note_connection_loss(stream)
