"""A device made with pymodbus: ``pymodbus_server.py tcp|rtu-tcp PORT`` or ``rtu TERMINAL``, unit 1.

Registers hold 100 and 1000 more than their address, every third coil and every fifth input is on. It ends when its
standard input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

from pymodbus import FramerType
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

SIZE = 3000


def device() -> Any:
    """Return the device, with a block for each table."""
    coils = [index % 3 == 0 for index in range(SIZE)]
    discrete = [index % 5 == 0 for index in range(SIZE)]
    holding = [100 + index for index in range(SIZE)]
    inputs = [1000 + index for index in range(SIZE)]
    return SimDevice(
        1,
        simdata=(
            [SimData(0, values=coils, datatype=DataType.BITS)],
            [SimData(0, values=discrete, datatype=DataType.BITS)],
            [SimData(0, values=holding, datatype=DataType.REGISTERS)],
            [SimData(0, values=inputs, datatype=DataType.REGISTERS)],
        ),
    )


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


async def main(kind: str, where: str) -> None:
    if kind == "rtu":
        await StartAsyncSerialServer(device(), port=where, baudrate=115200, framer=FramerType.RTU)
    else:
        framer = FramerType.SOCKET if kind == "tcp" else FramerType.RTU
        await StartAsyncTcpServer(device(), address=("127.0.0.1", int(where)), framer=framer)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(main(*sys.argv[1:]))
