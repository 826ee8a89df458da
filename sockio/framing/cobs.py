"""Consistent overhead byte stuffing (Cheshire and Baker, 1999)."""

from __future__ import annotations

from ..errors import LimitError, ProtocolError
from .base import Framing, Need, check_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from ..buffer import Buffer


class COBS(Framing[bytes]):
    """Frames of any bytes, stuffed so that they contain no zero, and each ended by a zero.

    Zeros before a frame are skipped: many devices send one first, to end whatever noise the line had on it.
    Needs the ``cobs`` package.

    Arguments:
        limit: the largest size of a frame that is accepted, in bytes, before stuffing.
    """

    def encode(self, frame: bytes) -> bytes:
        check_bytes(frame)
        stuffed: bytes = _cobs().encode(bytes(frame))
        return stuffed + b"\0"

    def decode(self, buffer: Buffer) -> bytes | Need:
        stuffed = buffer.take_until(b"\0")
        while stuffed == b"\0":
            stuffed = buffer.take_until(b"\0")
        # One code byte for each full group of 254, and one for the last group, which may be empty.
        largest = self.limit + self.limit // 254 + 1
        if stuffed is None:
            if len(buffer) <= largest:
                return Need(1)
            stuffed = buffer.peek(largest)
        elif len(stuffed) - 1 <= largest:
            return _decode(stuffed)
        raise LimitError(
            f"expected a COBS frame of at most {self.limit} bytes, got {len(stuffed)} without its end",
            self.limit,
            stuffed[:largest],
        )


def _decode(stuffed: bytes) -> bytes:
    """Undo the stuffing of one frame with the zero at its end."""
    cobs = _cobs()
    try:
        frame: bytes = cobs.decode(stuffed[:-1])
    except cobs.DecodeError as error:
        raise ProtocolError(f"expected a COBS frame, got {stuffed!r}: {error}", stuffed) from None
    return frame


def _cobs() -> ModuleType:
    try:
        from cobs import cobs
    except ImportError as error:
        raise ImportError("COBS frames need the cobs package: pip install sockio[cobs]") from error
    module: ModuleType = cobs
    return module
