"""A TCP stream for messages, which are many and small: nothing is done for each but what has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.errors import DeadlineExpired
from sockio.tcp import TCP
from sockio.turns import Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockio.buffer import Buffer
    from sockio.link import Link


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

    def idle(self) -> bool:
        """Tell whether the connection is there, and nothing has come that was not read, the peer's end included.

        It is quicker than `connected`, and for who has the turn to receive alone.
        """
        link = self._link
        if link is None or link.closed or not link.ready or link.reader is not None or link.writer is not None:
            return False
        return not link.buffer.used and not link.transport.arrived()

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
            # A transport whose deadline passes, or that is cancelled, has taken nothing. An interrupt comes anywhere.
            cancelled = self.runtime.suspends and not isinstance(error, (Exception, KeyboardInterrupt))
            if link.closed or not (cancelled or isinstance(error, DeadlineExpired)):
                self._break(link, error)
            raise
        if link.closed:
            self._break(link, None)
        if not chunk:
            raise self._end(link)
        return link.buffer

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
                self._break(link, error)
                raise
        return link.buffer.take(size)

    def input(self) -> Buffer:
        """Return what has been received and not been taken."""
        return self._present().buffer

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
