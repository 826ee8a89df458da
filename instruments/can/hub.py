"""From one bus to all who receive from it."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Literal, TypeAlias

from .errors import CanBusError, CanBusOffError
from .filters import CanFilter, union
from .python_can import from_python_can

if TYPE_CHECKING:
    import can

    from sockio.runtimes.base import Runtime

    from .bus import CanBus
    from .message_queue import MessageQueue
    from .messages import ErrorMessage

#: What is known of the bus.
State: TypeAlias = Literal["disconnected", "active", "passive", "bus off"]

log = logging.getLogger("sockio.CanBus")


class Hub:
    """Hands out what is received, and keeps account of what goes wrong.

    Args:
        runtime: calls the callbacks.

    Attributes:
        state: of the controller, from the error frames that it has sent.
        error_frames, connections_lost: how many there were.
        lost_before: frames that drivers had no room for, of buses that are closed.
        failure: why the bus is not open, as long as that is so.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.state: State = "disconnected"
        self.error_frames = 0
        self.connections_lost = 0
        self.lost_before = 0
        self.failure: Exception | None = None
        self._runtime = runtime
        self._changing = threading.Lock()
        # Users' functions are not kept: they may keep the bus, which is open as long as somebody has it.
        self._queues: tuple[tuple[weakref.ref[MessageQueue], tuple[CanFilter, ...]], ...] = ()
        self._listeners: tuple[weakref.ref[CanBus], ...] = ()
        self._arrived: deque[list[can.Message]] = deque()
        self._putting = threading.Lock()

    def add(self, queue: weakref.ref[MessageQueue], filters: tuple[CanFilter, ...]) -> None:
        """Put what comes from now on into a queue too."""
        with self._changing:
            self._queues = (*self._queues, (queue, filters))

    def remove(self, queue: weakref.ref[MessageQueue]) -> None:
        """Put nothing into a queue any more. May be repeated."""
        with self._changing:
            self._queues = tuple(entry for entry in self._queues if entry[0] is not queue)

    def add_listener(self, bus: CanBus) -> None:
        """Call the ``on_error`` of a bus with each error, as long as somebody has that object."""
        with self._changing:
            self._listeners = (*(each for each in self._listeners if each() is not None), weakref.ref(bus))

    def remove_listener(self, bus: CanBus) -> None:
        """Call it no more. May be repeated."""
        with self._changing:
            self._listeners = tuple(each for each in self._listeners if each() is not bus)

    def filters(self) -> tuple[CanFilter, ...] | None:
        """Return the filters that pass what anybody wants; none for all frames, None if nobody wants any."""
        return union(filters for _, filters in self._queues) if self._queues else None

    async def deliver(self, messages: list[can.Message]) -> None:
        """Put messages of python-can into the queues; hear of errors."""
        self._arrived.append(messages)
        self._put_arrived()
        for message in messages:
            if message.is_error_frame:
                await self._hear(from_python_can(message))  # type: ignore[arg-type]

    def _put_arrived(self) -> None:
        """Put what has come into the queues: one thread does so for all, so that no frames come between others."""
        while self._arrived and self._putting.acquire(blocking=False):
            try:
                while self._arrived:
                    messages = self._arrived.popleft()
                    for queue in self._present():
                        queue.put_all(messages)
            finally:
                self._putting.release()

    async def lose(self, error: CanBusError) -> None:
        """Hear that the bus has been lost."""
        self.connections_lost += 1
        self.state = "disconnected"
        self.failure = error
        log.warning("%s", error)
        await self._tell(error)

    def open(self) -> None:
        """Hear that the bus is open."""
        self.state = "active"
        self.failure = None
        for queue in self._present():
            queue.open = True

    def end(self) -> None:
        """Hear that nothing more will come: let nobody wait."""
        self.state = "disconnected"
        for queue in self._present():
            queue.close()

    def _present(self) -> list[MessageQueue]:
        return [queue for reference, _ in self._queues if (queue := reference()) is not None]

    async def _hear(self, message: ErrorMessage) -> None:
        self.error_frames += 1
        before = self.state
        if message.bus_off:
            self.state = "bus off"
        elif message.restarted or message.active:
            self.state = "active"
        elif message.passive:
            self.state = "passive"
        if self.state != before:
            log.warning("the CAN controller is %s now, it was %s: %s", self.state, before, message)
        text = f"the CAN controller reports: {', '.join(message.reasons)}"
        error = CanBusOffError(text) if message.bus_off else CanBusError(text)
        error.message = message
        await self._tell(error)

    async def _tell(self, error: CanBusError) -> None:
        for listener in self._listeners:
            bus = listener()
            if bus is None or bus._on_error is None:
                continue
            try:
                awaitable = self._runtime.invoke(bus._on_error, error)
                if awaitable is not None:
                    await awaitable
            except Exception:
                log.exception("on_error failed")
