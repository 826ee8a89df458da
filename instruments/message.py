"""Message connections: program messages to an instrument, response messages back.

VXI-11, HiSLIP, USBTMC and VISA say where a message ends, whatever bytes are in it; raw sockets, serial lines and
Prologix adapters do not, so there a line feed or a block's length does (`instruments.scpi.stream`). What pipes need of
either is `Messages`; `MessageConnection` is the part that the former have in common.
"""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sockio.errors import DeadlineExpired, ProtocolError
from sockio.framing import Need
from sockio.framing.block import parse_header
from sockio.turns import Ticket, Turns

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from sockio.runtimes.base import Runtime

T = TypeVar("T")

#: Makes the memory that a block is received into, given its size in bytes.
Allocate = Callable[[int], "Buffer"]

#: The longest response that is not a block, in bytes, unless a connection is told otherwise.
RESPONSE_LIMIT = 2**28

#: The bit of the status byte that tells of a service request (IEEE 488.2, 11.2.2.1).
REQUEST_SERVICE = 64

#: The longest response message terminator: carriage return and line feed.
TERMINATORS = (b"", b"\n", b"\r\n")


_connections: weakref.WeakSet[MessageConnection] = weakref.WeakSet()


class NotSupported(Exception):
    """The way to the instrument cannot do what was asked: a raw socket has no status byte besides ``*STB?``."""


class Refusal(DeadlineExpired):
    """The instrument has answered that something takes too long, such as waiting for a lock. All is in step."""


def in_seconds(timeout: float | None) -> str:
    """Return a time limit as errors tell it: what is left of somebody's has digits that he has never given.

    Without a limit of ours it can only have been the instrument's own that has passed.
    """
    return "its own time limit" if timeout is None else f"{round(timeout, 3) or timeout} s"


class TakesTurns:
    """What carries one call at a time. A call whose turn does not come is told whose it was."""

    runtime: Runtime
    _turns: Turns

    async def _wait_turn(self, ticket: Ticket, timeout: float | None, deadline: float | None) -> None:
        try:
            await self._turns.wait(ticket, deadline)
        except DeadlineExpired:
            holder = self._turns.holder(ticket)
            whose = "" if holder is None else f", which {holder.method} of {self.runtime.describe(holder.owner)} has"
            raise self.runtime.timeout_error(
                f"{self}: {ticket.method} waited {in_seconds(timeout)} for its turn{whose}"
            ) from None


class Messages(ABC):
    """What a pipe asks of a connection that carries messages. One call at a time uses it.

    Each method takes *timeout*, in seconds, for the whole call; None means no limit. Whatever exception ends a call,
    the connection sees to it that a late response cannot be taken for that to a later message.

    Args:
        resource: the name of what is connected to, for errors.
        runtime: the concurrency model.
    """

    #: Whether the instrument has a lock of its own, which also keeps other machines out. Where only asking for it
    #: can tell, it is known once `lock` has been called.
    has_lock = False

    #: Whether `read_status_byte` may be called while another call runs. It then takes no turn, and leaves the exchange
    #: of messages alone: there is another way to the status byte than that of the messages.
    polls_aside = False

    #: Whether `wait_for_service_request` may run while other calls run, of other processes too. Where it may not,
    #: service requests are waited for by `poll_service_request`, again and again, with other calls in between.
    waits_aside = False

    #: Whether a response goes to whoever reads next, on whatever connection: then one that nobody has read, because a
    #: call has failed, meets the next user of the instrument, in whatever process. Otherwise it ends with its
    #: connection.
    shared_output = False

    #: How many connections have been made, where what belongs to one is lost with it, such as the instrument's own
    #: lock; 0 where that means nothing.
    generation = 0

    def __init__(self, resource: str, runtime: Runtime) -> None:
        self.resource = resource
        self.runtime = runtime

    def __str__(self) -> str:
        return self.resource

    @abstractmethod
    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there. Does no I/O."""

    @abstractmethod
    async def open(self, timeout: float | None) -> None:
        """Connect, unless that has been done."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connection, if there is one; a call that is using it ends with an error. The next one connects."""

    @abstractmethod
    def abandon(self) -> None:
        """End the connection from any thread, without waiting; the next call makes a new one."""

    @abstractmethod
    async def write(self, message: bytes, timeout: float | None) -> None:
        """Send a program message, which brings its terminator."""

    @abstractmethod
    async def read(self, timeout: float | None) -> bytes:
        """Receive a response message, with its terminator."""

    @abstractmethod
    async def query(self, message: bytes, timeout: float | None) -> bytes:
        """Send a program message and receive the response message, with its terminator."""

    @abstractmethod
    async def query_block(self, message: bytes, allocate: Allocate, timeout: float | None) -> Buffer:
        """Send a program message and receive the block that answers it into new memory.

        Returns:
            What *allocate* has made, filled; or the whole response as bytes, if it does not begin as a block does.

        Raises:
            ProtocolError: a block with a malformed header, one that was cut short, or something follows it.
        """

    async def clear(self, timeout: float | None) -> None:
        """Clear the device: it forgets input, output and what it was doing (IEEE 488.2, 5.8)."""
        raise self._unsupported("device clear")

    async def read_status_byte(self, timeout: float | None) -> int:
        """Return the status byte by a serial poll, which does not disturb the exchange of messages."""
        raise self._unsupported("status byte; query *STB? instead")

    async def trigger(self, timeout: float | None) -> None:
        """Trigger the device."""
        raise self._unsupported("trigger; write *TRG instead")

    async def lock(self, timeout: float | None) -> None:
        """Take the instrument's own lock, where it has one. It is lost when the connection is."""
        return

    async def unlock(self, timeout: float | None) -> None:
        """Give the instrument's own lock back; without it, nothing happens."""
        return

    async def wait_for_service_request(self, timeout: float | None) -> int:
        """Wait until the instrument requests service, at once if it has done so since last time; return its status
        byte. Other calls go on meanwhile. Only where `waits_aside`."""
        raise self._unsupported("service request")

    async def poll_service_request(self, timeout: float | None) -> int | None:
        """Return the instrument's status byte if it requests service, and None if it does not. Only where not
        `waits_aside`."""
        raise self._unsupported("service request")

    def distrust(self) -> None:
        """Have the next call recover first: somebody else has left the instrument in the middle of something."""
        return

    def _unsupported(self, what: str) -> NotSupported:
        return NotSupported(f"{self}: this way to the instrument has no {what}")


