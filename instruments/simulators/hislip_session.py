"""One HiSLIP client of a simulated instrument: its messages in their order, and what is answered."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import gevent
from gevent.event import Event

from instruments.hislip.codec import (
    FIRST_MESSAGE_ID,
    HEADER,
    INVALID_INITIALIZATION,
    MESSAGE_TOO_LARGE,
    NOT_BOTH_CHANNELS,
    OVERLAP,
    RMT_DELIVERED,
    UNRECOGNIZED_CONTROL_CODE,
    UNRECOGNIZED_MESSAGE_TYPE,
    UNRECOGNIZED_VENDOR_MESSAGE,
    Message,
    MessageType,
    encode,
    next_message_id,
)

from .faults import deliver

if TYPE_CHECKING:
    from .hislip_locks import Locks
    from .scpi import ScpiDevice

#: Bit 4 of the status byte.
MESSAGE_AVAILABLE = 1 << 4

#: What is sent to a client that has not said how much it takes: 256 bytes and a header.
CLIENT_MAX_MESSAGE_SIZE = 256 + HEADER.size

#: A lock that is given back is kept until the client's last message has been processed, for so many seconds at most.
LAST_MESSAGE_TIMEOUT = 5.0

NO_MESSAGE_ID = FIRST_MESSAGE_ID - 2


class Refusal(Exception):
    """Something that the client is told, with its code in the standard."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class FatalError(Refusal):
    """After this the connection is closed."""


class RecoverableError(Refusal):
    """After this the session goes on."""


class Sender(Protocol):
    """One of the two connections, as the session sees it."""

    def send(self, data: bytes) -> None:
        """Send whole messages."""

    def close(self) -> None:
        """End the connection."""


