"""Instruments on the network: VXI-11 and HiSLIP."""

from __future__ import annotations

import re

from .address import Address
from .fields import check_field, refuse_rest
from .hosts import check_port, normal_host, split_host, write_host

#: The port of HiSLIP servers (IVI-6.1, section 2.5).
HISLIP_PORT = 4880

_WITHOUT_CASE = re.compile(r"(inst|gpib|hislip)\d*(,\d+)*", re.IGNORECASE | re.ASCII)


class VXI11Address(Address):
    """An instrument behind a VXI-11 server, or a GPIB instrument behind a gateway.

    Args:
        host: the server's name or IP address, IPv6 without brackets.
        device_name: the device on the server: "inst0", "gpib0,5", ...
        port: the port of the core channel; None asks the server's portmapper.
    """

    opener = "ScpiPipe"
    host: str
    device_name: str
    port: int | None

    def __init__(self, host: str, device_name: str = "inst0", port: int | None = None) -> None:
        super().__init__(
            "vxi",
            host=normal_host(host),
            device_name=_normal_name("device name", device_name),
            port=None if port is None else check_port(port),
        )

    def __str__(self) -> str:
        device = "" if self.device_name == "inst0" else f"::{self.device_name}"
        return f"vxi::{write_host(self.host, self.port)}{device}"


class HiSLIPAddress(Address):
    """An instrument behind a HiSLIP server.

    Args:
        host: the server's name or IP address, IPv6 without brackets.
        sub_address: the device on the server.
        port: the server's port.
    """

    opener = "ScpiPipe"
    host: str
    sub_address: str
    port: int

    def __init__(self, host: str, sub_address: str = "hislip0", port: int = HISLIP_PORT) -> None:
        name = _normal_name("sub address", sub_address)
        if "," in name:
            raise ValueError(f"sub address must be a name without a port, got {sub_address!r}")
        super().__init__("hislip", host=normal_host(host), sub_address=name, port=check_port(port))

    def __str__(self) -> str:
        port = None if self.port == HISLIP_PORT else self.port
        sub_address = "" if self.sub_address == "hislip0" else f"::{self.sub_address}"
        return f"hislip::{write_host(self.host, port)}{sub_address}"


def read_vxi(fields: list[str]) -> VXI11Address:
    """The address of ``host[:port][::device name]``."""
    refuse_rest(fields[2:], "device name")
    host, port = split_host(fields[0])
    return VXI11Address(host, fields[1] if len(fields) > 1 else "inst0", port)


def read_hislip(fields: list[str]) -> HiSLIPAddress:
    """The address of ``host[:port][::sub address]``."""
    refuse_rest(fields[2:], "sub address")
    host, port = split_host(fields[0])
    return HiSLIPAddress(host, fields[1] if len(fields) > 1 else "hislip0", HISLIP_PORT if port is None else port)


def _normal_name(what: str, name: str) -> str:
    """A device's name: those of the standards are the same in upper and lower case."""
    if check_field(what, name).upper() in ("INSTR", "SOCKET"):
        raise ValueError(f"{what} must be a name such as inst0 or hislip0, got the resource class {name!r}")
    if name.isdigit():
        raise ValueError(f"{what} must be a name such as inst0 or hislip0, got {name!r} (a port is host:port)")
    return name.lower() if _WITHOUT_CASE.fullmatch(name) else name
