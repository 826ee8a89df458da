"""A thread that waits in a driver, for those who must not."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from sockio.errors import DeadlineExpired
from sockio.runtimes import blocking

from . import python_can

if TYPE_CHECKING:
    import can

    from sockio.runtimes.base import Runtime, Waiter

#: How often it is looked whether to stop, in seconds.
LOOK = 0.1

#: How many frames wait for a loop that has no time; those that come then are lost, and counted.
ROOM = 100_000


class Pump:
    """Takes frames from a bus in a thread of its own, which closes the bus at the end.

    Args:
        bus: nobody else receives from it.

    Attributes:
        lost: frames for which there was no room.
    """

    def __init__(self, bus: can.BusABC) -> None:
        self.bus = bus
        self.lost = 0
        self._batches: deque[tuple[list[can.Message], Exception | None]] = deque()
        self._put = self._taken = 0  # frames; each number is changed by one side alone
        self._waiter: Waiter | None = None
        self._stopping = False
        self._ended = False

    def start(self) -> None:
        """Begin."""
        blocking.runtime.spawn(self._run())

    def stop(self) -> None:
        """Have it end soon, and close the bus. Any thread may call this."""
        self._stopping = True

    async def finish(self, runtime: Runtime) -> None:
        """Stop, and wait until the bus is closed."""
        self._stopping = True
        while not self._ended:
            await self._wait(runtime, None)

    async def take(self, runtime: Runtime, deadline: float) -> tuple[list[can.Message], Exception | None]:
        """Return what has come, nothing if that is so until the deadline."""
        while not self._batches:
            try:
                await self._wait(runtime, deadline)
            except DeadlineExpired:
                return [], None
        batch = self._batches.popleft()
        self._taken += len(batch[0])
        return batch

    async def _wait(self, runtime: Runtime, deadline: float | None) -> None:
        """Wait until something happens: one task at a time."""
        waiter = self._waiter = runtime.waiter()
        if not self._batches and not self._ended:
            await waiter.wait(deadline)

    async def _run(self) -> None:
        error: Exception | None = None
        while error is None and not self._stopping:
            messages, error = python_can.receive(self.bus, LOOK)
            if messages and self._put - self._taken + len(messages) > ROOM:
                self.lost += len(messages)
            elif messages:
                self._put += len(messages)
                self._batches.append((messages, None))
                self._wake()
        close(self.bus)
        if error is not None:
            self._batches.append(([], error))
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            try:
                waiter.set()
            except RuntimeError:
                self._stopping = True  # the loop has been closed


def close(bus: can.BusABC) -> None:
    """Close a bus, whatever its driver says: the adapter may have been pulled out."""
    try:
        bus.shutdown()
    except Exception as error:
        logging.getLogger("sockio.CanBus").info("%s: %s", bus, error)
