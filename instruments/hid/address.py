"""Which HID device: by what it is, or by its path."""

from __future__ import annotations

from typing import Any

from sockio.resource import Address, HIDAddress, parse


class HidPath(Address):
    """A HID device by its path.

    Args:
        path: such as ``/dev/hidraw0``, or what else hidapi calls a path.
    """

    opener = "HidDevice"
    path: str

    def __init__(self, path: str) -> None:
        super().__init__("hid", path=path)

    def __str__(self) -> str:
        return f"hid::{self.path}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)


def address_of(
    vid: int | str | Address | None, pid: int | None, serial_number: str | None, path: str | None
) -> Address:
    """Return the address that the arguments of `HidDevice` give.

    Raises:
        TypeError, ValueError: nothing that names a device, or too much.
    """
    if path is not None:
        if vid is not None or pid is not None or serial_number is not None:
            raise ValueError("give a path, or vendor and product number, not both")
        return HidPath(path)
    if isinstance(vid, (str, Address)):
        if pid is not None or serial_number is not None:
            raise ValueError("a resource string says everything: give no product or serial number beside it")
        address = parse(vid) if isinstance(vid, str) else vid
        if not isinstance(address, (HIDAddress, HidPath)):
            raise ValueError(f"expected the address of a HID device, such as hid::0483:5750, not {str(address)!r}")
        return address
    if vid is None or pid is None:
        raise TypeError("HidDevice needs vid and pid, a path, or a resource string such as 'hid::0483:5750'")
    return HIDAddress(vid, pid, serial_number)
