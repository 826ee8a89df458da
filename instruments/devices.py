"""What is plugged into this machine: serial ports and adapters, HID devices, CAN adapters, devices of sigrok."""

from __future__ import annotations

import errno
import glob
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Any

from sockio.resource import Address, SigrokAddress, parse
from sockio.resource.names import FTDI

#: How long sigrok-cli may look for devices, in seconds: it asks at all the ports there are.
SCAN_TIMEOUT = 60.0


@dataclass(frozen=True)
class FtdiDeviceInfo:
    """A serial port of an FTDI adapter. One with several ports is listed several times.

    Attributes:
        port_open: whether some process has the port open, as far as the system tells: Linux does so for one's own
            processes, for all of them to root.
        vendor_id: 0x0403, that of FTDI.
        product_id: which adapter it is.
        serial_number: of the adapter; "" for one that has none.
        description: the product as it calls itself.
    """

    port_open: bool
    vendor_id: int
    product_id: int
    serial_number: str
    description: str

    def to_address(self, baudrate: int, params: str = "8N1") -> Address:
        """Return the address of the port, for pipes.

        Args:
            baudrate: bits per second.
            params: data bits, parity (N, E or O) and stop bits.

        Raises:
            ValueError: settings that cannot be, or an adapter without a serial number.
        """
        return parse(f"ftdi::{self.serial_number}::{baudrate}::{params}")


@dataclass(frozen=True)
class HidDeviceInfo:
    """A human interface device.

    Attributes:
        vid: the vendor's number.
        pid: the product's number.
        manufacturer, product: as it calls itself.
        serial_number: None for a device that has none.
    """

    vid: int
    pid: int
    manufacturer: str | None
    product: str | None
    serial_number: str | None


class CanDriverType(Enum):
    """What drives a CAN adapter."""

    PCAN = "pcan"
    SOCKETCAN = "socket"


@dataclass(frozen=True)
class CanDevice:
    """A channel of a CAN adapter.

    Attributes:
        interface_name: ``can0``, ``PCAN_USBBUS1``, ...
        driver_type: what drives it.
    """

    interface_name: str
    driver_type: CanDriverType

    def to_address(self, bitrate: int | None = None) -> Address:
        """Return the address of the channel, for `CanBus`.

        Args:
            bitrate: bits per second, for PCAN; that of SocketCAN is set with the system's tools.
        """
        rate = "" if bitrate is None else f"::{bitrate}"
        return parse(f"can::{self.driver_type.value}::{self.interface_name}{rate}")


@dataclass(frozen=True)
class SigrokDeviceInfo:
    """A device that sigrok has found.

    Attributes:
        address: its resource string, ``sigrok::fx2lafw:conn=1.5``.
        description: what sigrok says of it, with the names of its channels.
    """

    address: str
    description: str


def serial_ports() -> list[str]:
    """Return the names of the serial ports: ``/dev/ttyUSB0``, ``COM3``."""
    return [port.device for port in _ports()]


def ftdis() -> list[FtdiDeviceInfo]:
    """Return the serial ports of FTDI adapters."""
    ports = [port for port in _ports() if port.vid == FTDI]
    return [ftdi_of(port, is_open(port.device)) for port in ports]


def ftdi_of(port: Any, port_open: bool) -> FtdiDeviceInfo:
    """Return what pyserial's description of a port says of its FTDI adapter."""
    return FtdiDeviceInfo(
        port_open, port.vid, port.pid, port.serial_number or "", port.product or port.description or ""
    )


def is_open(path: str) -> bool:
    """Tell whether a process has a device open, as far as the system tells (proc(5), ``/proc/pid/fd``)."""
    device = os.path.realpath(path)
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) == device:
                return True
        except OSError:
            pass  # closed meanwhile, or somebody else's
    return False


def _ports() -> list[Any]:
    from serial.tools.list_ports import comports

    return sorted(comports(), key=lambda port: _natural(port.device))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what to sort names by, so that COM10 comes after COM9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def hid_device_of(found: Mapping[str, Any]) -> HidDeviceInfo:
    """Return what hidapi's description of a device says."""
    return HidDeviceInfo(
        found["vendor_id"],
        found["product_id"],
        found["manufacturer_string"] or None,
        found["product_string"] or None,
        found["serial_number"] or None,
    )


def can_devices() -> list[CanDevice]:
    """Return the channels of the CAN adapters that PCAN and SocketCAN drive.

    Raises:
        ImportError: the python-can package is missing.
    """
    can = optional("can", "CAN adapters need the python-can package: pip install sockio[can]")
    return [can_device_of(found) for found in can.detect_available_configs(interfaces=["pcan", "socketcan"])]


def can_device_of(found: Mapping[str, Any]) -> CanDevice:
    """Return the device of a configuration that python-can has detected."""
    drivers = {"pcan": CanDriverType.PCAN, "socketcan": CanDriverType.SOCKETCAN}
    return CanDevice(str(found["channel"]), drivers[found["interface"]])


def optional(module: str, advice: str) -> Any:
    """Import a module that not everybody has installed. Raises an ImportError that says what to do."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(advice, name=module) from error


def sigrok_devices() -> list[SigrokDeviceInfo]:
    """Return the devices that sigrok finds, its demo device among them.

    Raises:
        OSError: sigrok-cli is not installed, it failed, or it took longer than a minute.
    """
    try:
        scan = subprocess.run(
            ["sigrok-cli", "--scan"], capture_output=True, text=True, timeout=SCAN_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise sigrok_missing() from None
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"sigrok-cli --scan has not ended in {SCAN_TIMEOUT:g} s") from None
    if scan.returncode:
        raise OSError(f"sigrok-cli --scan failed: {scan.stderr.strip() or scan.stdout.strip()}")
    return parse_scan(scan.stdout)


def sigrok_missing() -> FileNotFoundError:
    """Return the error that says how to get sigrok-cli."""
    return FileNotFoundError(
        errno.ENOENT, "not installed, or not in $PATH (Debian: apt-get install sigrok-cli)", "sigrok-cli"
    )


def parse_scan(output: str) -> list[SigrokDeviceInfo]:
    """Return the devices that ``sigrok-cli --scan`` lists, one a line: ``fx2lafw:conn=1.5 - Saleae Logic with …``."""
    _, _, listed = output.partition("The following devices were found:\n")
    lines = [line.partition(" - ") for line in listed.splitlines() if line.strip()]
    return [SigrokDeviceInfo(str(SigrokAddress(device.strip())), text.strip()) for device, _, text in lines]
