"""Resource strings that are no URLs: kinds with double colons, and the names of VISA."""

from __future__ import annotations

import re

from .address import Address
from .can import read_can
from .fields import check_text, read_serial, read_settings, read_tcp, refuse_rest, split_fields
from .gpib import read_prologix
from .hosts import write_host
from .lan import read_hislip, read_vxi
from .modbus import read_modbus
from .sigrok import SigrokAddress
from .url import SCHEMES, HostAddress, SerialAddress
from .usb import read_hid
from .visa import read_visa, read_visa_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BARE_PORT = re.compile(r"/dev/[\w./-]+|COM\d+", re.IGNORECASE | re.ASCII)

#: The vendor number of FTDI.
FTDI = 0x0403


def _read_ftdi(fields: list[str]) -> SerialAddress:
    serial_number = check_text("serial number", fields[0])
    return SerialAddress(None, read_settings(fields[1:]), vid=FTDI, serial_number=serial_number)


def _read_tcp(fields: list[str]) -> HostAddress:
    refuse_rest(fields[1:], "port")
    return read_tcp(fields[0])


#: What a kind looks like, and what reads the fields after its name.
KINDS: dict[str, tuple[str, Callable[[list[str]], Address]]] = {
    "serial": ("serial::port[::baudrate[::8N1]]", read_serial),
    "ftdi": ("ftdi::serial number[::baudrate[::8N1]]", _read_ftdi),
    "tcp": ("tcp::host:port", _read_tcp),
    "vxi": ("vxi::host[:port][::device name]", read_vxi),
    "hislip": ("hislip::host[:port][::sub address]", read_hislip),
    "prologix": ("prologix::(port|host:port)::primary[,secondary]", read_prologix),
    "modbus": ("modbus::(tcp|rtu)::(host:port|port::baudrate::8N1)[::station]", read_modbus),
    "can": ("can::interface::channel[::bitrate]", read_can),
    "hid": ("hid::vid:pid[::serial number]", read_hid),
    "sigrok": ("sigrok::device", lambda fields: SigrokAddress("::".join(fields))),
    "visa": ("visa::VISA name or alias", lambda fields: read_visa("::".join(fields))),
}


def read_name(text: str) -> Address:
    """The address of a resource string that is no URL. Raises a `ValueError` that says what was expected."""
    kind, separator, rest = text.partition("::")
    if text[:4].lower() == "tcp:" and text[4:5] != ":":
        return read_tcp(text[4:])
    if kind.lower() in KINDS and separator:
        form, read = KINDS[kind.lower()]
        if rest != rest.strip() or not rest.isprintable():
            raise ValueError(f"expected {form} without spaces at its end and control characters")
        try:
            return read(split_fields(rest))
        except ValueError as error:
            raise ValueError(f"{error} (in {form})") from None
    address = read_visa_name(text)
    if address is None:
        urls = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        forms = ", ".join(form for form, _ in KINDS.values())
        raise ValueError(
            f"{_advice(text)}no resource that is supported: {urls}; {forms}; "
            f"VISA names that begin with TCPIP, ASRL, USB or GPIB"
        )
    return address


def _advice(text: str) -> str:
    """What to write instead of the bare name of a serial port, or of a bare host and port; nothing for other texts."""
    if _BARE_PORT.fullmatch(text):
        return f"expected its kind first, such as serial::{text}::9600::8N1; "
    try:
        address = read_tcp(text)
    except ValueError:
        return ""
    return f"expected its kind first, such as tcp::{write_host(address.host, address.port)}; "
