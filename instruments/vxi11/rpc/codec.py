"""ONC RPC version 2: records, calls and replies as bytes (RFC 5531, first RFC 1831), in XDR (RFC 4506, first RFC 1832).

All integers are big endian and of 32 bits. Whoever calls sends one record and gets one that has the same transaction
identifier (xid). Nobody is authenticated: credentials and verifiers are AUTH_NONE.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from sockio.errors import LimitError, ProtocolError
from sockio.framing import Framing, Need

if TYPE_CHECKING:
    from sockio.buffer import Buffer

#: RFC 5531, section 11: set in the header of the last fragment of a record; the other 31 bits are its size.
LAST_FRAGMENT = 0x80000000

#: Most records are one fragment; so many are more than anybody has a reason to send.
MOST_FRAGMENTS = 2**14

#: RFC 5531, section 9: types of message, the version, and what becomes of a call.
CALL, REPLY = 0, 1
RPC_VERSION = 2
ACCEPTED, DENIED = 0, 1
SUCCESS, PROG_UNAVAIL, PROG_MISMATCH, PROC_UNAVAIL, GARBAGE_ARGS, SYSTEM_ERR = range(6)
RPC_MISMATCH, AUTH_ERROR = 0, 1

#: RFC 5531, section 8.2: the longest body of a credential or verifier, in bytes.
AUTH_LIMIT = 400

REFUSALS = {
    PROG_UNAVAIL: ("PROG_UNAVAIL", "there is no such program at this port"),
    PROG_MISMATCH: ("PROG_MISMATCH", "the program is there in other versions"),
    PROC_UNAVAIL: ("PROC_UNAVAIL", "the program has no such procedure"),
    GARBAGE_ARGS: ("GARBAGE_ARGS", "the arguments were not understood"),
    SYSTEM_ERR: ("SYSTEM_ERR", "the server has a problem of its own, such as too little memory"),
}

#: RFC 5531, section 9, auth_stat.
AUTH_ERRORS = {
    1: "AUTH_BADCRED",
    2: "AUTH_REJECTEDCRED",
    3: "AUTH_BADVERF",
    4: "AUTH_REJECTEDVERF",
    5: "AUTH_TOOWEAK",
    6: "AUTH_INVALIDRESP",
    7: "AUTH_FAILED",
}

WORD = struct.Struct(">I")
TWO_WORDS = struct.Struct(">2I")
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")

_CALL_HEADER = struct.Struct(">6I")
_NO_AUTHENTICATION = bytes(16)
_SUCCESSFUL = struct.pack(">5I", REPLY, ACCEPTED, 0, 0, SUCCESS)


class RpcError(OSError):
    """A server did not do what it was called for: it does not know the program or the procedure, or will not.

    Attributes:
        status: the name that RFC 5531 gives the refusal, such as ``"PROG_UNAVAIL"``.
    """

    status: str

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.status)


class Program(NamedTuple):
    """A remote program: a number, a version of it, and its name, for messages."""

    name: str
    number: int
    version: int


class Procedure:
    """One procedure of a remote program.

    Args:
        program: which program.
        number: of the procedure.
        name: of the procedure, for messages.
    """

    def __init__(self, program: Program, number: int, name: str) -> None:
        self.program = program
        self.number = number
        self.name = name
        self._header = (
            struct.pack(">5I", CALL, RPC_VERSION, program.number, program.version, number) + _NO_AUTHENTICATION
        )

    def __str__(self) -> str:
        return self.name

    def encode_call(self, xid: int, *arguments: bytes | memoryview) -> bytes:
        """Return the call as a record; the arguments are in XDR, in pieces that follow each other."""
        return b"".join((WORD.pack(xid), self._header, *arguments))


class RecordMarking(Framing[bytes]):
    """Records over a stream: each one a number of fragments, which have their size before them (RFC 5531, section 11).

    Args:
        limit: the longest record that is accepted, in bytes.
    """

    def encode(self, frame: bytes) -> bytes:
        if len(frame) >= LAST_FRAGMENT:
            raise ValueError(f"a record of {len(frame)} bytes is too long for one fragment")
        return WORD.pack(LAST_FRAGMENT | len(frame)) + frame

    def take_record(self, data: bytes) -> bytes | None:
        """Return the record if bytes are a whole one in one fragment, with its header, and nothing else."""
        size = len(data) - 4
        if 0 <= size <= self.limit and data[:4] == WORD.pack(LAST_FRAGMENT | size):
            return data[4:]
        return None

    def decode(self, buffer: Buffer) -> bytes | Need:
        header = buffer.peek(4)
        if len(header) < 4:
            return Need(4 - len(header))
        (word,) = WORD.unpack(header)
        if not word & LAST_FRAGMENT:
            return self._decode_fragments(buffer)
        size: int = word & ~LAST_FRAGMENT
        self._check_size(size, buffer)
        missing = 4 + size - len(buffer)
        if missing > 0:
            return Need(missing)
        buffer.take(4)
        return buffer.take(size)

    def _decode_fragments(self, buffer: Buffer) -> bytes | Need:
        data = buffer.peek(-1)
        fragments: list[bytes] = []
        start = total = word = 0
        while not word & LAST_FRAGMENT:
            if len(fragments) == MOST_FRAGMENTS:
                raise LimitError(f"a record of more than {MOST_FRAGMENTS} fragments", MOST_FRAGMENTS, data[:64])
            if len(data) < start + 4:
                return Need(start + 4 - len(data))
            (word,) = WORD.unpack_from(data, start)
            size = word & ~LAST_FRAGMENT
            total += size
            self._check_size(total, buffer)
            end = start + 4 + size
            if len(data) < end:
                return Need(end - len(data))
            fragments.append(data[start + 4 : end])
            start = end
        buffer.take(start)
        return b"".join(fragments)

    def _check_size(self, size: int, buffer: Buffer) -> None:
        if size > self.limit:
            raise LimitError(
                f"expected a record of at most {self.limit} bytes, got one of {size} or more",
                self.limit,
                buffer.peek(min(self.limit, 64)),
            )


# Data


def encode_opaque(data: bytes) -> bytes:
    """Return bytes of variable length with their length before and zeros after them, to a multiple of four."""
    return b"".join((WORD.pack(len(data)), data, PADDING[len(data) & 3]))


def unpack(layout: struct.Struct, record: bytes, start: int, what: str) -> tuple[int, ...]:
    """Return the integers at *start* of a record.

    Raises:
        ProtocolError: the record ends before them.
    """
    if len(record) < start + layout.size:
        raise ProtocolError(
            f"{what}: expected a record of at least {start + layout.size} bytes, got {len(record)}", record[:64]
        )
    return layout.unpack_from(record, start)


def unpack_opaque(record: bytes, start: int, limit: int, what: str) -> tuple[bytes, int]:
    """Return the bytes of variable length at *start* of a record, and where they end.

    Raises:
        ProtocolError: they are more than *limit*, or the record ends before they do.
    """
    (size,) = unpack(WORD, record, start, what)
    if size > limit:
        raise ProtocolError(f"{what}: expected at most {limit} bytes of data, got the length {size}", record[:64])
    end = start + 4 + size + len(PADDING[size & 3])
    if end > len(record):
        raise ProtocolError(
            f"{what}: expected {size} bytes of data, got {max(0, len(record) - start - 4)}", record[:64]
        )
    return record[start + 4 : start + 4 + size], end


def check_end(record: bytes, end: int, what: str) -> None:
    """Raise a ProtocolError unless the record ends there."""
    if len(record) != end:
        raise ProtocolError(f"{what}: expected a record of {end} bytes, got {len(record)}", record[:64])


# The caller's side


def find_results(record: bytes, xid: int, procedure: Procedure) -> int:
    """Check the reply to a call; return where in the record its results begin.

    Raises:
        ProtocolError: not the reply to this call.
        RpcError: the call was refused.
    """
    if record[4:24] == _SUCCESSFUL and record[:4] == WORD.pack(xid):
        return 24
    what = str(procedure)
    received_xid, kind = unpack(TWO_WORDS, record, 0, what)
    if kind != REPLY:
        raise ProtocolError(f"{what}: expected a reply ({REPLY}), got a message of type {kind}", record[:64])
    if received_xid != xid:
        raise ProtocolError(f"{what}: expected the reply to call {xid:#x}, got that to {received_xid:#x}", record[:64])
    (outcome,) = unpack(WORD, record, 8, what)
    if outcome == DENIED:
        raise _denial(record, what)
    if outcome != ACCEPTED:
        raise ProtocolError(f"{what}: expected MSG_ACCEPTED (0) or MSG_DENIED (1), got {outcome}", record[:64])
    _, start = unpack_opaque(record, 16, AUTH_LIMIT, what)
    (status,) = unpack(WORD, record, start, what)
    if status == SUCCESS:
        return start + 4
    if status not in REFUSALS:
        raise ProtocolError(f"{what}: expected a status of 0 to {SYSTEM_ERR}, got {status}", record[:64])
    name, text = REFUSALS[status]
    program = procedure.program
    if status == PROG_MISMATCH:
        low, high = unpack(TWO_WORDS, record, start + 4, what)
        text += f", {low} to {high}"
    place = f"program {program.name} ({program.number:#x}) version {program.version}"
    raise RpcError(f"{what} of {place}: {text} ({name})", name)


def _denial(record: bytes, what: str) -> Exception:
    (reason,) = unpack(WORD, record, 12, what)
    if reason == RPC_MISMATCH:
        low, high = unpack(TWO_WORDS, record, 16, what)
        text = f"the server speaks versions {low} to {high} of RPC, not {RPC_VERSION} (RPC_MISMATCH)"
        return RpcError(f"{what}: {text}", "RPC_MISMATCH")
    if reason == AUTH_ERROR:
        (why,) = unpack(WORD, record, 16, what)
        name = AUTH_ERRORS.get(why, str(why))
        return RpcError(f"{what}: the server wants to know who calls (AUTH_ERROR, {name})", "AUTH_ERROR")
    return ProtocolError(f"{what}: expected RPC_MISMATCH (0) or AUTH_ERROR (1), got {reason}", record[:64])


# The server's side


class Call(NamedTuple):
    """A call that has come; its arguments begin at ``start`` of the record."""

    xid: int
    rpc_version: int
    program: int
    version: int
    procedure: int
    start: int


def decode_call(record: bytes) -> Call:
    """Return what a record calls.

    Raises:
        ProtocolError: it is no call.
    """
    xid, kind, rpc_version, program, version, procedure = unpack(_CALL_HEADER, record, 0, "a call")
    if kind != CALL:
        raise ProtocolError(f"expected a call ({CALL}), got a message of type {kind}", record[:64])
    _, start = unpack_opaque(record, 28, AUTH_LIMIT, "credentials")  # after their flavour, which does not matter
    _, start = unpack_opaque(record, start + 4, AUTH_LIMIT, "a verifier")
    return Call(xid, rpc_version, program, version, procedure, start)


def encode_success(xid: int, results: bytes = b"") -> bytes:
    """Return the reply that brings results, which are in XDR."""
    return b"".join((WORD.pack(xid), _SUCCESSFUL, results))


def encode_refusal(xid: int, status: int, *versions: int) -> bytes:
    """Return the reply to a call that cannot be done; with PROG_MISMATCH, the lowest and highest version that can."""
    return struct.pack(f">{6 + len(versions)}I", xid, REPLY, ACCEPTED, 0, 0, status, *versions)


def encode_rpc_mismatch(xid: int) -> bytes:
    """Return the reply to a call of another version of RPC."""
    return struct.pack(">6I", xid, REPLY, DENIED, RPC_MISMATCH, RPC_VERSION, RPC_VERSION)


def refusal(call: Call, program: Program, procedures: frozenset[int]) -> bytes | None:
    """Return the reply to a call that a server of one program cannot serve; None if it can."""
    if call.rpc_version != RPC_VERSION:
        return encode_rpc_mismatch(call.xid)
    if call.program != program.number:
        return encode_refusal(call.xid, PROG_UNAVAIL)
    if call.version != program.version:
        return encode_refusal(call.xid, PROG_MISMATCH, program.version, program.version)
    if call.procedure not in procedures:
        return encode_refusal(call.xid, PROC_UNAVAIL)
    return None
