"""The four tables of a Modbus device: coils, discrete inputs, holding registers and input registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from sockio.deadline import DEFAULT

from . import requests
from .station import Station

if TYPE_CHECKING:
    from sockio.checks import Data
    from sockio.deadline import Timeout

    from .codec import Request

T = TypeVar("T")


class Tables(Station):
    """Reads and writes tables, as far as possible in one request."""

    # Reading

    async def read_coil(
        self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
    ) -> list[bool]:
        """Return the coils from an address on (function 1).

        Args:
            address: of the first, counted from 0.
            count: how many, up to 2000.
            split: read more than that in several requests, between which the values may change.
            timeout: seconds for all of it.
        """
        return await self._read(requests.read_bits, 1, address, count, requests.READ_BITS, split, timeout)

    async def read_discrete(
        self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
    ) -> list[bool]:
        """Return the discrete inputs from an address on (function 2); see `read_coil`."""
        return await self._read(requests.read_bits, 2, address, count, requests.READ_BITS, split, timeout)

    async def read_holding(
        self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
    ) -> list[int]:
        """Return the holding registers from an address on (function 3), 0 to 65535 each.

        Args:
            address: of the first, counted from 0.
            count: how many, up to 125.
            split: read more than that in several requests, between which the values may change.
            timeout: seconds for all of it.
        """
        if not split:  # the one that matters most
            return await self._ask(requests.read_registers(3, address, count), timeout)
        return await self._read(requests.read_registers, 3, address, count, requests.READ_REGISTERS, split, timeout)

    async def read_input(
        self, address: int, count: int = 1, *, split: bool = False, timeout: Timeout = DEFAULT
    ) -> list[int]:
        """Return the input registers from an address on (function 4); see `read_holding`."""
        return await self._read(requests.read_registers, 4, address, count, requests.READ_REGISTERS, split, timeout)

    # Writing

    async def write_coil(self, address: int, value: bool, timeout: Timeout = DEFAULT) -> None:
        """Write one coil (function 5)."""
        await self._tell(requests.write_coil(address, value), timeout)

    async def write_register(self, address: int, value: int, timeout: Timeout = DEFAULT) -> None:
        """Write one holding register (function 6)."""
        await self._tell(requests.write_register(address, value), timeout)

    async def write_coils(
        self, address: int, values: Sequence[bool], *, split: bool = False, timeout: Timeout = DEFAULT
    ) -> None:
        """Write the coils from an address on (function 15).

        Args:
            address: of the first, counted from 0.
            values: of the coils, up to 1968.
            split: write more than that in several requests. If one of them fails, those before it have been obeyed.
            timeout: seconds for all of it.
        """
        size = requests.WRITE_BITS if split else len(values)
        parts = [requests.write_coils(start, values[at : at + size]) for at, start in steps(address, values, size)]
        await self._tell_all(parts, timeout)

    async def write_registers(
        self, address: int, values: Sequence[int], *, split: bool = False, timeout: Timeout = DEFAULT
    ) -> None:
        """Write the holding registers from an address on (function 16).

        Args:
            address: of the first, counted from 0.
            values: of the registers, 0 to 65535, up to 123.
            split: write more than that in several requests. If one of them fails, those before it have been obeyed.
            timeout: seconds for all of it.
        """
        await self._write(address, values, requests.WRITE_REGISTERS if split else len(values), timeout)

    async def mask_write_register(
        self, address: int, and_mask: int = 0xFFFF, or_mask: int = 0, timeout: Timeout = DEFAULT
    ) -> None:
        """Change bits of a holding register (function 22).

        The device makes it ``(register & and_mask) | (or_mask & ~and_mask)``: where *and_mask* has a 1, the bit stays,
        and elsewhere it becomes that of *or_mask*.
        """
        await self._tell(requests.mask_write_register(address, and_mask, or_mask), timeout)

    async def read_write_registers(
        self, read_address: int, count: int, write_address: int, values: Sequence[int], timeout: Timeout = DEFAULT
    ) -> list[int]:
        """Write up to 121 holding registers, then read up to 125, and return those (function 23)."""
        return await self._ask(requests.read_write_registers(read_address, count, write_address, values), timeout)

    # Other functions

    async def send_custom_command(
        self, code: int, data: Data = b"", reply_length: int | None = None, timeout: Timeout = DEFAULT
    ) -> bytes:
        """Send a request with any function code, and return what follows the code in the answer.

        Args:
            code: 1 to 127; 65 to 72 and 100 to 110 are for what a manufacturer has defined.
            data: what follows it, up to 252 bytes.
            reply_length: how many bytes follow the code in the answer; None if that is not known. Over RTU such an
                answer ends when nothing more has come for 50 ms.
            timeout: seconds.
        """
        return await self._ask(requests.custom(code, data, reply_length), timeout)

    async def ddp(
        self, sub_cmd: int, ddp_cmd: int, data: Data = b"", response: bool = True, timeout: Timeout = DEFAULT
    ) -> bytes:
        """Send a DDP command (function 68), and return the data of its response.

        Args:
            sub_cmd: the sub-command, 0 to 255.
            ddp_cmd: the command, 0 to 127.
            data: of the command, up to 249 bytes.
            response: whether there is one; without it ``b""`` is returned.
            timeout: seconds.
        """
        request = requests.ddp(sub_cmd, ddp_cmd, data, response)
        if response:
            return await self._ask(request, timeout)
        await self._send(request, timeout)
        return b""

    async def _read(
        self,
        make: Callable[[int, int, int], Request[list[T]]],
        function: int,
        address: int,
        count: int,
        most: int,
        split: bool,
        timeout: Timeout,
    ) -> list[T]:
        if not split:
            return await self._ask(make(function, address, count), timeout)
        requests.check_range(address, count, requests.ADDRESSES)
        parts = [make(function, start, min(most, count - at)) for at, start in steps(address, range(count), most)]
        return [value for part in await self._ask_all(parts, timeout) for value in part]

    async def _write(self, address: int, values: Sequence[int], size: int, timeout: Timeout) -> None:
        parts = [requests.write_registers(start, values[at : at + size]) for at, start in steps(address, values, size)]
        await self._tell_all(parts, timeout)


def steps(address: int, values: Sequence[object], size: int) -> Iterator[tuple[int, int]]:
    """Give where each part of at most *size* values begins: among them, and as an address. There is one at least."""
    address = requests.whole("address", address, 0, requests.ADDRESSES - 1)  # a short number of numpy would overflow
    for at in range(0, max(len(values), 1), max(size, 1)):
        yield at, address + at
