"""`instruments.comsrv` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.comsrv`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

    from sockio.resource import Address

    from ..devices import CanDevice, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo

    class ComSrv:
        """The instruments that pipes of this process are connected to, and the devices that are plugged in.

        Connections are dropped wherever they are in use: in other event loops and threads too. A call that is using one
        ends with an error. Pipes and drivers connect again when they are used next.
        """

        @overload
        def __new__(cls, *, resolve_futures: Literal[True] = True) -> Self: ...
        @overload
        def __new__(cls, *, resolve_futures: Literal[False]) -> FuturesComSrv: ...  # type: ignore[misc]
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        def list_connected_instruments(self) -> list[str]:
            """Return the resource strings of what is connected at this moment.

            For instruments behind an adapter, on a GPIB bus for example, that is the adapter.
            """
            ...

        def list_instruments(self) -> list[str]:
            """The same as `list_connected_instruments`."""
            ...

        def drop(self, address: str | Address) -> None:
            """Close the connection to an instrument; nothing happens if there is none.

            Args:
                address: a resource string, in any spelling, or an address. For an instrument behind an adapter, the
                    connection to the adapter is closed.

            Raises:
                ValueError: the resource string is not understood.
            """
            ...

        def drop_all(self) -> None:
            """Close all connections."""
            ...

        def shutdown(self) -> None:
            """The same as `drop_all`: there is no server to be ended."""
            ...

        def get_version(self) -> tuple[int, int, int]:
            """Return the version of this library: major, minor and build."""
            ...

        def list_serial_ports(self) -> list[str]:
            """Return the names of the serial ports: ``/dev/ttyUSB0``, ``COM3``."""
            ...

        def list_ftdis(self) -> list[FtdiDeviceInfo]:
            """Return the serial ports of FTDI adapters."""
            ...

        def list_hid_devices(self) -> list[HidDeviceInfo]:
            """Return the human interface devices.

            Raises:
                ImportError: on other systems than Linux, the hidapi package is missing (``pip install sockio[hid]``).
            """
            ...

        def list_can_devices(self) -> list[CanDevice]:
            """Return the channels of the CAN adapters that PCAN and SocketCAN drive.

            Raises:
                ImportError: the python-can package is missing (``pip install sockio[can]``).
            """
            ...

        def list_sigrok_devices(self) -> list[SigrokDeviceInfo]:
            """Return the devices that sigrok finds, its demo device among them.

            Raises:
                OSError: sigrok-cli is not installed, it failed, or it took longer than a minute.
            """
            ...

    class FuturesComSrv:
        """A `ComSrv` whose calls give futures."""

        def __init__(self) -> None: ...

        def list_connected_instruments(self) -> Future[list[str]]:
            """Return the resource strings of what is connected at this moment.

            For instruments behind an adapter, on a GPIB bus for example, that is the adapter.
            """
            ...

        def list_instruments(self) -> Future[list[str]]:
            """The same as `list_connected_instruments`."""
            ...

        def drop(self, address: str | Address) -> Future[None]:
            """Close the connection to an instrument; nothing happens if there is none.

            Args:
                address: a resource string, in any spelling, or an address. For an instrument behind an adapter, the
                    connection to the adapter is closed.

            Raises:
                ValueError: the resource string is not understood.
            """
            ...

        def drop_all(self) -> Future[None]:
            """Close all connections."""
            ...

        def shutdown(self) -> Future[None]:
            """The same as `drop_all`: there is no server to be ended."""
            ...

        def get_version(self) -> Future[tuple[int, int, int]]:
            """Return the version of this library: major, minor and build."""
            ...

        def list_serial_ports(self) -> Future[list[str]]:
            """Return the names of the serial ports: ``/dev/ttyUSB0``, ``COM3``."""
            ...

        def list_ftdis(self) -> Future[list[FtdiDeviceInfo]]:
            """Return the serial ports of FTDI adapters."""
            ...

        def list_hid_devices(self) -> Future[list[HidDeviceInfo]]:
            """Return the human interface devices.

            Raises:
                ImportError: on other systems than Linux, the hidapi package is missing (``pip install sockio[hid]``).
            """
            ...

        def list_can_devices(self) -> Future[list[CanDevice]]:
            """Return the channels of the CAN adapters that PCAN and SocketCAN drive.

            Raises:
                ImportError: the python-can package is missing (``pip install sockio[can]``).
            """
            ...

        def list_sigrok_devices(self) -> Future[list[SigrokDeviceInfo]]:
            """Return the devices that sigrok finds, its demo device among them.

            Raises:
                OSError: sigrok-cli is not installed, it failed, or it took longer than a minute.
            """
            ...

else:
    from .. import comsrv
    from ..base import blocking, futures

    ComSrv = blocking(comsrv.ComSrv)
    FuturesComSrv = futures(comsrv.ComSrv)

__all__ = ["ComSrv", "FuturesComSrv"]
