"""DDP: messages of the GCT protocol that are longer than a frame, in parts.

Both versions append a CRC16 to the data, high byte first, and cut the whole into parts of 8 bytes; they differ in how
the 11 bits of type data tell the place of a part. A frame does not say which version it is of: the CRC does.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

from .messages import LENGTH

#: The most bytes of data of each version, one less than fits.
MAX_DATA = {0: 61, 1: 61, 2: 2045}

CRC_SIZE = 2

#: Version 1: bits 10-8 number of frames less one, 7-5 index, 4-0 zero. Version 2: bit 10 end, 9-8 zero, 7-0 index.
ZERO_1, ZERO_2 = 0x01F, 0x300
INDEX_2, END_2 = 0x0FF, 0x400


class Whole(NamedTuple):
    """A message whose parts have all come."""

    version: int
    data: bytes


def crc16(data: bytes) -> int:
    """Return the CRC16 of the protocol: polynomial 0x1021, not reflected, initial value 0xFFFF, no final XOR.

    It is 0x29B1 for ``b"123456789"``, and 0 for data that end with their own CRC, high byte first.
    """
    return crc_hqx(data, 0xFFFF)


def split(data: bytes, version: int) -> list[tuple[int, bytes]]:
    """Return the type data and the payload of each frame that carries a part of a message.

    Version 2 has no frames for an empty message.

    Raises:
        ValueError: no such version, or more data than it can carry.
    """
    if version not in MAX_DATA or isinstance(version, bool):
        raise ValueError(f"version must be 1 or 2, not {version!r}")
    if len(data) > MAX_DATA[version]:
        raise ValueError(f"DDP version {version} carries up to {MAX_DATA[version]} bytes, not {len(data)}")
    checked = data + crc16(data).to_bytes(CRC_SIZE, "big")
    parts = [checked[start : start + LENGTH] for start in range(0, len(checked), LENGTH)]
    last = len(parts) - 1
    if version < 2:
        return [(last << 8 | index << 5, part) for index, part in enumerate(parts)]
    if not data:
        return []
    return [(index | (END_2 if index == last else 0), part) for index, part in enumerate(parts)]


class Reassembly:
    """The parts of messages from one node to another, put together again.

    Nothing in a frame tells the versions apart, so it is tried as a part of both. Nothing is given out whose CRC is not
    right. A message of which a part is missing is given up when the next one begins.

    Attributes:
        dropped: frames that have come to nothing: parts of messages that were not completed, or whose CRC was wrong.
    """

    __slots__ = ("_end", "_expected", "_last", "_parts_1", "_parts_2", "_pending", "dropped")

    def __init__(self) -> None:
        self.dropped = 0
        self._pending = 0
        self._parts_1: list[bytes] = []
        self._expected = self._last = -1
        self._parts_2: dict[int, bytes] = {}
        self._end = -1

    def reset(self) -> None:
        """Forget the parts of messages, of both versions, that are not complete."""
        self.dropped += self._pending
        self._pending = 0
        self._forget_1()
        self._forget_2()

    def feed(self, type_data: int, part: bytes) -> Whole | None:
        """Take a frame; return the message that it completes, if any."""
        if not type_data & INDEX_2:  # the first part, in both versions
            self.reset()
        self._pending += 1
        whole_1 = None if type_data & ZERO_1 else self._feed_1(type_data >> 8, type_data >> 5 & 7, part)
        whole_2 = None if type_data & ZERO_2 else self._feed_2(type_data & INDEX_2, bool(type_data & END_2), part)
        whole = whole_1 or whole_2
        if whole is not None:
            self._pending = 0
            self._forget_1()
            self._forget_2()
        elif not self._parts_1 and not self._parts_2:
            self.reset()  # nobody waits for more: what has come is lost
        return whole

    def _feed_1(self, last: int, index: int, part: bytes) -> Whole | None:
        if index == 0:
            self._last, self._expected = last, 0
        elif index != self._expected or last != self._last:
            self._forget_1()
            return None
        self._parts_1.append(part)
        self._expected = index + 1
        if index < last:
            return None
        data = checked(b"".join(self._parts_1))
        self._forget_1()
        return None if data is None else Whole(1, data)

    def _feed_2(self, index: int, end: bool, part: bytes) -> Whole | None:
        if index and 0 not in self._parts_2:
            return None
        self._parts_2[index] = part
        if end:
            self._end = index
        if self._end < 0 or not all(number in self._parts_2 for number in range(self._end, -1, -1)):
            return None
        data = checked(b"".join(self._parts_2[number] for number in range(self._end + 1)))
        self._forget_2()
        return None if data is None else Whole(2, data)

    def _forget_1(self) -> None:
        self._parts_1 = []
        self._expected = self._last = -1

    def _forget_2(self) -> None:
        self._parts_2 = {}
        self._end = -1


def checked(joined: bytes) -> bytes | None:
    """Return data without the CRC that they end with; None if that is wrong."""
    return None if len(joined) < CRC_SIZE or crc16(joined) else joined[:-CRC_SIZE]
