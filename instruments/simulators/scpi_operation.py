"""What an instrument does while it goes on obeying commands: a measurement, waiting for its trigger or under way.

It is overlapped (IEEE 488.2, 12.2): ``*OPC``, ``*OPC?`` and ``*WAI`` wait for its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from .scpi_errors import ScpiError
from .scpi_status import MEASURING, OPERATION_COMPLETE, Status


class DeviceCleared(Exception):
    """The device was cleared while it answered."""


class Operation:
    """The one operation of an instrument that is overlapped.

    Args:
        status: where it is seen.
        seconds: that it takes. With 0 it is complete at once.
    """

    def __init__(self, status: Status, seconds: float) -> None:
        self.seconds = seconds
        self._status = status
        self._changed = Event()
        self._clears = 0
        self._armed: Callable[[], object] | None = None
        self._running: Any = None
        self._report_completion = False

    @property
    def pending(self) -> bool:
        """Whether it has begun and not ended."""
        return self.waiting_for_trigger or self._running is not None

    @property
    def waiting_for_trigger(self) -> bool:
        """Whether it begins with the next trigger."""
        return self._armed is not None

    def start(self, done: Callable[[], object], triggered: bool = False) -> None:
        """Begin; *done* is called at its end.

        Args:
            done: makes the result.
            triggered: it begins with the next `trigger` only.

        Raises:
            ScpiError: -213, it has begun already.
        """
        if self.pending:
            raise ScpiError(-213)
        if triggered:
            self._armed = done
        else:
            self._run(done)

    def trigger(self) -> None:
        """Let it begin that waits for a trigger.

        Raises:
            ScpiError: -211, it does not wait for one.
        """
        if self._armed is None:
            raise ScpiError(-211)
        done, self._armed = self._armed, None
        self._run(done)

    def abort(self) -> None:
        """End it without a result, ``ABORt``."""
        if self._running is not None:
            self._running.kill(block=False)
        if self.pending:
            self._end()

    def abandon(self) -> None:
        """Let nobody wait for its end; device clear."""
        self._report_completion = False
        self._clears += 1
        self._changed.set()

    def report_completion(self) -> None:
        """Set the OPC event when it has ended, or now; ``*OPC``."""
        self._report_completion = True
        self._report()

    def forget_completion(self) -> None:
        """Do not set the OPC event (``*CLS``)."""
        self._report_completion = False

    def wait(self) -> None:
        """Wait until it has ended.

        Raises:
            DeviceCleared: the device was cleared in the meantime.
        """
        clears = self._clears
        while self.pending:
            self._changed.clear()
            self._changed.wait()
            if clears != self._clears:
                raise DeviceCleared

    def _run(self, done: Callable[[], object]) -> None:
        self._status.set_condition(self._status.operation, MEASURING)
        if self.seconds > 0:
            self._running = gevent.spawn_later(self.seconds, self._finish, done)
        else:
            self._finish(done)

    def _finish(self, done: Callable[[], object]) -> None:
        done()
        self._end()

    def _end(self) -> None:
        self._armed = self._running = None
        self._status.set_condition(self._status.operation, 0)
        self._report()
        self._changed.set()

    def _report(self) -> None:
        if self._report_completion and not self.pending:
            self._report_completion = False
            self._status.add_event(OPERATION_COMPLETE)
