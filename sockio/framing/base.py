"""What every framing offers: frames to bytes, and bytes to frames."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from ..buffer import Buffer

    Frame = TypeVar("Frame")
else:
    from ..generic import Generic

    Frame = None


DEFAULT_LIMIT = 2**20


class Need:
    """What is returned for an incomplete frame: at least ``size`` more bytes are needed (one or more)."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size

    def __eq__(self, other: object) -> bool:
        return self.size == other.size if isinstance(other, Need) else NotImplemented

    def __hash__(self) -> int:
        return hash((Need, self.size))

    def __repr__(self) -> str:
        return f"Need({self.size})"


class Framing(Generic[Frame]):
    """How a stream of bytes is divided into frames.

    A framing has settings but no state: one object serves any number of streams.

    Arguments:
        limit: the largest size of a frame that is accepted, in bytes.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError(f"limit must be an int (the largest size of a frame in bytes), got {limit!r}")
        if limit < 1:
            raise ValueError(f"limit must be at least 1 byte, got {limit}")
        self.limit = limit

    def encode(self, frame: Frame) -> bytes:
        """The bytes to send for a frame.

        Raises:
            ValueError: the frame cannot be sent with this framing.
        """
        raise NotImplementedError

    def decode(self, buffer: Buffer) -> Frame | Need:
        """Take the next frame from the front of a buffer.

        Returns the frame, or `Need` when it is not complete yet; nothing has been taken then.

        Raises:
            ProtocolError: this is no frame. It has been taken from the buffer when it is known where it ends;
                otherwise nothing has been taken, and what follows cannot be told apart from it.
            LimitError: the frame is larger than ``limit``. The same holds.
        """
        raise NotImplementedError


def check_bytes(frame: object) -> None:
    """Raise a `TypeError` unless a frame is made of bytes."""
    if not isinstance(frame, (bytes, bytearray, memoryview)):
        raise TypeError(f"a frame must be bytes, got {type(frame).__name__}: {frame!r}")


def check_eol(eol: object) -> None:
    """Raise a `TypeError` unless a terminator is bytes."""
    if not isinstance(eol, bytes):
        raise TypeError(f"eol must be bytes, got {type(eol).__name__}: {eol!r}")
