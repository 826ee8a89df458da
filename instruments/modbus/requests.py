"""The requests of the standard: what each sends, and what its answer means.

All functions raise ValueError for what the standard does not allow, before anything is sent. Addresses count from 0,
as they are sent: the documentation of a device that counts from 1, or from 40001, means one or 40001 less.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pymodbus.pdu import bit_message as bits
from pymodbus.pdu import register_message as registers

from sockio.checks import check_data

from . import values
from .codec import PDU_SIZE, Request

if TYPE_CHECKING:
    from sockio.checks import Data

#: How much fits into one request (V1.1b3, sections 6.1 to 6.4, 6.11, 6.12, 6.17).
READ_BITS = 2000
READ_REGISTERS = 125
WRITE_BITS = 1968
WRITE_REGISTERS = 123
WRITE_REGISTERS_AND_READ = 121

#: Addresses are 16 bits.
ADDRESSES = 0x10000

#: The function code of the DDP messages that some devices take, and the flag of a command that wants a response.
DDP = 0x44
DDP_RESPONSE = 0x80

#: Function, sub-command, length and command: what a DDP request has beside its data.
DDP_OVERHEAD = 4

BITS = {
    1: (bits.ReadCoilsRequest, bits.ReadCoilsResponse),
    2: (bits.ReadDiscreteInputsRequest, bits.ReadDiscreteInputsResponse),
}
REGISTERS = {3: registers.ReadHoldingRegistersRequest, 4: registers.ReadInputRegistersRequest}
TABLES = {"holding": 3, "input": 4}


def read_bits(function: int, address: int, count: int) -> Request[list[bool]]:
    """Read coils (1) or discrete inputs (2)."""
    check_range(address, count, READ_BITS)
    request, response = BITS[function]
    size = (count + 7) // 8

    def read(pdu: bytes) -> list[bool]:
        answer = response()
        answer.decode(pdu[1:])
        return list(answer.bits[:count])

    return Request(function, request(address=address, count=count).encode(), read, 2 + size, 1)


@lru_cache(256, typed=True)  # what is polled is asked for again and again
def read_registers(function: int, address: int, count: int) -> Request[list[int]]:
    """Read holding (3) or input registers (4)."""
    check_range(address, count, READ_REGISTERS)
    data = REGISTERS[function](address=address, count=count).encode()
    return Request(function, data, registers_of, 2 + 2 * count, 1)


def read_values(
    address: int, kind: str, count: int, table: str, byte_order: values.Order, word_order: values.Order
) -> Request[list[Any]]:
    """Read numbers out of holding or input registers."""
    words = values.words_of(kind)
    values.check_order("byte_order", byte_order)
    values.check_order("word_order", word_order)
    count = whole("count", count, 1, READ_REGISTERS) * words
    check_range(address, count, READ_REGISTERS)

    def read(pdu: bytes) -> list[Any]:
        return values.numbers(registers_of(pdu), kind, byte_order, word_order)

    function = function_of(table)
    data = REGISTERS[function](address=address, count=count).encode()
    return Request(function, data, read, 2 + 2 * count, 1)


def function_of(table: str) -> int:
    """Return the function code that reads the registers of a table."""
    if table not in TABLES:
        raise ValueError(f'table must be "holding" or "input", not {table!r}')
    return TABLES[table]


def write_coil(address: int, value: bool) -> Request[None]:
    """Write one coil (5)."""
    check_range(address, 1, 1)
    message = bits.WriteSingleCoilRequest(address=address, bits=[check_bit(value)])
    data = message.encode()
    return Request(message.function_code, data, echo_of(data), 5)


def write_register(address: int, value: int) -> Request[None]:
    """Write one holding register (6)."""
    check_range(address, 1, 1)
    message = registers.WriteSingleRegisterRequest(address=address, registers=[whole("value", value, 0, 0xFFFF)])
    data = message.encode()
    return Request(message.function_code, data, echo_of(data), 5)


def write_coils(address: int, states: Sequence[bool]) -> Request[None]:
    """Write coils (15)."""
    coils = [check_bit(state) for state in states]
    check_range(address, len(coils), WRITE_BITS)
    message = bits.WriteMultipleCoilsRequest(address=address, bits=coils)
    # Once only: up to some version it appends to its own bits, and would write more coils the next time.
    data = message.encode()
    return Request(message.function_code, data, echo_of(data[:4]), 5)


def write_registers(address: int, words: Sequence[int]) -> Request[None]:
    """Write holding registers (16)."""
    words = [whole("value", word, 0, 0xFFFF) for word in words]
    check_range(address, len(words), WRITE_REGISTERS)
    message = registers.WriteMultipleRegistersRequest(address=address, registers=words)
    data = message.encode()
    return Request(message.function_code, data, echo_of(data[:4]), 5)


def write_values(
    address: int, kind: str, numbers: Sequence[float], byte_order: values.Order, word_order: values.Order
) -> Request[None]:
    """Write numbers to holding registers."""
    return write_registers(address, values.registers(numbers, kind, byte_order, word_order))


def mask_write_register(address: int, and_mask: int, or_mask: int) -> Request[None]:
    """Change bits of a holding register (22)."""
    check_range(address, 1, 1)
    message = registers.MaskWriteRegisterRequest(
        address=address, and_mask=whole("and_mask", and_mask, 0, 0xFFFF), or_mask=whole("or_mask", or_mask, 0, 0xFFFF)
    )
    data = message.encode()
    return Request(message.function_code, data, echo_of(data), 7)


def read_write_registers(read_address: int, count: int, write_address: int, words: Sequence[int]) -> Request[list[int]]:
    """Write holding registers, and then read some (23)."""
    words = [whole("value", word, 0, 0xFFFF) for word in words]
    check_range(read_address, count, READ_REGISTERS)
    check_range(write_address, len(words), WRITE_REGISTERS_AND_READ)
    message = registers.ReadWriteMultipleRegistersRequest(
        read_address=read_address, read_count=count, write_address=write_address, write_registers=words
    )
    return Request(message.function_code, message.encode(), registers_of, 2 + 2 * count, 1)


def custom(code: int, data: Data, reply_length: int | None) -> Request[bytes]:
    """Any function code, with any data."""
    code = whole("code", code, 1, 127)
    content = bytes(check_data(data))
    if len(content) > PDU_SIZE - 1:
        raise ValueError(f"data must be at most {PDU_SIZE - 1} bytes, not {len(content)}")
    if reply_length is None:
        return Request(code, content, data_of, None)
    return Request(code, content, data_of, 1 + whole("reply_length", reply_length, 0, PDU_SIZE - 1))


def ddp(sub_cmd: int, ddp_cmd: int, data: Data, response: bool) -> Request[bytes]:
    """A DDP command."""
    sub_cmd = whole("sub_cmd", sub_cmd, 0, 255)
    command = whole("ddp_cmd", ddp_cmd, 0, DDP_RESPONSE - 1) | (DDP_RESPONSE if response else 0)
    content = bytes(check_data(data))
    if len(content) > PDU_SIZE - DDP_OVERHEAD:
        raise ValueError(f"data must be at most {PDU_SIZE - DDP_OVERHEAD} bytes, not {len(content)}")

    def read(pdu: bytes) -> bytes:
        if pdu[1] != sub_cmd:
            raise ValueError(f"an answer to DDP sub-command {sub_cmd}")
        return pdu[3:]

    return Request(DDP, bytes([sub_cmd, 1 + len(content), command]) + content, read, None, count_at=2)


def registers_of(pdu: bytes) -> list[int]:
    """Return the registers of an answer."""
    return list(struct.unpack(f">{pdu[1] // 2}H", pdu[2:]))


def echo_of(data: bytes) -> Callable[[bytes], None]:
    """Return what makes sure that a device has done what it was told: its answer repeats that."""

    def read(pdu: bytes) -> None:
        if pdu[1:] != data:
            raise ValueError(f"an answer that repeats {data.hex(' ')}")

    return read


def data_of(pdu: bytes) -> bytes:
    """Return all that follows the function code."""
    return pdu[1:]


def check_range(address: int, count: int, most: int) -> None:
    """Raise ValueError for addresses that do not exist, and for more than goes into one request."""
    if whole("address", address, 0, ADDRESSES - 1) + whole("count", count, 1, most) > ADDRESSES:
        raise ValueError(f"the last address is {ADDRESSES - 1}: {count} from {address} on are too many")


def whole(name: str, value: Any, least: int, largest: int) -> int:
    """Return a number if it can be what it is given for. Those of numpy are made ones of Python."""
    number: int = value
    if value.__class__ is not int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name} must be a whole number, not {value!r}")
        number = value.__index__()
    if not least <= number <= largest:
        raise ValueError(f"{name} must be {least} to {largest}, not {value!r}")
    return number


def check_bit(value: Any) -> bool:
    """Return what goes into a coil."""
    if value not in (0, 1):
        raise ValueError(f"a coil must be True or False, not {value!r}")
    return bool(value)
