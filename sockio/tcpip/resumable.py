"""Streams whose reads may be cancelled, and taken up again.

Programs poll by ``asyncio.wait_for(client.read_str(), timeout)``. A read here takes what it waits for when all of it is
there, and nothing before: cancelled, out of time, or met by a line that is too long, it leaves every byte and the
connection to the next read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..checks import check_count, check_eol
from ..deadline import DEFAULT
from ..errors import DeadlineExpired
from ..receiving import writable_view
from ..runtimes.asyncio import LimitError
from ..stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

    from ..buffer import Buffer
    from ..checks import Data
    from ..deadline import Timeout
    from ..link import Link
    from ..turns import Ticket

    #: Takes what is wanted from the front of a buffer if all of it is there, and returns None otherwise.
    Take = Callable[[Buffer], bytes | None]


class ResumableStream(Stream):
    """A stream with reads that leave the connection alone when they are cancelled.

    Two reads at once are a RuntimeError. Exchanges (``write_read…``) are those of any other stream: one that is
    cancelled or out of time closes the connection, since its reply might be taken for another one's.
    """

    _ssl_context: SSLContext | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_connection_lost = self._note_end
        self._reading = False

    def is_usable(self) -> bool:
        """Tell whether there is a connection, or bytes are left of one that the peer has ended."""
        if self._link is None:
            return False
        if self._ssl_context is not None and self.in_waiting():  # which finds the end as well, where it is encrypted
            return True
        return not self.at_eof()

    def has_ended(self) -> bool:
        """Tell whether there is no connection any more, and nobody who is receiving and so about to meet its end."""
        return not self.is_usable() and (self._link is None or self._link.reader is None)

    async def wait_changed(self, interval: float) -> None:
        """Wait until the connection may have ended: when it has, on either side, and when a call returns after that.

        Args:
            interval: seconds after which it may have without a word: inside TLS the end is a message like any other.
        """
        limit = interval if self._ssl_context is not None and interval > 0 else None
        self._changed = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._changed], timeout=limit)

    async def read(self, n: int = -1, timeout: Timeout = DEFAULT) -> bytes:
        """Read up to *n* bytes, at least one; everything until the peer closes the connection if *n* is negative."""
        if n < 0:
            return await self._read("read", timeout, self._receive_to_end)
        if check_count("n", n, 0) == 0:
            return b""
        return await self._read("read", timeout, self._receive_whole, lambda buffer: buffer.take(n) or None)

    async def readexactly(self, n: int, timeout: Timeout = DEFAULT) -> bytes:
        """Read *n* bytes."""
        if check_count("n", n, 0) == 0:
            return b""

        def take(buffer: Buffer) -> bytes | None:
            return buffer.take(n) if len(buffer) >= n else None

        return await self._read("readexactly", timeout, self._receive_whole, take)

    async def readline(self, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> bytes:
        """Read a line and return it with its end, which is the stream's ``eol`` unless another is given.

        Raises:
            LimitError: it is longer than ``buffer_size``. What has come of it has been thrown away.
        """
        return await self._read("readline", timeout, self._receive_whole, self._until(self._eol(eol), discard=True))

    async def readuntil(self, separator: bytes = b"\n", timeout: Timeout = DEFAULT) -> bytes:
        """Read up to and including *separator*.

        Raises:
            LimitError: it has not come within ``buffer_size`` bytes. They stay, and so does the connection;
                ``.consumed`` is how many to read to get past them (as with `asyncio.LimitOverrunError`, which it is).
        """
        return await self._read(
            "readuntil", timeout, self._receive_whole, self._until(check_eol(separator), discard=False)
        )

    async def read_into(self, buffer: Any, timeout: Timeout = DEFAULT) -> None:
        """Fill *buffer*, any contiguous writable buffer, when enough has come. When the call fails it is as it was."""
        view = writable_view(buffer)
        view[:] = await self.readexactly(len(view), timeout)

    async def close(self) -> None:
        """Close the connection, if there is one. A call that is using it ends with a ConnectionAbortedError."""
        await super().close()
        self._note_change()

    def _until(self, separator: bytes, discard: bool) -> Take:
        longest = self.buffer_size + len(separator)

        def take(buffer: Buffer) -> bytes | None:
            if len(buffer) >= longest and separator not in buffer.peek(longest):
                end = buffer.peek(-1).find(separator)
                error = self._too_long(buffer, separator, end)
                if discard:
                    buffer.take(-1 if end < 0 else end + len(separator))
                raise error
            return buffer.take_until(separator)

        return take

    def _too_long(self, buffer: Buffer, separator: bytes, end: int) -> LimitError:
        error = LimitError(
            f"{self}: no {separator!r} within {self.buffer_size} bytes (limit): {buffer.peek(64)!r}...",
            self.buffer_size,
            buffer.peek(self.buffer_size),
        )
        error.consumed = end if end >= 0 else len(buffer) - len(separator) + 1
        return error

    async def _read(self, method: str, timeout: Timeout, receive: Callable[..., Any], *args: Any) -> bytes:
        if self._reading:
            raise RuntimeError(f"{self}: {method} called while another read is waiting for data")
        self._reading = True
        try:
            data: bytes = await self._call(method, timeout, None, receive, None, *args)
            return data
        finally:
            self._reading = False

    async def _call(
        self,
        method: str,
        timeout: Timeout,
        data: Data | None,
        receive: Callable[..., Any] | None,
        only: Link | None,
        *args: Any,
    ) -> Any:
        try:
            return await super()._call(method, timeout, data, receive, only, *args)
        finally:
            if self._link is None or not self._link.ready:
                self._note_change()

    async def _receive_whole(self, link: Link, deadline: float | None, take: Take) -> bytes:
        """Receive until there is what is wanted, into the link's buffer, and only then take it."""
        ticket = link.reader
        try:
            while True:
                taken = take(link.buffer)
                if taken is not None:
                    return taken
                await self._receive(link, deadline)
        except (asyncio.CancelledError, DeadlineExpired, LimitError) as error:
            self._leave_in_step(link, ticket)
            if isinstance(error, DeadlineExpired):
                raise self._out_of_time(ticket) from None
            raise

    async def _receive_to_end(self, link: Link, deadline: float | None) -> bytes:
        try:
            return await self._receive_whole(link, deadline, lambda buffer: None)
        except EOFError as end:
            everything: bytes = getattr(end, "partial", b"")
            if not everything:
                raise
            self._meet_end(link, self._cut_short(b""))
            return everything

    def _out_of_time(self, ticket: Ticket | None) -> TimeoutError:
        method = "a read" if ticket is None else ticket.method
        return self.runtime.timeout_error(f"{self}: {method} timed out; what has come is there for the next read")

    def _look_at(self, link: Link, ticket: Ticket) -> bool:
        """As the core does; but a peer that has only stopped sending may be answered while its requests are read."""
        if not ticket.reads and link.writer is None and not link.closed and self.is_usable():
            return True
        return super()._look_at(link, ticket)

    def _retire(self, link: Link, error: BaseException | None) -> None:
        super()._retire(link, error)
        self._note_change()

    def _note_end(self, error: BaseException | None) -> None:
        self._note_change()

    def _note_change(self) -> None:
        if not self._changed.done():
            self._changed.set_result(None)
