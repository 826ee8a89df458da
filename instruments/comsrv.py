"""What this process has open, and what could be: one place to list instruments and to drop their connections."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import sockio
from sockio import registry
from sockio.resource import Address, parse
from sockio.runtimes.blocking import run
from sockio.stream import Stream

from . import devices
from .base import Standalone
from .devices import CanDevice, FtdiDeviceInfo, HidDeviceInfo, SigrokDeviceInfo
from .hid_nodes import hid_devices

if TYPE_CHECKING:
    from sockio.registry import Resource

T = TypeVar("T")


class ComSrv(Standalone):
    """The instruments that pipes of this process are connected to, and the devices that are plugged in.

    Connections are dropped wherever they are in use: in other event loops and threads too. A call that is using one
    ends with an error. Pipes and drivers connect again when they are used next.
    """

    def __init__(self) -> None:
        super().__init__()

    async def list_connected_instruments(self) -> list[str]:
        """Return the resource strings of what is connected at this moment.

        For instruments behind an adapter, on a GPIB bus for example, that is the adapter.
        """
        return [found.name for found in registry.resources() if any(made.connected() for made in found.connections())]

    async def list_instruments(self) -> list[str]:
        """The same as `list_connected_instruments`."""
        return await self.list_connected_instruments()

    async def drop(self, address: str | Address) -> None:
        """Close the connection to an instrument; nothing happens if there is none.

        Args:
            address: a resource string, in any spelling, or an address. For an instrument behind an adapter, the
                connection to the adapter is closed.

        Raises:
            ValueError: the resource string is not understood.
        """
        if not isinstance(address, Address):
            address = parse(address)
        await self._drop(registry.resource(carrier_of(address).resource))

    async def drop_all(self) -> None:
        """Close all connections."""
        for found in registry.resources():
            await self._drop(found)

    async def shutdown(self) -> None:
        """The same as `drop_all`: there is no server to be ended."""
        await self.drop_all()

    async def get_version(self) -> tuple[int, int, int]:
        """Return the version of this library: major, minor and build."""
        major, minor, build = map(int, re.findall(r"\d+", sockio.__version__)[:3])
        return major, minor, build

    # What is plugged in

    async def list_serial_ports(self) -> list[str]:
        """Return the names of the serial ports: ``/dev/ttyUSB0``, ``COM3``."""
        return await self._in_thread(devices.serial_ports)

    async def list_ftdis(self) -> list[FtdiDeviceInfo]:
        """Return the serial ports of FTDI adapters."""
        return await self._in_thread(devices.ftdis)

    async def list_hid_devices(self) -> list[HidDeviceInfo]:
        """Return the human interface devices.

        Raises:
            ImportError: on other systems than Linux, the hidapi package is missing (``pip install sockio[hid]``).
        """
        return await self._in_thread(hid_devices)

    async def list_can_devices(self) -> list[CanDevice]:
        """Return the channels of the CAN adapters that PCAN and SocketCAN drive.

        Raises:
            ImportError: the python-can package is missing (``pip install sockio[can]``).
        """
        return await self._in_thread(devices.can_devices)

    async def list_sigrok_devices(self) -> list[SigrokDeviceInfo]:
        """Return the devices that sigrok finds, its demo device among them.

        Raises:
            OSError: sigrok-cli is not installed, it failed, or it took longer than a minute.
        """
        return await self._in_thread(devices.sigrok_devices)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        result: T = await self._runtime.run_in_thread(None, function)
        return result

    async def _drop(self, found: Resource) -> None:
        mine = found.connection_of(self._runtime)
        for made in found.connections():
            if made is mine:
                await made.close()
            else:
                abandon(made)


def carrier_of(address: Address) -> Address:
    """Return the address of what is connected to in order to reach another: an adapter, a stream, or itself."""
    for name in ("adapter", "link"):
        carrier = getattr(address, name, None)
        if isinstance(carrier, Address):
            return carrier
    return address


def abandon(connection: Any) -> None:
    """End a connection that belongs to another event loop, or to threads; from any thread, without waiting."""
    if isinstance(connection, Stream):
        run(connection.close())  # which waits for nothing, on any runtime
    else:
        connection.abandon()
