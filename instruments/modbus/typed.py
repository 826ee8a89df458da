"""Numbers and texts in the registers of a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from sockio.deadline import DEFAULT
from sockio.errors import ProtocolError

from . import requests, values
from .tables import Tables

if TYPE_CHECKING:
    from sockio.deadline import Timeout

    from .values import Kind, Order

#: Where numbers are read.
Table = Literal["holding", "input"]


class TypedValues(Tables):
    """Reads and writes numbers and texts, which may take several registers.

    Most devices send the most significant register first ("big"), many the least significant one ("little"): their
    manuals call it word order, or give an example. Within a register the standard has the high byte first.
    """

    async def read_values(
        self,
        address: int,
        kind: Kind,
        count: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        split: bool = False,
        timeout: Timeout = DEFAULT,
    ) -> list[Any]:
        """Return numbers in a row.

        Args:
            address: of the first register, counted from 0.
            kind: "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32" or "float64".
            count: how many numbers.
            table: "holding" or "input" registers.
            byte_order: which byte of a register comes first, "big" (the most significant) or "little".
            word_order: which register of a number comes first.
            split: read what is too long for one request (125 registers) in several, each with whole numbers.
            timeout: seconds for all of it.
        """
        words = values.words_of(kind)
        values.check_order("byte_order", byte_order)
        values.check_order("word_order", word_order)
        most = requests.READ_REGISTERS // words * words
        count = requests.whole("count", count, 1, requests.ADDRESSES)
        registers = await self._read(
            requests.read_registers, requests.function_of(table), address, count * words, most, split, timeout
        )
        return values.numbers(registers, kind, byte_order, word_order)

    async def write_values(
        self,
        address: int,
        kind: Kind,
        numbers: Sequence[float],
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        split: bool = False,
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write numbers in a row to holding registers; see `read_values`. 123 registers go into one request."""
        words = values.words_of(kind)
        registers = values.registers(numbers, kind, byte_order, word_order)
        size = requests.WRITE_REGISTERS // words * words if split else len(registers)
        await self._write(address, registers, size, timeout)

    async def read_string(
        self,
        address: int,
        size: int,
        encoding: str = "ascii",
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> str:
        """Return a text of up to *size* bytes, two in each register, that ends there or before the first zero.

        Raises:
            ProtocolError: it is not in this encoding.
        """
        words = (requests.whole("size", size, 1, 2 * requests.READ_REGISTERS) + 1) // 2
        registers = await self.read_values(address, "uint16", words, table=table, timeout=timeout)
        try:
            return values.text(registers, size, encoding, byte_order)
        except UnicodeDecodeError as error:
            data = values.to_bytes(registers, byte_order)
            raise ProtocolError(f"{self!r}: expected a text in {encoding}, got {data!r}: {error}", data) from None

    async def write_string(
        self,
        address: int,
        text: str,
        size: int | None = None,
        encoding: str = "ascii",
        *,
        byte_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a text to holding registers, two bytes in each, and zeros after it, up to *size* bytes.

        Raises:
            ValueError: it does not fit, or cannot be encoded.
        """
        await self.write_registers(address, values.text_registers(text, size, encoding, byte_order), timeout=timeout)

    async def read_int16(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> int:
        """Return a number of 16 bits with a sign, in a register."""
        number: int = await self._number(address, "int16", table, byte_order, "big", timeout)
        return number

    async def write_int16(
        self,
        address: int,
        value: int,
        *,
        byte_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of 16 bits with a sign to a holding register."""
        await self._tell(requests.write_values(address, "int16", [value], byte_order, "big"), timeout)

    async def read_uint16(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> int:
        """Return a number of 16 bits without a sign, in a register."""
        number: int = await self._number(address, "uint16", table, byte_order, "big", timeout)
        return number

    async def write_uint16(
        self,
        address: int,
        value: int,
        *,
        byte_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of 16 bits without a sign to a holding register."""
        await self._tell(requests.write_values(address, "uint16", [value], byte_order, "big"), timeout)

    async def read_int32(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> int:
        """Return a number of 32 bits with a sign, in two registers."""
        number: int = await self._number(address, "int32", table, byte_order, word_order, timeout)
        return number

    async def write_int32(
        self,
        address: int,
        value: int,
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of 32 bits with a sign to two holding registers."""
        await self._tell(requests.write_values(address, "int32", [value], byte_order, word_order), timeout)

    async def read_uint32(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> int:
        """Return a number of 32 bits without a sign, in two registers."""
        number: int = await self._number(address, "uint32", table, byte_order, word_order, timeout)
        return number

    async def write_uint32(
        self,
        address: int,
        value: int,
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of 32 bits without a sign to two holding registers."""
        await self._tell(requests.write_values(address, "uint32", [value], byte_order, word_order), timeout)

    async def read_int64(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> int:
        """Return a number of 64 bits with a sign, in four registers."""
        number: int = await self._number(address, "int64", table, byte_order, word_order, timeout)
        return number

    async def write_int64(
        self,
        address: int,
        value: int,
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of 64 bits with a sign to four holding registers."""
        await self._tell(requests.write_values(address, "int64", [value], byte_order, word_order), timeout)

    async def read_uint64(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> int:
        """Return a number of 64 bits without a sign, in four registers."""
        number: int = await self._number(address, "uint64", table, byte_order, word_order, timeout)
        return number

    async def write_uint64(
        self,
        address: int,
        value: int,
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of 64 bits without a sign to four holding registers."""
        await self._tell(requests.write_values(address, "uint64", [value], byte_order, word_order), timeout)

    async def read_float32(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> float:
        """Return a number of single precision (IEEE 754), in two registers."""
        number: float = await self._number(address, "float32", table, byte_order, word_order, timeout)
        return number

    async def write_float32(
        self,
        address: int,
        value: float,
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of single precision (IEEE 754) to two holding registers."""
        await self._tell(requests.write_values(address, "float32", [value], byte_order, word_order), timeout)

    async def read_float64(
        self,
        address: int,
        *,
        table: Table = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> float:
        """Return a number of double precision (IEEE 754), in four registers."""
        number: float = await self._number(address, "float64", table, byte_order, word_order, timeout)
        return number

    async def write_float64(
        self,
        address: int,
        value: float,
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Write a number of double precision (IEEE 754) to four holding registers."""
        await self._tell(requests.write_values(address, "float64", [value], byte_order, word_order), timeout)

    async def _number(
        self, address: int, kind: Kind, table: Table, byte_order: Order, word_order: Order, timeout: Timeout
    ) -> Any:
        return (await self._ask(requests.read_values(address, kind, 1, table, byte_order, word_order), timeout))[0]
