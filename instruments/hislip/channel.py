"""What the synchronous and the asynchronous channel have in common: messages over a TCP stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.errors import DeadlineExpired, ProtocolError

from .codec import (
    ERRORS,
    FATAL_ERRORS,
    POORLY_FORMED_HEADER,
    UNRECOGNIZED_MESSAGE_TYPE,
    UNRECOGNIZED_VENDOR_MESSAGE,
    Message,
    MessageType,
    encode,
    encode_header,
    take_message,
)
from .errors import HislipError, HislipFatalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockio.runtimes.base import Runtime

    from ..wire import Wire

#: How much of what nobody wants is read at once, in bytes.
SKIP_SIZE = 65536

#: Payloads of up to so many bytes are sent together with their header, which copies them.
JOIN_LIMIT = 65536

#: What `Channel.unread` is while something is being received: an interrupt then leaves it at that.
TORN = -1

FATAL_ERROR = MessageType.FATAL_ERROR
LAST_TYPE = max(MessageType)

#: How long a message that ends the connection may take to send, in seconds.
LAST_WORDS = 1.0


class Channel:
    """Messages over one of the two streams of a connection.

    Args:
        wire: the stream.
        runtime: the concurrency model.
        resource: the name of the instrument, for errors.
        give_up: closes both channels without waiting.
        limit: the longest payload that the instrument may send, in bytes.

    Attributes:
        unread: how many bytes of the last message's payload are still to be read.
    """

    def __init__(self, wire: Wire, runtime: Runtime, resource: str, give_up: Callable[[], None], limit: int) -> None:
        self.wire = wire
        self.runtime = runtime
        self.resource = resource
        self.give_up = give_up
        self.limit = limit
        self.unread = 0

    def torn(self) -> bool:
        """Tell who has the turn whether the last call was torn away, so that nobody knows where a message begins."""
        return self.unread < 0 or self.wire.torn()

    async def send(
        self, kind: int, control: int, parameter: int, payload: bytes | memoryview, deadline: float | None
    ) -> None:
        """Send a message. A part of one cannot be followed by anything else, so failing gives the connection up."""
        if len(payload) <= JOIN_LIMIT:
            await self.wire.send(encode(kind, control, parameter, bytes(payload)), deadline)
            return
        try:
            await self.wire.send(encode_header(kind, control, parameter, len(payload)), deadline)
            await self.wire.send(payload, deadline)
        except BaseException:
            self.give_up()
            raise

    async def receive(self, deadline: float | None) -> Message:
        """Receive the next message, with as much of its payload as has come; `unread` is what is missing of it.

        As long as its header has not come, an expired deadline or a cancellation does no harm. What is left of the
        message before it is skipped.

        Raises:
            HislipFatalError: the instrument has ended the connection.
            ProtocolError: what came is not a message, or none of the standard's.
        """
        wire = self.wire
        if self.unread < 0:
            self.give_up()
        while self.unread > 0:
            await self.read_some(SKIP_SIZE, deadline)
        buffer = wire.input()
        if not buffer.used:
            buffer = await wire.receive(deadline)
        self.unread = TORN
        try:
            message = take_message(buffer)
            while message is None:
                self.unread = 0
                await wire.receive(deadline)
                self.unread = TORN
                message = take_message(buffer)
        except ProtocolError:
            await self.end(POORLY_FORMED_HEADER)
            raise
        self.unread = message.length - len(message.payload)
        if message.length > self.limit:
            await self.end(POORLY_FORMED_HEADER)
            raise ProtocolError(
                f"expected at most {self.limit} bytes in a message, got {message} with {message.length}",
                message.payload,
            )
        if message.type == FATAL_ERROR:
            try:
                text = await self.read_text(message, deadline)
            finally:
                self.give_up()
            raise HislipFatalError(self.resource, message.control, text)
        if message.type > LAST_TYPE:
            await self.refuse(message, deadline)
        return message

    async def read_some(self, size: int, deadline: float | None) -> bytes:
        """Return up to *size* bytes of what is left of the payload."""
        left, self.unread = self.unread, TORN
        part = await self.wire.receive_some(min(left, size), deadline)
        self.unread = left - len(part)
        return part

    async def read_into(self, view: memoryview, deadline: float | None) -> int:
        """Receive what is left of the payload into *view*, at most what fits; return how many bytes."""
        left, self.unread = self.unread, TORN
        count = min(left, len(view))
        await self.wire.receive_into(view[:count], deadline)
        self.unread = left - count
        return count

    async def read_rest(self, deadline: float | None) -> bytes:
        """Return all that is left of the payload."""
        if not self.unread:
            return b""
        rest = bytearray(self.unread)
        await self.read_into(memoryview(rest), deadline)
        return bytes(rest)

    async def complete(self, message: Message, deadline: float | None) -> Message:
        """Return a message with all of its payload."""
        return message._replace(payload=message.payload + await self.read_rest(deadline)) if self.unread else message

    async def read_text(self, message: Message, deadline: float | None) -> str:
        """Return what an Error or FatalError message says."""
        return (await self.complete(message, deadline)).payload.decode("ascii", "replace").rstrip("\0\r\n")

    async def read_error(self, message: Message, deadline: float | None) -> HislipError:
        """Return the exception for an Error message."""
        return HislipError(self.resource, message.control, await self.read_text(message, deadline))

    async def refuse(self, message: Message, deadline: float | None) -> None:
        """Answer with an Error a message that should not have come (IVI-6.1, 6.3), and raise ProtocolError."""
        code = UNRECOGNIZED_VENDOR_MESSAGE if message.type >= 128 else UNRECOGNIZED_MESSAGE_TYPE
        await self.send(MessageType.ERROR, code, 0, ERRORS[code].encode(), deadline)
        raise ProtocolError(f"the instrument sent {message}, which cannot come here", message.payload)

    async def end(self, code: int) -> None:
        """Tell the instrument why, if it listens, and give the connection up (IVI-6.1, 6.2)."""
        try:
            words = encode(MessageType.FATAL_ERROR, code, 0, FATAL_ERRORS[code].encode())
            await self.wire.send(words, self.runtime.clock() + LAST_WORDS)
        except (OSError, DeadlineExpired):
            pass  # the connection is over anyway
        finally:
            self.give_up()
