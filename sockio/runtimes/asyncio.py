"""asyncio: the event loop watches the descriptor, and what arrives is kept ready for whoever asks.

The transport is registered with the loop once and reads ahead, at most ``buffer_size`` bytes. It does not use
asyncio's own transports: those want a running loop to close, complain when they are dropped, and cannot be taken
across a fork. It runs on every loop that has ``add_reader``: on Windows that is the selector loop.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from .. import errors
from ..errors import DeadlineExpired
from .asyncio_wait import AsyncioWaiter, Wait
from .base import CHUNK_SIZE, Runtime, Transport, Waiter
from .descriptor import CLOSED_BY_PEER, READABLE, Poller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .base import HungUp
    from .descriptor import Descriptor


class ConnectionTimeoutError(errors.ConnectionTimeoutError, asyncio.TimeoutError):
    """A call took too long; asyncio's own kind of time-out as well (the builtin one since Python 3.11)."""


class ConnectionEOFError(errors.ConnectionEOFError, asyncio.IncompleteReadError):
    """The stream ended before what was asked for was complete; asyncio's kind of it as well."""

    expected = None


class LimitError(errors.LimitError, asyncio.LimitOverrunError):
    """What was asked for is longer than the limit; asyncio's kind of it as well."""

    consumed = 0


