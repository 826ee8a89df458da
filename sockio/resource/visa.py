"""The resource names of VISA (VPP-4.3, section 4.3), in any case, with VISA's defaults.

What has a protocol or a driver of its own here gets the address of that: ``TCPIP…::SOCKET`` is a TCP socket, ``ASRL…``
a serial port. The board of a ``TCPIP`` name is not kept: the system's routing chooses the network interface.
"""

from __future__ import annotations

import os
import re

from ..options import Integer, read_option
from .address import Address
from .fields import check_text, refuse_rest, split_fields
from .gpib import GPIBAddress, read_gpib_numbers
from .hosts import read_host, read_port, write_host
from .lan import HISLIP_PORT, HiSLIPAddress, VXI11Address
from .url import HostAddress, SerialAddress
from .usb import INTERFACE, USBAddress


class Number(Integer):
    """The number of a vendor or a product."""

    def __init__(self) -> None:
        super().__init__(0, 0xFFFF)
        self.allowed = "a decimal or hexadecimal number up to 0xFFFF, such as 0x0699"

    def convert(self, text: str) -> int:
        if not re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", text, re.ASCII):
            raise ValueError
        return self.check(int(text, 16 if text[:2] in ("0x", "0X") else 10))


NUMBER = Number()
CLASSES = ("INSTR", "SOCKET", "RAW", "INTFC", "SERVANT", "BACKPLANE", "MEMACC")

_INTERFACE = re.compile(r"(TCPIP|USB|GPIB)(\d{0,9})", re.IGNORECASE | re.ASCII)
_OTHER_INTERFACE = re.compile(r"[A-Z][A-Z-]*\d*", re.IGNORECASE | re.ASCII)
_SERIAL_PORT = re.compile(r"ASRL(\d+|COM\d+|/.*)", re.IGNORECASE | re.ASCII)


class VISAAddress(Address):
    """What a VISA library opens: a resource that sockio knows no other way to, an alias, or one to open through VISA.

    Args:
        name: the resource's name, or its alias in the configuration of the VISA library.
    """

    opener = "ScpiPipe"
    visa_name: str

    def __init__(self, name: str) -> None:
        known = _read_known(check_text("VISA name", name))
        if isinstance(known, GPIBAddress) or (isinstance(known, USBAddress) and known.resource_class == "RAW"):
            raise ValueError(f"{name!r} is the name of a {type(known).__name__}")
        super().__init__("visa", visa_name=_normal_name(name, known))

    @property
    def resource(self) -> str:
        known = _read_known(self.visa_name)
        return str(self) if known is None else known.resource

    def __str__(self) -> str:
        return f"visa::{self.visa_name}"


def read_visa_name(text: str) -> Address | None:
    """The address of a VISA resource name; None for a text that is none."""
    known = _read_known(text)
    if known is not None:
        return known
    fields = split_fields(text)
    is_name = len(fields) > 1 and fields[-1].upper() in CLASSES and _OTHER_INTERFACE.fullmatch(fields[0])
    return VISAAddress(text) if is_name else None


def read_visa(text: str) -> Address:
    """The address of what follows ``visa::``, to be opened by a VISA library."""
    known = read_visa_name(text)
    if isinstance(known, GPIBAddress) or (isinstance(known, USBAddress) and known.resource_class == "RAW"):
        return known
    return VISAAddress(text)


def serial_port(number: int) -> str:
    """The name of a serial port by its number in VISA: ``COM3`` is 3; elsewhere ``/dev/ttyS2`` is, as in NI-VISA."""
    if number < 1:
        raise ValueError(f"expected the number of a serial port, from 1, after ASRL, got {number}")
    return f"COM{number}" if os.name == "nt" else f"/dev/ttyS{number - 1}"


def _read_known(text: str) -> Address | None:
    """The address of a name of the interfaces TCPIP, USB, GPIB and ASRL; None for another."""
    fields = split_fields(text)
    resource_class = fields.pop().upper() if len(fields) > 1 and fields[-1].upper() in CLASSES else None
    interface, *rest = fields
    if interface[:4].upper() == "ASRL" and not rest and (resource_class or _SERIAL_PORT.fullmatch(interface)):
        return _read_serial(interface[4:], resource_class or "INSTR")
    match = _INTERFACE.fullmatch(interface)
    if match is None or not (rest or resource_class):
        return None
    read = {"TCPIP": _read_tcpip, "USB": _read_usb, "GPIB": _read_gpib}[match[1].upper()]
    return read(int(match[2] or 0), rest, resource_class or "INSTR")


