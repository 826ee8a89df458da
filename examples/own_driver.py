"""A driver of one's own in a lab script: written once, used blocking, with futures and on asyncio.

Run it with an instrument that answers ``*IDN?``, or against the simulated controller::

    sinstruments-server -c examples/cryocon.yml &
    python -m examples.own_driver localhost 5000
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from instruments.base import Driver
from sockio import aio, sio


class Thermometer(Driver):
    """Reads the temperature of one input, in the unit that the instrument displays."""

    async def identity(self) -> str:
        """Return who the instrument says it is."""
        return (await self.link.write_readline(b"*IDN?\n")).decode().strip()

    async def temperature(self, channel: str) -> float:
        """Return the reading of a channel."""
        return float(await self.link.write_readline(f"INPUT {channel}:TEMP?\n".encode()))


async def main(host: str, port: int) -> None:
    """Ask again, in an asyncio program."""
    thermometer = Thermometer(aio.TCP(host, port))
    print(await thermometer.identity(), await thermometer.temperature("A"))


if __name__ == "__main__":
    host, port = sys.argv[1], int(sys.argv[2])

    thermometer: Any = Thermometer(sio.TCP(host, port))  # a type checker knows the coroutines alone
    print(thermometer.identity(), thermometer.temperature("A"))

    thermometer = Thermometer(sio.TCP(host, port, resolve_futures=False))
    futures = thermometer.identity(), thermometer.temperature("A")
    print(*(future.result() for future in futures))

    asyncio.run(main(host, port))
