"""USB devices: instruments of the test and measurement class, and human interface devices."""

from __future__ import annotations

from ..options import BOARD, IDENTITY, Integer, check, read_option
from .address import Address
from .fields import check_field, refuse_rest

INTERFACE = Integer(0, 255)


class USBAddress(Address):
    """A USB device as VISA names it.

    Args:
        vid: the vendor's number.
        pid: the product's number.
        serial_number: the serial number, in the case in which it was given.
        interface: the number of the interface in the device; 0 is the first one that is an instrument's.
        board: the number of the USB controller for VISA.
        resource_class: "INSTR" for an instrument (USBTMC), "RAW" for any device.
    """

    opener = "ScpiPipe"
    vid: int
    pid: int
    serial_number: str
    interface: int
    board: int
    resource_class: str

    def __init__(
        self,
        vid: int,
        pid: int,
        serial_number: str,
        interface: int = 0,
        *,
        board: int = 0,
        resource_class: str = "INSTR",
    ) -> None:
        if resource_class not in ("INSTR", "RAW"):
            raise ValueError(f"the resource class of USB must be INSTR or RAW, got {resource_class!r}")
        super().__init__(
            "usb",
            vid=check("vendor", IDENTITY["vid"], vid),
            pid=check("product", IDENTITY["pid"], pid),
            serial_number=check_field("serial number", serial_number),
            interface=check("interface", INTERFACE, interface),
            board=check("board", BOARD, board),
            resource_class=resource_class,
        )

    @property
    def resource(self) -> str:
        # VISA names are the same in upper and lower case.
        return str(self).upper().replace("::0X", "::0x")

    @property
    def visa_name(self) -> str:
        """The name for a VISA library."""
        interface = f"::{self.interface}" if self.interface else ""
        numbers = f"0x{self.vid:04X}::0x{self.pid:04X}"
        return f"USB{self.board or ''}::{numbers}::{self.serial_number}{interface}::{self.resource_class}"

    def __str__(self) -> str:
        return self.visa_name


class HIDAddress(Address):
    """A human interface device.

    Args:
        vid: the vendor's number.
        pid: the product's number.
        serial_number: the serial number; None is any.
    """

    opener = "HidDevice"
    vid: int
    pid: int
    serial_number: str | None

    def __init__(self, vid: int, pid: int, serial_number: str | None = None) -> None:
        super().__init__(
            "hid",
            vid=check("vid", IDENTITY["vid"], vid),
            pid=check("pid", IDENTITY["pid"], pid),
            serial_number=None if serial_number is None else check_field("serial number", serial_number),
        )

    def __str__(self) -> str:
        serial_number = "" if self.serial_number is None else f"::{self.serial_number}"
        return f"hid::{self.vid:04x}:{self.pid:04x}{serial_number}"


def read_hid(fields: list[str]) -> HIDAddress:
    """The address of ``vid:pid[::serial number]``, the first two hexadecimal."""
    refuse_rest(fields[2:], "serial number")
    vid, separator, pid = fields[0].partition(":")
    if not separator:
        raise ValueError(f"expected vid:pid, such as 0483:5750, got {fields[0]!r}")
    return HIDAddress(
        read_option("vid", IDENTITY["vid"], vid),
        read_option("pid", IDENTITY["pid"], pid),
        fields[1] if len(fields) > 1 else None,
    )
