"""Which human interface devices are plugged in: as Linux lists them for hidraw, elsewhere as hidapi does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .devices import HidDeviceInfo, hid_device_of, optional

#: Where Linux lists them.
CLASS = Path("/sys/class/hidraw")

#: The number of USB among the buses (linux/input.h).
USB = 0x0003

ADVICE = "HID devices need the hidapi package here: pip install sockio[hid]"


@dataclass(frozen=True)
class Node:
    """A device that is plugged in, or one interface of it.

    Attributes:
        path: its device file, or what hidapi calls it.
        info: what it is.
        place: what is the same for all interfaces of one device and, as far as that is known, different for others.
    """

    path: str
    info: HidDeviceInfo
    place: str

    def __str__(self) -> str:
        info = self.info
        return f"{self.path} ({info.vid:04x}:{info.pid:04x}, serial number {info.serial_number!r})"


def has_hidraw() -> bool:
    """Tell whether this system has hidraw."""
    return sys.platform == "linux"


def hid_devices() -> list[HidDeviceInfo]:
    """Return the human interface devices, each once.

    Raises:
        ImportError: on other systems than Linux, the hidapi package is missing.
    """
    nodes = hidraw_nodes() if has_hidraw() else hidapi_nodes()
    return [info for info, _ in dict.fromkeys((node.info, node.place) for node in nodes)]


def hidapi_nodes(module: str = "hid") -> list[Node]:
    """Return what hidapi lists.

    Args:
        module: of the hidapi package.

    Raises:
        ImportError: it is not installed.
    """
    found = optional(module, ADVICE).enumerate()
    return [
        Node(each["path"].decode(errors="surrogateescape"), hid_device_of(each), each["serial_number"] or "")
        for each in found
    ]


def hidraw_nodes(folder: Path = CLASS) -> list[Node]:
    """Return what Linux lists, in the order of their numbers. A device with several interfaces is several."""
    return sorted(_nodes(folder), key=lambda node: (len(node.path), node.path))


def _nodes(folder: Path) -> Iterator[Node]:
    for entry in folder.glob("hidraw*"):
        try:
            yield _node(f"/dev/{entry.name}", (entry / "device").resolve(strict=True))
        except (OSError, KeyError, ValueError):
            continue  # unplugged at this moment


def _node(path: str, device: Path) -> Node:
    lines = (device / "uevent").read_text(errors="replace").splitlines()
    event = {key: value for key, _, value in (line.partition("=") for line in lines)}
    bus, vid, pid = (int(number, 16) for number in event["HID_ID"].split(":"))
    # What has another bus may be connected to an adapter on USB, which is not meant.
    parents = device.parents if bus == USB else ()
    usb = next((parent for parent in parents if (parent / "idVendor").exists()), None)
    info = HidDeviceInfo(
        vid,
        pid,
        _text(usb / "manufacturer") if usb else None,
        _text(usb / "product") if usb else event.get("HID_NAME") or None,
        (_text(usb / "serial") if usb else None) or event.get("HID_UNIQ") or None,
    )
    return Node(path, info, str(usb or device))


def _text(path: Path) -> str | None:
    return (path.read_text(encoding="utf-8", errors="replace").strip() or None) if path.exists() else None
