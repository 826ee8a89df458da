"""pymodbus's own clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient
from workload import serve

EXPECTED = list(range(5, 15))

loop = asyncio.new_event_loop()


def blocking(host: str, port: str) -> Callable[[int], None]:
    client = ModbusTcpClient(host, port=int(port), timeout=5)
    client.connect()

    def run(count: int) -> None:
        for _ in range(count):
            assert client.read_holding_registers(5, count=10, device_id=1).registers == EXPECTED

    return run


def asynchronous(host: str, port: str) -> Callable[[int], None]:
    async def connect() -> AsyncModbusTcpClient:
        client = AsyncModbusTcpClient(host, port=int(port), timeout=5)
        await client.connect()
        return client

    client = loop.run_until_complete(connect())

    async def run(count: int) -> None:
        for _ in range(count):
            assert (await client.read_holding_registers(5, count=10, device_id=1)).registers == EXPECTED

    return lambda count: loop.run_until_complete(run(count))


if __name__ == "__main__":
    serve({"blocking": blocking, "asynchronous": asynchronous})
