"""CAN buses, by the names that python-can has for adapters and their channels."""

from __future__ import annotations

import re

from ..options import Integer, check, read_option
from .address import Address
from .fields import check_field, read_tcp, refuse_rest
from .hosts import write_host
from .url import HostAddress

BITRATE = Integer(1, 1_000_000)
_PCAN_CHANNEL = re.compile(r"(?:PCAN_)?(ISA|DNG|PCI|USB|PCC|LAN)(?:BUS)?([1-9]\d?)", re.IGNORECASE | re.ASCII)


class CANAddress(Address):
    """A channel of a CAN adapter.

    Args:
        interface: python-can's name of the interface: "pcan", "socketcan", "vector", ...; also "usrcanet", an adapter
            on the network, and "loopback", a bus within the process.
        channel: python-can's name of the channel: "PCAN_USBBUS1" (or short, "usb1"), "can0", ...; ``host:port`` for
            "usrcanet"; None for "loopback".
        bitrate: bits per second, for interfaces that set it: 1 to 1000000 (ISO 11898-1).
    """

    opener = "CanBus"
    interface: str
    channel: str | None
    bitrate: int | None

    def __init__(self, interface: str, channel: str | None = None, bitrate: int | None = None) -> None:
        name = check_field("interface", interface).lower()
        name = "socketcan" if name == "socket" else name
        if name == "loopback":
            if channel is not None:
                raise ValueError(f"expected nothing after loopback, got {channel!r}")
        elif not channel:
            raise ValueError(f"expected a channel after {name}, got none")
        if bitrate is not None and name in ("loopback", "socketcan", "usrcanet"):
            raise ValueError(f"expected no bitrate for {name}, where it is set outside, got {bitrate}")
        super().__init__(
            "can",
            interface=name,
            channel=None if channel is None else _normal_channel(name, check_field("channel", channel)),
            bitrate=None if bitrate is None else check("bitrate", BITRATE, bitrate),
        )

    @property
    def link(self) -> HostAddress | None:
        """Where a "usrcanet" is; None for other interfaces."""
        return read_tcp(self.channel) if self.interface == "usrcanet" and self.channel else None

    @property
    def resource(self) -> str:
        return str(CANAddress(self.interface, self.channel))

    def __str__(self) -> str:
        parts = [self.interface, self.channel, self.bitrate]
        return "::".join(["can", *(str(part) for part in parts if part is not None)])


def read_can(fields: list[str]) -> CANAddress:
    """The address of ``interface::channel[::bitrate]``."""
    refuse_rest(fields[3:], "bitrate")
    channel = fields[1] if len(fields) > 1 else None
    bitrate = read_option("bitrate", BITRATE, fields[2]) if len(fields) > 2 else None
    return CANAddress(fields[0], channel, bitrate)


def _normal_channel(interface: str, channel: str) -> str:
    if interface == "usrcanet":
        address = read_tcp(channel)
        return write_host(address.host, address.port)
    match = _PCAN_CHANNEL.fullmatch(channel) if interface == "pcan" else None
    return f"PCAN_{match[1].upper()}BUS{match[2]}" if match else channel
