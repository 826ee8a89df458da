"""USB gadgets of this machine, made of one function of the kernel's and a cable (dummy_hcd)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

GADGETS = Path(os.environ.get("LAB", "/sys/kernel/config/usb_gadget"))

VENDOR = 0x1209


class Gadget:
    """A USB device with one function; a context manager, plugged in at its beginning.

    Args:
        name: of the gadget.
        function: of the kernel's, such as ``acm.0``.
        product: its product number.
        serial_number: its serial number.
        port: which of the ports 0 to 3 it is plugged into.
        attributes: of the function.
    """

    def __init__(
        self, name: str, function: str, product: int, serial_number: str, port: int, attributes: dict[str, bytes]
    ) -> None:
        self.name = name
        self._port = port
        folder = GADGETS / name
        place = folder / "functions" / function
        for path in (folder / "strings/0x409", folder / "configs/c.1", place):
            path.mkdir(parents=True, exist_ok=True)
        for path, value in {
            folder / "idVendor": f"{VENDOR:#x}".encode(),
            folder / "idProduct": f"{product:#x}".encode(),
            folder / "bcdDevice": b"0x0100",
            folder / "strings/0x409/manufacturer": b"sockio",
            folder / "strings/0x409/product": b"lab " + name.encode(),
            folder / "strings/0x409/serialnumber": serial_number.encode(),
            **{place / key: value for key, value in attributes.items()},
        }.items():
            path.write_bytes(value)
        link = folder / "configs/c.1" / function
        if not link.is_symlink():
            link.symlink_to(place)

    def __enter__(self) -> Gadget:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        subprocess.run(["lab", "plug", self.name, str(self._port)], check=True)

    def unplug(self) -> None:
        subprocess.run(["lab", "unplug", self.name], check=True)
