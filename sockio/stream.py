"""Reads, writes and exchanges: what can be done with a stream of bytes.

The public methods come first; each names what it sends and how its reply is received. The functions that receive come
after them: they run inside a call, on a link that is theirs for that time.
"""

from __future__ import annotations

import io

from .checks import check_count, check_data, check_eol, check_lines
from .connection import Connection
from .deadline import DEFAULT
from .errors import DeadlineExpired, LimitError
from .framing import Need
from .framing.block import Block
from .runtimes.base import CHUNK_SIZE
from .turns import Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from typing import Any, TypeVar, overload

    from .checks import Data
    from .deadline import Timeout
    from .framing import Framing
    from .link import Link

    Frame = TypeVar("Frame")
    Memory = TypeVar("Memory")


#: What a definite block begins with.
DEFINITE_BLOCK = [b"#%d" % count for count in range(1, 10)]


class Stream(Connection):
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
        view = _writable_view(buffer)
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
            ProtocolError: what came is not a block, or something else than *eol* follows it.
            TypeError, ValueError: what *allocate* returned is no such buffer.
        """
        return await self._call("readblock", timeout, None, self._receive_block, None, self._block_end(eol), allocate)

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

    # Receiving, inside a call

    async def _receive(self, link: Link, deadline: float | None) -> None:
        """Append what comes next to the link's buffer."""
        chunk = link.transport.receive(deadline)
        if not isinstance(chunk, bytes):
            chunk = await chunk
        if not chunk:
            raise self._cut_short(link.buffer.take_all())
        link.buffer.append(chunk)

    def _cut_short(self, partial: bytes) -> EOFError:
        so_far = f" after {len(partial)} bytes: {partial[:64]!r}" if partial else ""
        return self._end_of_stream(partial, f"the peer closed the connection{so_far}")

    def _receive_line(self, link: Link, deadline: float | None, eol: bytes) -> bytes | Awaitable[bytes]:
        if link.buffer.used:
            return self._receive_rest_of_line(link, deadline, eol, None)
        # Most often the reply is all that comes, and need not go through the buffer.
        chunk = link.transport.receive(deadline)
        if (
            isinstance(chunk, bytes)
            and chunk.endswith(eol)
            and chunk.find(eol) + len(eol) == len(chunk) <= self.buffer_size
        ):
            return chunk
        return self._receive_rest_of_line(link, deadline, eol, chunk)

    async def _receive_rest_of_line(
        self, link: Link, deadline: float | None, eol: bytes, chunk: bytes | Awaitable[bytes] | None
    ) -> bytes:
        """Receive a line that begins with what the buffer has, or else with *chunk*."""
        buffer = link.buffer
        if chunk is not None:
            if not isinstance(chunk, bytes):
                chunk = await chunk
            if not chunk:
                raise self._cut_short(b"")
            buffer.append(chunk)
        while True:
            line = buffer.take_until(eol)
            if line is not None:
                return self._within_limit(line)
            if len(buffer) > self.buffer_size:
                return self._within_limit(buffer.take_all())
            await self._receive(link, deadline)

    def _within_limit(self, line: bytes) -> bytes:
        if len(line) > self.buffer_size:
            raise self.runtime.limit_error(
                f"{self}: a line of more than {self.buffer_size} bytes (buffer_size): {line[:64]!r}...",
                self.buffer_size,
                line,
            )
        return line

    async def _receive_lines(self, link: Link, deadline: float | None, n: int, eol: bytes) -> list[bytes]:
        lines: list[bytes] = []
        try:
            while len(lines) < n:
                line = self._receive_line(link, deadline, eol)
                lines.append(line if isinstance(line, bytes) else await line)
        except EOFError as error:
            partial: bytes = getattr(error, "partial", b"")
            raise self._cut_short(b"".join(lines) + partial) from None
        return lines

    async def _receive_line_batch(self, link: Link, deadline: float | None, eol: bytes) -> tuple[Link, Iterable[bytes]]:
        """Return all the complete lines that have come; until they are consumed they stay in the buffer."""
        buffer = link.buffer
        if not buffer:
            await self._receive(link, deadline)
        while True:
            if len(buffer) > self.buffer_size:
                # Among so much there may be a line that is too long.
                line = self._receive_line(link, deadline, eol)
                return link, [line if isinstance(line, bytes) else await line]
            lines = buffer.take_lines(eol)
            if lines is not None:
                return link, lines
            await self._receive(link, deadline)

    async def _receive_some(self, link: Link, deadline: float | None, n: int) -> bytes:
        if n < 0:
            return await self._receive_everything(link, deadline)
        if n and not link.buffer:
            await self._receive(link, deadline)
        return link.buffer.take(n)

    async def _receive_everything(self, link: Link, deadline: float | None) -> bytes:
        chunks = [link.buffer.take_all()]
        while True:
            chunk = link.transport.receive(deadline)
            if not isinstance(chunk, bytes):
                chunk = await chunk
            if not chunk:
                break
            chunks.append(chunk)
        everything = b"".join(chunks)
        end = self._cut_short(b"")
        if not everything:
            raise end
        link.reader = None
        self._retire(link, end)
        return everything

    async def _receive_exactly(self, link: Link, deadline: float | None, n: int) -> bytes:
        buffer = link.buffer
        if n <= CHUNK_SIZE:
            while len(buffer) < n:
                await self._receive(link, deadline)
            return buffer.take(n)
        # A BytesIO hands out its memory to be written, and then itself as bytes without a copy.
        memory = io.BytesIO(bytes(n))
        with memory.getbuffer() as view:
            await self._receive_into(link, deadline, view)
        return memory.getvalue()

    async def _receive_into(self, link: Link, deadline: float | None, view: memoryview) -> None:
        received = link.buffer.take_into(view)
        if received < len(view):
            received += await link.transport.receive_into(view[received:], deadline)
        if received < len(view):
            raise self._cut_short(bytes(view[:received]))

    async def _receive_available(self, link: Link, deadline: float | None) -> bytes:
        buffer = link.buffer
        while len(buffer) < self.buffer_size:
            chunk = link.transport.receive_now()
            if not chunk:
                break
            buffer.append(chunk)
        return buffer.take_all()

    async def _receive_ahead(self, link: Link, deadline: float | None, n: int) -> None:
        ticket = link.reader
        try:
            while len(link.buffer) < n:
                await self._receive(link, deadline)
        except DeadlineExpired:
            self._leave_in_step(link, ticket)
            raise self.runtime.timeout_error(f"{self}: {n} bytes have not come in time") from None
        except BaseException as error:
            # A transport that is cancelled has taken nothing, but an interrupt can come between taking and keeping.
            if self.runtime.suspends and not isinstance(error, (Exception, KeyboardInterrupt)):
                self._leave_in_step(link, ticket)
            raise

    def _leave_in_step(self, link: Link, ticket: Ticket | None) -> None:
        """Part a call that fails from its link, which can be trusted all the same; not from one closed meanwhile."""
        link.reader = None
        if ticket is not None and not link.closed:
            ticket.link = None

    async def _receive_block(
        self, link: Link, deadline: float | None, eol: bytes, allocate: Callable[[int], Any] | None
    ) -> Any:
        framing = Block(eol, self.buffer_size)
        header_size, size = await self._receive_block_header(link, deadline, framing)
        memory: Any
        if size is None:
            data = await self._receive_frame(link, deadline, framing)
            if allocate is None:
                return data
            memory = allocate(len(data))
            _view_of_size(memory, len(data))[:] = data
            return memory
        # A definite block says how long it is, so it may be longer than what is read ahead.
        header = link.buffer.take(header_size)
        complete = memoryview(b"")
        try:
            if allocate is None:
                memory = await self._receive_exactly(link, deadline, size)
                view = memoryview(memory)
            else:
                memory = allocate(size)
                view = _view_of_size(memory, size)
                await self._receive_into(link, deadline, view)
            complete = view
            end = await self._receive_exactly(link, deadline, len(eol))
        except EOFError as error:
            partial: bytes = getattr(error, "partial", b"")
            raise self._cut_short(header + complete.tobytes() + partial) from None
        framing.check_terminator(size, end)
        return memory

    async def _receive_block_header(self, link: Link, deadline: float | None, framing: Block) -> tuple[int, int | None]:
        """Receive the header of a block; it stays in the buffer."""
        while True:
            header = framing.read_header(link.buffer)
            if not isinstance(header, Need):
                return header
            await self._receive(link, deadline)

    def _receive_message(
        self, link: Link, deadline: float | None, eol: bytes, allocate: Callable[[int], Any] | None
    ) -> Any:
        if link.buffer.used:
            return self._receive_block_or_line(link, deadline, eol, None, allocate)
        # As in _receive_line.
        chunk = link.transport.receive(deadline)
        if (
            isinstance(chunk, bytes)
            and chunk.endswith(eol)
            and chunk.find(eol) + len(eol) == len(chunk) <= self.buffer_size
            and not chunk.startswith(b"#")
        ):
            return chunk
        return self._receive_block_or_line(link, deadline, eol, chunk, allocate)

    async def _receive_block_or_line(
        self,
        link: Link,
        deadline: float | None,
        eol: bytes,
        chunk: bytes | Awaitable[bytes] | None,
        allocate: Callable[[int], Any] | None,
    ) -> Any:
        """Receive a message that begins with what the buffer has, or else with *chunk*."""
        buffer = link.buffer
        if chunk is not None:
            if not isinstance(chunk, bytes):
                chunk = await chunk
            if not chunk:
                raise self._cut_short(b"")
            buffer.append(chunk)
        # A lone "#" may be the beginning of either.
        while len(buffer) < 2 and buffer.peek(1) in (b"", b"#"):
            await self._receive(link, deadline)
        if allocate is not None and buffer.peek(1) == b"#":
            return await self._receive_block(link, deadline, eol, allocate)
        if buffer.peek(2) not in DEFINITE_BLOCK:
            return await self._receive_rest_of_line(link, deadline, eol, None)
        header_size, size = await self._receive_block_header(link, deadline, Block(eol, self.buffer_size))
        assert size is not None
        parts = [buffer.take(header_size)]
        try:
            parts.append(await self._receive_exactly(link, deadline, size))
            parts.append(await self._receive_rest_of_line(link, deadline, eol, None))
        except EOFError as error:
            partial: bytes = getattr(error, "partial", b"")
            raise self._cut_short(b"".join(parts) + partial) from None
        return b"".join(parts)

    async def _receive_frame(self, link: Link, deadline: float | None, framing: Framing[Frame]) -> Frame:
        while True:
            try:
                frame = framing.decode(link.buffer)
            except LimitError as error:
                raise self.runtime.limit_error(f"{self}: {error}", error.limit, error.partial) from None
            if not isinstance(frame, Need):
                return frame
            await self._receive(link, deadline)

    def _eol(self, eol: bytes | None) -> bytes:
        return self.eol if eol is None else check_eol(eol)

    def _block_end(self, eol: bytes | None) -> bytes:
        return b"" if eol == b"" else self._eol(eol)


def _writable_view(buffer: Any) -> memoryview:
    """Return the bytes of a buffer, to be received into."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError(f"buffer must be writable, {type(buffer).__name__} is not")
    return view


def _view_of_size(memory: Any, size: int) -> memoryview:
    """Return the bytes of what a user's function has allocated for a block."""
    if size == 0:
        return memoryview(bytearray())  # an array without elements has no bytes to be viewed
    view = _writable_view(memory)
    if len(view) != size:
        raise ValueError(f"allocate must return a buffer of {size} bytes, not of {len(view)}")
    return view
