"""A connection to a HID device: opened when it is needed, given up when the device has gone, and found again."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sockio.errors import DeadlineExpired, ProtocolError

from ..hid_nodes import Node, has_hidraw, hidapi_nodes, hidraw_nodes
from . import hidapi, hidraw
from .address import HidPath
from .handle import Handle, Unplugged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockio.resource import Address
    from sockio.runtimes.base import Runtime

    from ..devices import HidDeviceInfo

T = TypeVar("T")


class NotPluggedInError(ConnectionError, FileNotFoundError):
    """There is no such device at this moment."""


class HidConnection:
    """A connection to a HID device. One call at a time uses it.

    Each method takes *timeout*, in seconds, for the whole call; None means no limit.

    Args:
        address: which device.
        runtime: the concurrency model.
        through: what it is reached through: "hidraw" (Linux) or "hidapi"; None for what there is.
    """

    def __init__(self, address: Address, runtime: Runtime, through: str | None = None) -> None:
        self.address = address
        self.resource = str(address)
        self.runtime = runtime
        self._through = through or ("hidraw" if has_hidraw() else "hidapi")
        self._handle: Handle | None = None
        self._process = 0

    def __str__(self) -> str:
        return self.resource

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self._disconnect()

    def connected(self) -> bool:
        """Tell whether there is a connection whose device is still there. Does no I/O."""
        handle = self._handle
        return handle is not None and not handle.ended and self._process == os.getpid() and handle.is_there()

    async def open(self, timeout: float | None) -> None:
        """Connect, unless that has been done."""
        await self._call("open", timeout, self._nothing)

    async def close(self) -> None:
        """Close the connection, if there is one; a call that is using it ends with an error."""
        self._disconnect()

    def abandon(self) -> None:
        """End the connection from any thread, without waiting; the next call makes a new one."""
        handle = self._handle
        if handle is not None and self._process == os.getpid():
            handle.cancel()

    async def info(self, timeout: float | None) -> HidDeviceInfo:
        """Return what the device is."""
        return await self._call("get_info", timeout, self._info)

    async def write(self, data: bytes, timeout: float | None) -> None:
        """Send an output report, its id first."""
        await self._call("write", timeout, self._write, data)

    async def read(self, timeout: float | None) -> bytes:
        """Receive an input report, its id first if it has one."""
        return await self._call("read", timeout, self._read)

    async def get_feature_report(self, number: int, timeout: float | None) -> bytes:
        """Return a feature report, its id first."""
        return await self._call("get_feature_report", timeout, self._get_feature, number)

    async def send_feature_report(self, data: bytes, timeout: float | None) -> None:
        """Send a feature report, its id first."""
        await self._call("send_feature_report", timeout, self._send_feature, data)

    async def _call(self, method: str, timeout: float | None, operate: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run ``operate(handle, deadline, *args)`` on a device that is there."""
        runtime = self.runtime
        deadline = None if timeout is None else runtime.clock() + timeout
        try:
            if not self.connected():
                self._disconnect()
                await self._connect(deadline)
            assert self._handle is not None
            return await operate(self._handle, deadline, *args)
        except DeadlineExpired:
            raise runtime.timeout_error(f"{self}: {method} timed out after {timeout} s") from None
        except ProtocolError as error:
            raise ProtocolError(f"{self}: {error}", error.data) from None
        except OSError as error:
            if isinstance(error, Unplugged):
                self._disconnect()
            if error.errno is not None and error.filename is None:
                error.filename = self.resource
            raise

    async def _connect(self, deadline: float | None) -> None:
        # Quick enough for any loop: files of the kernel. hidapi takes its time.
        if self._through == "hidraw":
            self._handle = hidraw.HidrawDevice(find(self.address, hidraw_nodes()))
        else:
            self._handle = await self._open_hidapi(deadline)
        self._process = os.getpid()

    async def _open_hidapi(self, deadline: float | None) -> Handle:
        """Open it in a thread; what comes too late is closed there."""
        guard = threading.Lock()
        opened: list[Handle] = []
        abandoned = False

        def work() -> None:
            handle = hidapi.HidapiDevice(find(self.address, hidapi_nodes()))
            with guard:
                opened.append(handle)
                late = abandoned
            if late:
                handle.close()

        try:
            await self.runtime.run_in_thread(deadline, work)
        except BaseException:
            with guard:
                abandoned = True
            for handle in opened:
                handle.close()
            raise
        return opened[0]

    def _disconnect(self) -> None:
        handle, self._handle = self._handle, None
        if handle is None:
            return
        if self._process == os.getpid():
            handle.close()
        else:
            handle.forget()

    async def _nothing(self, handle: Handle, deadline: float | None) -> None:
        pass

    async def _info(self, handle: Handle, deadline: float | None) -> HidDeviceInfo:
        return handle.info

    async def _write(self, handle: Handle, deadline: float | None, data: bytes) -> None:
        if handle.reports is not None:
            handle.reports.check_sent("output", data)
        await self.runtime.run_in_thread(deadline, handle.write, data)

    async def _read(self, handle: Handle, deadline: float | None) -> bytes:
        report = await handle.read(self.runtime, deadline)
        if handle.reports is not None:
            handle.reports.check_received(report)
        return report

    async def _get_feature(self, handle: Handle, deadline: float | None, number: int) -> bytes:
        size = hidraw.BUFFER_SIZE - 1 if handle.reports is None else handle.reports.size("feature", number)
        report: bytes = await self.runtime.run_in_thread(deadline, handle.get_feature, number, size)
        if handle.reports is not None and len(report) != 1 + size:
            raise ProtocolError(f"expected a feature report of {1 + size} bytes, got {len(report)}", report)
        return report

    async def _send_feature(self, handle: Handle, deadline: float | None, data: bytes) -> None:
        if handle.reports is not None:
            handle.reports.check_sent("feature", data)
        await self.runtime.run_in_thread(deadline, handle.send_feature, data)


def find(address: Address, there: Sequence[Node]) -> Node:
    """Return which of the devices that are there an address means: of several interfaces of one, the first.

    Raises:
        NotPluggedInError: none of them.
        OSError: several of them.
    """
    if isinstance(address, HidPath):
        path = os.path.realpath(address.path)
        found = [node for node in there if node.path in (address.path, path)]
    else:
        found = [node for node in there if is_meant(address, node.info)]
    if not found:
        listed = ", ".join(map(str, there)) or "none at all"
        raise NotPluggedInError(errno.ENOENT, f"no such HID device is plugged in; there is {listed}")
    if len({node.place for node in found}) > 1:
        what = "serial number" if len({node.info.serial_number for node in found}) > 1 else "path"
        raise OSError(errno.ENOTUNIQ, f"give the {what}: there are {', '.join(map(str, found))}")
    return found[0]


def is_meant(address: Any, info: HidDeviceInfo) -> bool:
    """Tell whether a device is what an address says."""
    return (address.vid, address.pid) == (info.vid, info.pid) and address.serial_number in (None, info.serial_number)
