"""HiSLIP messages: sixteen bytes of header and a payload (IVI-6.1, 2.2 to 2.5)."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from sockio.buffer import Buffer
from sockio.errors import ProtocolError

#: Prologue "HS", message type, control code, message parameter, payload length; big endian.
HEADER = struct.Struct(">2sBBIQ")

PROLOGUE = b"HS"

#: The MessageID of a client's first message, and of the first after a device clear (IVI-6.1, 3.1.2).
FIRST_MESSAGE_ID = 0xFFFFFF00

#: The MessageID of a Data message whose server does not know it yet (IVI-6.1, 3.1.2, rule 2).
UNKNOWN_MESSAGE_ID = 0xFFFFFFFF

#: Bit 0 of the control code of Data, DataEnd, Trigger and AsyncStatusQuery: since the last of these, the client has
#: delivered a response message terminator to who asked.
RMT_DELIVERED = 0x01

#: Bit 0 of the control code of InitializeResponse and of the messages of a device clear.
OVERLAP = 0x01

#: The sizes that AsyncMaximumMessageSize and its response carry as their payload.
SIZE = struct.Struct(">Q")


class MessageType(IntEnum):
    """Numeric values of message types (IVI-6.1, table 4)."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    INTERRUPTED = 13
    ASYNC_INTERRUPTED = 14
    ASYNC_MAXIMUM_MESSAGE_SIZE = 15
    ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_SERVICE_REQUEST = 20
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


#: Control codes of FatalError (IVI-6.1, 6.2).
FATAL_ERRORS = {
    0: "Unidentified error",
    1: "Poorly formed message header",
    2: "Attempt to use connection without both channels established",
    3: "Invalid initialization sequence",
    4: "Server refused connection due to maximum number of clients exceeded",
}

#: Control codes of Error (IVI-6.1, 6.3).
ERRORS = {
    0: "Unidentified error",
    1: "Unrecognized message type",
    2: "Unrecognized control code",
    3: "Unrecognized vendor defined message",
    4: "Message too large",
}

POORLY_FORMED_HEADER = 1
NOT_BOTH_CHANNELS = 2
INVALID_INITIALIZATION = 3
TOO_MANY_CLIENTS = 4

UNRECOGNIZED_MESSAGE_TYPE = 1
UNRECOGNIZED_CONTROL_CODE = 2
UNRECOGNIZED_VENDOR_MESSAGE = 3
MESSAGE_TOO_LARGE = 4


class LockControl(IntEnum):
    """Control code of AsyncLock."""

    RELEASE = 0
    REQUEST = 1


class LockResponse(IntEnum):
    """Control code of AsyncLockResponse; FAILURE is that somebody else kept the lock for too long."""

    FAILURE = 0
    SUCCESS = 1
    SHARED_RELEASED = 2
    ERROR = 3


class RemoteLocal(IntEnum):
    """Control code of AsyncRemoteLocalControl, by the names of VISA's ``viGpibControlREN``."""

    DEASSERT = 0
    ASSERT = 1
    DEASSERT_GTL = 2
    ASSERT_ADDRESS = 3
    ASSERT_LLO = 4
    ASSERT_ADDRESS_LLO = 5
    ADDRESS_GTL = 6


class Message(NamedTuple):
    """A message, or the beginning of one.

    Attributes:
        type: a `MessageType`, where it is one.
        control: the control code, 0 to 255.
        parameter: the message parameter, 32 bits.
        length: the size of the whole payload in bytes.
        payload: the bytes of it that came with the header.
    """

    type: int
    control: int
    parameter: int
    length: int
    payload: bytes

    def __str__(self) -> str:
        return f"{type_name(self.type)} (control code {self.control}, parameter {self.parameter:#010x})"


def take_message(buffer: Buffer) -> Message | None:
    """Take a header from the buffer, with as much of its payload as has come; None if the header is not complete.

    Raises:
        ProtocolError: what has come is no header.
    """
    data = buffer.take_all()
    if len(data) < HEADER.size:
        if data:
            buffer.append(data)
        return None
    prologue, kind, control, parameter, length = HEADER.unpack_from(data)
    if prologue != PROLOGUE:
        header = data[: HEADER.size]
        raise ProtocolError(f"expected a HiSLIP header, which begins with {PROLOGUE!r}, got {header!r}", header)
    end = HEADER.size + length
    if len(data) > end:
        buffer.append(data[end:])
    return Message(kind, control, parameter, length, data[HEADER.size : end])


def encode(kind: int, control: int = 0, parameter: int = 0, payload: bytes = b"") -> bytes:
    """Return the bytes of a message."""
    return HEADER.pack(PROLOGUE, kind, control, parameter, len(payload)) + payload


def encode_header(kind: int, control: int, parameter: int, length: int) -> bytes:
    """Return the header of a message whose payload follows."""
    return HEADER.pack(PROLOGUE, kind, control, parameter, length)


def next_message_id(message_id: int) -> int:
    """Return the MessageID after *message_id*: two more, in 32 bits (IVI-6.1, 3.1.2)."""
    return message_id + 2 & 0xFFFFFFFF


def type_name(kind: int) -> str:
    """Return the standard's name of a message type: ``AsyncStatusQuery``; its number where it has none."""
    try:
        return MessageType(kind).name.title().replace("_", "")
    except ValueError:
        return f"message type {kind}"


def error_name(names: dict[int, str], code: int) -> str:
    """Return the standard's name of an error code in `ERRORS` or `FATAL_ERRORS`."""
    return names.get(code, "Device-defined error" if code >= 128 else "Reserved error code")


def decode_size(message: Message) -> int:
    """Return what an AsyncMaximumMessageSize, or its response, says: bytes, at least so many as a header and one."""
    if message.length != SIZE.size or len(message.payload) != SIZE.size:
        raise ProtocolError(f"expected a size of {SIZE.size} bytes, got {message.length} bytes", message.payload)
    size: int = SIZE.unpack(message.payload)[0]
    if size <= HEADER.size:
        raise ProtocolError(f"expected a maximum message size of more than {HEADER.size} bytes, got {size}")
    return size
