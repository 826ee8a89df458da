"""Any instrument that speaks SCPI: the common commands of IEEE 488.2 and the error queue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sockio.deadline import DEFAULT, check_timeout, seconds_until
from sockio.errors import ProtocolError

from ..base import Standalone
from ..metadata import quantity
from ..twins import Twin
from .errors import ErrorEntry, InstrumentError
from .pipe import ScpiPipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Self

    from sockio.deadline import Timeout

#: How many entries of the error queue are read at most: a queue that never empties is broken.
QUEUE_LIMIT = 1000

#: The bit of the event status register that tells that all operations are complete (IEEE 488.2, 11.5.1).
OPERATION_COMPLETE = 1


class Instrument(Standalone):
    """An instrument that speaks SCPI.

    Args:
        pipe: the pipe to it, a `ScpiPipe` or a `SerialScpiPipe`, or a resource string, for which a `ScpiPipe` is made.

    Attributes:
        pipe: the pipe.

    Raises:
        ValueError: the resource string is not understood, or not that of an instrument.
    """

    pipe: ScpiPipe

    def __init__(self, pipe: ScpiPipe | str) -> None:
        if isinstance(pipe, str):
            pipe = ScpiPipe(pipe)
        elif not isinstance(pipe, ScpiPipe):
            raise TypeError(f"expected a ScpiPipe or a resource string, got {pipe!r}")
        self.pipe = pipe._native if isinstance(pipe, Twin) else pipe  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Instrument({self.pipe.address!r})"

    async def query(self, message: str, timeout: Timeout = DEFAULT, *, check: bool = False) -> str:
        """Send a program message and return the response, without its terminator.

        Args:
            message: the message.
            timeout: seconds for all of it.
            check: read the error queue afterwards, as `check_errors` does.
        """
        left = self._time_left(timeout)
        response = await self.pipe.query(message, timeout)
        if check:
            await self.check_errors(left())
        return response

    async def write(self, message: str | bytes, timeout: Timeout = DEFAULT, *, check: bool = False) -> None:
        """Send a program message to which there is no response; see `query`."""
        left = self._time_left(timeout)
        await self.pipe.write(message, timeout)
        if check:
            await self.check_errors(left())

    async def query_binary(self, message: str, timeout: Timeout = DEFAULT) -> bytes:
        """Send a program message and return the data of the block that answers it."""
        return await self.pipe.query_binary(message, timeout)

    async def query_array(
        self, message: str, dtype: DTypeLike = float, order: str = "big", timeout: Timeout = DEFAULT
    ) -> NDArray[Any]:
        """Send a program message and return the numbers that answer it; see `ScpiPipe.query_array`."""
        return await self.pipe.query_array(message, dtype, order, timeout)

    async def write_array(
        self,
        message: str,
        values: ArrayLike,
        dtype: DTypeLike | None = None,
        order: str = "big",
        timeout: Timeout = DEFAULT,
    ) -> None:
        """Send a program message that ends with the values as a block; see `ScpiPipe.write_array`."""
        await self.pipe.write_array(message, values, dtype, order, timeout)

    # The common commands of IEEE 488.2, chapter 10

    @quantity()
    async def identifier(self, timeout: Timeout = DEFAULT) -> str:
        """Return who the instrument says it is: manufacturer, model, serial number, firmware (``*IDN?``)."""
        return await self.pipe.query("*IDN?", timeout)

    @quantity()
    async def options(self, timeout: Timeout = DEFAULT) -> list[str]:
        """Return the options that are installed (``*OPT?``), none for the answer ``0``."""
        response = await self.pipe.query("*OPT?", timeout)
        return [] if response.strip() in ("", "0") else [option.strip() for option in response.split(",")]

    async def reset(self, timeout: Timeout = DEFAULT) -> None:
        """Set the instrument to a known state (``*RST``)."""
        await self.pipe.write("*RST", timeout)

    async def clear_status(self, timeout: Timeout = DEFAULT) -> None:
        """Clear the status registers and the error queue (``*CLS``)."""
        await self.pipe.write("*CLS", timeout)

    async def self_test(self, timeout: Timeout = DEFAULT) -> int:
        """Run the self-test and return its result, 0 when it has passed (``*TST?``)."""
        return await self.pipe.query_int("*TST?", timeout)

    async def trigger(self, timeout: Timeout = DEFAULT) -> None:
        """Trigger the instrument."""
        await self.pipe.trigger(timeout)

    async def wait_to_continue(self, timeout: Timeout = DEFAULT) -> None:
        """Have the instrument finish what it does before it begins with what is sent after this (``*WAI``)."""
        await self.pipe.write("*WAI", timeout)

    async def wait_for_completion(self, timeout: Timeout = DEFAULT) -> None:
        """Wait until everything that was begun is complete (``*OPC?``).

        Raises:
            ConnectionTimeoutError: it has not been completed in time. The next call resynchronises.
        """
        if await self.pipe.query_int("*OPC?", timeout) != 1:
            raise InstrumentError(f"{self!r}: *OPC? has not been answered by 1")

    async def save(self, number: int, timeout: Timeout = DEFAULT) -> None:
        """Save the settings under a number (``*SAV``)."""
        await self.pipe.write(f"*SAV {number:d}", timeout)

    async def recall(self, number: int, timeout: Timeout = DEFAULT) -> None:
        """Recall the settings that were saved under a number (``*RCL``)."""
        await self.pipe.write(f"*RCL {number:d}", timeout)

    async def learn(self, timeout: Timeout = DEFAULT) -> str:
        """Return the messages that bring the instrument into its present state (``*LRN?``)."""
        return await self.pipe.query("*LRN?", timeout)

    # Status

    @quantity()
    async def status_byte(self, timeout: Timeout = DEFAULT) -> int:
        """Return the status byte: by a serial poll, or with ``*STB?`` where there is none."""
        return await self.pipe.read_status_byte(timeout)

    async def event_status(self, timeout: Timeout = DEFAULT) -> int:
        """Return the event status register and clear it (``*ESR?``)."""
        return await self.pipe.query_int("*ESR?", timeout)

    @quantity("", 0, 255)
    async def event_status_enable(self, timeout: Timeout = DEFAULT) -> int:
        """Return which events set the summary bit in the status byte (``*ESE?``)."""
        return await self.pipe.query_int("*ESE?", timeout)

    async def set_event_status_enable(self, mask: int, timeout: Timeout = DEFAULT) -> None:
        """Set which events set the summary bit in the status byte, 0 to 255 (``*ESE``)."""
        await self.pipe.write(f"*ESE {check_mask(mask)}", timeout)

    @quantity("", 0, 255)
    async def service_request_enable(self, timeout: Timeout = DEFAULT) -> int:
        """Return which bits of the status byte request service (``*SRE?``)."""
        return await self.pipe.query_int("*SRE?", timeout)

    async def set_service_request_enable(self, mask: int, timeout: Timeout = DEFAULT) -> None:
        """Set which bits of the status byte request service, 0 to 255 (``*SRE``)."""
        await self.pipe.write(f"*SRE {check_mask(mask)}", timeout)

    async def wait_for_service_request(self, timeout: Timeout = DEFAULT) -> int:
        """Wait until the instrument requests service, and return its status byte.

        Raises:
            NotSupported: raw sockets and serial lines carry no service requests.
        """
        return await self.pipe.wait_for_service_request(timeout)

    # Errors

    async def errors(self, timeout: Timeout = DEFAULT) -> list[ErrorEntry]:
        """Read the error queue until it is empty (``SYSTem:ERRor?``), and return its entries, oldest first.

        Args:
            timeout: seconds for all of it.
        """
        left = self._time_left(timeout)
        entries: list[ErrorEntry] = []
        while len(entries) < QUEUE_LIMIT:
            entry = parse_error(await self.pipe.query("SYST:ERR?", left()))
            if entry.code == 0:
                return entries
            entries.append(entry)
        raise InstrumentError(f"{self!r}: the error queue does not become empty", tuple(entries))

    async def check_errors(self, timeout: Timeout = DEFAULT) -> None:
        """Read the error queue until it is empty.

        Raises:
            InstrumentError: there was something in it.
        """
        entries = tuple(await self.errors(timeout))
        if entries:
            raise InstrumentError(f"{self!r}: {'; '.join(map(str, entries))}", entries)

    def _time_left(self, timeout: Timeout) -> Callable[[], float | None]:
        """Return what tells how many seconds are left of a timeout that begins now, None for no limit."""
        clock = self.link.clock
        limit = self.pipe.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        deadline = None if limit is None else clock() + limit
        return lambda: seconds_until(deadline, clock())

    # Locks

    async def lock(self, timeout: float | None = None) -> None:
        """Keep everybody else from using the instrument; see `ScpiPipe.lock`."""
        await self.pipe.lock(timeout)

    async def unlock(self) -> None:
        """Give the lock back."""
        await self.pipe.unlock()

    @property
    def locked(self) -> bool:
        """Whether the pipe holds the lock at this moment."""
        return self.pipe.locked

    async def __aenter__(self) -> Self:
        await self.pipe.lock()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.pipe.unlock()


def check_mask(mask: int) -> int:
    """Return the mask of an eight-bit register.

    Raises:
        ValueError: it is none.
    """
    if not 0 <= mask <= 255:
        raise ValueError(f"a mask must be 0 to 255, got {mask!r}")
    return int(mask)


def parse_error(text: str) -> ErrorEntry:
    """Return an entry of the error queue, as ``-113,"Undefined header"`` says it.

    Raises:
        ProtocolError: it is none.
    """
    match = re.fullmatch(r"\s*([+-]?\d+)\s*(?:,\s*(.*?))?\s*", text, re.DOTALL)
    if match is None:
        raise ProtocolError(f"expected a code and a text in response to SYST:ERR?, got {text!r}", text.encode())
    message = match[2] or ""
    if len(message) > 1 and message[0] == message[-1] == '"':
        message = message[1:-1].replace('""', '"')
    return ErrorEntry(int(match[1]), message)
