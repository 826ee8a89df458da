"""VXI-11: the calls of the VXIbus TCP/IP Instrument Protocol, revision 1.0, as bytes.

The *core channel* carries everything but two things: an instrument that is busy with a call is told to stop on the
*abort channel*, and requests service on the *interrupt channel*, on which it is the one that calls. Everything on the
core channel belongs to a *link*, made by ``create_link``.

Functions that take a record take also where in it the results, or arguments, begin (`find_results`, `decode_call`).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from sockio.errors import ProtocolError

from .rpc.codec import (
    PADDING,
    WORD,
    Procedure,
    Program,
    RecordMarking,
    check_end,
    encode_opaque,
    find_results,
    unpack,
    unpack_opaque,
)

__all__ = ["RecordMarking", "encode_opaque", "find_results"]

# Section C: the programs and their procedures.
CORE = Program("DEVICE_CORE", 0x0607AF, 1)
ASYNC = Program("DEVICE_ASYNC", 0x0607B0, 1)
INTR = Program("DEVICE_INTR", 0x0607B1, 1)

CREATE_LINK = Procedure(CORE, 10, "create_link")
DEVICE_WRITE = Procedure(CORE, 11, "device_write")
DEVICE_READ = Procedure(CORE, 12, "device_read")
DEVICE_READSTB = Procedure(CORE, 13, "device_readstb")
DEVICE_TRIGGER = Procedure(CORE, 14, "device_trigger")
DEVICE_CLEAR = Procedure(CORE, 15, "device_clear")
DEVICE_REMOTE = Procedure(CORE, 16, "device_remote")
DEVICE_LOCAL = Procedure(CORE, 17, "device_local")
DEVICE_LOCK = Procedure(CORE, 18, "device_lock")
DEVICE_UNLOCK = Procedure(CORE, 19, "device_unlock")
DEVICE_ENABLE_SRQ = Procedure(CORE, 20, "device_enable_srq")
DEVICE_DOCMD = Procedure(CORE, 22, "device_docmd")
DESTROY_LINK = Procedure(CORE, 23, "destroy_link")
CREATE_INTR_CHAN = Procedure(CORE, 25, "create_intr_chan")
DESTROY_INTR_CHAN = Procedure(CORE, 26, "destroy_intr_chan")
DEVICE_ABORT = Procedure(ASYNC, 1, "device_abort")
DEVICE_INTR_SRQ = Procedure(INTR, 30, "device_intr_srq")

#: Section B.5.3, Device_Flags: wait for somebody else's lock; the message ends with these bytes; end at the
#: termination character.
WAITLOCK, END_FLAG, TERMCHRSET = 0x01, 0x08, 0x80

#: Section B.6.4, why a device_read is complete: as many bytes as were requested, the termination character, the end.
REASON_REQCNT, REASON_CHR, REASON_END = 1, 2, 4

#: Table B.2.
NO_ERROR = 0
NOT_ACCESSIBLE = 3
INVALID_LINK = 4
PARAMETER_ERROR = 5
NO_CHANNEL = 6
NOT_SUPPORTED = 8
OUT_OF_RESOURCES = 9
LOCKED = 11
NO_LOCK_HELD = 12
IO_TIMEOUT = 15
INVALID_ADDRESS = 21
ABORTED = 23
CHANNEL_EXISTS = 29

ERRORS = {
    1: "syntax error",
    NOT_ACCESSIBLE: "device not accessible",
    INVALID_LINK: "invalid link identifier",
    PARAMETER_ERROR: "parameter error",
    NO_CHANNEL: "channel not established",
    NOT_SUPPORTED: "operation not supported",
    OUT_OF_RESOURCES: "out of resources",
    LOCKED: "device locked by another link",
    NO_LOCK_HELD: "no lock held by this link",
    IO_TIMEOUT: "I/O timeout",
    17: "I/O error",
    INVALID_ADDRESS: "invalid address",
    ABORTED: "abort",
    CHANNEL_EXISTS: "channel already established",
}

#: Section B.5.1: the network address families of the interrupt channel.
TCP_FAMILY, UDP_FAMILY = 0, 1

#: Section C, Device_EnableSrqParms: the longest handle of service requests, in bytes.
HANDLE_LIMIT = 40

# The integers with which arguments and results begin, in their order in section C.
LINK_PARAMETERS = struct.Struct(">3I")  # client identifier, lock the device, lock timeout (ms)
LINK_RESULTS = struct.Struct(">3I")  # link identifier, port of the abort channel, most bytes of a device_write
WRITE_PARAMETERS = struct.Struct(">4I")  # link, I/O timeout (ms), lock timeout (ms), flags
READ_PARAMETERS = struct.Struct(">6I")  # link, bytes, I/O timeout (ms), lock timeout (ms), flags, termination character
GENERIC_PARAMETERS = struct.Struct(">4I")  # link, flags, lock timeout (ms), I/O timeout (ms)
LOCK_PARAMETERS = struct.Struct(">3I")  # link, flags, lock timeout (ms)
REMOTE_PARAMETERS = struct.Struct(">5I")  # host address, port, program, version, address family
ENABLE_PARAMETERS = struct.Struct(">2I")  # link, enable
COMMAND_PARAMETERS = struct.Struct(">7I")  # link, flags, I/O and lock timeouts (ms), command, network order, item size

_WRITE_ARGUMENTS = struct.Struct(">5I")


class Vxi11Error(OSError):
    """The instrument refused a call, or could not do it.

    Attributes:
        code: the error's number in table B.2 of VXI-11.
    """

    code: int

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.code)


def describe_error(procedure: Procedure, code: int) -> str:
    """Return what an error number says of a call."""
    return f"{procedure}: {ERRORS.get(code, 'unknown error')} (VXI-11 error {code})"


class LinkResults(NamedTuple):
    """What create_link returns: identifier, port of the abort channel (0: none), most bytes of a device_write."""

    identifier: int
    abort_port: int
    max_receive_size: int


# Arguments


def encode_create_link(client: int, lock: bool, lock_timeout: int, device: bytes) -> bytes:
    """Return the arguments of create_link: any number for the client, whether to lock, milliseconds, device name."""
    return LINK_PARAMETERS.pack(client, lock, lock_timeout) + encode_opaque(device)


def encode_write(
    link: int, io_timeout: int, lock_timeout: int, flags: int, data: bytes | memoryview
) -> tuple[bytes, bytes | memoryview, bytes]:
    """Return the arguments of device_write, in pieces so that the data are not copied; times in milliseconds."""
    size = len(data)
    return _WRITE_ARGUMENTS.pack(link, io_timeout, lock_timeout, flags, size), data, PADDING[size & 3]


def encode_read(link: int, size: int, io_timeout: int, lock_timeout: int, flags: int, term_char: int = 0) -> bytes:
    """Return the arguments of device_read; times in milliseconds."""
    return READ_PARAMETERS.pack(link, size, io_timeout, lock_timeout, flags, term_char)


def encode_generic(link: int, flags: int, lock_timeout: int, io_timeout: int) -> bytes:
    """Return the arguments of device_readstb, _trigger, _clear, _remote and _local; times in milliseconds."""
    return GENERIC_PARAMETERS.pack(link, flags, lock_timeout, io_timeout)


def encode_lock(link: int, flags: int, lock_timeout: int) -> bytes:
    """Return the arguments of device_lock; the time in milliseconds."""
    return LOCK_PARAMETERS.pack(link, flags, lock_timeout)


def encode_link(link: int) -> bytes:
    """Return the arguments of device_unlock, destroy_link and device_abort."""
    return WORD.pack(link)


def encode_create_intr_chan(host: bytes, port: int) -> bytes:
    """Return the arguments of create_intr_chan: a TCP port of ours, on an IPv4 address of four bytes."""
    return REMOTE_PARAMETERS.pack(int.from_bytes(host, "big"), port, INTR.number, INTR.version, TCP_FAMILY)


def encode_enable_srq(link: int, enable: bool, handle: bytes) -> bytes:
    """Return the arguments of device_enable_srq; service requests bring the handle, of at most 40 bytes, along."""
    if len(handle) > HANDLE_LIMIT:
        raise ValueError(f"a handle has at most {HANDLE_LIMIT} bytes, not {len(handle)}")
    return ENABLE_PARAMETERS.pack(link, enable) + encode_opaque(handle)


def encode_docmd(
    link: int, flags: int, io_timeout: int, lock_timeout: int, command: int, network_order: bool, size: int, data: bytes
) -> bytes:
    """Return the arguments of device_docmd: its number, byte order and size in bytes of each item of the data."""
    head = COMMAND_PARAMETERS.pack(link, flags, io_timeout, lock_timeout, command, network_order, size)
    return head + encode_opaque(data)


# Results: each begins with an error; what follows an error other than 0 has no meaning, except where it is said. Bytes
# after the last of them are not minded: some instruments send a record that is too long.


def decode_error(record: bytes, start: int, procedure: Procedure) -> int:
    """Return the error with which results begin."""
    return unpack(WORD, record, start, str(procedure))[0]


def decode_link(record: bytes, start: int) -> LinkResults:
    """Return the results of create_link, after its error."""
    link, port, size = unpack(LINK_RESULTS, record, start, "create_link")
    if port > 0xFFFF:
        raise ProtocolError(f"create_link: expected a port for the abort channel, got {port}", record[start:])
    return LinkResults(link, port, size)


def decode_written(record: bytes, start: int, size: int) -> int:
    """Return how many bytes a device_write of *size* bytes has taken; after an error some may have been, too."""
    (taken,) = unpack(WORD, record, start, "device_write")
    if taken > size:
        raise ProtocolError(f"device_write: sent {size} bytes, of which {taken} are said to have been taken", record)
    return taken


def decode_read(record: bytes, start: int, limit: int) -> tuple[int, bytes]:
    """Return the reason and the data of a device_read, at most *limit* bytes."""
    (reason,) = unpack(WORD, record, start, "device_read")
    return reason, unpack_opaque(record, start + 4, limit, "device_read")[0]


def decode_status_byte(record: bytes, start: int) -> int:
    """Return the status byte of a device_readstb."""
    (status,) = unpack(WORD, record, start, "device_readstb")
    if status > 0xFF:
        raise ProtocolError(f"device_readstb: expected a byte, got {status:#x}", record[start:])
    return status


def decode_docmd(record: bytes, start: int, limit: int) -> bytes:
    """Return the data of a device_docmd."""
    return unpack_opaque(record, start, limit, "device_docmd")[0]


def decode_intr_srq(record: bytes, start: int) -> bytes:
    """Return the handle that a device_intr_srq brings."""
    handle, end = unpack_opaque(record, start, HANDLE_LIMIT, "device_intr_srq")
    check_end(record, end, "device_intr_srq")
    return handle
