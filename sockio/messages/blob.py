"""The wire format of the blob protocol: big binary messages, with checksums and acknowledgement by number.

A frame is a header, a description, the CRC-32 of both, and in a message the data and their CRC-32. All integers are
big endian; the CRC-32 is that of ISO 3309, as in zlib.

======  ======  ==========================================================================================
offset  length  field
======  ======  ==========================================================================================
0       4       magic, ``AB 4C 4F 42``
4       1       version: 1
5       1       kind: 1 message, 2 acknowledgement, 3 refusal
6       1       flags: bit 0: the message is to be acknowledged
7       1       type of the data: 0 none, 1 text (UTF-8), 2 bytes, 3 array
8       4       number of the message, which its acknowledgement or refusal repeats
12      4       length d of the description
16      8       length n of the data, 0 unless it is a message
24      d       description: of an array, ``{"dtype": …, "shape": […]}`` in JSON; of a refusal, the reason in UTF-8
24+d    4       CRC-32 of everything before
28+d    n       data: of an array, its elements in C order
28+d+n  4       CRC-32 of the data, in a message only
======  ======  ==========================================================================================

The dtype is what `numpy.lib.format.dtype_to_descr` makes of it: ``"<f8"``, or for records a list of fields.
"""

from __future__ import annotations

import struct

from ..errors import LimitError, ProtocolError
from ..framing import Need
from . import arrays
from .events import NOTHING, Body, Message, Parcel, Rejected, Verdict
from .memory import Memory, crc32
from .protocol import Decoder, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..buffer import Buffer
    from .events import Event

MAGIC = b"\xabLOB"
VERSION = 1
HEADER = struct.Struct(">4sBBBBIIQ")
CRC = struct.Struct(">I")

MESSAGE, ACKNOWLEDGEMENT, REFUSAL = 1, 2, 3
ACKNOWLEDGE = 0x01
NONE, TEXT, BYTES, ARRAY = 0, 1, 2, 3

#: The longest description, in bytes.
LONGEST_DESCRIPTION = 65536


class Blob(Protocol):
    __doc__ = __doc__
    name = "blob"
    queue_length = 10
    acknowledges = True

    def encode(self, data: Any, number: int, acknowledge: bool | None, mode: int | None, force_mode: bool) -> Parcel:
        if mode or force_mode:
            raise ValueError("the blob protocol has no modes: use acknowledge=")
        acknowledged = acknowledge is None or bool(acknowledge)
        kind, description, body = self._convert(data)
        header = encode_head(MESSAGE, number, kind, description, len(body), ACKNOWLEDGE if acknowledged else 0)
        return Parcel(header, body, number, acknowledged, 0, crc32, CRC.pack)

    @staticmethod
    def _convert(data: Any) -> tuple[int, bytes, memoryview]:
        if isinstance(data, str):
            return TEXT, b"", memoryview(data.encode())
        if isinstance(data, (bytes, bytearray, memoryview)):
            view = memoryview(data)
            return BYTES, b"", view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
        if arrays.is_array(data):
            return ARRAY, arrays.describe(data), arrays.memory_of(data)
        raise TypeError(
            "a message must be str, bytes, bytearray, memoryview or a numpy array, not "
            f"{type(data).__name__}: {data!r:.80}"
        )

    def decoder(self) -> BlobDecoder:
        return BlobDecoder(self)


def encode_head(kind: int, number: int, type: int, description: bytes, length: int, flags: int) -> bytes:
    """Return all that comes before the data."""
    if len(description) > LONGEST_DESCRIPTION:
        raise ValueError(f"a description has at most {LONGEST_DESCRIPTION} bytes, not {len(description)}")
    head = HEADER.pack(MAGIC, VERSION, kind, flags, type, number, len(description), length) + description
    return head + CRC.pack(crc32(head, 0))


def refusal(number: int, reason: str) -> bytes:
    """Return the frame that refuses a message."""
    return encode_head(REFUSAL, number, NONE, reason.encode("utf-8", "replace")[:LONGEST_DESCRIPTION], 0, 0)


