"""Modbus devices: a station behind a stream."""

from __future__ import annotations

from ..options import Choice, Integer, check, read_option
from .address import Address
from .fields import check_link, refuse_rest, take_link, write_link
from .url import HostAddress, SerialAddress

FRAMING = Choice("tcp", "rtu")
STATION = Integer(0, 255)
#: The station of a string that names none.
DEFAULT_STATION = 255


class ModbusAddress(Address):
    """A Modbus station.

    Args:
        link: where the stream to it is.
        framing: "tcp", with the header of Modbus TCP, or "rtu", with a checksum.
        station: the address of the station, 0 to 255.
    """

    opener = "ModBusDevice"
    link: SerialAddress | HostAddress
    framing: str
    station: int

    def __init__(self, link: SerialAddress | HostAddress, framing: str, station: int = DEFAULT_STATION) -> None:
        super().__init__(
            "modbus",
            link=check_link(link),
            framing=check("framing", FRAMING, framing),
            station=check("station", STATION, station),
        )

    @property
    def resource(self) -> str:
        return str(ModbusAddress(self.link.with_options({}), self.framing, self.station))

    def __str__(self) -> str:
        station = "" if self.station == DEFAULT_STATION else f"::{self.station}"
        return f"modbus::{self.framing}::{write_link(self.link, settings=True)}{station}"


def read_modbus(fields: list[str]) -> ModbusAddress:
    """The address of ``framing::link[::station]``; a serial port's name is followed by its settings."""
    framing = read_option("framing", FRAMING, fields[0])
    if len(fields) < 2:
        raise ValueError(f"expected host:port or a serial port after modbus::{framing}::")
    link, rest = take_link(fields[1:], settings=True)
    refuse_rest(rest[1:], "station")
    station = read_option("station", STATION, rest[0]) if rest else DEFAULT_STATION
    return ModbusAddress(link, framing, station)
