"""`instruments.hid` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.hid`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from ..hid import HidDeviceInfo, NotPluggedInError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

    from sockio.checks import Data
    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    from .pipe import BasePipe, FuturesBasePipe

    def enumerate_hid_devices(timeout: Timeout = DEFAULT) -> list[HidDeviceInfo]:
        """Return the human interface devices that are plugged in, each once.

        Args:
            timeout: seconds for it; no limit if nothing is said.

        Raises:
            ImportError: on other systems than Linux, the hidapi package is missing.
            ConnectionTimeoutError: the time was up.
        """
        ...

    class HidDevice(BasePipe):
        """A human interface device: ``HidDevice(0x0483, 0x5750)``, ``HidDevice("hid::0483:5750::SN1")``.

        It is found by what it is: unplugged, the call that is using it ends with a ConnectionError; plugged in again,
        the next call finds it under whatever name it has then. On Linux it is reached through hidraw, elsewhere through
        the hidapi package.

        Args:
            vid: the vendor's number, or a resource string in place of everything.
            pid: the product's number.
            serial_number: of the device; None for any.
            path: of the device (``/dev/hidraw0``), in place of the numbers.
            timeout: seconds for a call, but for `read`, which says it itself; None for no limit.

        Raises:
            TypeError, ValueError: nothing that names a HID device.
        """

        @overload
        def __new__(
            cls,
            vid: int | str | Address | None = None,
            pid: int | None = None,
            serial_number: str | None = None,
            *,
            path: str | None = None,
            timeout: Timeout = DEFAULT,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            vid: int | str | Address | None = None,
            pid: int | None = None,
            serial_number: str | None = None,
            *,
            path: str | None = None,
            timeout: Timeout = DEFAULT,
            resolve_futures: Literal[False],
        ) -> FuturesHidDevice: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def get_info(self) -> HidDeviceInfo:
            """Return what the device says of itself.

            Raises:
                ConnectionError: it is not plugged in.
            """
            ...

        def write(self, data: Data, timeout: Timeout = DEFAULT) -> None:
            """Send an output report.

            Args:
                data: the report, its id in front: 0 for a device whose reports have none.
                timeout: seconds for it.

            Raises:
                ValueError: the device has no report of this id and size.
                ConnectionError: it is not plugged in, or was unplugged.
                ConnectionTimeoutError: the device has not taken it in time. It may do so later.
            """
            ...

        def read(self, timeout_ms: float | None = 100, *, timeout: Timeout = DEFAULT) -> bytes:
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
            ...

        def get_feature_report(self, report_id: int = 0, timeout: Timeout = DEFAULT) -> bytes:
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
            ...

        def send_feature_report(self, data: Data, timeout: Timeout = DEFAULT) -> None:
            """Send a feature report.

            Args:
                data: the report, its id in front: 0 for a device whose reports have none.
                timeout: seconds for it.

            Raises:
                ValueError: the device has no report of this id and size.
                OSError: the device does not take it; a ConnectionError if it was unplugged.
            """
            ...

    class FuturesHidDevice(FuturesBasePipe):
        """A `HidDevice` whose calls give futures."""

        def __init__(
            self,
            vid: int | str | Address | None = None,
            pid: int | None = None,
            serial_number: str | None = None,
            *,
            path: str | None = None,
            timeout: Timeout = DEFAULT,
        ) -> None: ...

        def get_info(self) -> Future[HidDeviceInfo]:
            """Return what the device says of itself.

            Raises:
                ConnectionError: it is not plugged in.
            """
            ...

        def write(self, data: Data, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send an output report.

            Args:
                data: the report, its id in front: 0 for a device whose reports have none.
                timeout: seconds for it.

            Raises:
                ValueError: the device has no report of this id and size.
                ConnectionError: it is not plugged in, or was unplugged.
                ConnectionTimeoutError: the device has not taken it in time. It may do so later.
            """
            ...

        def read(self, timeout_ms: float | None = 100, *, timeout: Timeout = DEFAULT) -> Future[bytes]:
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
            ...

        def get_feature_report(self, report_id: int = 0, timeout: Timeout = DEFAULT) -> Future[bytes]:
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
            ...

        def send_feature_report(self, data: Data, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send a feature report.

            Args:
                data: the report, its id in front: 0 for a device whose reports have none.
                timeout: seconds for it.

            Raises:
                ValueError: the device has no report of this id and size.
                OSError: the device does not take it; a ConnectionError if it was unplugged.
            """
            ...

else:
    from .. import hid
    from ..base import blocking, futures

    HidDevice = blocking(hid.HidDevice)
    enumerate_hid_devices = blocking(hid.enumerate_hid_devices)
    FuturesHidDevice = futures(hid.HidDevice)

__all__ = ["FuturesHidDevice", "HidDevice", "HidDeviceInfo", "NotPluggedInError", "enumerate_hid_devices"]
