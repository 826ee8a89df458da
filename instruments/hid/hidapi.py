"""HID devices through the hidapi package, where there is no hidraw: it is read in threads, a short while at a time."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sockio.errors import DeadlineExpired

from ..devices import HidDeviceInfo, hid_device_of, optional
from .codec import parse_report_descriptor
from .handle import Handle, Unplugged

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

#: How long a thread waits for a report before it looks whether it is still wanted, in seconds.
LOOK = 0.25

#: The longest report that is read: hidapi cuts off what is longer.
BUFFER_SIZE = 16384

ADVICE = "HID devices need the hidapi package here: pip install sockio[hid]"


@dataclass(frozen=True)
class Node:
    """A device that is plugged in.

    Attributes:
        path: what hidapi calls it.
        info: what it is.
    """

    path: str
    info: HidDeviceInfo

    def __str__(self) -> str:
        info = self.info
        return f"{self.path} ({info.vid:04x}:{info.pid:04x}, serial number {info.serial_number!r})"


def nodes(module: str = "hid") -> list[Node]:
    """Return the devices that are plugged in.

    Args:
        module: of the hidapi package.

    Raises:
        ImportError: it is not installed.
    """
    found = optional(module, ADVICE).enumerate()
    return [Node(each["path"].decode(errors="surrogateescape"), hid_device_of(each)) for each in found]


class HidapiDevice(Handle):
    """An open device of hidapi.

    Args:
        node: which one.
        module: of the hidapi package.

    Raises:
        ImportError: it is not installed.
        OSError: it cannot be opened.
    """

    def __init__(self, node: Node, module: str = "hid") -> None:
        super().__init__()
        self.path = node.path
        self.info = node.info
        self._device: Any = optional(module, ADVICE).device()
        try:
            self._device.open_path(node.path.encode(errors="surrogateescape"))
        except OSError as error:
            raise OSError(errno.EIO, f"cannot open {node.path}: {error}") from None
        try:
            self.reports = parse_report_descriptor(bytes(self._device.get_report_descriptor()))
        except (AttributeError, OSError):
            self.reports = None

    async def read(self, runtime: Runtime, deadline: float | None) -> bytes:
        while True:
            left = LOOK if deadline is None else min(LOOK, deadline - runtime.clock())
            report = await runtime.run_in_thread(None, self._read, max(1, round(1000 * left)))
            if report:
                return bytes(report)
            if deadline is not None and runtime.clock() >= deadline:
                raise DeadlineExpired

    def _read(self, milliseconds: int) -> list[int]:
        with self._used():
            if self.ended:
                raise ConnectionAbortedError(errno.ECONNABORTED, "closed")
            try:
                report: list[int] = self._device.read(BUFFER_SIZE, milliseconds)
            except (OSError, ValueError):
                raise Unplugged from None
            return report

    def write(self, data: bytes) -> None:
        with self._request():
            # It says nothing more of what went wrong than this.
            if self._device.write(data) < 0:
                raise Unplugged

    def get_feature(self, number: int, size: int) -> bytes:
        with self._request():
            try:
                return bytes(self._device.get_feature_report(number, 1 + size))
            except OSError:
                raise OSError(errno.EIO, f"the device does not give feature report {number}") from None

    def send_feature(self, data: bytes) -> None:
        with self._request():
            if self._device.send_feature_report(data) < 0:
                raise OSError(errno.EIO, f"the device does not take feature report {data[0]}")

    def is_there(self) -> bool:
        return not self._closed

    def _release(self) -> None:
        self._device.close()
