"""A length, then so many bytes."""

from __future__ import annotations

import struct

from ..errors import LimitError, ProtocolError
from .base import DEFAULT_LIMIT, Framing, Need, check_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..buffer import Buffer


class LengthPrefix(Framing[bytes]):
    """Frames that begin with their length. A frame is the bytes after the length.

    Arguments:
        format: the length's format in the language of `struct`, ``">I"`` for 32 bits, big endian.
        includes_itself: whether the length counts its own bytes as well.
        limit: the largest size of a frame that is accepted, in bytes, without the length.
    """

    def __init__(self, format: str = ">I", includes_itself: bool = False, limit: int = DEFAULT_LIMIT) -> None:
        super().__init__(limit)
        self.format = format
        self.includes_itself = includes_itself
        self._prefix = _integer(format)
        self._own_size = self._prefix.size if includes_itself else 0

    def encode(self, frame: bytes) -> bytes:
        check_bytes(frame)
        content = bytes(frame)
        try:
            prefix = self._prefix.pack(len(content) + self._own_size)
        except struct.error as error:
            raise ValueError(f"{len(content)} bytes are too many for a length of {self.format!r}") from error
        return prefix + content

    def decode(self, buffer: Buffer) -> bytes | Need:
        header_size = self._prefix.size
        if len(buffer) < header_size:
            return Need(header_size - len(buffer))
        header = buffer.peek(header_size)
        length: int = self._prefix.unpack(header)[0] - self._own_size
        if length < 0:
            raise ProtocolError(f"expected a length of at least {self._own_size}, got {header!r}", header)
        if length > self.limit:
            raise LimitError(
                f"expected a frame of at most {self.limit} bytes, got the length {length}",
                self.limit,
                buffer.peek(self.limit),
            )
        missing = header_size + length - len(buffer)
        if missing > 0:
            return Need(missing)
        buffer.take(header_size)
        return buffer.take(length)


def _integer(format: str) -> struct.Struct:
    """The compiled format, if it is that of a single integer."""
    try:
        compiled = struct.Struct(format)
    except struct.error:
        pass
    else:
        values = compiled.unpack(bytes(compiled.size))
        if len(values) == 1 and type(values[0]) is int:
            return compiled
    raise ValueError(f"format must be one integer of the struct module, such as '>I' or '<H', got {format!r}")
