"""Messages to one instrument behind an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.deadline import seconds_until

from ..message import REQUEST_SERVICE, Allocate, Messages
from . import codec
from .adapter import Adapter

if TYPE_CHECKING:
    from typing_extensions import Buffer


class PrologixMessages(Messages):
    """Messages to the instrument at one GPIB address.

    Instruments behind one adapter take turns. After a failed call the instrument is cleared before its next one. A line
    feed ends text; a block says how long it is.

    Args:
        adapter: shared by all instruments behind it.
        primary: the GPIB address, 0 to 30.
        secondary: the secondary address, 0 to 30, if it has one.

    Raises:
        ValueError: there is no such address.
    """

    def __init__(self, adapter: Adapter, primary: int, secondary: int | None = None) -> None:
        name = f"{primary}" if secondary is None else f"{primary},{secondary}"
        super().__init__(f"{adapter.stream.resource} GPIB address {name}", adapter.runtime)
        self.adapter = adapter
        self._address = codec.address(primary, secondary)
        self._where = f"at GPIB address {name}"

    def connected(self) -> bool:
        return self.adapter.stream.connected()

    async def open(self, timeout: float | None) -> None:
        await self.adapter.open(self, timeout)

    async def close(self) -> None:
        await self.adapter.close(self)

    def abandon(self) -> None:
        self.adapter.abandon(self)

    async def write(self, message: bytes, timeout: float | None) -> None:
        await self._send("write", codec.encode_message(message), timeout)

    async def read(self, timeout: float | None) -> bytes:
        return await self.adapter.read_message(self, f"read {self._where}", self._address, codec.READ, timeout)

    async def query(self, message: bytes, timeout: float | None) -> bytes:
        request = codec.encode_message(message) + codec.READ
        return await self.adapter.read_message(self, f"query {self._where}", self._address, request, timeout)

    async def query_block(self, message: bytes, allocate: Allocate, timeout: float | None) -> Buffer:
        request = codec.encode_message(message) + codec.READ
        method = f"query_block {self._where}"
        return await self.adapter.read_block(self, method, self._address, request, allocate, timeout)

    async def clear(self, timeout: float | None) -> None:
        """Send a selected device clear (``++clr``)."""
        await self._send("clear", codec.CLEAR, timeout)

    async def read_status_byte(self, timeout: float | None) -> int:
        """Return the status byte by a serial poll (``++spoll``)."""
        method = f"read_status_byte {self._where}"
        return codec.parse_number(await self.adapter.ask(self, method, self._address, codec.SERIAL_POLL, timeout), 255)

    async def trigger(self, timeout: float | None) -> None:
        """Send a group execute trigger (``++trg``)."""
        await self._send("trigger", codec.TRIGGER, timeout)

    async def go_to_local(self, timeout: float | None) -> None:
        """Let the instrument's front panel work again (``++loc``)."""
        await self._send("go_to_local", codec.LOCAL, timeout)

    async def lock_out_local(self, timeout: float | None) -> None:
        """Switch the instrument's front panel off, its LOCAL key included (``++llo``)."""
        await self._send("lock_out_local", codec.LOCAL_LOCKOUT, timeout)

    async def poll_service_request(self, timeout: float | None) -> int | None:
        """Ask the adapter whether anybody requests service (``++srq``), and if so this instrument (``++spoll``)."""
        runtime = self.runtime
        deadline = None if timeout is None else runtime.clock() + timeout
        method = f"poll_service_request {self._where}"
        line = await self.adapter.ask(self, method, self._address, codec.SERVICE_REQUEST, timeout)
        if not codec.parse_number(line, 1):
            return None
        status = await self.read_status_byte(seconds_until(deadline, runtime.clock()))
        return status if status & REQUEST_SERVICE else None

    def distrust(self) -> None:
        self.adapter.distrust()

    async def _send(self, method: str, request: bytes, timeout: float | None) -> None:
        await self.adapter.send(self, f"{method} {self._where}", self._address, request, timeout)


__all__ = ["PrologixMessages"]
