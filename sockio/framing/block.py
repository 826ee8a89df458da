r"""Arbitrary blocks of IEEE 488.2: ``#`` and a header, then any bytes.

In the definite form (7.7.6.2 and 8.7.9) the digit after the ``#`` says how many digits the length has:
``#15hello``, or ``#3005hello``. In the indefinite form (8.7.10) it is ``0``, and the block goes on until the
end of the message: ``#0hello\n``. A byte stream has no END signal to tell that newline from one among the
data. There an indefinite block ends with its first newline if nothing follows that; whatever does is an error,
for it may be the rest of the block.
"""

from __future__ import annotations

from ..errors import LimitError, ProtocolError
from .base import DEFAULT_LIMIT, Framing, Need, check_bytes, check_eol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..buffer import Buffer

# '#', the number of digits, and nine digits at most.
LONGEST_HEADER = 11


def encode_block(data: bytes) -> bytes:
    """Data with the header of a definite block in front, with as few digits as it takes.

    Raises:
        ValueError: more than 999999999 bytes cannot be written with the nine digits of the longest header.
    """
    check_bytes(data)
    length = b"%d" % len(data)
    if len(length) > 9:
        raise ValueError(f"a block must have at most 999999999 bytes, got {len(data)}")
    return b"#%d%b%b" % (len(length), length, data)


def parse_header(data: bytes) -> tuple[int, int | None] | Need:
    """Read the header of a block from the front of ``data``.

    Returns the length of the header and that of the data after it, None for an indefinite block; or `Need`
    when the header is not complete.

    Raises:
        ProtocolError: these are no header's bytes.
    """
    if not data:
        return Need(2)
    if data[:1] != b"#" or (len(data) > 1 and not data[1:2].isdigit()):
        raise ProtocolError(f"expected a block, which begins with # and a digit, got {data[:40]!r}", data)
    if len(data) < 2:
        return Need(1)
    count = int(data[1:2])
    if count == 0:
        return 2, None
    length = data[2 : 2 + count]
    if length and not length.isdigit():
        raise ProtocolError(f"expected a block's length of {count} digits, got {data[: 2 + count]!r}", data)
    if len(length) < count:
        return Need(count - len(length))
    return 2 + count, int(length)


class Block(Framing[bytes]):
    """Arbitrary blocks of IEEE 488.2. A frame is the data alone, without header and terminator.

    Blocks are sent in the definite form and received in both, of which only the definite one is safe for any data:
    an indefinite block that something follows is refused, with all that has come.

    Arguments:
        eol: the response message terminator, which follows the block (8.5); ``b""`` for instruments that send
            none (an indefinite block then ends with a newline all the same).
        limit: the largest number of data bytes that is accepted.
    """

    def __init__(self, eol: bytes = b"\n", limit: int = DEFAULT_LIMIT) -> None:
        super().__init__(limit)
        check_eol(eol)
        self.eol = eol

    def encode(self, frame: bytes) -> bytes:
        return encode_block(frame) + self.eol

    def decode(self, buffer: Buffer) -> bytes | Need:
        header = self.read_header(buffer)
        if isinstance(header, Need):
            return header
        header_size, size = header
        if size is None:
            return self._decode_indefinite(buffer)
        if size > self.limit:
            raise LimitError(
                f"expected a block of at most {self.limit} bytes, got one of {size}",
                self.limit,
                buffer.peek(self.limit),
            )
        missing = header_size + size + len(self.eol) - len(buffer)
        if missing > 0:
            return Need(missing)
        buffer.take(header_size)
        data = buffer.take(size)
        self.check_terminator(size, buffer.take(len(self.eol)))
        return data

    def read_header(self, buffer: Buffer) -> tuple[int, int | None] | Need:
        """Read the header at the front of a buffer, as `parse_header` does; it stays there.

        Raises:
            ProtocolError: there is none. What came instead, an error message perhaps, is most likely a line: it
                has been taken if it is complete.
        """
        try:
            return parse_header(buffer.peek(LONGEST_HEADER))
        except ProtocolError as error:
            line = buffer.take_until(self.eol or b"\n") or buffer.peek(self.limit)
            raise ProtocolError(f"{error} in {line[:80]!r}", line) from None

    def check_terminator(self, size: int, terminator: bytes) -> None:
        """Raise `ProtocolError` if what follows a block of *size* bytes is not the terminator."""
        if terminator != self.eol:
            raise ProtocolError(f"expected {self.eol!r} after a block of {size} bytes, got {terminator!r}", terminator)

    def check_end(self, data: bytes, following: bytes) -> None:
        """Raise `ProtocolError` if anything follows what seems to be the end of an indefinite block."""
        if following:
            eol = self.eol or b"\n"
            raise ProtocolError(
                f"an indefinite block came with {eol!r} after {len(data)} bytes of data and more after that: its end "
                f"cannot be told; ask the instrument for definite blocks",
                b"#0" + data + eol + following,
            )

    def _decode_indefinite(self, buffer: Buffer) -> bytes | Need:
        eol = self.eol or b"\n"
        block = buffer.take_until(eol)
        largest = 2 + self.limit + len(eol)
        if block is None:
            if len(buffer) < largest:
                return Need(1)
            block = buffer.peek(largest)
        elif len(block) <= largest:
            data = block[2 : -len(eol)]
            self.check_end(data, buffer.take_all())
            return data
        raise LimitError(
            f"expected {eol!r} within {self.limit} bytes of an indefinite block, got {len(block)} without it",
            self.limit,
            block[:largest],
        )
