"""RTU: frames that are told apart by silence, on a line that carries one at a time.

Times are from "MODBUS over Serial Line", V1.02.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from sockio.serial_port import Serial

if TYPE_CHECKING:
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

#: After a failed call, a bridge must have been silent for so long, in seconds, before it is asked again.
BRIDGE_QUIET = 0.1

#: The longest frame in bytes (section 2.5.1).
FRAME_SIZE = 256


class Pace:
    """When the next request may be sent on a line.

    Args:
        stream: the line.
    """

    def __init__(self, stream: Stream) -> None:
        self._character = character_time(stream)
        self._gap = 0.0
        if isinstance(stream, Serial):
            self._gap = CHARACTERS * self._character if stream.baudrate <= FAST_BAUDRATE else FAST_GAP
        self._free = 0.0

    async def wait(self, runtime: Runtime, timeout: float | None) -> float | None:
        """Wait for the silence before a request; return what is left of the timeout."""
        left = self._free - runtime.clock()
        if left <= 0:
            return timeout
        await runtime.sleep(left if timeout is None else min(left, timeout))
        return None if timeout is None else max(0.0, timeout - left)

    def used(self, runtime: Runtime, unanswered: int = 0) -> None:
        """The line has been used until now; a request of *unanswered* bytes is still being sent, and then obeyed."""
        delay = unanswered * self._character + TURNAROUND if unanswered else self._gap
        self._free = runtime.clock() + delay


_paces: weakref.WeakKeyDictionary[Stream, Pace] = weakref.WeakKeyDictionary()


def pace_of(stream: Stream) -> Pace:
    """Return the pace of a line, the same one for all that share it."""
    pace = _paces.get(stream)
    return _paces.setdefault(stream, Pace(stream)) if pace is None else pace


def character_time(stream: Stream) -> float:
    """Return how long a character takes on a line, in seconds; 0 where that is not known."""
    if not isinstance(stream, Serial):
        return 0.0
    bits = 1 + stream.bytesize + (stream.parity != "N") + stream.stopbits
    return bits / stream.baudrate


async def ask(stream: Stream, exchange: RtuExchange, timeout: float | None) -> Any:
    """Make an exchange over RTU."""
    pace = pace_of(stream)
    left = await pace.wait(stream.runtime, timeout)
    try:
        if exchange.request.size is None and exchange.request.count_at is None:
            return await ask_until_silent(stream, exchange, left)
        return await stream.write_readframe(exchange.request, exchange, left)
    finally:
        pace.used(stream.runtime)


async def ask_until_silent(stream: Stream, exchange: RtuExchange, timeout: float | None) -> Any:
    """Make an exchange whose answer ends when nothing more comes.

    It is several calls on the stream, so that it says itself that the line cannot be trusted if one of them fails.
    """
    runtime = stream.runtime
    deadline = None if timeout is None else runtime.clock() + timeout
    try:
        stream.reset_input_buffer()
        await stream.write(exchange.encode(exchange.request), timeout)
        received = 0
        while received < FRAME_SIZE:
            left = None if deadline is None else max(0.0, deadline - runtime.clock())
            try:
                await stream.wait_readable(received + 1, SILENCE if received else left)
            except TimeoutError:
                if received:
                    break
                function = exchange.request.function
                raise runtime.timeout_error(f"{stream}: no answer to function {function} within {timeout} s") from None
            received = stream.in_waiting()
        return exchange.answer(await stream.read(FRAME_SIZE, SILENCE))
    except BaseException:
        stream.distrust()
        raise


async def tell(stream: Stream, data: bytes, timeout: float | None) -> None:
    """Send a request over RTU that nobody answers."""
    pace = pace_of(stream)
    left = await pace.wait(stream.runtime, timeout)
    try:
        await stream.write(data, left)
    finally:
        pace.used(stream.runtime, len(data))
