"""The synchronous channel: program messages to the instrument, its responses, triggers.

In synchronized mode a response counts only if it is that to the last message sent (IVI-6.1, 3.1.2). An instrument that
gets a message before the response to the last one has gone says so on both channels, with Interrupted and
AsyncInterrupted. In overlap mode responses come in the order of the queries, and nothing interrupts anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.errors import ProtocolError
from sockio.turns import Turns

from .channel import JOIN_LIMIT, Channel
from .codec import (
    FIRST_MESSAGE_ID,
    HEADER,
    PROLOGUE,
    RMT_DELIVERED,
    UNKNOWN_MESSAGE_ID,
    Message,
    MessageType,
    encode,
    next_message_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockio.runtimes.base import Runtime

    from ..wire import Wire
    from .asynchronous import AsynchronousChannel

DATA = MessageType.DATA
DATA_END = MessageType.DATA_END
DATA_TYPES = (DATA, DATA_END)
DELIVERED = [RMT_DELIVERED]

#: How much of a payload is received at once where its place is not known yet, in bytes.
PART_SIZE = 65536

#: What a status query has where there is no message yet to speak of (IVI-6.1, 6.14).
NO_MESSAGE_ID = FIRST_MESSAGE_ID - 2


class SynchronousChannel(Channel):
    """The synchronous channel, used by one caller at a time.

    Attributes:
        overlap: whether the instrument has granted overlap mode.
        send_limit: the longest payload that the instrument takes, in bytes.
        last_sent: the MessageID of the last message sent.
        last_received: the MessageID of the last response that was received to its end.
        handing_over: the turn of who tells the instrument, on either channel, that a response has been delivered.
    """

    def __init__(
        self,
        wire: Wire,
        runtime: Runtime,
        resource: str,
        give_up: Callable[[], None],
        asynchronous: AsynchronousChannel,
        limit: int,
    ) -> None:
        super().__init__(wire, runtime, resource, give_up, limit)
        self.asynchronous = asynchronous
        self.overlap = False
        self.send_limit = 1
        self.handing_over = Turns(runtime)
        self._delivered: list[int] = []
        self._reset()

    def _reset(self) -> None:
        self.last_sent = self.last_received = NO_MESSAGE_ID
        self._delivered.clear()
        self._payload = b""
        self._ends = False
        self._midway = False

    def take_delivered(self) -> int:
        """Return the control code that says whether a response has been delivered since this was asked last."""
        try:
            return self._delivered.pop()
        except IndexError:
            return 0

    @property
    def status_message_id(self) -> int:
        """The MessageID by which a status query tells the instrument how far this side is (IVI-6.1, 6.14)."""
        return self.last_received if self.overlap else self.last_sent

    # Sending

    async def send_message(self, message: bytes, deadline: float | None) -> None:
        """Send a program message, in so many HiSLIP messages as it takes."""
        limit = self.send_limit
        if len(message) <= limit:
            await self._send_next(DATA_END, message, deadline)
            return
        view = memoryview(message)
        start = 0
        while len(view) - start > limit:
            await self._send_next(DATA, view[start : start + limit], deadline)
            start += limit
        await self._send_next(DATA_END, view[start:], deadline)

    async def trigger(self, deadline: float | None) -> None:
        """Send a trigger."""
        await self._send_next(MessageType.TRIGGER, b"", deadline)

    async def _send_next(self, kind: MessageType, payload: bytes | memoryview, deadline: float | None) -> None:
        self._payload, self._midway = b"", False
        delivered = self.take_delivered() if self._delivered else 0
        if not delivered and self.handing_over.queue:
            await self._let_it_be_said(deadline)
        self.last_sent = message_id = next_message_id(self.last_sent)
        if len(payload) <= JOIN_LIMIT:
            await self.wire.send(encode(kind, delivered, message_id, bytes(payload)), deadline)
        else:
            await self.send(kind, delivered, message_id, payload, deadline)

    async def _let_it_be_said(self, deadline: float | None) -> None:
        """Wait for a status query that may be on its way to say that the last response has been delivered.

        The next message must not get there first.
        """
        await self.handing_over.run("send", deadline, self._nothing)

    async def _nothing(self) -> None:
        pass

    async def exchange(self, message: bytes, deadline: float | None) -> tuple[bytes, bool]:
        """Send a program message, and receive the first part of the response; tell whether it is the last one.

        It is `send_message` and `receive_part`, made quick for short messages.
        """
        size = len(message)
        if size > JOIN_LIMIT or size > self.send_limit or self.unread or self.overlap:
            await self.send_message(message, deadline)
            return await self.receive_part(deadline)
        self._payload, self._midway = b"", False
        delivered = self.take_delivered() if self._delivered else 0
        if not delivered and self.handing_over.queue:
            await self._let_it_be_said(deadline)
        self.last_sent = message_id = next_message_id(self.last_sent)
        request = HEADER.pack(PROLOGUE, DATA_END, delivered, message_id, size) + message
        response = await self.wire.exchange(request, deadline, self._take_response)
        if response is None:
            return await self.receive_part(deadline)
        return response, True

    def _take_response(self, received: bytes) -> bytes | None:
        """Return the payload of what has been received if that is the response to the last message, and all of it."""
        size = len(received) - HEADER.size
        if size < 0:
            return None
        prologue, kind, _, message_id, length = HEADER.unpack_from(received)
        if (
            length != size
            or kind != DATA_END
            or prologue != PROLOGUE
            or message_id != self.last_sent
            or size > self.limit
            or self.asynchronous.interruptions
        ):
            return None
        self.last_received = message_id
        self._delivered[:] = DELIVERED
        return received[HEADER.size :]

    # Receiving

    async def receive_part(self, deadline: float | None) -> tuple[bytes, bool]:
        """Receive the next part of the response; tell whether it is the last one."""
        if not self._payload and not self.unread:
            message = await self._next_data(deadline)
            if message.parameter == UNKNOWN_MESSAGE_ID and not self.overlap and not self._midway:
                return await self._receive_unidentified(message, deadline), self._part_done()
            if message.type == DATA_END and not self.unread:
                self._finish(message.parameter)  # as most responses come
                return message.payload, True
            self._begin(message)
        part, self._payload = self._payload, b""
        if not part and self.unread:
            part = await self.read_some(PART_SIZE, deadline)
        return part, self._part_done()

    async def receive_into(self, view: memoryview, deadline: float | None) -> tuple[int, bool]:
        """Receive the next part of the response into *view*, at most what fits; return its size, and whether it is
        the last one."""
        if not self._payload and not self.unread:
            self._begin(await self._next_data(deadline))
        count = min(len(self._payload), len(view))
        view[:count] = self._payload[:count]
        self._payload = self._payload[count:]
        if not self._payload and self.unread:
            count += await self.read_into(view[count:], deadline)
        return count, self._part_done()

    def _begin(self, message: Message) -> None:
        self._payload = message.payload
        self._ends = message.type == MessageType.DATA_END
        self._message_id = message.parameter

    def _part_done(self) -> bool:
        """Return whether the response has been received to its end."""
        end = self._ends and not self._payload and not self.unread
        self._midway = not end
        if end:
            self._finish(self._message_id)
        return end

    def _finish(self, message_id: int) -> None:
        self._midway = False
        self.last_received = message_id
        if not self.overlap:
            self._delivered[:] = DELIVERED

    async def _receive_unidentified(self, message: Message, deadline: float | None) -> bytes:
        """Receive a response whose instrument does not know at its beginning to what it is: only a MessageID says.

        What came under no MessageID is thrown away when something else than the response to the last message follows.
        """
        parts: list[bytes] = []
        while True:
            parts += message.payload, await self.read_rest(deadline)
            if message.parameter != UNKNOWN_MESSAGE_ID:
                self._begin(message._replace(payload=b""))
                return b"".join(parts)
            message = await self._next_data(deadline, parts)

    async def _next_data(self, deadline: float | None, kept: list[bytes] | None = None) -> Message:
        """Receive the next Data or DataEnd of the response to the last message sent; other responses are discarded.

        *kept* is emptied if what came before it turns out to be part of another response.
        """
        while True:
            message = await self.receive(deadline)
            kind = message.type
            if kind in DATA_TYPES:
                if self._is_ours(message):
                    return message
            elif kind == MessageType.INTERRUPTED:
                await self._match_interruption(message, deadline)
            elif kind == MessageType.ERROR:
                raise await self.read_error(message, deadline)
            else:
                await self.refuse(message, deadline)
            if self._midway:
                raise ProtocolError(f"a response was broken off by {message}", message.payload)
            if kept is not None:
                kept.clear()

    def _is_ours(self, message: Message) -> bool:
        if self.overlap:
            return True
        if self.asynchronous.interruptions:
            return False  # what comes before its Interrupted has been given up (IVI-6.1, 3.1.2, rule 4)
        if message.parameter == self.last_sent:
            return True
        return message.type == MessageType.DATA and message.parameter == UNKNOWN_MESSAGE_ID

    async def _match_interruption(self, message: Message, deadline: float | None) -> None:
        """Wait for the AsyncInterrupted that belongs to an Interrupted: nothing may be sent before it has come."""
        message_id = await self.asynchronous.interruption(deadline)
        if message_id != message.parameter:
            raise ProtocolError(
                f"expected Interrupted and AsyncInterrupted to name one message, got {message.parameter:#010x} and "
                f"{message_id:#010x}"
            )

    # Clearing

    async def finish_clear(self, features: int, deadline: float | None) -> int:
        """Ask for features, discard everything up to the answer, and return what the instrument grants."""
        await self.send(MessageType.DEVICE_CLEAR_COMPLETE, features, 0, b"", deadline)
        while True:
            message = await self.receive(deadline)
            if message.type == MessageType.DEVICE_CLEAR_ACKNOWLEDGE:
                break
        self._reset()
        self.asynchronous.interruptions.clear()
        return message.control

    def limit_sending(self, size: int) -> None:
        """Send messages of at most *size* bytes, headers included, from now on."""
        self.send_limit = size - HEADER.size
