"""The records of a USR-CANET200, a CAN adapter on the network (user manual V2.2.4).

Both ways each frame is 13 bytes: bit 7 of the first says that the identifier has 29 bits, bit 6 that it is a remote
frame, bits 3-0 are the number of bytes of data; then the identifier, high byte first, and 8 bytes, padded with zeros.
"""

from __future__ import annotations

from typing import NamedTuple

from sockio.errors import ProtocolError

SIZE = 13
EXTENDED, REMOTE, RESERVED, LENGTH = 0x80, 0x40, 0x30, 0x0F


class Record(NamedTuple):
    """A frame as the adapter has it."""

    canid: int
    extended: bool
    remote: bool
    length: int
    data: bytes


def encode(record: Record) -> bytes:
    """Return the 13 bytes of a frame."""
    info = (EXTENDED if record.extended else 0) | (REMOTE if record.remote else 0) | record.length
    return bytes([info]) + record.canid.to_bytes(4, "big") + record.data.ljust(8, b"\0")


def decode(data: bytes) -> Record:
    """Return the frame of 13 bytes.

    Raises:
        ProtocolError: no such frame can be; probably the beginnings of records have been lost.
    """
    info = data[0]
    extended, remote, length = bool(info & EXTENDED), bool(info & REMOTE), info & LENGTH
    canid = int.from_bytes(data[1:5], "big")
    if len(data) != SIZE or info & RESERVED or length > 8 or canid > (0x1FFFFFFF if extended else 0x7FF):
        raise ProtocolError(f"expected a record of {SIZE} bytes of a USR-CANET200, got {data.hex(' ')}", data)
    return Record(canid, extended, remote, length, b"" if remote else data[5 : 5 + length])
