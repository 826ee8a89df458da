"""A driver of somebody's own, who knows nothing of Tango."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from instruments.base import Driver
from instruments.metadata import quantity


class Mode(Enum):
    FAST = 1
    SLOW = 2


class Limits(NamedTuple):
    low: float
    high: float


class Output(Driver):
    """One of its outputs."""

    def __init__(self, owner: Driver, number: int) -> None:
        super().__init__(owner)
        self.number = number

    @quantity("V", 0, 30)
    async def voltage(self, value: float | None = None) -> float:
        """Voltage at the output."""
        if value is not None:
            await self.link.write_readline(f"V{self.number} {value}\n".encode())
        return float(await self.link.write_readline(f"V{self.number}?\n".encode()))


class Supply(Driver):
    """A supply with two outputs.

    It speaks no known language.
    """

    def __init__(self, conn: object, prompt: str = "", *, outputs: int = 2) -> None:
        super().__init__(conn)
        self.prompt = prompt
        self.outputs = {number: Output(self, number) for number in range(1, outputs + 1)}
        self.fan = Output(self, 9)

    async def _ask(self, text: str) -> str:
        return (await self.link.write_readline(f"{self.prompt}{text}\n".encode())).decode().strip()

    async def get_mode(self) -> Mode:
        """How fast it is."""
        return Mode[await self._ask("MODE?")]

    async def set_mode(self, mode: Mode) -> None:
        """Set how fast it is."""
        await self._ask(f"MODE {mode.name}")

    async def names(self) -> list[str]:
        """What the outputs are called."""
        return (await self._ask("NAMES?")).split(",")

    async def set_names(self, names: list[str]) -> None:
        """Call the outputs something."""
        await self._ask("NAMES " + ",".join(names))

    async def get_serial_number(self) -> int | None:
        """Who it is."""
        answer = await self._ask("SN?")
        return int(answer) if answer else None

    @quantity("K")
    async def temperature(self) -> float | None:
        """Inside."""
        answer = await self._ask("T?")
        return None if answer == "-" else float(answer)

    async def state(self) -> str:
        """Of the outputs."""
        return await self._ask("STATE?")

    async def limits(self, output: int) -> Limits:
        """What an output can give."""
        low, high = (await self._ask(f"LIMITS {output}?")).split(",")
        return Limits(float(low), float(high))

    async def is_overloaded(self, output: int) -> bool:
        """Whether an output has more to give than it can."""
        return await self._ask(f"OVERLOADED {output}?") == "yes"

    async def ramp(self, output: int, volt: float, seconds: float = 1.0) -> None:
        """Go somewhere slowly."""
        await self._ask(f"RAMP {output} {volt} {seconds}")

    async def label(self, output: int, text: str, *, bold: bool = False) -> str:
        """Write on the display."""
        return await self._ask(f"LABEL {output} {text} {bold}")

    async def dump(self) -> bytes:
        """All of its memory."""
        return (await self._ask("DUMP?")).encode()

    async def get_memory(self) -> bytes:
        """Part of its memory."""
        return b"\x01\xff"

    async def read_message(self, end: str | None = None) -> str:
        """Wait for a message, and take it."""
        return await self._ask(f"MESSAGE {end}")

    async def trace(self, to: object) -> None:
        """Nothing that a client of Tango could ask for."""
