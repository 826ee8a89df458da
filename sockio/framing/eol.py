"""Lines."""

from __future__ import annotations

from ..errors import LimitError
from .base import DEFAULT_LIMIT, Framing, Need, check_bytes, check_eol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..buffer import Buffer


class EOL(Framing[bytes]):
    """Lines, each ended by ``eol``. A frame is a line including its ``eol``.

    Arguments:
        eol: the terminator, one byte or more.
        limit: the largest size of a line that is accepted, in bytes, the ``eol`` included.
    """

    def __init__(self, eol: bytes = b"\n", limit: int = DEFAULT_LIMIT) -> None:
        super().__init__(limit)
        check_eol(eol)
        if not eol:
            raise ValueError("eol must be at least one byte, got b''")
        self.eol = eol

    def encode(self, frame: bytes) -> bytes:
        """The line itself, ended by ``eol`` if it is not yet.

        Raises:
            ValueError: there is an ``eol`` in the middle, so that it would arrive as several lines.
        """
        check_bytes(frame)
        line = bytes(frame)
        if not line.endswith(self.eol):
            line += self.eol
        if line.find(self.eol) + len(self.eol) != len(line):
            raise ValueError(f"a line must have no {self.eol!r} but at its end, got {line!r}")
        return line

    def decode(self, buffer: Buffer) -> bytes | Need:
        line = buffer.take_until(self.eol)
        if line is None:
            if len(buffer) < self.limit:
                return Need(1)
            line = buffer.peek(self.limit)
        elif len(line) <= self.limit:
            return line
        raise LimitError(
            f"expected {self.eol!r} within {self.limit} bytes, got {line[:40]!r}... without it",
            self.limit,
            line[: self.limit],
        )
