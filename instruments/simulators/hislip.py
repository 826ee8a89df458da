"""HiSLIP (IVI-6.1) for simulated instruments: what speaks on each of the two connections of a client.

Keys of the transport, all with defaults:

- ``sub_address``: by which the instrument is asked for, ``hislip0``; an empty one finds it too.
- ``max_message_size``: the longest message that is taken, in bytes, 1048592.
- ``mode``: which the instrument prefers, ``synchronized`` or ``overlap``: ``synchronized``.
- ``overlap``: whether it grants overlap mode, true.
- ``max_clients``: how many clients it takes, 32.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gevent
from gevent.lock import RLock

from instruments.hislip.codec import (
    ERRORS,
    FATAL_ERRORS,
    HEADER,
    INVALID_INITIALIZATION,
    OVERLAP,
    POORLY_FORMED_HEADER,
    PROLOGUE,
    SIZE,
    TOO_MANY_CLIENTS,
    UNRECOGNIZED_CONTROL_CODE,
    UNRECOGNIZED_MESSAGE_TYPE,
    UNRECOGNIZED_VENDOR_MESSAGE,
    LockControl,
    Message,
    MessageType,
    RemoteLocal,
    encode,
)

from .hislip_locks import Locks
from .hislip_session import FatalError, RecoverableError, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scpi import ScpiDevice

#: The version of the protocol and the vendor by which the instrument introduces itself.
PROTOCOL_VERSION = 0x0100
VENDOR_ID = int.from_bytes(b"xx", "big")

MAX_MESSAGE_SIZE = 2**20 + HEADER.size

#: A payload that claims to be longer than so many bytes is not waited for.
LONGEST_PAYLOAD = 2**40

#: How much of what is thrown away is read at once, in bytes.
CHUNK = 65536


class Clients:
    """The sessions of one instrument, and who has locked it."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self.locks = Locks()
        self._last_id = 0

    def new_id(self) -> int:
        """Return a session ID that nobody has: 16 bits."""
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self.sessions:
                return self._last_id


_clients: WeakKeyDictionary[Any, Clients] = WeakKeyDictionary()


class Wire:
    """One TCP connection of a client, by messages."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self._received = b""
        self._sending = RLock()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self, limit: int) -> Message:
        """Return the next message. The payload of one that is longer than *limit* is thrown away.

        Raises:
            EOFError: the client has gone.
            FatalError: what came is not a message.
        """
        prologue, kind, control, parameter, length = HEADER.unpack(self._read(HEADER.size))
        if prologue != PROLOGUE:
            raise FatalError(POORLY_FORMED_HEADER, f"the prologue is {prologue!r}")
        if length > LONGEST_PAYLOAD:
            raise FatalError(POORLY_FORMED_HEADER, f"the payload has {length} bytes")
        if length <= limit:
            return Message(kind, control, parameter, length, self._read(length))
        for start in range(0, length, CHUNK):
            self._read(min(CHUNK, length - start))
        return Message(kind, control, parameter, length, b"")

    def _read(self, size: int) -> bytes:
        """Return so many bytes; small messages come with one call of the system, big ones go into their place."""
        while len(self._received) < size:
            if size > CHUNK:
                return self._read_into_place(size)
            chunk = self._socket.recv(CHUNK)
            if not chunk:
                raise EOFError
            self._received += chunk
        data, self._received = self._received[:size], self._received[size:]
        return data

    def _read_into_place(self, size: int) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        view[: len(self._received)] = self._received
        view, self._received = view[len(self._received) :], b""
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise EOFError
            view = view[count:]
        return bytes(data)

    def send(self, data: bytes) -> None:
        """Send whole messages, which no other comes between."""
        with self._sending:
            self._socket.sendall(data)

    def close(self) -> None:
        """End the connection; who is reading wakes."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client was faster


