"""The driver of the instrument that the benchmarks of Tango read."""

from __future__ import annotations

from instruments.base import Driver
from instruments.metadata import quantity


class Thermometer(Driver):
    """Answers after a while."""

    @quantity("K")
    async def temperature(self) -> float:
        """A temperature, after 1 ms."""
        return float(await self.link.write_readline(b"wait 1\n"))

    @quantity("K")
    async def slow_temperature(self) -> float:
        """A temperature, after 50 ms."""
        return float(await self.link.write_readline(b"wait 50\n"))
