"""The life of a client or a server: it starts, is connected or not, says so, and is closed."""

from __future__ import annotations

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .constants import CLOSE_TIMEOUT, DEFAULT_ENCODING, DEFAULT_MONITOR_CONNECTION_INTERVAL, DEFAULT_TERMINATOR
from .input_output import InputOutput

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from logging import Logger
    from types import TracebackType
    from typing import TypeVar

    from typing_extensions import Self

    from .resumable import ResumableStream

    Result = TypeVar("Result")

#: What is called when a connection has been made or has ended: a coroutine function of the client or server.
ConnectCallbackType = Callable[[Any], Awaitable[None]]


class BaseClientOrServer(InputOutput):
    """A client, or a server for one client at a time. Make it in a running event loop; it starts by itself.

    ``async with`` waits until it has started, and closes it at the end.

    Args:
        log: the parent of its own logger.
        connect_callback: a coroutine function that is called with this object whenever `connected` has changed: after a
            connection has been made, has been closed, or was found to have ended. Whoever found it awaits it. What
            it raises is logged.
        monitor_connection_interval: more than zero: the end of a connection is noticed at once, although nobody reads.
            Otherwise only a read or a write notices it.
        name: of this object, for its logger.
        do_start: start it now. Otherwise call `start` once.
        encoding: of text.
        terminator: what ends a line of text.
        **kwargs: arguments of `start`.

    Attributes:
        log: the logger "<class>(<name>)" below the one that was given.
        start_task: the task that runs `start`; await it before anything else. It has the error with which that failed.
        done_task: a future that is done when this object has been closed, or its start has failed; not when a
            connection is lost.
        should_be_connected: true from when a connection is made until it is closed on this side. When it is true and
            `connected` is not, the connection was lost.

    Raises:
        TypeError: `connect_callback` is not a coroutine function, or `start` does not take one of the *kwargs*.
        ValueError: *terminator* or *encoding* cannot be used.
        RuntimeError: there is no running event loop.
    """

    def __init__(
        self,
        *,
        log: Logger,
        connect_callback: ConnectCallbackType | None = None,
        monitor_connection_interval: float = DEFAULT_MONITOR_CONNECTION_INTERVAL,
        name: str = "",
        do_start: bool = True,
        encoding: str = DEFAULT_ENCODING,
        terminator: bytes = DEFAULT_TERMINATOR,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoding, terminator)
        if connect_callback is not None and not inspect.iscoroutinefunction(connect_callback):
            raise TypeError(f"connect_callback must be a coroutine function, not {connect_callback!r}")
        signature = inspect.signature(self.start)
        try:
            signature.bind(**kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__} {error}; it takes {', '.join(signature.parameters)}") from None
        self.log = log.getChild(f"{type(self).__name__}({name})")
        self.name = name
        self.monitor_connection_interval = monitor_connection_interval
        self.should_be_connected = False
        self._users_callback = connect_callback
        self._last_reported = False
        self._telling = False
        self._present_stream: ResumableStream | None = None
        self._start_called = False
        self._close_called = False
        self.done_task: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.start_task: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if do_start:
            self.start_task = launch(self.start(**kwargs), f"start {self}")
            self.start_task.add_done_callback(_know_error)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @property
    def connected(self) -> bool:
        """Whether there is a connection; also one that the peer has ended, until all that it sent has been read.

        A connection that has ended at once is one as well, until ``connect_callback`` has been told that it was made.
        """
        return self._present_stream is not None and (self._telling or self._present_stream.is_usable())

    @property
    def stream(self) -> ResumableStream:
        """The stream of the present connection; on it there are all the exchanges of `sockio.aio.TCP`.

        Raises:
            ConnectionError: there is none.
        """
        if self._present_stream is None or not self._present_stream.is_usable():
            raise ConnectionError(f"Not connected: {self}")
        return self._present_stream

    @abstractmethod
    async def start(self, *args: Any, **kwargs: Any) -> None:
        """Start; called by the constructor.

        Raises:
            RuntimeError: it has been called already.
            ConnectionAbortedError: it was closed before, or meanwhile.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close everything, for good. It may be called again."""

    async def call_connect_callback(self) -> None:
        """Call ``connect_callback`` if `connected` has changed since it was called last; log what it raises."""
        connected = self.connected
        if connected == self._last_reported:
            return
        self._last_reported = connected
        if self._users_callback is None:
            return
        try:
            await self._users_callback(self)
        except Exception:
            self.log.exception("connect_callback failed")

    async def __aenter__(self) -> Self:
        await self.start_task
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def _starting_once(self) -> AsyncIterator[None]:
        """Guard what `start` does: once, and with an end that is known to who waits."""
        if self._start_called:
            raise RuntimeError(f"{self}: start has been called already")
        self._start_called = True
        if self._close_called:
            raise ConnectionAbortedError(f"{self}: closed before it had started")
        try:
            yield
        except BaseException as error:
            self._set_done()
            self.should_be_connected = False
            await self._let_go()
            if isinstance(error, asyncio.CancelledError) and self._close_called:
                # Whoever awaits start_task has not been cancelled.
                raise ConnectionAbortedError(f"{self}: closed while it was starting") from None
            if isinstance(error, Exception):
                self.log.error("could not start: %s", error)
            raise

    async def _stop_starting(self) -> None:
        if not self.start_task.done():
            await asyncio.sleep(0)  # it says why it ended, if it has begun
            await stop(self.start_task)

    def _set_done(self) -> None:
        if not self.done_task.done():
            self.done_task.set_result(None)

    async def _take(self, stream: ResumableStream) -> None:
        """Have a connection that has been made, and tell so, even if it has ended again."""
        self._present_stream = stream
        self.should_be_connected = True
        self._telling = True
        try:
            await self.call_connect_callback()
        finally:
            self._telling = False

    async def _let_go(self) -> None:
        """Close the present connection, if there is one, and tell that it has ended.

        Nothing is waited for in between: the next one may be made at any moment.
        """
        stream, self._present_stream = self._present_stream, None
        if stream is not None:
            await stream.close()
        await self.call_connect_callback()

    async def _on_stream(self, call: Callable[[ResumableStream], Awaitable[Result]]) -> Result:
        try:
            return await call(self.stream)
        except Exception:
            await self._note_connection_end()
            raise

    async def _note_connection_end(self) -> None:
        stream = self._present_stream
        if stream is not None and stream.has_ended():
            await self._note_connection_loss(stream)

    async def _note_connection_loss(self, stream: ResumableStream) -> None:
        """Take notice that a connection has ended by itself."""
        if self._present_stream is stream:
            await self._let_go()

    async def _wait_for_loss(self, stream: ResumableStream) -> None:
        """Return when a connection has been let go, or is found to have ended by itself."""
        while self._present_stream is stream:
            if self.monitor_connection_interval > 0 and stream.has_ended():
                return
            await stream.wait_changed(self.monitor_connection_interval)


_launched: set[asyncio.Task[Any]] = set()


def launch(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task that goes on although nobody keeps it: the event loop itself holds its tasks weakly."""
    task = asyncio.create_task(coroutine, name=name)
    _launched.add(task)
    task.add_done_callback(_launched.discard)
    return task


async def stop(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait until it has ended, though not for ever; unless it is the one that calls."""
    if isinstance(task, asyncio.Task) and not task.done() and task is not asyncio.current_task():
        task.cancel()
        await asyncio.wait([task], timeout=CLOSE_TIMEOUT)


def finished(result: Any = None) -> asyncio.Future[Any]:
    """Return a future that is done."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future


def _know_error(task: asyncio.Future[Any]) -> None:
    """Take the error of a task as known: it has been logged, and nobody has to await it."""
    if not task.cancelled():
        task.exception()