class AsyncioTransport(Transport):
    """A descriptor in the hands of an event loop.

    Args:
        descriptor: what to read from and write to.
        buffer_size: reading ahead stops at so many bytes.
    """

    def __init__(self, descriptor: Descriptor, buffer_size: int) -> None:
        self._descriptor = descriptor
        self._buffer_size = buffer_size
        self._send = descriptor.send
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._destination: memoryview | None = None
        self._filled = 0
        self._ended = False
        self._error: OSError | None = None
        self._paused = False
        self._closed = False
        self._hung_up: HungUp | None = None
        self._reading = Wait(self._loop)
        self._writing = Wait(self._loop)
        self._poller = Poller(descriptor.number, READABLE | CLOSED_BY_PEER)
        if descriptor.shared:
            self._paused = True  # but while somebody waits
        else:
            self._loop.add_reader(descriptor.number, self._on_readable)

    def _on_readable(self) -> None:
        """The loop has seen that something has arrived."""
        if self._take():
            self._reading.resume()

    def _look(self) -> None:
        """See for a task what has arrived before the loop comes round to it."""
        if self._take():
            self._reading.wake()

    def _take(self) -> bool:
        """Take what has arrived, straight into the destination of who waits if there is one.

        Returns:
            whether who waits has what it waits for.
        """
        try:
            if self._destination is not None and self._filled < len(self._destination):
                return self._fill(self._destination)
            chunk = self._descriptor.recv(CHUNK_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._end(error)
            return True
        if not chunk:
            self._end(None)
            return True
        self._chunks.append(chunk)
        self._buffered += len(chunk)
        if self._buffered >= self._buffer_size:
            self._pause()
        return True

    def _fill(self, destination: memoryview) -> bool:
        count = self._descriptor.recv_into(destination[self._filled :])
        self._filled += count
        if not count:
            self._end(None)
        return not count or self._filled == len(destination)

    def _end(self, error: OSError | None) -> None:
        self._ended = True
        # Its traceback may hold the memory that was being received into.
        self._error = None if error is None else error.with_traceback(None)
        self._pause()
        if self._hung_up is not None:
            self._hung_up(error)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._loop.remove_reader(self._descriptor.number)

    def _resume(self) -> None:
        if self._paused and not self._ended and not self._closed:
            self._paused = False
            self._loop.add_reader(self._descriptor.number, self._on_readable)

    def arrived(self) -> object:
        # The loop may not have come round to what has arrived since this task began to run.
        return self._chunks or self._ended or self._closed or self._poller.poll_now()

    def receive(self, deadline: float | None) -> bytes | Awaitable[bytes]:
        return self._take_chunk() if self._chunks else self._receive(deadline)

    async def _receive(self, deadline: float | None) -> bytes:
        while not self._chunks:
            if (self._ended or self._closed) and self._at_end():
                return b""
            if self._descriptor.shared:
                await self._wait_readable(deadline)
                continue
            try:
                await self._reading.wait(deadline)  # as below, without a coroutine
            except DeadlineExpired:
                if not self._look_again():
                    raise
        return self._take_chunk()

    async def _wait_readable(self, deadline: float | None) -> None:
        shared = self._descriptor.shared
        if shared:
            self._resume()
        try:
            await self._reading.wait(deadline)
        except DeadlineExpired:
            if not self._look_again():
                raise
        finally:
            if shared and not self._closed:
                self._pause()

    def _look_again(self) -> bool:
        """Take what has arrived that the loop has not come round to; return whether there was anything."""
        found = bool(self._poller.wait(0))
        if found:
            self._look()
        return found

    def _take_chunk(self) -> bytes:
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._paused and self._buffered < self._buffer_size and not self._descriptor.shared:
            self._resume()
        return chunk

    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        received = 0
        while self._chunks and received < len(view):
            received += self._copy_chunk(view[received:])
        if received == len(view) or self._at_end():
            return received
        # From here on the loop's callback receives into the view, and wakes this task when it is full.
        self._destination = view[received:]
        self._filled = 0
        try:
            while self._filled < len(self._destination) and not self._at_end():
                await self._wait_readable(deadline)
            return received + self._filled
        finally:
            self._destination = None

    def _copy_chunk(self, view: memoryview) -> int:
        chunk = self._take_chunk()
        count = min(len(chunk), len(view))
        view[:count] = chunk[:count]
        if count < len(chunk):
            self._chunks.appendleft(chunk[count:])
            self._buffered += len(chunk) - count
        return count

    def _at_end(self) -> bool:
        """Tell whether the stream has ended; raise the error with which it did, if any."""
        if self._closed:
            raise ConnectionAbortedError("closed")
        if self._error is not None:
            # A new one: its traceback will hold whoever holds this transport, and it may be raised again.
            raise type(self._error)(*self._error.args)
        return self._ended

    def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> Awaitable[None] | None:
        if self._closed:
            raise ConnectionAbortedError("closed")
        try:
            sent = self._send(data)  # `send_now`, spelled out
        except BlockingIOError:
            sent = 0
        return None if sent == len(data) else self._send_rest(memoryview(data)[sent:], deadline)

    async def _send_rest(self, rest: memoryview, deadline: float | None) -> None:
        self._loop.add_writer(self._descriptor.number, self._writing.resume)
        try:
            while rest:
                await self._writing.wait(deadline)
                rest = rest[self.send_now(rest) :]
        finally:
            if not self._closed:
                self._loop.remove_writer(self._descriptor.number)

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        if self._closed:
            raise ConnectionAbortedError("closed")
        try:
            return self._send(data)
        except BlockingIOError:
            return 0

    def descriptor(self) -> Descriptor:
        return self._descriptor

    def receive_now(self) -> bytes | None:
        if self._chunks:
            return self._take_chunk()
        if not self._ended and self._look_again() and self._chunks:
            return self._take_chunk()
        return b"" if self._at_end() else None

    def in_waiting(self) -> int:
        if not self._ended and not self._paused:
            self._look()
        return self._buffered + (self._descriptor.in_waiting() if self._descriptor.shared and not self._closed else 0)

    def hung_up(self) -> bool:
        return self._ended or self._closed or self._descriptor.hung_up()

    def watch(self, hung_up: HungUp) -> None:
        self._hung_up = hung_up

    def shut_down(self) -> None:
        self.close()

    def close(self) -> None:
        if self._closed:
            return
        if self._loop.is_closed():
            self._closed = True
            self._descriptor.close()
        elif threading.get_ident() == self._thread:
            self._close()
        else:
            self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pause()
        self._loop.remove_writer(self._descriptor.number)
        self._reading.stop()
        self._writing.stop()
        self._descriptor.close()

    def forget(self) -> None:
        self._closed = True
        self._descriptor.forget()


class AsyncioRuntime(Runtime):
    """Tasks of an asyncio event loop."""

    name = "asyncio"
    timeout_error = ConnectionTimeoutError
    eof_error = ConnectionEOFError
    limit_error = LimitError

    def __init__(self) -> None:
        self._spawned: set[asyncio.Task[Any]] = set()

    def clock(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    home = staticmethod(asyncio.get_running_loop)

    caller = staticmethod(asyncio.current_task)

    def describe(self, caller: Any) -> str:
        return "a callback" if caller is None else f"task {caller.get_name()!r}"

    @staticmethod
    def is_running(caller: Any) -> bool:
        return caller is not None and not caller.done()

    def waiter(self) -> Waiter:
        return AsyncioWaiter(asyncio.get_running_loop())

    def adopt(self, descriptor: Descriptor, buffer_size: int) -> Transport:
        return AsyncioTransport(descriptor, buffer_size)

    async def wait_writable(self, descriptor: Descriptor, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        wait = Wait(loop)
        loop.add_writer(descriptor.number, wait.resume)
        try:
            await wait.wait(deadline)
        finally:
            loop.remove_writer(descriptor.number)
            wait.stop()

    async def wait_readable(self, descriptor: Descriptor, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        wait = Wait(loop)
        loop.add_reader(descriptor.number, wait.resume)
        try:
            await wait.wait(deadline)
        finally:
            loop.remove_reader(descriptor.number)
            wait.stop()

    async def run_in_thread(self, deadline: float | None, function: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(None, function, *args)
        wait = Wait(loop)
        future.add_done_callback(lambda _: wait.resume())
        try:
            if not future.done():
                await wait.wait(deadline)
            return future.result()
        finally:
            wait.stop()
            future.cancel()

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str = "sockio") -> Callable[[], None]:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            coroutine.close()
            raise
        task = loop.create_task(coroutine, name=name)
        self._spawned.add(task)  # the loop itself holds its tasks weakly
        task.add_done_callback(self._spawned.discard)

        def cancel() -> None:
            loop.call_soon_threadsafe(task.cancel)  # not before it has begun: it would not clean up

        return cancel

    def invoke(self, callback: Callable[..., Any], *args: Any) -> Awaitable[Any] | None:
        result = callback(*args)
        return result if inspect.isawaitable(result) else None


#: One for everybody: it has no state that belongs to anyone.
runtime = AsyncioRuntime()
