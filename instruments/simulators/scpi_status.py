"""The status of an instrument: IEEE 488.2 (11.2) registers, the error queue and status registers of SCPI-99.

The service request goes by IEEE 488.2 (11.3.3): it is made when an enabled bit of the status byte rises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from .scpi_errors import ERRORS, event_of

# Bits of the status byte.
ERROR_AVAILABLE = 1 << 2
QUESTIONABLE = 1 << 3
MESSAGE_AVAILABLE = 1 << 4
EVENT_STATUS = 1 << 5
REQUEST_SERVICE = 1 << 6
OPERATION = 1 << 7

# Bits of the standard event status register.
OPERATION_COMPLETE = 1 << 0
POWER_ON = 1 << 7

#: Bit of the operation status register: a measurement is being made.
MEASURING = 1 << 4

#: Bit 15 of SCPI's registers is never used (SCPI-99, volume 1, 9.).
ALL = 0x7FFF

#: How many errors the queue holds.
LONGEST_QUEUE = 20


@dataclass
class Register:
    """A condition register with transition filters, its events, and what is summarised of them."""

    condition: int = 0
    event: int = 0
    enable: int = 0
    rising: int = ALL
    falling: int = 0

    def change(self, condition: int) -> None:
        """Set the condition; bits that rise or fall as the filters say become events."""
        self.event |= condition & ~self.condition & self.rising
        self.event |= ~condition & self.condition & self.falling
        self.condition = condition

    def read_event(self) -> int:
        """Return the events and forget them."""
        event, self.event = self.event, 0
        return event

    def preset(self) -> None:
        """Do what ``STATus:PRESet`` does to this register."""
        self.enable, self.rising, self.falling = 0, ALL, 0

    @property
    def summary(self) -> bool:
        """Whether an enabled event has happened."""
        return bool(self.event & self.enable)


class Status:
    """The status byte and all that it summarises.

    Args:
        notify: called with the status byte when the instrument requests service.
    """

    def __init__(self, notify: Callable[[int], None]) -> None:
        self.operation = Register()
        self.questionable = Register()
        self.events = POWER_ON
        self.event_enable = 0
        self._request_enable = 0
        self._errors: deque[int] = deque()
        self._outputs: set[Hashable] = set()
        self._reasons = 0
        self._requesting = False
        self._notify = notify

    @property
    def byte(self) -> int:
        """The status byte, with the master summary status in bit 6."""
        summary = self._summary()
        return summary | (REQUEST_SERVICE if summary & self._request_enable else 0)

    def poll(self) -> int:
        """Return the status byte with RQS in bit 6, and clear RQS, as a serial poll does."""
        byte = self._summary() | (REQUEST_SERVICE if self._requesting else 0)
        self._requesting = False
        return byte

    @property
    def request_enable(self) -> int:
        """The service request enable register; its bit 6 is not used."""
        return self._request_enable

    @request_enable.setter
    def request_enable(self, mask: int) -> None:
        self._request_enable = mask & ~REQUEST_SERVICE
        self.update()

    def add_event(self, bits: int) -> None:
        """Set bits of the standard event status register."""
        self.events |= bits
        self.update()

    def read_events(self) -> int:
        """Return the standard event status register and clear it."""
        events, self.events = self.events, 0
        self.update()
        return events

    def add_error(self, number: int) -> None:
        """Queue an error; when the queue is full, its last is replaced by -350 (SCPI-99, volume 2, 21.8.1)."""
        if len(self._errors) < LONGEST_QUEUE:
            self._errors.append(number)
        else:
            self._errors[-1] = -350
        self.add_event(event_of(number))

    def next_error(self) -> str:
        """Take the oldest error from the queue, as ``SYSTem:ERRor?`` answers it."""
        number = self._errors.popleft() if self._errors else 0
        self.update()
        return f'{number},"{ERRORS.get(number, "Device-specific error")}"'

    @property
    def error_count(self) -> int:
        """How many errors are in the queue."""
        return len(self._errors)

    def set_message_available(self, output: Hashable, available: bool) -> None:
        """Say whether a response waits in one of the output queues; each protocol's session has one."""
        if available:
            self._outputs.add(output)
        else:
            self._outputs.discard(output)
        self.update()

    def set_condition(self, register: Register, condition: int) -> None:
        """Set the condition of `operation` or `questionable`."""
        register.change(condition)
        self.update()

    def clear(self) -> None:
        """Do what ``*CLS`` does: forget all events and errors."""
        self.events = self.operation.event = self.questionable.event = 0
        self._errors.clear()
        self.update()

    def update(self) -> None:
        """Request service if there is a new reason; to be called after a change of `operation`, `questionable`."""
        reasons = self._summary() & self._request_enable
        risen = reasons & ~self._reasons
        self._reasons = reasons
        if not reasons:
            self._requesting = False
        if risen:
            self._requesting = True
            self._notify(self.byte)

    def _summary(self) -> int:
        return (
            (ERROR_AVAILABLE if self._errors else 0)
            | (QUESTIONABLE if self.questionable.summary else 0)
            | (MESSAGE_AVAILABLE if self._outputs else 0)
            | (EVENT_STATUS if self.events & self.event_enable else 0)
            | (OPERATION if self.operation.summary else 0)
        )
