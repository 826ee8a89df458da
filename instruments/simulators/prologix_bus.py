"""The GPIB side of a simulated adapter: simulated instruments at addresses, as a controller sees them."""

from __future__ import annotations

from collections import deque
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import SimpleQueue

from .faults import deliver
from .raw import MessageReader

#: Stands for a group execute trigger among messages.
TRIGGER = b"\n"


class ConnectionCut(Exception):
    """A fault closes the connection through which the instrument is being read."""


class BusInstrument:
    """A simulated instrument on the bus: its input, its output queue and its service request.

    It works on one message after the other in a greenlet of its own, while the bus is free for others.

    Args:
        device: a simulated SCPI instrument.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.requests_service = False
        device.on_service_request(self._request_service)
        self._start()

    def _start(self) -> None:
        self._reader = MessageReader()
        self._work = SimpleQueue[bytes | None]()
        #: Pieces of response messages with whether END comes with the last byte; None closes the connection.
        self._output: deque[tuple[bytes, bool] | None] = deque()
        self._changed = Event()
        gevent.spawn(self._answer_all, self._work, self._output, self._changed)

    def _request_service(self, status_byte: int) -> None:
        self.requests_service = True

    def _answer_all(self, work: Any, output: Any, changed: Event) -> None:
        while True:
            message = work.get()
            if message is None:
                return
            if message is TRIGGER:
                self.device.trigger()
                continue
            response = self.device.respond(message)
            if work is not self._work or response is None:
                continue

            def put(piece: tuple[bytes, bool] | None) -> None:
                output.append(piece)
                changed.set()
                if output is self._output:
                    self.device.set_message_available(self, True)

            def send(wire: bytes, whole: bytes = response) -> None:
                put((wire, len(wire) == len(whole)))

            deliver(self.device, response, send, lambda put=put: put(None))  # type: ignore[misc]

    def listen(self, data: bytes, end: bool) -> None:
        """Receive bytes; *end* tells whether EOI comes with the last one."""
        for message in [*self._reader.feed(data), *self._reader.feed(b"\n" if end else b"")]:
            if message:
                self._work.put(message)

    def talk(self, wait: float, until: int | None) -> tuple[bytes, bool]:
        """Give what is in the output queue, waiting for it; tell whether END came with the last byte.

        Args:
            wait: for how long, in seconds.
            until: a byte after which to stop.

        Raises:
            ConnectionCut: a fault.
        """
        if not self._output and not self._changed.wait(wait):
            return b"", False
        self._changed.clear()
        if not self._output:
            return b"", False
        piece = self._output.popleft()
        if piece is None:
            raise ConnectionCut
        data, end = piece
        position = -1 if until is None else data.find(until)
        if 0 <= position < len(data) - 1:
            self._output.appendleft((data[position + 1 :], end))
            data, end = data[: position + 1], False
        if not self._output:
            self.device.set_message_available(self, False)
        return data, end

    def clear(self) -> None:
        """Selected device clear: input, output and what was being done are forgotten."""
        self._work.put(None)
        self.device.clear()
        self.device.set_message_available(self, False)
        self._start()

    def trigger(self) -> None:
        """Group execute trigger, which comes after the messages before it (IEEE 488.2, 6.1.4.2.5)."""
        self._work.put(TRIGGER)

    def poll(self) -> int:
        """Serial poll: return the status byte; the request for service is over."""
        self.requests_service = False
        status: int = self.device.serial_poll()
        return status
