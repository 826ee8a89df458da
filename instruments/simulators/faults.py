"""What goes wrong on purpose between a simulated instrument and its user: one fault for each response.

Faults wait in a schedule, by the configuration key ``faults``, the attribute of that name, or, from another process,
the command ``SIMulate:FAULt late,3``. Every protocol sends its responses through `deliver`, which takes the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import gevent

#: late: the response comes `Faulty.fault_delay` seconds later; cut: half of it comes, then the connection closes;
#: garbled: some of its bytes are changed; silent: it never comes; dropped: the connection closes instead;
#: none: this response is sent as it should be, and the fault after it waits for the next one.
FAULTS = ("late", "cut", "garbled", "silent", "dropped", "none")


class Faulty(Protocol):
    """A simulated instrument, as `deliver` sees it.

    Attributes:
        latency: before each response, in seconds.
        fault_delay: what a late response comes later, in seconds.
    """

    latency: float
    fault_delay: float

    def take_fault(self) -> str | None:
        """Return the fault of the next response and take it from the schedule; None when there is none."""
        ...


def deliver(
    device: Faulty,
    wire: bytes,
    send: Callable[[bytes], object],
    close: Callable[[], object],
    sleep: Callable[[float], object] = gevent.sleep,
) -> None:
    """Send a response after the instrument's latency, or what the next fault in its schedule makes of it.

    Args:
        device: whose response it is.
        wire: all the bytes of the response, as the protocol frames them.
        send: sends bytes wholly.
        close: closes the connection; called last, so that it may raise.
        sleep: waits for seconds.
    """
    if device.latency > 0:
        sleep(device.latency)
    fault = device.take_fault()
    if fault == "late":
        sleep(device.fault_delay)
    if fault == "garbled":
        wire = garble(wire)
    if fault == "cut":
        send(wire[: len(wire) // 2])
    elif fault not in ("silent", "dropped"):
        send(wire)
    if fault in ("cut", "dropped"):
        close()


def garble(wire: bytes) -> bytes:
    """Return bytes of which the first, the middle one and the one before the last have their top bit inverted.

    The last byte, which ends a line, stays, unless it is the only one.
    """
    changed = bytearray(wire)
    for index in {0, len(wire) // 2, len(wire) - 2}:
        if 0 <= index < max(len(wire) - 1, 1) and wire:
            changed[index] ^= 0x80
    return bytes(changed)


def check_fault(name: str) -> str:
    """Return the name of a fault in lower case.

    Raises:
        ValueError: there is no fault of this name.
    """
    if name.lower() not in FAULTS:
        raise ValueError(f"a fault must be one of {', '.join(FAULTS)}, got {name!r}")
    return name.lower()
