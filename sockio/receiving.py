"""The ways to receive: lines, messages, blocks, frames, and bytes into memory that is there already.

Each runs inside a call, on a link that is its own for that time. What comes beyond what it returns stays in the link's
buffer, for the next one.
"""

from __future__ import annotations

import io

from .connection import Connection
from .deadline import sooner
from .errors import DeadlineExpired, LimitError, ProtocolError
from .framing import Need
from .framing.block import Block
from .runtimes.base import CHUNK_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, TypeVar

    from .framing import Framing
    from .link import Link
    from .turns import Ticket

    Frame = TypeVar("Frame")


#: What blocks begin with. Numbers that are not decimal begin with # and a letter (IEEE 488.2, 8.7.5 to 8.7.7).
INDEFINITE_BLOCK = b"#0"
DEFINITE_BLOCK = [b"#%d" % count for count in range(1, 10)]


class Receiving(Connection):
    """A connection that can receive in all the ways that streams read.

    A way to receive is a method that `_call` is given, and calls with the link, the deadline and the method's own
    arguments. It raises EOFError (with what had come) if the peer closes too early, DeadlineExpired at the deadline,
    and LimitError for a line or frame of more than ``buffer_size`` bytes.
    """

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
        if isinstance(chunk, bytes) and self._is_line(chunk, eol):
            return chunk
        return self._receive_rest_of_line(link, deadline, eol, chunk)

    def _is_line(self, chunk: bytes, eol: bytes) -> bool:
        """Tell whether what has come is one line and nothing else."""
        return chunk.endswith(eol) and chunk.find(eol) + len(eol) == len(chunk) <= self.buffer_size

    async def _receive_rest_of_line(
        self, link: Link, deadline: float | None, eol: bytes, chunk: bytes | Awaitable[bytes] | None
    ) -> bytes:
        """Receive a line that begins with what the buffer has, or else with *chunk*."""
        buffer = link.buffer
        if chunk is not None:
            if not isinstance(chunk, bytes):
                chunk = await chunk
                if self._is_line(chunk, eol):
                    return chunk
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
            chunk = link.transport.receive(deadline)
            if not isinstance(chunk, bytes):
                chunk = await chunk
            if not chunk:
                raise self._cut_short(b"")
            if self._is_line(chunk, eol):
                return link, (chunk,)  # a request that has come alone need not go through the buffer
            buffer.append(chunk)
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
        late = 0
        while True:
            chunk = link.transport.receive(deadline)
            if not isinstance(chunk, bytes):
                chunk = await chunk
            if not chunk:
                break
            chunks.append(chunk)
            # What had come in time may be taken late; from a peer that never stops there is always more.
            if deadline is not None and self.runtime.clock() > deadline:
                late += len(chunk)
                if late > self.buffer_size:
                    raise DeadlineExpired
        everything = b"".join(chunks)
        end = self._cut_short(b"")
        if not everything:
            raise end
        self._meet_end(link, end)
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
            # Released whatever happens: the frames that an error holds shall hold none of the memory.
            with view[received:] as rest:
                received += await link.transport.receive_into(rest, deadline)
        if received < len(view):
            raise self._cut_short(bytes(view[:received]))

    async def _receive_available(self, link: Link, deadline: float | None) -> bytes:
        buffer = link.buffer
        while len(buffer) < self.buffer_size:
            chunk = link.transport.receive_now()
            if chunk == b"" and not buffer:
                raise self._cut_short(b"")
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
            data = await self._receive_indefinite_block(link, deadline, framing)
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

    async def _receive_indefinite_block(self, link: Link, deadline: float | None, framing: Block) -> bytes:
        """Receive an indefinite block, whose end is told by nothing following it.

        If anything does, the link is given up, also by a plain read: what still comes may be the rest of the block.
        """
        try:
            data = await self._receive_frame(link, deadline, framing)
            framing.check_end(data, await self._receive_following(link, deadline))
        except ProtocolError as error:
            self._part_with(link)
            link.reader = None
            self._retire(link, error)
            raise
        return data

    async def _receive_following(self, link: Link, deadline: float | None) -> bytes:
        """Return what is there already; on a line with a quiet time, whatever comes within that."""
        silent = None
        try:
            if not self.quiet:
                return link.transport.receive_now() or b""
            silent = self.runtime.clock() + self.quiet
            chunk = link.transport.receive(sooner(silent, deadline))
            return chunk if isinstance(chunk, bytes) else await chunk
        except DeadlineExpired:
            if sooner(silent, deadline) != silent:
                raise
        except OSError:
            pass  # the next call meets it
        return b""

    def _receive_message(
        self, link: Link, deadline: float | None, eol: bytes, allocate: Callable[[int], Any] | None
    ) -> Any:
        if link.buffer.used:
            return self._receive_block_or_line(link, deadline, eol, None, allocate)
        # As in _receive_line.
        chunk = link.transport.receive(deadline)
        if isinstance(chunk, bytes) and self._is_line(chunk, eol) and not chunk.startswith(b"#"):
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
                if self._is_line(chunk, eol) and not chunk.startswith(b"#"):
                    return chunk
            if not chunk:
                raise self._cut_short(b"")
            buffer.append(chunk)
        # A lone "#" may be the beginning of either.
        while len(buffer) < 2 and buffer.peek(1) in (b"", b"#"):
            await self._receive(link, deadline)
        beginning = buffer.peek(2)
        if allocate is not None and (beginning in DEFINITE_BLOCK or beginning == INDEFINITE_BLOCK):
            return await self._receive_block(link, deadline, eol, allocate)
        framing = Block(eol, self.buffer_size)
        if beginning == INDEFINITE_BLOCK:
            return beginning + await self._receive_indefinite_block(link, deadline, framing) + eol
        if beginning not in DEFINITE_BLOCK:
            return await self._receive_rest_of_line(link, deadline, eol, None)
        header_size, size = await self._receive_block_header(link, deadline, framing)
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


def writable_view(buffer: Any) -> memoryview:
    """Return the bytes of a buffer, to be received into."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError(f"buffer must be writable, {type(buffer).__name__} is not")
    return view


def _view_of_size(memory: Any, size: int) -> memoryview:
    """Return the bytes of what a user's function has allocated for a block."""
    if size == 0:
        return memoryview(bytearray())  # an array without elements has no bytes to be viewed
    view = writable_view(memory)
    if len(view) != size:
        raise ValueError(f"allocate must return a buffer of {size} bytes, not of {len(view)}")
    return view
