"""A mock dome controller, and the client that a program has for it: lines of JSON over TCP.

The controller takes one client at a time, as the real one does, and reports where the dome is while it turns. Run both
by ``python -m examples.mock_dome``, or the controller alone, for a program of yours or for ``nc``, by
``python -m examples.mock_dome --port 5005``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
from typing import Any

from sockio import tcpip

log = logging.getLogger("dome")


class MockDomeController(tcpip.OneClientReadLoopServer):
    """Obeys commands such as ``{"id": 1, "move": 90}``: it turns step by step, and acknowledges in the end.

    Args:
        port: where to listen; 0 for any that is free.
        log: the parent of its logger.
        step: how far the dome turns between two reports, in degrees.
        **kwargs: arguments of `tcpip.OneClientReadLoopServer`.
    """

    def __init__(self, *, port: int, log: logging.Logger, step: float = 30.0, **kwargs: Any) -> None:
        self.azimuth = 0.0
        self.step = step
        super().__init__(port=port, log=log, **kwargs)

    async def read_and_dispatch(self) -> None:
        """Handle a line: a heartbeat or a command. A command that makes no sense is refused."""
        line = await self.read_str()
        if line == tcpip.HEARTBEAT.decode():
            if self.run_heartbeat_monitor_task:
                self.handle_received_heartbeat()
            return
        try:
            command = json.loads(line)
            number, target = command["id"], float(command["move"])
            if not math.isfinite(target):
                raise ValueError(f"there is no azimuth of {target}")
        except (ValueError, KeyError, TypeError) as error:
            await self.write_json({"refused": f"{type(error).__name__}: {error}"})
            return
        while self.azimuth != target:
            distance = target - self.azimuth
            self.azimuth += max(-self.step, min(self.step, distance))
            await self.write_json({"azimuth": self.azimuth})
        await self.write_json({"done": number})


class DomeClient(tcpip.Client):
    """Moves a dome."""

    commands = 0

    async def move(self, azimuth: float) -> list[float]:
        """Turn the dome, and return where it was seen on the way, in degrees.

        Raises:
            ValueError: the controller has refused.
            ConnectionError: the connection was lost; where the dome is now is not known.
        """
        self.commands += 1
        seen: list[float] = []
        await self.write_json({"id": self.commands, "move": azimuth})
        while True:
            report = await self.read_json()
            if "refused" in report:
                raise ValueError(report["refused"])
            if report.get("done") == self.commands:
                return seen
            seen.append(report["azimuth"])


async def tell(client_or_server: tcpip.BaseClientOrServer) -> None:
    """Print what becomes of a connection."""
    if client_or_server.connected:
        state = "connected"
    else:
        state = "connection lost" if client_or_server.should_be_connected else "disconnected"
    print(f"{type(client_or_server).__name__}: {state}")


async def demonstrate() -> None:
    """Move the dome, lose the connection, and move the dome by another one."""
    async with MockDomeController(port=0, log=log, connect_callback=tell) as controller:
        for azimuth in (90, 45):
            client = DomeClient("127.0.0.1", controller.port, log, tell)
            async with client:
                print(f"to {azimuth}:", await client.move(azimuth))
                await controller.close_client()
                try:
                    await client.move(0)
                except ConnectionError as error:
                    print(f"{type(error).__name__}: {error}")


async def serve(port: int) -> None:
    """Be a controller until Ctrl-C."""
    async with MockDomeController(port=port, log=log, connect_callback=tell) as controller:
        print(f"listening at {controller.host}, port {controller.port}", flush=True)
        await controller.done_task


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, help="be a controller at this port (0: any that is free)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(demonstrate() if arguments.port is None else serve(arguments.port))
    except KeyboardInterrupt:
        pass
