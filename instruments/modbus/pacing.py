"""RTU: frames that are told apart by silence, on a line that carries one at a time.

Times are from "MODBUS over Serial Line", V1.02.
"""

from __future__ import annotations

import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from sockio.deadline import sooner
from sockio.errors import DeadlineExpired, ProtocolError
from sockio.serial_port import Serial

if TYPE_CHECKING:
    from sockio.link import Link
    from sockio.registry import Resource
    from sockio.runtimes.base import Runtime
    from sockio.stream import Stream

    from .codec import RtuExchange

#: Silence between frames in seconds: 3.5 characters, and a fixed time above 19200 bits per second (section 2.5.1.1).
CHARACTERS = 3.5
FAST_BAUDRATE = 19200
FAST_GAP = 0.00175

#: What devices are given to obey a request that none answers, in seconds (section 2.4.1: 100 to 200 ms).
TURNAROUND = 0.1

#: Silence that ends an answer of unknown length, in seconds. USB adapters and bridges hand over what they receive in
#: pieces, up to 16 ms apart; the CRC tells if that was not enough.
SILENCE = 0.05

#: After a failed call, a line must have been silent for so long, in seconds, before anybody is asked again.
QUIET = 0.1

#: After a request was given up, its answer may still come for so long, in seconds: masters wait for one second or more
#: (section 2.4.1).
LATEST_ANSWER = 1.0

#: The longest frame in bytes (section 2.5.1).
FRAME_SIZE = 256


class Pace:
    """When the next request may be sent on a line: the same one for all in this process that use it."""

    def __init__(self) -> None:
        self._free = 0.0
        self._late: dict[int, float] = {}
        self._all_late = 0.0

    async def let_late_answers_pass(self, runtime: Runtime, unit: int) -> None:
        """Wait while an answer to an earlier request may come, which looks like that to the next one to a unit."""
        late = max(self._late.get(unit, 0.0), self._all_late) - monotonic()
        if late > 0:
            await runtime.sleep(late)

    async def wait(self, stream: Stream, timeout: float | None) -> float | None:
        """Wait for the silence before a request; return what is left of the timeout."""
        runtime = stream.runtime
        gap = self._free - monotonic()
        if gap <= 0:
            return timeout
        if timeout is not None and gap > timeout:
            raise runtime.timeout_error(
                f"{stream}: nothing was sent within {timeout} s, as the silence between frames takes {gap:.3g} s more"
            )
        await runtime.sleep(gap)
        return None if timeout is None else timeout - gap

    def used(self, stream: Stream, unanswered: int = 0) -> None:
        """The line has been used until now; a request of *unanswered* bytes is still being sent, and then obeyed."""
        delay = unanswered * character_time(stream) + TURNAROUND if unanswered else gap_of(stream)
        self._free = monotonic() + delay

    def suspect(self, unit: int, latest: float) -> None:
        """An answer of a unit that nobody waits for may come until some moment, or in the time that they take."""
        self._late[unit] = max(latest, monotonic() + LATEST_ANSWER)

    def suspect_all(self) -> None:
        """The same for all units: others have asked, and did not get their answer."""
        self._all_late = monotonic() + LATEST_ANSWER


class Line:
    """A stream and the pace of its line, as what late answers may come from.

    Args:
        stream: which is not kept by it.
        pace: of the line.
    """

    def __init__(self, stream: Stream, pace: Pace) -> None:
        self._stream = weakref.ref(stream)
        self.pace = pace

    def distrust(self) -> None:
        """Others have used the line, in another process or event loop, and left it out of step."""
        self.pace.suspect_all()
        stream = self._stream()
        if stream is not None:
            stream.distrust()


_paces: weakref.WeakKeyDictionary[Resource, Pace] = weakref.WeakKeyDictionary()
_lines: weakref.WeakKeyDictionary[Stream, Line] = weakref.WeakKeyDictionary()


def line_at(stream: Stream, resource: Resource) -> Line:
    """Return the line that a stream to a resource is, the same one for all that share the stream."""
    line = _lines.get(stream)
    if line is None:
        line = _lines.setdefault(stream, Line(stream, _paces.setdefault(resource, Pace())))
    return line


def character_time(stream: Stream) -> float:
    """Return how long a character takes on a line, in seconds; 0 where that is not known."""
    if not isinstance(stream, Serial):
        return 0.0
    bits = 1 + stream.bytesize + (stream.parity != "N") + stream.stopbits
    return bits / stream.baudrate


def gap_of(stream: Stream) -> float:
    """Return the silence between frames on a line, in seconds; 0 where a bridge sees to it."""
    if not isinstance(stream, Serial):
        return 0.0
    return CHARACTERS * character_time(stream) if stream.baudrate <= FAST_BAUDRATE else FAST_GAP


async def let_late_answers_pass(stream: Stream, unit: int) -> None:
    """Do so on the line that a stream is: see `Pace`."""
    await _lines[stream].pace.let_late_answers_pass(stream.runtime, unit)


async def ask(stream: Stream, exchange: RtuExchange, timeout: float | None) -> Any:
    """Make an exchange over RTU. The time for which late answers are let pass does not count."""
    pace = _lines[stream].pace
    await pace.let_late_answers_pass(stream.runtime, exchange.unit)
    left = await pace.wait(stream, timeout)
    began = monotonic()
    try:
        if exchange.request.size is None and exchange.request.count_at is None:
            frame = exchange.encode(exchange.request)
            return await stream._call("write_readframe", left, frame, receive_until_silent, None, stream, exchange)
        return await stream.write_readframe(exchange.request, exchange, left)
    except BaseException as error:
        was_sent = exchange.asked or not isinstance(error, OSError)  # an interrupt may have come just after sending
        if was_sent and exchange.patience is not None:
            pace.suspect(exchange.unit, began + exchange.patience)
        raise
    finally:
        pace.used(stream)


async def receive_until_silent(link: Link, deadline: float | None, stream: Stream, exchange: RtuExchange) -> Any:
    """Return what an answer says that ends when nothing more comes."""
    exchange.asked = True
    clock, buffer = stream.runtime.clock, link.buffer
    while True:
        silent = clock() + SILENCE if buffer.used else None
        try:
            received = link.transport.receive(sooner(silent, deadline))
            chunk = received if isinstance(received, bytes) else await received
        except DeadlineExpired:
            if silent is None or sooner(silent, deadline) != silent:
                raise
            return exchange.answer(buffer.take_all())
        if not chunk:
            raise stream._cut_short(buffer.take_all())
        buffer.append(chunk)
        if len(buffer) > FRAME_SIZE:
            data = buffer.take_all()
            raise ProtocolError(f"expected a frame of up to {FRAME_SIZE} bytes, got {data.hex(' ')}", data)


async def tell(stream: Stream, data: bytes, timeout: float | None) -> None:
    """Send a request over RTU that nobody answers."""
    pace = _lines[stream].pace
    left = await pace.wait(stream, timeout)
    try:
        await stream.write(data, left)
    finally:
        pace.used(stream, len(data))
