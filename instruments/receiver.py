"""Receiving frames that a device sends of itself, on the side, until nobody wants them any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

from sockio.buffer import Buffer
from sockio.condition import Condition
from sockio.errors import LimitError, ProtocolError
from sockio.framing import Need
from sockio.retry import Retry

if TYPE_CHECKING:
    from sockio.framing import Framing
    from sockio.locks import ResourceLock
    from sockio.runtimes.base import Waiter
    from sockio.stream import Stream
    from sockio.turns import Ticket

    from .inbox import Inbox

#: How often a receiver looks whether it is to stop, in seconds.
LOOK = 0.1

#: How long an attempt to connect again may take, in seconds, and the delays between attempts.
CONNECTION_TIMEOUT = 5.0
RETRY = Retry(attempts=None, delay=0.1, ceiling=5.0)


class FrameDecoder:
    """Bytes in, frames out, past those that make no sense.

    Args:
        framing: how frames are told apart.
        end: the byte that ends each of them.
    """

    def __init__(self, framing: Framing[bytes], end: bytes) -> None:
        self._framing = framing
        self._over = end
        self.reset()

    def reset(self) -> None:
        """Forget the beginning of a frame whose end will not come."""
        self._buffer = Buffer()
        self._in_excess = False

    def feed(self, data: bytes) -> Iterator[bytes | ValueError]:
        """Take bytes; yield the frames that are complete now, and an error for each that is malformed or too long."""
        buffer = self._buffer
        buffer.append(data)
        while True:
            if self._in_excess:
                if buffer.take_until(self._over) is None:
                    buffer.clear()
                    return
                self._in_excess = False
            size = len(buffer)
            try:
                frame = self._framing.decode(buffer)
            except LimitError as error:
                self._in_excess = len(buffer) == size  # its end has not come
                yield error
            except ProtocolError as error:
                yield error
            else:
                if isinstance(frame, Need):
                    return
                yield frame


#: The receiver that the present task or thread, or the one that it was started by, runs for.
_running_for: ContextVar[Receiver | None] = ContextVar("receiver that calls back", default=None)


class Receiver:
    """Takes frames from a stream, and connects it again when it is lost. It knows nothing of whom it works for.

    Args:
        stream: nobody else receives from it meanwhile.
        decoder: makes frames of bytes.
        inbox: where they go.
    """

    def __init__(self, stream: Stream, decoder: FrameDecoder, inbox: Inbox) -> None:
        self.stream = stream
        self._decoder = decoder
        self._inbox = inbox
        self._in_doubt = stream.in_doubt
        self._home = stream.runtime.home()
        self._process = os.getpid()
        self._stopping = False
        self._ended = False
        self._over = Condition()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended and self._process == os.getpid()

    def is_at_home(self) -> bool:
        """Tell whether the caller is in the event loop, or among the threads, where the stream is."""
        return self._home is self.stream.runtime.home()

    async def start(self, lock: ResourceLock, ticket: Ticket, keep: object) -> None:
        """Begin, on the side.

        Args:
            lock: is held with *ticket*, and left at the end.
            keep: something that has to live as long as this runs.
        """
        begun = self.stream.runtime.waiter()
        # Whoever comes after a crash finds a line on which things may be under way.
        self._in_doubt |= lock.file.mark(self.stream)
        try:
            self.stream.runtime.spawn(self._run(lock, ticket, keep, begun))
            await begun.wait(None)  # a task that is cancelled before it has begun would not leave the lock
        except BaseException:
            self._stopping = True
            raise

    def ask_to_stop(self) -> None:
        """Have it end soon. Any thread may call this."""
        self._stopping = True

    async def stop(self) -> None:
        """Have it end, and wait until it has; called by one of its own callbacks it does not wait."""
        self.ask_to_stop()
        if _running_for.get() is not self:
            await self._over.wait_for(self.stream.runtime, lambda: not self.running, None)

    async def _run(self, lock: ResourceLock, ticket: Ticket, keep: object, begun: Waiter) -> None:
        failure = None
        try:
            _running_for.set(self)
            begun.set()
            await self._receive()
            if self._in_doubt:
                self.stream.distrust()  # what was still to come of a call before is no frame, and was not waited for
            else:
                lock.file.clear_mark()
        except Exception as error:
            failure = error
        finally:
            self._ended = True
            lock.leave(ticket)
            self._over.wake()
            self._inbox.end(failure)
            failure = None  # its traceback holds this frame: no cycles

    def _is_to_stop(self) -> bool:
        return self._stopping

    async def _receive(self) -> None:
        stream = self.stream
        connection = stream.connection_counter
        failures = 0
        while not self._is_to_stop():
            try:
                if failures and not stream.connected():
                    await connect(stream, CONNECTION_TIMEOUT)
                data = await self._receive_some()
            except OSError as error:
                failures += 1
                self._decoder.reset()
                if failures == 1:
                    await self._inbox.error(error)
                await self._pause(RETRY.delay_after(failures))
                continue
            if connection != stream.connection_counter:
                connection = stream.connection_counter
                self._decoder.reset()
                if not failures:  # a call that sends has connected again before this could notice
                    await self._inbox.error(ConnectionError(f"{stream}: the connection was lost, and made again"))
            failures = 0
            for item in self._decoder.feed(data):
                await (self._inbox.frame(item) if isinstance(item, bytes) else self._inbox.error(item))
                if self._is_to_stop():
                    return

    async def _receive_some(self) -> bytes:
        """Return what comes next; ``b""`` if nothing does for a while. Raises OSError if the connection is lost."""
        stream = self.stream
        if not stream.connected() and not stream.in_waiting():
            raise ConnectionError(f"{stream}: the connection was lost")
        try:
            await stream.wait_readable(1, LOOK)
        except TimeoutError:
            return b""
        return b"" if self._is_to_stop() else await stream.readbuffer(LOOK)

    async def _pause(self, seconds: float) -> None:
        """Let time pass, in pieces, so that it does not take long to stop."""
        runtime = self.stream.runtime
        end = runtime.clock() + seconds
        while not self._is_to_stop() and (left := end - runtime.clock()) > 0:
            await runtime.sleep(min(left, LOOK))


async def connect(stream: Stream, timeout: float | None) -> None:
    """Connect a stream on which frames come unasked, unless that has been done.

    There is no waiting for silence, which may never come, and whatever is under way ends with a frame.
    """
    if stream.connected():
        return
    quiet, stream.quiet = stream.quiet, None
    try:
        await stream.open(timeout)
    finally:
        stream.quiet = quiet
