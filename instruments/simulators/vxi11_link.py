"""What VXI-11 knows of a simulated instrument: its links, who has locked it, and the messages of each link."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from instruments.vxi11.codec import (
    ABORTED,
    IO_TIMEOUT,
    LOCKED,
    NO_LOCK_HELD,
    REASON_CHR,
    REASON_END,
    REASON_REQCNT,
    TERMCHRSET,
    WAITLOCK,
)

if TYPE_CHECKING:
    from .scpi import ScpiDevice

#: SCPI-99, volume 2, 21.8.11: errors of the exchange of messages.
QUERY_INTERRUPTED, QUERY_UNTERMINATED = -410, -420


class Failure(Exception):
    """A call ends with an error of table B.2."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Link:
    """One link: what calls on it wait for, and where its service requests go.

    Args:
        identifier: its number.
        messages: its program messages and responses.
    """

    def __init__(self, identifier: int, messages: Messages) -> None:
        self.identifier = identifier
        self.messages = messages
        self.handle: bytes | None = None
        self._stop = Event()

    def abort(self) -> None:
        """End the call that waits on this link, if one does."""
        self._stop.set()

    def begin(self) -> None:
        """Begin a call: what was aborted before does not concern it."""
        self._stop.clear()

    def wait(self, event: Event, deadline: float, code: int) -> None:
        """Wait for an event.

        Raises:
            Failure: with *code* at the deadline, or aborted.
        """
        ready = gevent.wait((event, self._stop), max(0.0, deadline - time.monotonic()), 1)
        if self._stop.is_set():
            raise Failure(ABORTED)
        if event not in ready:
            raise Failure(code)


class Lock:
    """The device lock: while a link has it, the others wait, or are refused."""

    def __init__(self) -> None:
        self.holder: Link | None = None
        self._free = Event()

    def admit(self, link: Link, flags: int, milliseconds: int) -> None:
        """Wait until no other link has the lock, if the flags say so.

        Raises:
            Failure: another link has it.
        """
        deadline = time.monotonic() + milliseconds / 1000
        while self.holder is not None and self.holder is not link:
            if not flags & WAITLOCK:
                raise Failure(LOCKED)
            self._free.clear()
            link.wait(self._free, deadline, LOCKED)

    def take(self, link: Link, flags: int, milliseconds: int) -> None:
        """Lock the device; a link that has locked it cannot do so twice."""
        if self.holder is link:
            raise Failure(LOCKED)
        self.admit(link, flags, milliseconds)
        self.holder = link

    def release(self, link: Link) -> None:
        """Unlock the device."""
        if self.holder is not link:
            raise Failure(NO_LOCK_HELD)
        self.holder = None
        self._free.set()


class Messages:
    """The message exchange of IEEE 488.2 (chapter 6): program messages in, one response message out.

    Args:
        device: that obeys.
    """

    def __init__(self, device: ScpiDevice) -> None:
        self._device = device
        self._input = bytearray()
        self._waiting: deque[bytes] = deque()
        self._worker: gevent.Greenlet | None = None
        self._clearings = 0
        self._output = b""
        self._position = 0
        self._available = Event()

    def write(self, data: bytes, end: bool) -> None:
        """Take a part of a program message; with the last one it is obeyed, beside whatever is called meanwhile."""
        self._input += data
        if not end:
            return
        message = bytes(self._input).removesuffix(b"\n").removesuffix(b"\r")
        self._input.clear()
        self._waiting.append(message)
        if self._output:
            self._interrupt()
        if self._worker is None:
            self._worker = gevent.spawn(self._work, self._clearings)

    def _work(self, clearings: int) -> None:
        while self._waiting and clearings == self._clearings:
            response = self._device.respond(self._waiting.popleft())
            if response is not None and self._device.latency > 0:
                gevent.sleep(self._device.latency)
            if clearings != self._clearings:
                return
            if response is not None:
                self._set_output(response)
                if self._waiting:
                    self._interrupt()
        if clearings == self._clearings:
            self._worker = None

    def _interrupt(self) -> None:
        """A new message has come before the response to the last one was read: it is lost (6.3.2.3)."""
        self._set_output(b"")
        self._device.report_error(QUERY_INTERRUPTED)

    def _set_output(self, response: bytes) -> None:
        self._output, self._position = response, 0
        if response:
            self._available.set()
        else:
            self._available.clear()
        self._device.set_message_available(self, bool(response))

    def read(self, link: Link, size: int, milliseconds: int, flags: int, term_char: int) -> tuple[int, bytes]:
        """Return why reading ends here, and at most *size* bytes of the response message."""
        if not self._output:
            if self._worker is None:
                self._device.report_error(QUERY_UNTERMINATED)
            link.wait(self._available, time.monotonic() + milliseconds / 1000, IO_TIMEOUT)
        start = self._position
        end = min(start + size, len(self._output))
        reason = 0
        if flags & TERMCHRSET:
            found = self._output.find(term_char, start, end)
            if found >= 0:
                end = found + 1
                reason |= REASON_CHR
        if end - start == size:
            reason |= REASON_REQCNT
        data = self._output[start:end]
        self._position = end
        if end == len(self._output):
            reason |= REASON_END
            self._set_output(b"")
        return reason, data

    def clear(self) -> None:
        """Forget input, output, and what is being answered."""
        self._clearings += 1
        self._worker = None
        self._input.clear()
        self._waiting.clear()
        self._set_output(b"")
        self._device.clear()
