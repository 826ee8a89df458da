"""A TCP stream for messages, which are many and small: nothing is done for each but what has to be.

This is the one place at which message protocols touch the inside of a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sockio.errors import DeadlineExpired
from sockio.runtimes.blocking import run
from sockio.tcp import TCP
from sockio.turns import Ticket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from sockio.buffer import Buffer
    from sockio.link import Link

T = TypeVar("T")


class Wire(TCP):
    """A TCP stream whose user sees to it that one call at a time receives, and one at a time sends.

    It does not reconnect by itself. Deadlines are moments on the runtime's clock. A call that was torn away in the
    middle closes the connection, whatever tore it; one that waits for input has not begun, and leaves it open.

    All methods raise:
        DeadlineExpired: the deadline has passed.
        ConnectionEOFError: the peer has closed.
        OSError: there is no connection, or it broke, or was closed in the meantime.
    """

    #: Called without argument when a call has closed the connection.
    on_broken: Callable[[], None] | None = None

    _use = Ticket("message", None)
    _socket: socket.socket

    def _set_up(self, sock: socket.socket) -> None:
        super()._set_up(sock)
        self._socket = sock

    def local_host(self) -> str:
        """Return our IP address on this connection."""
        return str(self._socket.getsockname()[0])

    def end(self) -> None:
        """Close the connection without waiting, from any thread; a call that is using it ends with an error."""
        run(self.close())  # which waits for nothing, on any runtime

    def forget(self) -> None:
        """In a forked child: part with the connection, which is the parent's, and leave it alone."""
        self._forget_in_child()

    def at_home(self) -> bool:
        """Tell whether the connection was made where the caller is: not in another event loop."""
        return self.runtime.home() is self._home

    def idle(self) -> bool:
        """Tell whether the connection is there and `at_home`, and nothing has come that was not read, not even its end.

        It is quicker than `connected`, and for who has the turn to receive alone.
        """
        link = self._link
        if link is None or link.closed or not link.ready or link.reader is not None or link.writer is not None:
            return False
        if link.buffer.used or (self.runtime.suspends and not self.at_home()):
            return False
        return not link.transport.arrived()

    def torn(self) -> bool:
        """Tell who has the turns whether the last call was torn away before it could close the connection."""
        link = self._link
        return link is not None and (link.reader is not None or link.writer is not None)

    async def send(self, data: bytes | memoryview, deadline: float | None) -> None:
        """Send all of *data*."""
        link = self._present()
        if link.writer is not None:
            raise self._torn(link)
        try:
            link.writer = self._use
            unsent = link.transport.send(data, deadline)
            if unsent is not None:
                await unsent
            link.writer = None
        except BaseException as error:
            link.writer = None
            self._break(link, error)
            raise
        if link.closed:
            self._break(link, None)

    async def receive(self, deadline: float | None) -> Buffer:
        """Wait for input; return the buffer with all that has not been taken from it."""
        link = self._present()
        if link.reader is not None:
            raise self._torn(link)
        try:
            link.reader = self._use
            chunk = link.transport.receive(deadline)
            if not isinstance(chunk, bytes):
                chunk = await chunk
            link.buffer.append(chunk)
            link.reader = None
        except BaseException as error:
            link.reader = None
            if link.closed or not self._has_taken_nothing(error):
                self._break(link, error)
            raise
        if link.closed:
            self._break(link, None)
        if not chunk:
            raise self._end(link)
        return link.buffer

    async def exchange(self, data: bytes, deadline: float | None, take: Callable[[bytes], T | None]) -> T | None:
        """Send all of *data* and wait for input.

        Most often the answer is all that comes, and need not go through the buffer.

        Args:
            data: what is sent.
            deadline: of both.
            take: returns what it makes of all that has come; None if that is not what was expected, for `receive`.

        Returns:
            What *take* returns. If that is None, what has come is in the buffer.
        """
        link = self._present()
        if link.reader is not None or link.writer is not None:
            raise self._torn(link)
        taken: T | None = None
        try:
            link.writer = self._use
            unsent = link.transport.send(data, deadline)
            if unsent is not None:
                await unsent
            link.reader = self._use
            link.writer = None
            chunk = link.transport.receive(deadline)
            if not isinstance(chunk, bytes):
                chunk = await chunk
            if chunk and not link.buffer.used:
                taken = take(chunk)
            if taken is None:
                link.buffer.append(chunk)
            link.reader = None
        except BaseException as error:
            sending = link.writer is not None
            link.reader = link.writer = None
            if sending or link.closed or not self._has_taken_nothing(error):
                self._break(link, error)
            raise
        if link.closed:
            self._break(link, None)
        if not chunk:
            raise self._end(link)
        return taken

    async def receive_into(self, view: memoryview, deadline: float | None) -> None:
        """Fill *view*."""
        link = self._present()
        if link.reader is not None:
            raise self._torn(link)
        try:
            link.reader = self._use
            received = link.buffer.take_into(view)
            if received < len(view):
                received += await link.transport.receive_into(view[received:], deadline)
            link.reader = None
        except BaseException as error:
            link.reader = None
            self._break(link, error)
            raise
        if link.closed:
            self._break(link, None)
        if received < len(view):
            raise self._end(link)

    async def receive_some(self, size: int, deadline: float | None) -> bytes:
        """Receive up to *size* bytes, at least one, in the middle of something."""
        link = self._present()
        if not link.buffer.used:
            try:
                await self.receive(deadline)
            except BaseException as error:
                if not link.closed:
                    self._break(link, error)
                raise
        return link.buffer.take(size)

    def is_interrupt(self, error: BaseException) -> bool:
        """Tell whether an exception may have come in the middle of any line, not only where something is awaited."""
        return isinstance(error, KeyboardInterrupt) or not (self.runtime.suspends or isinstance(error, Exception))

    def input(self) -> Buffer:
        """Return what has been received and not been taken."""
        return self._present().buffer

    def _has_taken_nothing(self, error: BaseException) -> bool:
        """Tell whether a transport whose receive ended with *error* left in place what has come.

        So it does if its deadline passes, or if it is cancelled. An interrupt comes anywhere.
        """
        cancelled = not isinstance(error, Exception) and not self.is_interrupt(error)
        return cancelled or isinstance(error, DeadlineExpired)

    def _present(self) -> Link:
        link = self._link
        if link is None or link.closed:
            raise ConnectionAbortedError(f"{self}: the connection has been closed")
        return link

    def _torn(self, link: Link) -> Exception:
        """Close a connection whose last call was torn away before it could do that itself."""
        link.reader = link.writer = None
        self._give_up(link, None)
        return ConnectionAbortedError(f"{self}: the last call was torn away in the middle")

    def _break(self, link: Link, error: BaseException | None) -> None:
        """Close a connection that cannot be trusted, or give back one that another thread has closed.

        Raises:
            ConnectionAbortedError: it was closed while it was used, whatever that looked like.
        """
        closed = link.closed
        self._give_up(link, error)
        if closed and (error is None or isinstance(error, OSError)):
            raise ConnectionAbortedError(f"{self}: was closed while it was used") from None

    def _end(self, link: Link) -> EOFError:
        end = self._end_of_stream(link.buffer.take_all(), "the instrument closed the connection")
        self._give_up(link, end)
        return end

    def _give_up(self, link: Link, error: BaseException | None) -> None:
        self._retire(link, error)
        if self.on_broken is not None:
            self.on_broken()
