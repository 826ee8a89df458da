"""A bus that is open: read on the side, opened again when it is lost, and written to."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sockio.condition import Condition
from sockio.deadline import seconds_until
from sockio.errors import DeadlineExpired
from sockio.retry import Retry
from sockio.runtimes.descriptor import Descriptor
from sockio.turns import Turns

from . import python_can
from .errors import CanBusError
from .filters import for_python_can
from .hub import Hub
from .pump import LOOK, Pump, close
from .python_can import BY_DESCRIPTOR, SENDS_AT_ONCE, KernelQueue

if TYPE_CHECKING:
    import can

    from sockio.resource import CANAddress
    from sockio.runtimes.base import Runtime

#: How long an attempt to open a lost bus again may take, in seconds, and the delays between attempts.
CONNECTION_TIMEOUT = 10.0
RETRY = Retry(attempts=None, delay=0.1, ceiling=1.0)

#: How soon to try again whether there is room for a frame, in seconds: at first, at most.
FIRST_TRY, LAST_TRY = 0.0002, 0.005

log = logging.getLogger("sockio.CanBus")


#: The session that the present task or thread, or the one that it was started by, runs for.
_running_for: ContextVar[Session | None] = ContextVar("session that calls back", default=None)


class Session:
    """What runs from the first use of a bus until nobody wants it any more. It knows nothing of whom it works for.

    Args:
        address: of the bus.
        options: what python-can opens it with.
        runtime: of those who use it.
        hub: where what is received goes.
    """

    def __init__(self, address: CANAddress, options: dict[str, Any], runtime: Runtime, hub: Hub) -> None:
        self._address = address
        self._options = options
        self._runtime = runtime
        self._hub = hub
        self._bus: can.BusABC | None = None
        self._queue: KernelQueue | None = None
        self._descriptor: Descriptor | None = None
        self._pump: Pump | None = None
        self._filters: object = None
        self._filtering = threading.Lock()
        self._opening = Turns(runtime)
        self._sending = Turns(runtime)
        self._stopping = False
        self._ended = False
        self._failures = 0
        self._process = os.getpid()
        self._over = Condition()

    @property
    def running(self) -> bool:
        """Whether it has not ended, nor been asked to."""
        return not self._ended and not self._stopping and self._process == os.getpid()

    @property
    def connected(self) -> bool:
        """Whether the bus is open at this moment."""
        return self.running and self._bus is not None

    def lost_by_driver(self) -> int:
        """Return how many frames had no room before they could be read."""
        queue, pump = self._queue, self._pump
        return (0 if queue is None else queue.lost()) + (0 if pump is None else pump.lost)

    async def start(self, deadline: float | None) -> None:
        """Open the bus, and read it from then on, on the side."""
        await self.ensure_open(deadline)
        self._runtime.spawn(self._run())

    def ask_to_stop(self) -> None:
        """Have it end soon. Any thread may call this."""
        self._stopping = True

    async def stop(self) -> None:
        """Have it end, and wait until it has; called by one of the callbacks that it makes it does not wait."""
        self.ask_to_stop()
        if _running_for.get() is not self:
            await self._over.wait_for(self._runtime, lambda: self._ended or self._process != os.getpid(), None)

    async def ensure_open(self, deadline: float | None) -> can.BusABC:
        """Return the bus, opened if need be.

        Raises:
            CanBusError: it cannot be opened.
            ConnectionTimeoutError: not in time.
        """
        if self._bus is not None:
            return self._bus
        try:
            async with self._opening.turn("connect", deadline):
                if self._bus is None:
                    self._adopt(await self._open(deadline))
        except DeadlineExpired:
            raise self._runtime.timeout_error(f"{self._address}: could not be opened in time") from None
        return self._opened()

    def _opened(self) -> can.BusABC:
        if self._bus is None:
            raise CanBusError(f"{self._address}: closed while it was being opened")
        return self._bus

    async def _open(self, deadline: float | None) -> can.BusABC:
        """Open the bus in a thread; one that comes too late is closed there."""
        outcome: list[can.BusABC] = []
        abandoned: list[bool] = []

        def work() -> None:
            outcome.append(python_can.open_bus(self._address, self._options))
            if abandoned:
                discard()

        def discard() -> None:
            try:
                bus = outcome.pop()
            except IndexError:
                return  # the other one has it
            close(bus)

        try:
            await self._runtime.run_in_thread(deadline, work)
        except BaseException:
            abandoned.append(True)
            discard()
            raise
        return outcome.pop()

    def _adopt(self, bus: can.BusABC) -> None:
        if self._stopping or self._ended:
            close(bus)
            raise CanBusError(f"{self._address}: closed while it was being opened")
        try:
            if self._address.interface in BY_DESCRIPTOR and sys.platform != "win32":
                self._descriptor = Descriptor(bus.fileno())
                if self._address.interface != "usrcanet":
                    self._queue = KernelQueue(self._descriptor)
            with self._filtering:
                self._filters = None
                self._apply_filters(bus)
                self._bus = bus
        except BaseException:
            queue, self._queue = self._queue, None
            if queue is not None:
                queue.close()
            close(bus)
            raise
        self._hub.open()

    def apply_filters(self) -> None:
        """Have the driver pass what the receivers want, if it does not do so already."""
        with self._filtering:  # whoever comes last asks for what all want
            if self._bus is not None:
                self._apply_filters(self._bus)

    def _apply_filters(self, bus: can.BusABC) -> None:
        wanted = self._hub.filters()
        if wanted is None or wanted == self._filters:
            return
        if wanted or self._filters:
            try:
                bus.set_filters(for_python_can(wanted))  # type: ignore[arg-type]
            except Exception as error:  # vendors' drivers raise what they like
                raise python_can.error_of(f"{self._address}: cannot set filters", error) from error
        self._filters = wanted

    # Sending

    async def send(self, frames: list[can.Message], deadline: float | None) -> None:
        """Send frames, no others between them, waiting while there is no room for them.

        Raises:
            ConnectionTimeoutError: there was no room in time. Frames before that may have gone.
            CanBusError: the driver has refused one, or the bus is lost.
        """
        try:
            async with self._sending.turn("send", deadline):
                for frame in frames:
                    await self._send(await self.ensure_open(deadline), frame, deadline)
        except DeadlineExpired:
            state = "" if self._hub.state == "active" else f" (the bus is {self._hub.state})"
            raise self._runtime.timeout_error(f"{self._address}: a frame could not be sent in time{state}") from None

    async def _send(self, bus: can.BusABC, frame: can.Message, deadline: float | None) -> None:
        at_once = self._address.interface in SENDS_AT_ONCE
        pause = FIRST_TRY
        while True:
            left = seconds_until(deadline, self._runtime.clock())
            try:
                if at_once or not self._runtime.suspends:
                    bus.send(frame, timeout=0 if at_once else left)
                else:
                    await self._runtime.run_in_thread(deadline, bus.send, frame, left)
                return
            except (DeadlineExpired, ValueError):
                raise
            except Exception as error:  # vendors' drivers raise what they like
                if not python_can.is_full(error):
                    raise python_can.error_of(f"{self._address}: cannot send", error) from error
            if left is not None and left <= 0:
                raise DeadlineExpired
            await self._runtime.sleep(pause if left is None else min(pause, left))
            pause = min(2 * pause, LAST_TRY)

    # Receiving

    async def _run(self) -> None:
        failure: Exception | None = None
        try:
            _running_for.set(self)
            await self._receive()
            if self._pump is not None:
                await self._pump.finish(self._runtime)
        except Exception as error:
            failure = error
        finally:
            self._end()
            if failure is not None:
                log.error("%s: receiving has ended", self._address, exc_info=failure)
            failure = None  # its traceback holds this frame: no cycles

    def _end(self) -> None:
        self._ended = True
        self._close_bus()
        self._hub.end()
        self._over.wake()

    def _close_bus(self) -> None:
        self._hub.lost_before += self.lost_by_driver()
        bus, pump, queue = self._bus, self._pump, self._queue
        self._bus = self._pump = self._queue = self._descriptor = None
        if queue is not None:
            queue.close()
        if pump is not None:
            pump.stop()  # it closes the bus itself, when its thread is out of the driver
        elif bus is not None:
            close(bus)

    async def _receive(self) -> None:
        while not self._stopping:
            bus = self._bus
            if bus is None:
                await self._open_again()
                continue
            messages, error = await self._wait(bus)
            if messages:
                await self._hub.deliver(messages)
            if error is not None:
                await self._lose(error)
            elif self._failures:
                log.info("%s: open again", self._address)
                self._failures = 0

    async def _wait(self, bus: can.BusABC) -> tuple[list[can.Message], Exception | None]:
        """Wait a while for frames; return them, and the error that came after them."""
        runtime, descriptor = self._runtime, self._descriptor
        if not runtime.suspends:
            return python_can.receive(bus, LOOK)
        if descriptor is None:
            if self._pump is None:
                self._pump = Pump(bus)
                self._pump.start()
            return await self._pump.take(runtime, runtime.clock() + LOOK)
        try:
            await runtime.wait_readable(descriptor, runtime.clock() + LOOK)
        except DeadlineExpired:
            return [], None
        return python_can.receive(bus, 0)

    async def _lose(self, error: Exception) -> None:
        """Close the bus after an error, and let some time pass before it is opened again."""
        if self._stopping:
            return
        self._close_bus()
        self._failures += 1
        if self._failures == 1:
            await self._hub.lose(python_can.error_of(f"{self._address}: the bus was lost", error))
        await self._pause(RETRY.delay_after(self._failures))

    async def _open_again(self) -> None:
        try:
            await self.ensure_open(self._runtime.clock() + CONNECTION_TIMEOUT)
        except (OSError, ValueError) as error:
            self._failures += 1
            self._hub.failure = error
            await self._pause(RETRY.delay_after(self._failures))

    async def _pause(self, seconds: float) -> None:
        """Let time pass, in pieces, so that it does not take long to stop."""
        end = self._runtime.clock() + seconds
        while not self._stopping and (left := end - self._runtime.clock()) > 0:
            await self._runtime.sleep(min(left, LOOK))
