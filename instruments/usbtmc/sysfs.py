"""Finds the device file of a USBTMC instrument by what the instrument is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Where Linux lists the devices of its drivers for USB classes without a subsystem of their own.
CLASS = Path("/sys/class/usbmisc")

#: There when the driver is loaded, which the first instrument that is plugged in sees to.
DRIVER = Path("/sys/bus/usb/drivers/usbtmc")


def is_available() -> bool:
    """Tell whether the kernel's driver is loaded."""
    return DRIVER.exists()


@dataclass(frozen=True)
class Device:
    """An instrument that is plugged in.

    Attributes:
        path: its device file.
        vendor_id, product_id: of the USB device.
        serial_number: of the USB device, empty if it has none.
        interface: the number of the interface in the USB device.
    """

    path: str
    vendor_id: int
    product_id: int
    serial_number: str
    interface: int

    def __str__(self) -> str:
        return (
            f"{self.path} (vendor 0x{self.vendor_id:04x}, product 0x{self.product_id:04x}, "
            f"serial number {self.serial_number!r}, interface {self.interface})"
        )


def devices(folder: Path = CLASS) -> list[Device]:
    """Return the instruments that the kernel's driver has found."""
    return sorted(_devices(folder), key=lambda device: device.path)


def _devices(folder: Path) -> Iterator[Device]:
    for entry in folder.glob("usbtmc*"):
        interface = entry / "device"
        try:
            device = interface.resolve(strict=True).parent
            yield Device(
                f"/dev/{entry.name}",
                int(_read(device / "idVendor"), 16),
                int(_read(device / "idProduct"), 16),
                _read(device / "serial") if (device / "serial").exists() else "",
                int(_read(interface / "bInterfaceNumber"), 16),
            )
        except OSError:
            continue  # unplugged at this moment


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()


def find(
    vendor_id: int, product_id: int, serial_number: str | None, interface: int | None, folder: Path = CLASS
) -> str:
    """Return the device file of an instrument as of now.

    Args:
        vendor_id, product_id: of the USB device.
        serial_number: in any case, as in VISA; None for any, and there must be only one then.
        interface: None, or 0 as VISA has it, for the first one of the device that is an instrument's.
        folder: where the kernel lists them.

    Raises:
        FileNotFoundError: it is not plugged in, or the driver has not found it.
        OSError: there are several.
    """
    there = devices(folder)
    found = [
        device
        for device in there
        if (device.vendor_id, device.product_id) == (vendor_id, product_id)
        and (serial_number is None or serial_number.casefold() == device.serial_number.casefold())
        and interface in (None, 0, device.interface)
    ]
    if not found:
        listed = ", ".join(map(str, there)) or "none at all"
        raise FileNotFoundError(errno.ENOENT, f"no such USBTMC instrument is plugged in; there is {listed}")
    if len({device.serial_number for device in found}) > 1:
        listed = ", ".join(map(str, found))
        raise OSError(errno.ENOTUNIQ, f"give the serial number: there are {listed}")
    return min(found, key=lambda device: device.interface).path


def open_device(path: str) -> int:
    """Open a device file and return its number.

    Raises:
        OSError: it cannot be opened; the message of a PermissionError says what to do.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        rule = 'SUBSYSTEM=="usbmisc", KERNEL=="usbtmc*", TAG+="uaccess"'
        raise PermissionError(
            errno.EACCES, f"not allowed to open {path}: a udev rule such as {rule} gives users access"
        ) from None
