"""HID report descriptors: which reports a device has, and how long they are (Device Class Definition for HID 1.11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sockio.errors import ProtocolError

#: The prefix of a long item (6.2.2.3), which no report needs.
LONG_ITEM = 0xFE

#: Items by their prefix without the size (6.2.2.4, 6.2.2.7).
INPUT, OUTPUT, FEATURE = 0x80, 0x90, 0xB0
REPORT_SIZE, REPORT_ID, REPORT_COUNT, PUSH, POP = 0x74, 0x84, 0x94, 0xA4, 0xB4
KINDS = {INPUT: "input", OUTPUT: "output", FEATURE: "feature"}


@dataclass(frozen=True)
class Reports:
    """The reports of a device.

    Attributes:
        sizes: bytes of a report, without its id, by kind ("input", "output", "feature") and id; the id is 0 where
            reports have none.
        numbered: whether reports begin with an id on the wire.
    """

    sizes: Mapping[str, Mapping[int, int]]
    numbered: bool

    def check_sent(self, kind: str, data: bytes) -> None:
        """Raise a ValueError unless *data*, which begins with the id, is a whole report.

        Args:
            kind: "output" or "feature".
            data: the report; its first byte is 0 for a device whose reports have no id.
        """
        if not data:
            raise ValueError(f"a report begins with its id, 0 if it has none; expected {self._expected(kind)}")
        size = self.sizes[kind].get(data[0])
        if size is None or len(data) != 1 + size:
            raise ValueError(f"expected {self._expected(kind)}, got {len(data)} bytes that begin with {data[0]:#04x}")

    def check_received(self, data: bytes) -> None:
        """Raise a ProtocolError unless *data* is a whole input report, with its id in front if it has one."""
        number = data[0] if self.numbered and data else 0
        size = self.sizes["input"].get(number)
        if size is None or len(data) != self.numbered + size:
            raise ProtocolError(
                f"expected {self._expected('input', self.numbered)}, got {len(data)} bytes: {data[:16].hex(' ')}", data
            )

    def longest(self, kind: str) -> int:
        """Return the bytes of the longest report of a kind, with its id."""
        return 1 + max(self.sizes[kind].values(), default=0)

    def size(self, kind: str, number: int) -> int:
        """Return the bytes of a report, without its id.

        Raises:
            ValueError: there is no such report.
        """
        size = self.sizes[kind].get(number)
        if size is None:
            raise ValueError(f"there is no {kind} report {number}; expected {self._expected(kind)}")
        return size

    def _expected(self, kind: str, with_id: bool = True) -> str:
        known = [
            f"{with_id + size} bytes" + (f" that begin with {number:#04x}" if with_id else "")
            for number, size in self.sizes[kind].items()
        ]
        return f"an {kind} report of ".replace("an f", "a f") + " or ".join(known) if known else f"no {kind} report"


@dataclass
class State:
    """The global items that are in force (6.2.2.7)."""

    size: int = 0
    count: int = 0
    number: int = 0


@dataclass
class Bits:
    """How many bits the reports have, by kind and id."""

    found: dict[str, dict[int, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS.values()})
    numbered: bool = False


def parse_report_descriptor(descriptor: bytes) -> Reports:
    """Return the reports that a descriptor declares.

    Raises:
        ProtocolError: it ends within an item, or takes from the stack what is not there.
    """
    state, stack, bits = State(), [], Bits()
    for item, value in _items(descriptor):
        if item in KINDS:
            counts = bits.found[KINDS[item]]
            counts[state.number] = counts.get(state.number, 0) + state.size * state.count
        elif item == REPORT_SIZE:
            state.size = value
        elif item == REPORT_COUNT:
            state.count = value
        elif item == REPORT_ID:
            state.number = value
            bits.numbered = True
        elif item == PUSH:
            stack.append(State(**vars(state)))
        elif item == POP:
            if not stack:
                raise ProtocolError("a report descriptor with a Pop without a Push", descriptor)
            state = stack.pop()
    sizes = {kind: {number: -(-count // 8) for number, count in found.items()} for kind, found in bits.found.items()}
    return Reports(sizes, bits.numbered)


def _items(descriptor: bytes) -> Iterator[tuple[int, int]]:
    """Yield each short item: its prefix without the size, and its value (6.2.2.2)."""
    position = 0
    while position < len(descriptor):
        prefix = descriptor[position]
        position += 1
        if prefix == LONG_ITEM:
            size = 2 + descriptor[position] if position < len(descriptor) else 2
        else:
            size = (0, 1, 2, 4)[prefix & 3]
        data = descriptor[position : position + size]
        if len(data) < size:
            raise ProtocolError("a report descriptor that ends within an item", descriptor)
        position += size
        if prefix != LONG_ITEM:
            yield prefix & 0xFC, int.from_bytes(data, "little")