class HislipProtocol:
    """One connection of a client: its first message says which of the two channels it is.

    Args:
        device: the instrument.
        channel: the connection, a file over the socket.
        transport: of the engine, that the connection is of.
    """

    def __init__(self, device: ScpiDevice, channel: Any, transport: Any) -> None:
        sockets = transport.connections.values()
        self._wire = Wire(next(sock for sock in sockets if sock.fileno() == channel.fileno()))
        self._device = device
        self._clients = _clients.setdefault(device, Clients())
        properties = transport.props
        self._sub_address = str(properties.get("sub_address", "hislip0"))
        self._max_message_size = int(properties.get("max_message_size", MAX_MESSAGE_SIZE))
        self._max_clients = int(properties.get("max_clients", 32))
        self._grants_overlap = bool(properties.get("overlap", True))
        self._prefers_overlap = properties.get("mode", "synchronized") == "overlap" and self._grants_overlap

    def handle(self) -> None:
        """Serve the connection until one side ends it."""
        try:
            self._report(self._serve)
        except (EOFError, OSError):
            pass  # the client has gone, or has to go
        finally:
            self._wire.close()

    def _report(self, operate: Callable[..., object], *args: Any) -> None:
        """Do something, and tell the client what is wrong with what it sent.

        Raises:
            EOFError: so wrong that the connection has to be closed.
        """
        try:
            operate(*args)
        except RecoverableError as error:
            text = error.text or ERRORS[error.code]
            self._wire.send(encode(MessageType.ERROR, error.code, 0, text.encode()))
        except FatalError as error:
            text = error.text or FATAL_ERRORS[error.code]
            self._wire.send(encode(MessageType.FATAL_ERROR, error.code, 0, text.encode()))
            raise EOFError from None

    def _serve(self) -> None:
        message = self._wire.receive(self._max_message_size)
        if message.type == MessageType.INITIALIZE:
            self._serve_synchronous(message)
        elif message.type == MessageType.ASYNC_INITIALIZE:
            self._serve_asynchronous(message)
        else:
            raise FatalError(INVALID_INITIALIZATION, "the first message must be Initialize or AsyncInitialize")

    # The synchronous channel

    def _serve_synchronous(self, message: Message) -> None:
        clients = self._clients
        if message.payload.decode("ascii", "replace").lower() not in ("", self._sub_address.lower()):
            raise FatalError(INVALID_INITIALIZATION, f"no sub-address but {self._sub_address}")
        if len(clients.sessions) >= self._max_clients:
            raise FatalError(TOO_MANY_CLIENTS)
        session = Session(self._device, self._wire, clients.locks, clients.new_id(), self._grants_overlap)
        session.overlap = self._prefers_overlap
        clients.sessions[session.id] = session
        try:
            version = min(message.parameter >> 16, PROTOCOL_VERSION)
            features = OVERLAP * session.overlap
            self._wire.send(encode(MessageType.INITIALIZE_RESPONSE, features, version << 16 | session.id))
            while True:
                self._report(self._take, session)
        finally:
            del clients.sessions[session.id]
            session.end()

    def _take(self, session: Session) -> None:
        session.take(self._wire.receive(self._max_message_size), self._max_message_size)

    # The asynchronous channel

    def _serve_asynchronous(self, message: Message) -> None:
        session = self._clients.sessions.get(message.parameter)
        if session is None or session.asynchronous is not None:
            raise FatalError(INVALID_INITIALIZATION, f"there is no session {message.parameter} that waits for this")
        session.asynchronous = self._wire
        self._device.on_service_request(session.request_service)
        try:
            self._wire.send(encode(MessageType.ASYNC_INITIALIZE_RESPONSE, 0, VENDOR_ID))
            while True:
                self._report(self._answer, session)
        finally:
            self._device.remove_service_request_listener(session.request_service)
            session.close()

    def _answer(self, session: Session) -> None:
        message = self._wire.receive(self._max_message_size)
        kind, control, parameter = message.type, message.control, message.parameter
        if kind == MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE:
            if message.length != SIZE.size:
                raise FatalError(POORLY_FORMED_HEADER, f"a size has {SIZE.size} bytes")
            session.client_max_message_size = SIZE.unpack(message.payload)[0]
            size = SIZE.pack(self._max_message_size)
            self._wire.send(encode(MessageType.ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE, 0, 0, size))
        elif kind == MessageType.ASYNC_STATUS_QUERY:
            status = session.status_byte(bool(control), parameter)
            self._wire.send(encode(MessageType.ASYNC_STATUS_RESPONSE, status))
        elif kind == MessageType.ASYNC_DEVICE_CLEAR:
            session.begin_clear()
            features = OVERLAP * self._prefers_overlap
            self._wire.send(encode(MessageType.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE, features))
        elif kind == MessageType.ASYNC_LOCK:
            if control not in list(LockControl):
                raise RecoverableError(UNRECOGNIZED_CONTROL_CODE)
            # It may take a while, in which the client may ask for other things.
            gevent.spawn(self._lock, session, control, parameter, message.payload)
        elif kind == MessageType.ASYNC_LOCK_INFO:
            exclusive, holders = self._clients.locks.info()
            self._wire.send(encode(MessageType.ASYNC_LOCK_INFO_RESPONSE, exclusive, holders))
        elif kind == MessageType.ASYNC_REMOTE_LOCAL_CONTROL:
            if control not in list(RemoteLocal):
                raise RecoverableError(UNRECOGNIZED_CONTROL_CODE)
            self._wire.send(encode(MessageType.ASYNC_REMOTE_LOCAL_RESPONSE))
        else:
            raise unrecognized(message)

    def _lock(self, session: Session, control: int, parameter: int, lock_string: bytes) -> None:
        locks = self._clients.locks
        if control == LockControl.REQUEST:
            outcome = locks.acquire(session, lock_string, parameter / 1000)
        else:
            session.wait_until_done(parameter)
            outcome = locks.release(session)
        try:
            self._wire.send(encode(MessageType.ASYNC_LOCK_RESPONSE, outcome))
        except OSError:
            pass  # the client has gone, and with it its locks
        if session.ended:
            locks.release_all(session)


def unrecognized(message: Message) -> RecoverableError:
    """Return the error for a message that the standard does not have, or not on this channel."""
    return RecoverableError(UNRECOGNIZED_VENDOR_MESSAGE if message.type >= 128 else UNRECOGNIZED_MESSAGE_TYPE)
