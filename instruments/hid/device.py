"""HID devices for users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockio.checks import check_data
from sockio.deadline import DEFAULT, check_timeout
from sockio.errors import DeadlineExpired

from .. import hid_nodes
from ..devices import HidDeviceInfo
from ..link import runtime_here
from ..pipe import BasePipe
from .address import address_of
from .connection import HidConnection

if TYPE_CHECKING:
    from sockio.checks import Data
    from sockio.deadline import Timeout
    from sockio.resource import Address
    from sockio.runtimes.base import Runtime

    from ..pipe import Doubtful


async def enumerate_hid_devices(timeout: Timeout = DEFAULT) -> list[HidDeviceInfo]:
    """Return the human interface devices that are plugged in, each once.

    Args:
        timeout: seconds for it; no limit if nothing is said.

    Raises:
        ImportError: on other systems than Linux, the hidapi package is missing.
        ConnectionTimeoutError: the time was up.
    """
    runtime = runtime_here()
    seconds = None if timeout is DEFAULT else check_timeout("timeout", timeout)
    if hid_nodes.has_hidraw():
        return hid_nodes.hid_devices()  # quick enough for any loop: files of the kernel
    deadline = None if seconds is None else runtime.clock() + seconds
    try:
        found: list[HidDeviceInfo] = await runtime.run_in_thread(deadline, hid_nodes.hid_devices)
    except DeadlineExpired:
        raise runtime.timeout_error(f"listing HID devices timed out after {seconds} s") from None
    return found


class HidDevice(BasePipe):
    """A human interface device: ``HidDevice(0x0483, 0x5750)``, ``HidDevice("hid::0483:5750::SN1")``.

    It is found by what it is: unplugged, the call that is using it ends with a ConnectionError; plugged in again, the
    next call finds it under whatever name it has then. On Linux it is reached through hidraw, elsewhere through the
    hidapi package.

    Args:
        vid: the vendor's number, or a resource string in place of everything.
        pid: the product's number.
        serial_number: of the device; None for any.
        path: of the device (``/dev/hidraw0``), in place of the numbers.
        timeout: seconds for a call, but for `read`, which says it itself; None for no limit.

    Raises:
        TypeError, ValueError: nothing that names a HID device.
    """

    def __init__(
        self,
        vid: int | str | Address | None = None,
        pid: int | None = None,
        serial_number: str | None = None,
        *,
        path: str | None = None,
        timeout: Timeout = DEFAULT,
    ) -> None:
        super().__init__(address_of(vid, pid, serial_number, path), timeout)

    async def get_info(self) -> HidDeviceInfo:
        """Return what the device says of itself.

        Raises:
            ConnectionError: it is not plugged in.
        """
        info: HidDeviceInfo = await self._call("info", DEFAULT)
        return info

    async def write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send an output report.

        Args:
            data: the report, its id in front: 0 for a device whose reports have none.
            timeout: seconds for it.

        Raises:
            ValueError: the device has no report of this id and size.
            ConnectionError: it is not plugged in, or was unplugged.
            ConnectionTimeoutError: the device has not taken it in time. It may do so later.
        """
        await self._call("write", timeout, bytes(check_data(data)))

    async def read(self, timeout_ms: float | None = 100, *, timeout: Timeout = DEFAULT) -> bytes:
        """Receive an input report: the oldest that has come since the first call, which opens the device.

        Linux keeps 64 of them for every program that has the device open, and drops those that follow.

        Args:
            timeout_ms: how long to wait for one, in milliseconds; None for ever.
            timeout: the same in seconds, in place of it.

        Returns:
            The report, its id in front if the device's reports have ids.

        Raises:
            ConnectionTimeoutError: none has come. The device is still connected.
            ConnectionError: it is not plugged in, or was unplugged.
            ProtocolError: a report of a size that the device has not declared.
        """
        if timeout is DEFAULT:
            milliseconds = check_timeout("timeout_ms", timeout_ms, "milliseconds")
            timeout = None if milliseconds is None else milliseconds / 1000
        report: bytes = await self._call("read", timeout)
        return report

    async def get_feature_report(self, report_id: int = 0, timeout: Timeout = DEFAULT) -> bytes:
        """Ask the device for a feature report.

        Args:
            report_id: which one, 0 for a device whose reports have no id.
            timeout: seconds for it.

        Returns:
            The report, its id in front, which is 0 if there are none.

        Raises:
            ValueError: the device has no such report.
            ProtocolError: it has another size than the device has declared.
            OSError: the device does not answer; a ConnectionError if it was unplugged.
        """
        report: bytes = await self._call("get_feature_report", timeout, report_id)
        return report

    async def send_feature_report(self, data: Data, timeout: Timeout = DEFAULT) -> None:
        """Send a feature report.

        Args:
            data: the report, its id in front: 0 for a device whose reports have none.
            timeout: seconds for it.

        Raises:
            ValueError: the device has no report of this id and size.
            OSError: the device does not take it; a ConnectionError if it was unplugged.
        """
        await self._call("send_feature_report", timeout, bytes(check_data(data)))

    def _connect_to(self, runtime: Runtime) -> tuple[HidConnection, Doubtful | None]:
        connection = self._resource.connection(runtime, {}, lambda: HidConnection(self._address, runtime))
        return connection, None
