"""Instruments that take 10 ms for each answer, one at each of many addresses of this machine.

Run as a module of its own, with their number. It prints the port, which is the same for all.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading

from tests.benchmarks.peers.workload import REPLY
from tests.benchmarks.server import end_with_parent

SECONDS = 0.01


def hosts(number: int) -> list[str]:
    """So many addresses of this machine."""
    return [f"127.0.0.{index}" for index in range(1, number + 1)]


class SlowInstrument(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(SECONDS, self.transport.write, REPLY)


async def main(number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = await asyncio.get_running_loop().create_server(SlowInstrument, hosts(number), port)
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(main(int(sys.argv[1])))
