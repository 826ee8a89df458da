"""The wire format of serpy2: binary blocks with a checksum, never acknowledged.

======  ======  ===========================================================================
offset  length  field, little endian
======  ======  ===========================================================================
0       5       magic, ``DE CA FE CA FE``
5       1       type: 01 int (8 bytes, signed), 11 float (``float.hex``), 21 text (UTF-8), 81 bytes
6       4       checksum: the sum of all the bytes of the data, modulo 2^32
10      4       length of the data
14              the data
======  ======  ===========================================================================
"""

from __future__ import annotations

import struct
import sys

from ..errors import LimitError, ProtocolError
from ..framing import Need
from .events import BIG, Body, Message, Parcel, Rejected
from .memory import Memory
from .protocol import Decoder, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..buffer import Buffer
    from .events import Event

MAGIC = b"\xde\xca\xfe\xca\xfe"
HEADER = struct.Struct("<5sBII")

INT, FLOAT, TEXT, BYTES = 0x01, 0x11, 0x21, 0x81


def checksum(data: Any, previous: int = 0) -> int:
    """Return the sum of all bytes, modulo 2^32, on top of that of the previous ones."""
    if len(data) > BIG or "numpy" in sys.modules:
        try:
            import numpy  # waits for a thread that is importing it just now
        except ImportError:
            pass
        else:
            return (previous + int(numpy.frombuffer(data, "u1").sum(dtype="u8"))) % 2**32
    total: int = sum(data)
    return (previous + total) % 2**32


class Serpy2(Protocol):
    __doc__ = __doc__
    name = "serpy2"
    queue_length = 20

    def encode(self, data: Any, number: int, acknowledge: bool | None, mode: int | None, force_mode: bool) -> Parcel:
        if mode or force_mode:
            raise ValueError("serpy2 has no modes")
        if acknowledge:
            raise ValueError("serpy2 does not acknowledge messages: use the protocol blob, or serpy in mode 1 or 3")
        kind, content = self._convert(data)
        if len(content) >= 2**32:
            raise ValueError(f"a message of serpy2 has at most 4294967295 bytes, not {len(content)}: use protocol blob")
        header = HEADER.pack(MAGIC, kind, checksum(content), len(content))
        if len(content) <= BIG:
            return Parcel(header + content, number=number)
        return Parcel(header, memoryview(content), number)

    @staticmethod
    def _convert(data: Any) -> tuple[int, bytes]:
        if type(data) is int:
            return INT, data.to_bytes(8, "little", signed=True)
        if type(data) is float:
            return FLOAT, data.hex().encode()
        if type(data) is str:
            return TEXT, data.encode()
        if type(data) is bytes:
            return BYTES, data
        raise TypeError(
            f"a message of serpy2 must be int, float, str or bytes, not {type(data).__name__}: {data!r:.80}"
        )

    def decoder(self) -> Serpy2Decoder:
        return Serpy2Decoder(self)


class Serpy2Decoder(Decoder):
    """What the peer sends."""

    def __init__(self, protocol: Serpy2) -> None:
        self._limit = protocol.limit
        self._body: Body | None = None

    def decode(self, buffer: Buffer) -> Event | Need:
        if self._body is None:
            start = buffer.peek(len(MAGIC))
            if start != MAGIC[: len(start)]:
                return self._skip_garbage(buffer)
            if len(buffer) < HEADER.size:
                return Need(HEADER.size - len(buffer))
            _, kind, total, length = HEADER.unpack(buffer.take(HEADER.size))
            if length > self._limit:
                return Rejected(
                    LimitError(
                        f"a message of {length} bytes is announced, more than {self._limit} (limit)", self._limit
                    ),
                    final=True,
                )
            try:
                memory = Memory(length)
            except MemoryError:
                return Rejected(LimitError(f"no memory for a message of {length} bytes", self._limit), final=True)

            def finish(counted: int, trailer: bytes) -> Event:
                return self._finish(kind, total, counted, memory)

            self._body = Body(memory.view, 0, checksum, finish)
        event = self._body.take_from(buffer)
        if not isinstance(event, Need):
            self._body = None
        return event

    @staticmethod
    def _finish(kind: int, total: int, counted: int, memory: Memory) -> Event:
        data = memory.contents()
        if counted != total:
            problem = f"expected data with the checksum {total:#010x}, got {counted:#010x} of {len(data)} bytes"
            return Rejected(ProtocolError(f"{problem}: {data[:64]!r}", data))
        try:
            return Message(_value(kind, data), len(data))
        except ValueError as error:
            return Rejected(ProtocolError(f"data of type {kind:#04x}: {error}: {data[:64]!r}", data))

    @staticmethod
    def _skip_garbage(buffer: Buffer) -> Event:
        """Take everything up to what may be the beginning of a block."""
        data = buffer.take_all()
        end = data.find(MAGIC)
        if end < 0:
            end = next(end for end in range(max(0, len(data) - 4), len(data) + 1) if MAGIC.startswith(data[end:]))
        buffer.append(data[end:])
        garbage = data[:end]
        expected = "expected a block of serpy2, which begins with DE CA FE CA FE"
        return Rejected(ProtocolError(f"{expected}: skipped {len(garbage)} bytes, {garbage[:64]!r}", garbage))


def _value(kind: int, data: bytes) -> Any:
    """Return what data are; raises ValueError."""
    if kind == INT:
        return int.from_bytes(data, "little", signed=True)
    if kind == FLOAT:
        return float.fromhex(data.decode("ascii"))
    if kind == TEXT:
        return data.decode()
    if kind == BYTES:
        return data
    raise ValueError("there is no such type, but 0x01 int, 0x11 float, 0x21 text, 0x81 bytes")
