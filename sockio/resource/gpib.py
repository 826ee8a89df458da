"""Instruments on a GPIB bus: through VISA, or through a Prologix adapter."""

from __future__ import annotations

from typing import Any

from ..options import BOARD, Integer, check, read_option
from .address import Address
from .fields import check_link, refuse_rest, take_link, write_link
from .url import HostAddress, SerialAddress


class SecondaryAddress(Integer):
    """A secondary address; on the bus it is 96 more (IEEE 488.1), and so Prologix adapters take it."""

    def __init__(self) -> None:
        super().__init__(0, 126)
        self.allowed = "an integer from 0 to 30, or from 96 to 126"

    def check(self, value: Any) -> int:
        number = super().check(value) % 96
        if number > 30:
            raise ValueError
        return number


PRIMARY = Integer(0, 30)
SECONDARY = SecondaryAddress()


class GPIBAddress(Address):
    """An instrument on a GPIB board, or the board itself.

    Args:
        board: the number of the board.
        primary: the instrument's address, 0 to 30; None for the board.
        secondary: the secondary address, 0 to 30 (96 to 126 on the bus, which is taken too).
    """

    opener = "ScpiPipe"
    board: int
    primary: int | None
    secondary: int | None

    def __init__(self, board: int = 0, primary: int | None = None, secondary: int | None = None) -> None:
        if primary is None and secondary is not None:
            raise ValueError(f"a secondary address needs a primary address, got {secondary} alone")
        super().__init__(
            "gpib",
            board=check("board", BOARD, board),
            primary=None if primary is None else check("primary address", PRIMARY, primary),
            secondary=_check_secondary(secondary),
        )

    @property
    def visa_name(self) -> str:
        """The name for a VISA library."""
        parts = [f"GPIB{self.board or ''}"]
        if self.primary is None:
            return f"{parts[0]}::INTFC"
        parts += [str(number) for number in (self.primary, self.secondary) if number is not None]
        return "::".join([*parts, "INSTR"])

    def __str__(self) -> str:
        return self.visa_name


class PrologixAddress(Address):
    """An instrument on the GPIB bus of a Prologix adapter.

    Args:
        adapter: where the adapter is; without options a serial port has 9600 baud and 8N1.
        primary: the instrument's address, 0 to 30.
        secondary: the secondary address, 0 to 30 (96 to 126 on the bus, which is taken too).
    """

    opener = "ScpiPipe"
    adapter: SerialAddress | HostAddress
    primary: int
    secondary: int | None

    def __init__(self, adapter: SerialAddress | HostAddress, primary: int, secondary: int | None = None) -> None:
        super().__init__(
            "prologix",
            adapter=check_link(adapter),
            primary=check("primary address", PRIMARY, primary),
            secondary=_check_secondary(secondary),
        )

    @property
    def resource(self) -> str:
        return str(PrologixAddress(self.adapter.with_options({}), self.primary, self.secondary))

    def __str__(self) -> str:
        secondary = "" if self.secondary is None else f",{self.secondary}"
        return f"prologix::{write_link(self.adapter)}::{self.primary}{secondary}"


def read_gpib_numbers(fields: list[str]) -> tuple[int, int | None]:
    """The addresses of ``primary[::secondary]``."""
    if not fields or not fields[0]:
        raise ValueError("expected a GPIB address from 0 to 30, got none")
    refuse_rest(fields[2:], "secondary address")
    primary = read_option("primary address", PRIMARY, fields[0])
    return primary, read_option("secondary address", SECONDARY, fields[1]) if len(fields) > 1 else None


def read_prologix(fields: list[str]) -> PrologixAddress:
    """The address of ``adapter::primary[,secondary]`` or ``adapter::primary[::secondary]``."""
    adapter, rest = take_link(fields)
    numbers = rest[0].split(",") if len(rest) == 1 else rest
    return PrologixAddress(adapter, *read_gpib_numbers(numbers))


def _check_secondary(secondary: int | None) -> int | None:
    return None if secondary is None else check("secondary address", SECONDARY, secondary)
