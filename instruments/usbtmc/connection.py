"""A connection to a USBTMC instrument."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from sockio.errors import DeadlineExpired
from sockio.runtimes.descriptor import Descriptor

from ..message import RESPONSE_LIMIT, MessageConnection, in_seconds
from . import codec, driver, sysfs

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

#: How many bytes of a response are asked for at once where they are not received into their place.
REQUEST_SIZE = 65536

#: The same for big blocks.
BLOCK_REQUEST_SIZE = 1 << 20

#: How long a thread waits for a service request before it looks whether it is still wanted, in seconds.
LOOK = 0.5

#: The most time that the driver gets to tell the status byte that came with a service request, in seconds.
STATUS_TIMEOUT = 1.0

#: Time limit of a request of the driver for a call that has none, in seconds.
LONG = 60.0

#: What not every instrument can do: the driver then says EINVAL.
OPTIONAL = {
    driver.READ_STATUS_BYTE: "status byte",
    driver.TRIGGER: "trigger",
    driver.GO_TO_LOCAL: "remote and local control",
    driver.LOCAL_LOCKOUT: "remote and local control",
}


class Address(Protocol):
    """Which instrument.

    Attributes:
        vid, pid: vendor and product number of the USB device.
        serial_number: None for the only one there is.
        interface: the number of the interface, None for the first.
    """

    @property
    def vid(self) -> int: ...
    @property
    def pid(self) -> int: ...
    @property
    def serial_number(self) -> str | None: ...
    @property
    def interface(self) -> int | None: ...


class UsbtmcConnection(MessageConnection):
    """A connection to a USBTMC instrument, through the Linux kernel's driver.

    The instrument is found by what it is: unplugged, it is a lost connection; plugged in again, the next call finds it
    under whatever name it has then.

    Every USBTMC instrument has to be able to be cleared (INITIATE_CLEAR, 4.2.1.6). There is no other way to make one
    forget a response that nobody has read, so one that refuses it after a failed call goes on to fail.

    Args:
        address: which instrument.
        runtime: the concurrency model.
        limit: the longest response message that is not a block, in bytes.
    """

    polls_aside = True
    shared_output = True

    def __init__(self, address: Address, runtime: Runtime, limit: int = RESPONSE_LIMIT) -> None:
        super().__init__(str(address), runtime, limit)
        self.address = address
        self._device: driver.Device | None = None
        # The driver notes service requests for each open file; this one is read by nobody but who waits for them.
        self._events: driver.Device | None = None
        self._ended = False
        self._tag = 0
        self._first = memoryview(bytearray(driver.UNIT))

    def __del__(self) -> None:
        if getattr(self, "_device", None) is not None:
            self._disconnect()

    def connected(self) -> bool:
        return self._device is not None and not self._ended and self._device.is_there()

    async def close(self) -> None:
        if self._turns.queue:
            self.abandon()  # the call that is using it closes it
        else:
            self._disconnect()

    def abandon(self) -> None:
        self._ended = True
        if self._device is not None:
            self._device.cancel()

    # What USB488 adds: it does not disturb the exchange of messages, so it takes no turn

    async def read_status_byte(self, timeout: float | None) -> int:
        """Return the status byte (READ_STATUS_BYTE, USB488 4.3.1), at any time, also while a call waits for a reply."""
        return await self._ask_aside("read_status_byte", driver.READ_STATUS_BYTE, timeout, 1)

    async def trigger(self, timeout: float | None) -> None:
        """Trigger the instrument (TRIGGER, USB488 3.2.1.1)."""
        await self._request("trigger", timeout, self._trigger)

    async def go_to_local(self, timeout: float | None) -> None:
        """Let the front panel work again (GO_TO_LOCAL, USB488 4.3.3)."""
        await self._ask_aside("go_to_local", driver.GO_TO_LOCAL, timeout)

    async def lock_out_local(self, timeout: float | None) -> None:
        """Switch the front panel off (LOCAL_LOCKOUT, USB488 4.3.4)."""
        await self._ask_aside("lock_out_local", driver.LOCAL_LOCKOUT, timeout)

    async def wait_for_service_request(self, timeout: float | None) -> int:
        runtime = self.runtime
        deadline = None if timeout is None else runtime.clock() + timeout
        if not self.connected():
            await self.open(timeout)
        while True:
            left = LOOK if deadline is None else min(LOOK, deadline - runtime.clock())
            if left <= 0:
                raise runtime.timeout_error(f"{self}: requested no service within {in_seconds(timeout)}")
            events = self._events
            if events is None:
                raise ConnectionAbortedError(f"{self}: was closed while wait_for_service_request was running")
            try:
                requested = await runtime.run_in_thread(None, events.wait_service_request, max(1, round(1000 * left)))
            except OSError as error:
                if error.errno != errno.EFAULT:  # so says the driver where there is no interrupt endpoint
                    raise
                raise self._unsupported("service request") from None
            if requested:
                limit = STATUS_TIMEOUT if deadline is None else min(STATUS_TIMEOUT, deadline - runtime.clock())
                code = driver.READ_STATUS_BYTE
                return int(await runtime.run_in_thread(None, events.request, code, round(1000 * limit), 1))

    async def _ask_aside(self, method: str, code: int, timeout: float | None, size: int = 0) -> int:
        if not self.connected():
            await self.open(timeout)
        deadline = None if timeout is None else self.runtime.clock() + timeout
        try:
            return await self._ask_driver(deadline, code, size)
        except (DeadlineExpired, TimeoutError):
            raise self.runtime.timeout_error(f"{self}: {method} timed out after {in_seconds(timeout)}") from None

    async def _trigger(self, deadline: float | None) -> None:
        await self._ask_driver(deadline, driver.TRIGGER)

    # Primitives

    async def _connect(self, deadline: float | None) -> None:
        address = self.address
        path = sysfs.find(address.vid, address.pid, address.serial_number, address.interface)
        self._device = driver.Device(path)
        self._ended = False
        self._events = driver.Device(path)

    def _disconnect(self) -> None:
        device, self._device = self._device, None
        events, self._events = self._events, None
        for opened in (device, events):
            if opened is not None:
                opened.close()

    def _forget(self) -> None:
        device, self._device = self._device, None
        events, self._events = self._events, None
        for opened in (device, events):
            if opened is not None:
                opened.forget()

    async def _send(self, message: bytes, deadline: float | None) -> None:
        await self._write(codec.message_out(self._next_tag(), message), deadline)

    async def _receive(self, deadline: float | None) -> tuple[bytes, bool]:
        memory = bytearray(REQUEST_SIZE)
        with memoryview(memory) as view:
            count, end = await self._receive_into(view, deadline)
            return bytes(view[:count]), end

    async def _receive_into(self, view: memoryview, deadline: float | None) -> tuple[int, bool]:
        if self._unread is not None:
            return await super()._receive_into(view, deadline)
        size = min(len(view), BLOCK_REQUEST_SIZE)
        tag = self._next_tag()
        await self._write(codec.request_message_in(tag, size), deadline)
        device, first = self._opened(), self._first
        count, ended = device.receive_first(first)
        while not count and not ended:
            await self._wait_readable(device, deadline)
            count, ended = device.receive_first(first)
        response = codec.parse_message_in(bytes(first[: codec.HEADER_SIZE]), tag, size)
        received = max(0, min(count - codec.HEADER_SIZE, response.size))
        view[:received] = first[codec.HEADER_SIZE : codec.HEADER_SIZE + received]
        # A transfer ends with a short packet, which may be an empty one: it is read as well.
        while not ended:
            left = response.size - received
            count, ended = device.collect(view[received : received + left] if left else first, left)
            received += count
            if not ended and not count:
                await self._wait_readable(device, deadline)
        if received < response.size:
            raise ConnectionError(
                errno.EIO, f"the transfer ended after {received} of the {response.size} bytes that it announced"
            )
        return received, response.end

    async def _clear(self, deadline: float | None) -> None:
        self._opened().forget_transfers()
        await self._ask_driver(deadline, driver.CLEAR)

    async def _write(self, transfer: bytearray, deadline: float | None) -> None:
        device = self._opened()
        rest = memoryview(transfer)
        more = False
        while rest:
            rest = rest[device.submit(rest, more) :]
            more = True
            await self._check_ended(self.runtime.wait_writable, device, deadline)
            device.check_sent()

    async def _wait_readable(self, device: driver.Device, deadline: float | None) -> None:
        await self._check_ended(self.runtime.wait_readable, device, deadline)

    async def _check_ended(self, wait: Callable[..., Any], device: driver.Device, deadline: float | None) -> None:
        await wait(Descriptor(device.fileno()), deadline)
        if self._ended:
            self._disconnect()
            raise ConnectionAbortedError("closed")
        if not device.is_there():
            raise ConnectionResetError(errno.ENODEV, "unplugged")

    async def _ask_driver(self, deadline: float | None, code: int, size: int = 0) -> int:
        seconds = LONG if deadline is None else max(0.0, deadline - self.runtime.clock())
        request = self._opened().request
        try:
            result: int = await self.runtime.run_in_thread(deadline, request, code, round(1000 * seconds), size)
        except OSError as error:
            if error.errno != errno.EINVAL or code not in OPTIONAL:
                raise
            raise self._unsupported(OPTIONAL[code]) from None
        return result

    def _opened(self) -> driver.Device:
        if self._device is None:
            raise ConnectionAbortedError("closed")
        return self._device

    def _next_tag(self) -> int:
        self._tag = codec.next_tag(self._tag)
        return self._tag
