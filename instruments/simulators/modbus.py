"""A simulated Modbus device: coils, discrete inputs, holding and input registers, as the standard has them.

Configuration keys, all with defaults:

- ``units``: the unit addresses that answer, ``[1, 255]``.
- ``size``: how many there are in each table, 65536.
- ``coils``, ``discrete``, ``holding``, ``input``: initial values, a list from address 0 on or a table by address. What
  is not given is 0.
- ``latency``: seconds before each response, 0.
- ``faults``: what goes wrong with the first responses, a list of names (`FAULTS`).
- ``fault_delay``: what a late response comes later, in seconds, 1.

The key ``protocol`` of a transport says how messages are framed: ``tcp`` (the default of a TCP transport) or ``rtu``
(of a serial line, and of a serial line behind a bridge).

Function 65 is the simulator's own: its data is the name of a fault, which then happens to the next response. Function
100 repeats its data. Function 68 is that of DDP commands, and repeats theirs.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .engine import BaseDevice

#: late: the response comes later; garbled: its CRC, or the protocol identifier in its header, is wrong; unit: another
#: unit answers; transaction: an answer to an earlier transaction comes first (TCP); exception: a failure of the device
#: is reported; silent: nothing comes; dropped: the connection closes instead; none: as it should be.
FAULTS = ("late", "garbled", "unit", "transaction", "exception", "silent", "dropped", "none")

#: Exception codes (V1.1b3, section 7).
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4

SCHEDULE_FAULT, DDP, ECHO = 65, 68, 100
DDP_RESPONSE = 0x80

ON, OFF = 0xFF00, 0x0000


class Refused(Exception):
    """A request is answered with an exception."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Table:
    """What one kind of address holds, 0 where nothing has been written.

    Args:
        size: how many there are.
        values: initial values, from address 0 on or by address.
    """

    def __init__(self, size: int, values: Sequence[int] | Mapping[int, int]) -> None:
        self._size = size
        pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
        self._values = {int(address): int(value) for address, value in pairs}

    def read(self, address: int, count: int) -> list[int]:
        """Return values in a row."""
        self._check(address, count)
        return [self._values.get(each, 0) for each in range(address, address + count)]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Change values in a row."""
        self._check(address, len(values))
        self._values.update(enumerate(values, address))

    def _check(self, address: int, count: int) -> None:
        if address + count > self._size:
            raise Refused(ILLEGAL_ADDRESS)


class ModbusDevice(BaseDevice):
    """The device. All its units share the tables.

    Attributes:
        units: that answer.
        latency: before each response, in seconds.
        fault_delay: what a late response comes later, in seconds.
        faults: what goes wrong with the next responses.
    """

    def __init__(
        self,
        name: str,
        units: Iterable[int] = (1, 255),
        size: int = 0x10000,
        coils: Sequence[int] | Mapping[int, int] = (),
        discrete: Sequence[int] | Mapping[int, int] = (),
        holding: Sequence[int] | Mapping[int, int] = (),
        input: Sequence[int] | Mapping[int, int] = (),
        latency: float = 0.0,
        faults: Iterable[str] = (),
        fault_delay: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self.units = frozenset(units)
        self.latency = float(latency)
        self.fault_delay = float(fault_delay)
        self.faults = deque(map(check_fault, faults))
        self._tables = {
            table: Table(size, values)
            for table, values in (("coils", coils), ("discrete", discrete), ("holding", holding), ("input", input))
        }

    def get_protocol(self, channel: Any, transport: Any) -> Any:
        """Return what speaks on a new connection, by the transport key ``protocol``."""
        from . import modbus_frames

        default = "rtu" if hasattr(transport, "slave") else "tcp"
        return modbus_frames.PROTOCOLS[transport.props.get("protocol", default)](self, channel, transport)

    def take_fault(self) -> str:
        """Return the fault of the next response, and take it from the schedule; "none" when there is none."""
        return self.faults.popleft() if self.faults else "none"

    def respond(self, pdu: bytes) -> bytes | None:
        """Obey a protocol data unit; return the one that answers, if any."""
        function, data = pdu[0], pdu[1:]
        try:
            return self._obey(function, data)
        except Refused as refusal:
            return bytes([function | 0x80, refusal.code])
        except (struct.error, IndexError):
            return bytes([function | 0x80, ILLEGAL_VALUE])

    def _obey(self, function: int, data: bytes) -> bytes | None:
        if function in (1, 2):
            return self._read_bits(function, *struct.unpack(">HH", data))
        if function in (3, 4):
            return self._read_registers(function, *struct.unpack(">HH", data))
        if function in (5, 6):
            return self._write_one(function, *struct.unpack(">HH", data))
        if function == 15:
            return self._write_coils(data)
        if function == 16:
            address, values = registers_in(data)
            self._tables["holding"].write(address, values)
            return b"\x10" + data[:4]
        if function == 22:
            address, and_mask, or_mask = struct.unpack(">HHH", data)
            [register] = self._tables["holding"].read(address, 1)
            self._tables["holding"].write(address, [register & and_mask | or_mask & ~and_mask])
            return b"\x16" + data
        if function == 23:
            address, values = registers_in(data[4:])
            wanted = struct.unpack(">HH", data[:4])
            self._read_registers(function, *wanted)  # what cannot be read is refused before anything is written
            self._tables["holding"].write(address, values)
            return self._read_registers(function, *wanted)
        return self._obey_custom(function, data)

    def _obey_custom(self, function: int, data: bytes) -> bytes | None:
        if function == SCHEDULE_FAULT:
            try:
                self.faults.append(check_fault(data.decode("ascii")))
            except ValueError:
                raise Refused(ILLEGAL_VALUE) from None
            return bytes([function]) + data
        if function == ECHO:
            return bytes([function]) + data
        if function == DDP:
            if data[1] != len(data) - 2:
                raise Refused(ILLEGAL_VALUE)
            return bytes([function]) + data if data[2] & DDP_RESPONSE else None
        raise Refused(ILLEGAL_FUNCTION)

    def _read_bits(self, function: int, address: int, count: int) -> bytes:
        check_count(count, 2000)
        bits = self._tables["coils" if function == 1 else "discrete"].read(address, count)
        packed = bytes(
            sum(bit << index for index, bit in enumerate(bits[start : start + 8])) for start in range(0, count, 8)
        )
        return bytes([function, len(packed)]) + packed

    def _read_registers(self, function: int, address: int, count: int) -> bytes:
        check_count(count, 125)
        registers = self._tables["input" if function == 4 else "holding"].read(address, count)
        return struct.pack(f">BB{count}H", function, 2 * count, *registers)

    def _write_one(self, function: int, address: int, value: int) -> bytes:
        if function == 6:
            self._tables["holding"].write(address, [value])
        elif value in (ON, OFF):
            self._tables["coils"].write(address, [value == ON])
        else:
            raise Refused(ILLEGAL_VALUE)
        return struct.pack(">BHH", function, address, value)

    def _write_coils(self, data: bytes) -> bytes:
        address, count, size = struct.unpack(">HHB", data[:5])
        check_count(count, 1968)
        packed = data[5:]
        if not size == len(packed) == (count + 7) // 8:
            raise Refused(ILLEGAL_VALUE)
        self._tables["coils"].write(address, [packed[index // 8] >> index % 8 & 1 for index in range(count)])
        return b"\x0f" + data[:4]


def registers_in(data: bytes) -> tuple[int, Sequence[int]]:
    """Return where registers are to be written, and their values."""
    address, count, size = struct.unpack(">HHB", data[:5])
    check_count(count, 123)
    if not size == len(data) - 5 == 2 * count:
        raise Refused(ILLEGAL_VALUE)
    return address, struct.unpack(f">{count}H", data[5:])


def check_count(count: int, most: int) -> None:
    """Refuse what does not fit into one request."""
    if not 1 <= count <= most:
        raise Refused(ILLEGAL_VALUE)


def check_fault(name: str) -> str:
    """Return the name of a fault.

    Raises:
        ValueError: there is no fault of this name.
    """
    if name not in FAULTS:
        raise ValueError(f"a fault must be one of {', '.join(FAULTS)}, got {name!r}")
    return name