class MessageConnection(TakesTurns, Messages):
    """A connection that marks the ends of messages itself.

    Subclasses give the primitives below; their deadlines are moments on ``runtime.clock()``, None being never. They
    raise `DeadlineExpired` (or any TimeoutError) when the deadline passes, and an OSError when the connection is lost.
    A call that ends in an exception leaves the connection out of step: the next one clears the device first.

    Args:
        resource: the name of what is connected to, for errors.
        runtime: the concurrency model.
        limit: the longest response message that is not a block, in bytes.
    """

    waits_aside = True

    #: What `_request` takes for a refusal.
    _refusals: tuple[type[BaseException], ...] = (NotSupported, Refusal)

    def __init__(self, resource: str, runtime: Runtime, limit: int = RESPONSE_LIMIT) -> None:
        super().__init__(resource, runtime)
        self.limit = limit
        self._turns = Turns(runtime)
        self._user: Ticket | None = None
        self._distrusted = False
        _connections.add(self)

    # Primitives

    @abstractmethod
    async def _connect(self, deadline: float | None) -> None:
        """Make a new connection. What is left of the last one has been given up by `_disconnect`.

        It is called by `_reconnect` alone, which counts.
        """

    @abstractmethod
    def _disconnect(self) -> None:
        """Give the connection up, without waiting. May be called when there is none."""

    @abstractmethod
    def _forget(self) -> None:
        """In a forked child, where the connection is the parent's: part with it, and leave it alone.

        At most its descriptors are closed: nothing is sent, nothing is shut down.
        """

    def _usable(self) -> bool:
        """Tell whoever has the turn the same as `connected`, which may be quicker."""
        return self.connected()

    @abstractmethod
    async def _send(self, message: bytes, deadline: float | None) -> None:
        """Send a whole program message and mark its end."""

    @abstractmethod
    async def _receive(self, deadline: float | None) -> tuple[bytes, bool]:
        """Receive the next part of the response message; tell whether it is the last one."""

    async def _receive_into(self, view: memoryview, deadline: float | None) -> tuple[int, bool]:
        """Receive into *view*, at most what fits; return how many bytes, and whether the message ends with them.

        To be overridden where bytes can be received into their place. Part of a message that does not fit is kept.
        """
        part, end = self._unread or await self._receive(deadline)
        count = min(len(part), len(view))
        view[:count] = part[:count]
        self._unread = (part[count:], end) if count < len(part) else None
        return count, end and self._unread is None

    _unread: tuple[bytes, bool] | None = None

    @abstractmethod
    async def _clear(self, deadline: float | None) -> None:
        """Clear the device and everything that is under way on the connection."""

    async def _recover(self, deadline: float | None) -> None:
        """See to it that nothing comes any more of a call that was not completed.

        To be overridden where an instrument may refuse to be cleared.
        """
        await self._clear(deadline)

    # Calls

    async def open(self, timeout: float | None) -> None:
        await self._call("open", timeout, self._nothing)

    async def close(self) -> None:
        self._disconnect()

    async def write(self, message: bytes, timeout: float | None) -> None:
        await self._call("write", timeout, self._send, message)

    async def read(self, timeout: float | None) -> bytes:
        return await self._call("read", timeout, self._receive_response)

    async def query(self, message: bytes, timeout: float | None) -> bytes:
        return await self._call("query", timeout, self._query, message)

    async def query_block(self, message: bytes, allocate: Allocate, timeout: float | None) -> Buffer:
        return await self._call("query_block", timeout, self._query_block, message, allocate)

    async def clear(self, timeout: float | None) -> None:
        await self._request("clear", timeout, self._clear)

    async def _request(self, method: str, timeout: float | None, operate: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Do the same as `_call` for what is no message: an instrument that refuses it has answered, and is in step."""
        return await self._call(method, timeout, self._refusable, operate, *args)

    async def _refusable(self, operate: Callable[..., Awaitable[T]], *args: Any) -> T:
        try:
            return await operate(*args)
        except self._refusals:
            self._user = None
            raise

    async def _call(self, method: str, timeout: float | None, operate: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run ``operate(*args, deadline)`` in turn, on a connection that is in step."""
        runtime = self.runtime
        deadline = None if timeout is None else runtime.clock() + timeout
        ticket = Ticket(method, runtime.caller())
        turns = self._turns
        try:
            try:
                queue = turns.queue
                queue.append(ticket)  # `turns.enter`, spelled out: every function called here is felt
                if len(queue) > 1 and not turns.admits(ticket):
                    await self._wait_turn(ticket, timeout, deadline)
                if self._user is not None or self._distrusted or not self._usable():
                    await self._resynchronise(deadline)
                self._user = ticket
                result = await operate(*args, deadline)
                self._user = None
                return result
            except (DeadlineExpired, TimeoutError) as error:
                if self._user is not ticket and isinstance(error, self.runtime.timeout_error):
                    raise  # it was not its turn
                why = f": {error}" if str(error) else ""
                raise self.runtime.timeout_error(
                    f"{self}: {method} timed out after {in_seconds(timeout)}{why}"
                ) from None
            except ProtocolError as error:
                raise ProtocolError(f"{self}: {error}", error.data) from None
            except OSError as error:
                if error.errno is not None and error.filename is None:
                    error.filename = self.resource
                raise
            finally:
                turns.leave(ticket)
        finally:
            if turns.queue:
                turns.leave(ticket)  # again, in case that an interrupt came in the middle of the lines above

    async def _resynchronise(self, deadline: float | None) -> None:
        """Connect if need be; recover if the last call was not completed."""
        out_of_step = self._user is not None or self._distrusted
        self._unread = None
        if not self._usable():
            await self._reconnect(deadline)
        if out_of_step:
            try:
                self._distrusted = False  # now: there may be new reason meanwhile
                await self._recover(deadline)
            except BaseException:
                self._distrusted = True
                self._disconnect()
                raise
            self._user = None

    async def _reconnect(self, deadline: float | None) -> None:
        """Give up the connection, if there is one, and make a new one."""
        self._disconnect()
        await self._connect(deadline)
        self.generation += 1

    def distrust(self) -> None:
        self._distrusted = True

    async def _nothing(self, deadline: float | None) -> None:
        pass

    async def _query(self, message: bytes, deadline: float | None) -> bytes:
        await self._send(message, deadline)
        return await self._receive_response(deadline)

    async def _receive_response(self, deadline: float | None) -> bytes:
        part, end = await self._receive(deadline)
        if end:
            return part
        parts = [part]
        size = len(part)
        while not end:
            part, end = await self._receive(deadline)
            parts.append(part)
            size += len(part)
            if size > self.limit:
                raise self.runtime.limit_error(
                    f"{self}: a response of more than {self.limit} bytes", self.limit, b"".join(parts)[: self.limit]
                )
        return b"".join(parts)

    async def _query_block(self, message: bytes, allocate: Allocate, deadline: float | None) -> Buffer:
        await self._send(message, deadline)
        start, end = b"", False
        header: tuple[int, int | None] | Need = Need(2)
        while isinstance(header, Need):
            if end:
                raise ProtocolError(f"expected a block, got {start!r}", start)
            part, end = await self._receive(deadline)
            start += part
            if start and not start.startswith(b"#"):
                return start if end else start + await self._receive_response(deadline)
            header = parse_header(start)
        header_size, size = header
        rest = start[header_size:]
        if size is None:
            return await self._receive_indefinite(rest, end, allocate, deadline)
        block = allocate(size)
        view = memoryview(block).cast("B")
        filled = min(size, len(rest))
        view[:filled] = rest[:filled]
        while filled < size and not end:
            count, end = await self._receive_into(view[filled:], deadline)
            filled += count
        if filled < size:
            raise ProtocolError(f"expected a block of {size} bytes, got {filled}", bytes(view[:filled]))
        terminator = rest[size:]
        while not end and len(terminator) <= 2:
            part, end = self._unread or await self._receive(deadline)
            self._unread = None
            terminator += part
        if terminator not in TERMINATORS:
            raise ProtocolError(f"expected the end after a block of {size} bytes, got {terminator[:40]!r}", terminator)
        return block

    async def _receive_indefinite(self, start: bytes, end: bool, allocate: Allocate, deadline: float | None) -> Buffer:
        """Receive a block that goes on until the end of the message (IEEE 488.2, 8.7.10)."""
        data = start if end else start + await self._receive_response(deadline)
        data = data.removesuffix(b"\n")
        block = allocate(len(data))
        memoryview(block).cast("B")[:] = data
        return block


def _forget_in_child() -> None:
    """In a forked child: the calls that are running are the parent's, and so is the connection."""
    for connection in list(_connections):
        connection._turns = Turns(connection.runtime)
        connection._user = connection._unread = None
        connection._distrusted = False
        connection._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
