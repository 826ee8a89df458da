"""Reads, writes and exchanges: what can be done with a stream of bytes.

Each method names what it sends and how its reply is received; `sockio.receiving` has the ways to receive.
"""

from __future__ import annotations

from .checks import check_count, check_data, check_eol, check_lines
from .deadline import DEFAULT
from .receiving import Receiving, writable_view
from .turns import Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from typing import Any, TypeVar, overload

    from .checks import Data
    from .deadline import Timeout
    from .framing import Framing
    from .link import Link

    Frame = TypeVar("Frame")
    Memory = TypeVar("Memory")


class Stream(Receiving):
    """A stream of bytes to and from an instrument, kept in step and reconnected on demand.

    Every method that does I/O connects first if need be (unless ``auto_reconnect`` is off), and takes a *timeout* in
    seconds for the whole call: waiting for its turn, connecting, sending and receiving. None means no limit; left
    out, the stream's own ``timeout`` holds. Connecting has a limit of its own instead where ``connection_timeout`` is
    given.

    The ``write_read…`` methods are *exchanges*: a request and its reply, which nobody else's call comes between. Input
    that came unasked is discarded (and logged) before the request goes out. Whatever exception ends an exchange, the
    connection is closed, and the next call makes a new one: a late reply can never be taken for the answer to a later
    question. A request is never sent twice.

    All of them raise:
        ConnectionTimeoutError: the time was up. If it passed while waiting for a turn, the connection was left alone.
        ConnectionEOFError: the peer closed the connection before all had come; ``.partial`` is what had.
        LimitError: a line or frame longer than ``buffer_size``.
        OSError: connecting failed, or the connection broke.
    """

    def __init__(self, resource: str, eol: bytes, *args: Any) -> None:
        super().__init__(resource, *args)
        self.eol = check_eol(eol)

    # What is there already

    def in_waiting(self) -> int:
        """Return how many bytes can be read without waiting; 0 when not connected."""
        link = self._current_link()
        if link is None or link.closed:
            return 0
        return len(link.buffer) + link.transport.in_waiting()

    def at_eof(self) -> bool:
        """Tell whether the peer has closed the connection and all that it sent has been read."""
        link = self._current_link()
        return link is not None and (link.closed or link.transport.hung_up()) and self.in_waiting() == 0

    def reset_input_buffer(self) -> None:
        """Discard what has been received and not been read, unless a call is receiving at this moment."""
        current = None if self._callback is None else self._passes()
        turns, link = (self._turns, self._link) if current is None else (current.turns, current.link)
        if link is None:
            return
        ticket = Ticket("reset_input_buffer", None)
        ticket.writes = False
        try:
            if not turns.enter(ticket) or link.reader is not None:
                return
            link.reader = ticket
            if not link.closed:
                self._discard_received(link)
            link.reader = None
        finally:
            turns.leave(ticket)
        if link.closed:  # by another thread meanwhile
            self._retire(link, None)
            self._report_ended()

    def _discard_received(self, link: Link) -> None:
        link.buffer.clear()
        try:
            while link.transport.receive_now():
                pass
        except OSError:
            pass  # the next call meets it

    # Reads

    async def read(self, n: int = -1, timeout: Timeout = DEFAULT) -> bytes:
        """Read up to *n* bytes, at least one; everything until the peer closes the connection if *n* is negative."""
        if check_count("n", n, -1) == 0:
            return b""
        return await self._call("read", timeout, None, self._receive_some, None, n)

    async def readline(self, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> bytes:
        """Read a line and return it with its end.

        Args:
            eol: one or more bytes that end a line, instead of the stream's ``eol``.
            timeout: seconds.
        """
        return await self._call("readline", timeout, None, self._receive_line, None, self._eol(eol))

    async def readlines(self, n: int, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> list[bytes]:
        """Read *n* lines and return them with their ends."""
        if check_count("n", n, 0) == 0:
            return []
        return await self._call("readlines", timeout, None, self._receive_lines, None, n, self._eol(eol))

    async def readuntil(self, separator: bytes = b"\n", timeout: Timeout = DEFAULT) -> bytes:
        """Read up to and including *separator*, whatever the stream's ``eol`` is."""
        return await self._call("readuntil", timeout, None, self._receive_line, None, check_eol(separator))

    async def readexactly(self, n: int, timeout: Timeout = DEFAULT) -> bytes:
        """Read *n* bytes. Big blocks are received into their final place."""
        if check_count("n", n, 0) == 0:
            return b""
        return await self._call("readexactly", timeout, None, self._receive_exactly, None, n)

    async def read_into(self, buffer: Any, timeout: Timeout = DEFAULT) -> None:
        """Fill *buffer* with bytes received straight into it.

        Args:
            buffer: any contiguous writable buffer: bytearray, memoryview, numpy array, ctypes structure, array.array.
                All of it is filled. When the call fails, it holds what had come so far.
            timeout: seconds.
        """
        view = writable_view(buffer)
        if len(view):
            await self._call("read_into", timeout, None, self._receive_into, None, view)

    async def readbuffer(self, timeout: Timeout = DEFAULT) -> bytes:
        """Return what can be read without waiting, ``b""`` if nothing."""
        await self.runtime.sleep(0)  # nothing below waits, and a loop of these must let others run
        return await self._call("readbuffer", timeout, None, self._receive_available, None)

    async def wait_readable(self, n: int = 1, timeout: Timeout = DEFAULT) -> None:
        """Wait until *n* bytes can be read without waiting, and take none of them.

        Unlike a read, it leaves the connection alone when the time is up, or when the waiting task is cancelled: what
        has come by then is there for the next read.
        """
        if check_count("n", n, 0):
            await self._call("wait_readable", timeout, None, self._receive_ahead, None, n)

    if TYPE_CHECKING:

        @overload
        async def readblock(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        async def readblock(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory: ...

    async def readblock(
        self,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
        *,
        allocate: Callable[[int], Any] | None = None,
    ) -> Any:
        """Read an IEEE 488.2 arbitrary block, and return its data.

        Args:
            eol: what ends the message after the block, instead of the stream's ``eol``; ``b""`` for an instrument that
                sends nothing after a definite block.
            timeout: seconds.
            allocate: called with the size of the block in bytes, returns the contiguous writable buffer of that size
                (bytearray, numpy array) that the block is to be received into, and that is returned instead of bytes.

        Raises:
            ProtocolError: what came is not a block, or something else than *eol* follows it; or it is an indefinite
                block (``#0``), which ends with the message, and something follows its first line feed: a stream does
                not tell whether that is the end.
            TypeError, ValueError: what *allocate* returned is no such buffer.
        """
        return await self._call("readblock", timeout, None, self._receive_block, None, self._block_end(eol), allocate)

    if TYPE_CHECKING:

        @overload
        async def readmessage(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        async def readmessage(
            self, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory | bytes: ...

    async def readmessage(
        self,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
        *,
        allocate: Callable[[int], Any] | None = None,
    ) -> Any:
        """Read an IEEE 488.2 response message and return it with its end: a line, as `readline` does, unless it begins
        with a definite block, whose data may hold anything: then everything up to the first *eol* after that.

        Args:
            eol: what ends a message, instead of the stream's ``eol``.
            timeout: seconds.
            allocate: as for `readblock`: a message that is a block is received into what it returns, and that is
                returned. A line is still returned as bytes.
        """
        return await self._call("readmessage", timeout, None, self._receive_message, None, self._eol(eol), allocate)

    async def readframe(self, framing: Framing[Frame], timeout: Timeout = DEFAULT) -> Frame:
        """Read a frame.

        Args:
            framing: how frames are told apart, e.g. ``sockio.framing.COBS()``.
            timeout: seconds.

        Raises:
            ProtocolError: a malformed frame; the next one can be read.
        """
        return await self._call("readframe", timeout, None, self._receive_frame, None, framing)

    # Writes

    async def write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send *data*, and return when the operating system has taken all of it."""
        await self._call("write", timeout, check_data(data), None, None)

    async def writelines(self, lines: Iterable[Data], timeout: Timeout = DEFAULT) -> None:
        """Send the lines, which bring their own ends, in one go."""
        await self._call("writelines", timeout, b"".join(check_lines(lines)), None, None)

    async def writeframe(self, frame: Frame, framing: Framing[Frame], timeout: Timeout = DEFAULT) -> None:
        """Send a frame, as *framing* encodes it."""
        await self._call("writeframe", timeout, framing.encode(frame), None, None)

    # Exchanges

    async def write_read(self, data: Data, n: int = -1, timeout: Timeout = DEFAULT) -> bytes:
        """Send *data* and read up to *n* bytes; until the peer closes the connection if *n* is negative."""
        check_count("n", n, -1)
        return await self._call("write_read", timeout, check_data(data), self._receive_some, None, n)

    async def write_readline(self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT) -> bytes:
        """Send *data* and read the line that answers it, with its end.

        Args:
            data: the request, with the end of line that the instrument wants.
            eol: what ends the reply, instead of the stream's ``eol``.
            timeout: seconds.
        """
        # The one that matters most: spelled out, since every function called is felt.
        if data.__class__ is not bytes:
            data = check_data(data)
        eol = self.eol if eol is None else check_eol(eol)
        return await self._call("write_readline", timeout, data, self._receive_line, None, eol)

    async def write_readlines(
        self, data: Data, n: int, eol: bytes | None = None, timeout: Timeout = DEFAULT
    ) -> list[bytes]:
        """Send *data* and read *n* lines, with their ends."""
        check_count("n", n, 0)
        return await self._call(
            "write_readlines", timeout, check_data(data), self._receive_lines, None, n, self._eol(eol)
        )

    async def writelines_readlines(
        self,
        lines: Iterable[Data],
        n: int | None = None,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
    ) -> list[bytes]:
        """Send the lines in one go and read *n* lines; as many as were sent if *n* is None."""
        lines = check_lines(lines)
        request = b"".join(lines)
        n = len(lines) if n is None else check_count("n", n, 0)
        return await self._call("writelines_readlines", timeout, request, self._receive_lines, None, n, self._eol(eol))

    if TYPE_CHECKING:

        @overload
        async def write_readblock(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        async def write_readblock(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory: ...

    async def write_readblock(
        self,
        data: Data,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
        *,
        allocate: Callable[[int], Any] | None = None,
    ) -> Any:
        """Send *data* and read the IEEE 488.2 block that answers it; see `readblock`."""
        return await self._call(
            "write_readblock", timeout, check_data(data), self._receive_block, None, self._block_end(eol), allocate
        )

    if TYPE_CHECKING:

        @overload
        async def write_readmessage(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: None = None
        ) -> bytes: ...
        @overload
        async def write_readmessage(
            self, data: Data, eol: bytes | None = None, timeout: Timeout = DEFAULT, *, allocate: Callable[[int], Memory]
        ) -> Memory | bytes: ...

    async def write_readmessage(
        self,
        data: Data,
        eol: bytes | None = None,
        timeout: Timeout = DEFAULT,
        *,
        allocate: Callable[[int], Any] | None = None,
    ) -> Any:
        """Send *data* and read the response message that answers it; see `readmessage`."""
        if data.__class__ is not bytes:
            data = check_data(data)
        eol = self.eol if eol is None else check_eol(eol)
        return await self._call("write_readmessage", timeout, data, self._receive_message, None, eol, allocate)

    async def write_readframe(self, frame: Frame, framing: Framing[Frame], timeout: Timeout = DEFAULT) -> Frame:
        """Send a frame and read the frame that answers it."""
        return await self._call("write_readframe", timeout, framing.encode(frame), self._receive_frame, None, framing)

    # Iteration

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Go through the lines of one connection; see `sockio.iteration`."""
        from .iteration import LineStream

        return LineStream(self).__aiter__()

    # Arguments

    def _eol(self, eol: bytes | None) -> bytes:
        return self.eol if eol is None else check_eol(eol)

    def _block_end(self, eol: bytes | None) -> bytes:
        return b"" if eol == b"" else self._eol(eol)