class Session:
    """One client, over both connections.

    Args:
        device: the instrument.
        synchronous: the connection that the session began with.
        locks: of the instrument.
        session_id: its number.
        grants_overlap: whether the client may have overlap mode.

    Attributes:
        asynchronous: the other connection, once it is there.
        client_max_message_size: what the client takes, in bytes.
        clearing: whether a device clear has begun and not ended.
        ended: whether the client has gone.
    """

    def __init__(
        self, device: ScpiDevice, synchronous: Sender, locks: Locks, session_id: int, grants_overlap: bool
    ) -> None:
        self.id = session_id
        self.asynchronous: Sender | None = None
        self.client_max_message_size = CLIENT_MAX_MESSAGE_SIZE
        self.overlap = False
        self.clearing = False
        self.ended = False
        self._device = device
        self._synchronous = synchronous
        self._locks = locks
        self._grants_overlap = grants_overlap
        self._arrived = Event()
        self._done = Event()
        self._worker: Any = None
        self._reset()

    def _reset(self) -> None:
        """Begin anew, as after initialization."""
        self._input: deque[Message] = deque()
        self._parts: list[bytes] = []
        self._first_part_id: int | None = None
        self._too_large = False
        self._last_received = self._last_sent = NO_MESSAGE_ID
        self._terminator_expected = False
        self._busy = self._sending = False
        self._set_available(False)
        self._worker = gevent.spawn(self._work)

    def _set_available(self, available: bool) -> None:
        self._available = available
        self._device.set_message_available(self, available)

    # What the client sends

    def take(self, message: Message, limit: int) -> None:
        """Take a message from the synchronous channel. Those with payloads above the limit have lost them."""
        kind = message.type
        if kind in (MessageType.INITIALIZE, MessageType.ASYNC_INITIALIZE):
            raise FatalError(INVALID_INITIALIZATION)
        if self.asynchronous is None:
            raise FatalError(NOT_BOTH_CHANNELS)
        if kind == MessageType.DEVICE_CLEAR_COMPLETE and self.clearing:
            self._end_clear(message.control)
        elif self.clearing:
            pass  # everything up to DeviceClearComplete is thrown away
        elif kind in (MessageType.DATA, MessageType.DATA_END, MessageType.TRIGGER):
            if message.control & ~RMT_DELIVERED:
                raise RecoverableError(UNRECOGNIZED_CONTROL_CODE)
            self._look_at_terminator(message)
            self._collect(message, limit)
        else:
            vendor_defined = kind >= 128
            raise RecoverableError(UNRECOGNIZED_VENDOR_MESSAGE if vendor_defined else UNRECOGNIZED_MESSAGE_TYPE)

    def _look_at_terminator(self, message: Message) -> None:
        """Find out whether the last response has been read (IVI-6.1, 3.1.1)."""
        self._last_received = message.parameter
        if self._terminator_expected and not message.control and not self.overlap:
            self._device.report_error(-410)
        if self._terminator_expected:
            self._terminator_expected = False
            self._set_available(False)

    def _collect(self, message: Message, limit: int) -> None:
        """Put program messages together, and hand over what is complete."""
        if message.type == MessageType.TRIGGER:
            self._hand_over(message)
            return
        if message.length > limit:
            self._too_large = True
        self._parts.append(message.payload)
        if self._first_part_id is None:
            self._first_part_id = message.parameter
        if message.type == MessageType.DATA:
            return
        whole, self._parts = b"".join(self._parts), []
        too_large, self._too_large = self._too_large, False
        self._first_part_id = None
        if too_large:
            raise RecoverableError(MESSAGE_TOO_LARGE)
        self._hand_over(message._replace(payload=whole))

    def _hand_over(self, message: Message) -> None:
        self._input.append(message)
        self._arrived.set()

    # What is done with it

    def _work(self) -> None:
        """Process messages one after the other, until a device clear or the end."""
        while True:
            while not self._input:
                self._busy = False
                self._done.set()
                self._arrived.clear()
                self._arrived.wait()
            self._busy = True
            self._locks.wait(self)
            message = self._input.popleft()
            if message.type == MessageType.TRIGGER:
                self._device.trigger()
                continue
            response = self._device.respond(message.payload.removesuffix(b"\n").removesuffix(b"\r"))
            if response is not None:
                self._respond(response, message.parameter)

    def _respond(self, response: bytes, message_id: int) -> None:
        worker = gevent.getcurrent()
        wire = self._frame(response, message_id)

        def send(data: bytes) -> None:
            if worker is not self._worker:
                return  # cleared in the meantime
            if self._interrupted():
                return
            self._terminator_expected = True
            self._set_available(True)
            self._sending = True
            self._synchronous.send(data)
            self._sending = False

        try:
            deliver(self._device, wire, send, self.close)
        except OSError:
            self.close()

    def _frame(self, response: bytes, message_id: int) -> bytes:
        """Return the messages that a response comes in."""
        size = max(1, self.client_max_message_size - HEADER.size)
        frames: list[bytes] = []
        for start in range(0, len(response), size):
            kind = MessageType.DATA if start + size < len(response) else MessageType.DATA_END
            if self.overlap:
                self._last_sent = message_id = next_message_id(self._last_sent)
            frames.append(encode(kind, 0, message_id, response[start : start + size]))
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def _interrupted(self) -> bool:
        """Give the response up if another message has come already, and say so (IVI-6.1, 3.1.1)."""
        if self.overlap or not (self._input or self._parts):
            return False
        interrupting = self._input[0].parameter if self._input else self._first_part_id
        assert interrupting is not None
        assert self.asynchronous is not None
        self._device.report_error(-410)
        self.asynchronous.send(encode(MessageType.ASYNC_INTERRUPTED, 0, interrupting))
        self._synchronous.send(encode(MessageType.INTERRUPTED, 0, interrupting))
        return True

    def wait_until_done(self, message_id: int) -> None:
        """Wait until the message of this ID, the client's last one, has been processed."""
        with gevent.Timeout(LAST_MESSAGE_TIMEOUT, False):  # pyright: ignore[reportArgumentType]  gevent documents it
            while not self.ended and (message_id != self._last_received or self._busy or self._input):
                self._done.clear()
                self._done.wait()

    # Status

    def status_byte(self, terminator_delivered: bool, message_id: int) -> int:
        """Return the status byte for a status query (IVI-6.1, 6.14)."""
        if self.overlap:
            available = message_id != self._last_sent
            if not available:
                self._set_available(False)
        else:
            if terminator_delivered:
                self._terminator_expected = False
                self._set_available(False)
            available = self._available and message_id == self._last_received
        status = self._device.serial_poll() & ~MESSAGE_AVAILABLE
        return status | (MESSAGE_AVAILABLE if available else 0)

    def request_service(self, status: int) -> None:
        """Send a service request; the instrument does not wait for that."""
        gevent.spawn(self._request_service, status)

    def _request_service(self, status: int) -> None:
        try:
            if self.asynchronous is not None:
                self.asynchronous.send(encode(MessageType.ASYNC_SERVICE_REQUEST, status))
        except OSError:
            pass  # the client has gone

    # Device clear

    def begin_clear(self) -> None:
        """Give up what is under way; what the client sends is thrown away until it says that it is done."""
        self.clearing = True
        worker, self._worker = self._worker, None
        if not self._sending:
            worker.kill(block=False)  # otherwise it finishes the message that it is sending
        self._input.clear()
        self._locks.notify()
        if self._locks.admits(self):
            self._device.clear()

    def _end_clear(self, features: int) -> None:
        self.clearing = False
        self.overlap = bool(features & OVERLAP) and self._grants_overlap
        self._reset()
        self._synchronous.send(encode(MessageType.DEVICE_CLEAR_ACKNOWLEDGE, OVERLAP * self.overlap))

    # The end

    def close(self) -> None:
        """End both connections."""
        for wire in (self._synchronous, self.asynchronous):
            if wire is not None:
                wire.close()

    def end(self) -> None:
        """The client has gone."""
        self.ended = True
        self.close()
        if self._worker is not None:
            self._worker.kill(block=False)
        self._set_available(False)
        self._locks.release_all(self)
