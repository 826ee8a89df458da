"""What a server's handler talks to one client with."""

from __future__ import annotations

import threading
from collections import deque

from .checks import check_data
from .errors import DeadlineExpired
from .stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger
    from ssl import SSLContext

    from .checks import Data
    from .deadline import Timeout
    from .link import Link
    from .runtimes.base import Transport, Waiter
    from .runtimes.descriptor import SocketDescriptor
    from .turns import Ticket


class ClientStream(Stream):
    """The connection of one client to a server: a stream like any other, but that only the client can connect again.

    Attributes:
        address: the client's host and port; None on a unix domain socket, where it has none.
    """

    _looks_before_writing = False

    def __init__(
        self,
        resource: str,
        descriptor: SocketDescriptor,
        address: tuple[str, int] | None,
        eol: bytes,
        buffer_size: int,
        timeout: float | None,
        ssl: SSLContext | None,
    ) -> None:
        super().__init__(resource, eol, False, None, None, None, buffer_size, None, timeout, None, None)
        self.address = address
        self._descriptor = descriptor
        self._ssl_context = ssl
        self._adopted = False
        self._disconnected = False
        self._outbox: deque[bytes] = deque()
        self._posted = 0
        self._posting = threading.Lock()
        self._flushed: Waiter | None = None

    async def _open_transport(self, deadline: float | None) -> Transport:
        if self._adopted:
            raise ConnectionError(f"{self}: has ended, and only the client can connect again")
        self._adopted = True
        try:
            transport = self.runtime.adopt(self._descriptor, self.buffer_size)
        except BaseException:
            self._descriptor.close()
            raise
        if self._ssl_context is None:
            return transport
        from .tls import secure

        try:
            return await secure(self.runtime, transport, self._ssl_context, None, deadline)
        except DeadlineExpired:
            raise self.runtime.timeout_error(f"{self}: no TLS handshake in time") from None

    @property
    def log(self) -> Logger:
        """Where the stream logs: one logger for all, since clients come and go, and loggers stay for ever."""
        import logging

        return logging.getLogger("sockio.server")

    def _look_at(self, link: Link, ticket: Ticket) -> bool:
        """Look before using the link; a client that has closed its sending side may still be waiting for an answer."""
        if ticket.reads and ticket.writes:
            return super()._look_at(link, ticket)
        torn = link.reader if ticket.reads else link.writer
        return (torn is None and not link.closed) or super()._look_at(link, ticket)

    def _fail(self, ticket: Ticket, timeout: Timeout, error: BaseException) -> BaseException:
        """Give up the link of a call that failed, but not because the client has nothing more to say."""
        link = ticket.link
        if link is None or link.closed or ticket.writes or not isinstance(error, EOFError):
            return super()._fail(ticket, timeout, error)
        self._meet_end(link, error)
        return error

    def _meet_end(self, link: Link, end: BaseException) -> None:
        """A plain read has met the end of the stream; the client can still be written to."""
        link.reader = None
        self._note_hang_up(link, None)

    def _gone(self, link: Link | None, method: str) -> Exception:
        if link is None:
            return ConnectionError(f"{self}: {method} has no connection: it has ended, and only the client can connect")
        return super()._gone(link, method)

    def post(self, data: Data) -> None:
        """Send *data* as soon as the client takes it, after what was posted before, and wait for nothing.

        When the handler returns, the connection stays until all has been sent, for ``timeout`` seconds at most.

        Raises:
            ConnectionError: the client has gone.
            LimitError: it does not take what was posted before, and more than ``buffer_size`` bytes would be waiting.
                It has been disconnected.
            RuntimeError: on asyncio and trio: called from another thread, or anywhere else than where the client is
                served. Nothing is sent.
        """
        data = bytes(check_data(data))
        link = self._link
        if link is None or link.closed:
            raise self._gone(link, "post")
        if self.runtime.suspends:
            self._check_at_home()
        with self._posting:
            waiting = self._posted
            if not waiting or waiting + len(data) <= self.buffer_size:
                self._posted += len(data)
                self._outbox.append(data)
        if waiting and waiting + len(data) > self.buffer_size:
            self._cut_off()
            raise self.runtime.limit_error(
                f"{self}: disconnected, since it does not read: {waiting} bytes are waiting to be sent",
                self.buffer_size,
            )
        if data and not waiting:
            try:
                self.runtime.spawn(self._send_posted(), f"post to {self}")
            except RuntimeError as error:
                self._drop_posted()
                raise ConnectionError(f"{self}: cannot post: {error}") from error  # no more threads

    def _check_at_home(self) -> None:
        try:
            at_home = self.runtime.home() is self._home
        except RuntimeError:
            at_home = False
        if not at_home:
            raise RuntimeError(
                f"{self}: data cannot be posted from here, but only where the client is served: "
                "from a thread, use loop.call_soon_threadsafe (asyncio) or trio.from_thread.run_sync"
            )

    async def _send_posted(self) -> None:
        sent = 0
        try:
            while True:
                with self._posting:
                    self._posted -= sent
                    data = b"".join(self._outbox)
                    self._outbox.clear()
                    if not data:
                        return self._note_flushed()
                await self.write(data, None)
                sent = len(data)
        except (OSError, ValueError) as error:
            self.log.info("%s: what was posted has not been sent: %s", self, error)
            self._drop_posted()

    def _drop_posted(self) -> None:
        with self._posting:
            self._posted = 0
            self._outbox.clear()
            self._note_flushed()

    def _note_flushed(self) -> None:
        if self._flushed is not None:
            self._flushed.set()

    async def _flush(self) -> None:
        """Wait until what was posted has been sent, or cannot be sent any more."""
        deadline = self._deadline(self.timeout)
        with self._posting:
            if not self._posted:
                return
            self._flushed = waiter = self.runtime.waiter()
        try:
            await waiter.wait(deadline)
        except DeadlineExpired:
            raise self.runtime.timeout_error(
                f"{self}: {self._posted} bytes that were posted have not been taken in {self.timeout} s"
            ) from None

    def _is_idle(self) -> bool:
        """Tell whether the handler waits for the client, from which nothing has come, with nothing left to send."""
        link = self._link
        if link is None or link.writer is not None or self._posted:
            return False
        reader = link.reader
        try:
            return reader is not None and not reader.writes and not self.in_waiting()
        except OSError:
            return False  # its thread has closed it at this moment

    def _cut_off(self) -> None:
        """Disconnect the client at once. A call that is using the connection ends with a ConnectionAbortedError."""
        self._disconnected = True
        link = self._link
        if link is None:
            self._descriptor.shut_down()  # perhaps in the middle of a handshake
        else:
            self._retire(link, None)

    def _forget_in_child(self) -> None:
        super()._forget_in_child()
        if not self._adopted:
            self._descriptor.forget()