class BlobDecoder(Decoder):
    """What the peer sends."""

    def __init__(self, protocol: Blob) -> None:
        self._limit = protocol.limit
        self._body: Body | None = None

    def decode(self, buffer: Buffer) -> Event | Need:
        if self._body is None:
            head = self._decode_head(buffer)
            if not isinstance(head, Body):
                return head
            self._body = head
        event = self._body.take_from(buffer)
        if not isinstance(event, Need):
            self._body = None
        return event

    def _decode_head(self, buffer: Buffer) -> Event | Need:
        start = buffer.peek(HEADER.size)
        if start[:4] != MAGIC[: len(start)]:
            return self._give_up(f"expected a frame, which begins with {MAGIC!r}, got {start!r}", start)
        if len(start) < HEADER.size:
            return Need(HEADER.size - len(start))
        _, version, kind, flags, type, number, description_size, length = HEADER.unpack(start)
        if version != VERSION:
            return self._give_up(f"expected version {VERSION} of the blob protocol, got {version}", start)
        if description_size > LONGEST_DESCRIPTION:
            return self._give_up(f"expected a description of at most {LONGEST_DESCRIPTION} bytes", start, number)
        size = HEADER.size + description_size + CRC.size
        if len(buffer) < size:
            return Need(size - len(buffer))
        head = buffer.take(size)
        (expected,) = CRC.unpack(head[-CRC.size :])
        counted = crc32(head[: -CRC.size], 0)
        if counted != expected:
            return self._give_up(f"expected a header with CRC-32 {expected:#010x}, got {counted:#010x}", head, number)
        description = head[HEADER.size : -CRC.size]
        if kind == MESSAGE:
            return self._begin(flags, type, number, description, length)
        if kind in (ACKNOWLEDGEMENT, REFUSAL) and not length:
            return Verdict(number, None if kind == ACKNOWLEDGEMENT else description.decode("utf-8", "replace"))
        return self._give_up(f"there is no frame of kind {kind} with {length} bytes of data", head, number)

    def _begin(self, flags: int, type: int, number: int, description: bytes, length: int) -> Event | Need:
        """Return where the data of a message are to go."""
        if length > self._limit:
            error = LimitError(
                f"a message of {length} bytes is announced, more than {self._limit} (limit)", self._limit
            )
            return Rejected(error, refusal(number, str(error)), final=True)
        acknowledged = bool(flags & ACKNOWLEDGE)
        try:
            view, contents = self._allocate(type, description, length)
        except (MemoryError, OverflowError):
            error = LimitError(f"there is no memory for a message of {length} bytes", self._limit)
            return Rejected(error, refusal(number, str(error)), final=True)

        def finish(counted: int, trailer: bytes) -> Event:
            return self._finish(number, acknowledged, contents, length, counted, trailer)

        return Body(view if length else NOTHING, CRC.size, crc32, finish)

    @staticmethod
    def _allocate(type: int, description: bytes, length: int) -> tuple[memoryview, Callable[[], Any]]:
        """Return the memory for the data, and what makes the message of it; that raises ValueError if it cannot be."""
        try:
            if type == ARRAY:
                return arrays.allocate(description, length)
            if type not in (TEXT, BYTES):
                raise ValueError(f"there is no type {type}, but 1 text, 2 bytes, 3 array")
        except (ValueError, ImportError) as error:
            # What is wrong is clear before the data have come; they are taken all the same, to get to the next frame.
            return memoryview(bytearray(length)), _raising(ValueError(str(error)))
        memory = Memory(length)
        return memory.view, memory.contents if type == BYTES else lambda: memory.contents().decode()

    @staticmethod
    def _finish(
        number: int, acknowledged: bool, contents: Callable[[], Any], length: int, counted: int, trailer: bytes
    ) -> Event:
        try:
            (expected,) = CRC.unpack(trailer)
            if counted != expected:
                raise ValueError(f"expected {length} bytes with CRC-32 {expected:#010x}, got {counted:#010x}")
            data = contents()
        except ValueError as error:
            problem = f"message {number}: {error}"
            return Rejected(ProtocolError(problem), refusal(number, str(error)))
        answer = encode_head(ACKNOWLEDGEMENT, number, NONE, b"", 0, 0) if acknowledged else b""
        return Message(data, length, answer)

    @staticmethod
    def _give_up(problem: str, data: bytes, number: int = 0) -> Rejected:
        return Rejected(ProtocolError(problem, data), refusal(number, problem), final=True)


def _raising(error: ValueError) -> Callable[[], Any]:
    def contents() -> Any:
        raise error

    return contents