def _read_serial(device: str, resource_class: str) -> SerialAddress:
    _check_class("ASRL", resource_class, "INSTR")
    if not device:
        raise ValueError("expected the number or the name of a serial port after ASRL, as in ASRL1 or ASRL/dev/ttyUSB0")
    return SerialAddress(serial_port(int(device)) if device.isascii() and device.isdigit() else device)


def _read_tcpip(board: int, fields: list[str], resource_class: str) -> Address:
    _check_class("TCPIP", resource_class, "INSTR", "SOCKET")
    if not fields:
        raise ValueError("expected a host after TCPIP::, got none")
    host, comma, port = fields[0].partition(",")
    if resource_class == "SOCKET":
        refuse_rest(fields[2:], "port")
        if len(fields) < 2:
            raise ValueError(f"expected a port after the host, as in TCPIP::{host}::5025::SOCKET, got none")
        return HostAddress("tcp", read_host(fields[0]), read_port(fields[1]))
    refuse_rest(fields[2:], "device name")
    device = fields[1] if len(fields) > 1 else "inst0"
    if device.isdigit():
        raise ValueError(f"expected a device name such as inst0, or ::SOCKET after the port, got {device!r}")
    if device.lower().startswith("hislip"):
        if comma:
            raise ValueError(f"expected the port of HiSLIP with its sub address: hislip0,4880, got {fields[0]!r}")
        name, comma, port = device.partition(",")
        return HiSLIPAddress(read_host(host), name, read_port(port) if comma else HISLIP_PORT)
    return VXI11Address(read_host(host), device, read_port(port) if comma else None)


def _read_usb(board: int, fields: list[str], resource_class: str) -> USBAddress:
    _check_class("USB", resource_class, "INSTR", "RAW")
    if len(fields) < 3:
        raise ValueError(
            f"expected vendor, product and serial number, as in USB::0x0699::0x0363::C102220, got {'::'.join(fields)!r}"
        )
    refuse_rest(fields[4:], "interface")
    return USBAddress(
        read_option("vendor", NUMBER, fields[0]),
        read_option("product", NUMBER, fields[1]),
        fields[2],
        read_option("interface", INTERFACE, fields[3]) if len(fields) > 3 else 0,
        board=board,
        resource_class=resource_class,
    )


def _read_gpib(board: int, fields: list[str], resource_class: str) -> Address | None:
    if resource_class == "SERVANT":
        return None
    _check_class("GPIB", resource_class, "INSTR", "INTFC")
    if resource_class == "INTFC":
        refuse_rest(fields, "board")
        return GPIBAddress(board)
    return GPIBAddress(board, *read_gpib_numbers(fields))


def _check_class(interface: str, given: str, *allowed: str) -> None:
    if given not in allowed:
        raise ValueError(f"the resource class of {interface} must be {' or '.join(allowed)}, got {given!r}")


def _normal_name(name: str, known: Address | None) -> str:
    """A name in one case, with the defaults of VISA. The board stays: a VISA library may go by it."""
    if isinstance(known, USBAddress):
        return known.visa_name
    first, *fields = split_fields(name)
    if isinstance(known, SerialAddress):
        return f"ASRL{first[4:]}::INSTR"
    if isinstance(known, VXI11Address):
        port = "" if known.port is None else f",{known.port}"
        rest = f"{write_host(known.host)}{port}::{known.device_name}::INSTR"
    elif isinstance(known, HiSLIPAddress):
        port = "" if known.port == HISLIP_PORT else f",{known.port}"
        rest = f"{write_host(known.host)}::{known.sub_address}{port}::INSTR"
    elif isinstance(known, HostAddress):
        rest = f"{write_host(known.host)}::{known.port}::SOCKET"
    elif fields and fields[-1].upper() in CLASSES:
        interface = first.upper().rstrip("0123456789")
        board = int(first[len(interface) :] or 0)
        return "::".join([f"{interface}{board or ''}", *fields[:-1], fields[-1].upper()])
    else:
        return name
    board = int(first[len("TCPIP") :] or 0)
    return f"TCPIP{board or ''}::{rest}"
