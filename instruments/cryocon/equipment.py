"""The rest of the controller: relays, over-temperature, sensors and curves, network, mail, data logger."""

from __future__ import annotations

from collections.abc import Awaitable

from ..base import operation
from . import codec
from .part import Members, Part, reading
from .tables import (
    TRANSFER,
    Curve,
    LogRecord,
    PIDTable,
    decode_curve,
    decode_log,
    decode_pid_table,
    encode_curve,
    encode_pid_table,
)
from .values import INTEGER, ON_OFF, STRING, TEXT, YES_NO, Kind, choice, integer, number, unquote

SOURCE = choice("A", "B", "C", "D")


def encode_address(value: object) -> str:
    """Return an address in quotation marks; unlike names it may be long."""
    text = str(value)
    if not all(" " < character <= "~" and character not in '";' for character in text):
        raise ValueError(f"{value!r} is not allowed: expected printable ASCII without blanks, quotes and semicolons")
    return f'"{text}"'


ADDRESS = Kind(unquote, encode_address)


class OverTemperature(Part):
    """Disconnecting the heaters when an input gets too hot, ``cryo.over_temperature``."""

    def __init__(self, owner: Members) -> None:
        super().__init__(owner, "OVER:")

    @operation
    def enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the heaters are disconnected."""
        return self._member("ENAB", ON_OFF, value)

    @operation
    def source(self, value: str | None = None) -> Awaitable[str]:
        """The channel that is watched: A, B, C or D."""
        return self._member("SOUR", SOURCE, value)

    @operation
    def temperature(self, value: float | None = None) -> Awaitable[float | None]:
        """The limit, in the source channel's display unit."""
        return self._member("TEMP", number(0), value)


class Relay(Part):
    """A relay, ``cryo.relays[1]``."""

    def __init__(self, owner: Members, id: int) -> None:
        super().__init__(owner, f"RELAY {id}:")
        self.id = id

    @reading
    def status(self) -> Awaitable[str]:
        """``--`` not asserted, HI or LO by an alarm, ON or OFF by hand."""
        return self._session.submit(codec.Command(f":RELAY? {self.id};", TEXT))

    @operation
    def source(self, value: str | None = None) -> Awaitable[str]:
        """The channel that is watched: A, B, C or D."""
        return self._member("SOUR", SOURCE, value)

    @operation
    def mode(self, value: str | None = None) -> Awaitable[str]:
        """AUTO (by temperature), WITHIN, CONTROL (while loops control), ON or OFF."""
        return self._member("MOD", choice("AUTO", "WITHIN", "CONTROL", "ON", "OFF"), value)

    @operation
    def highest(self, value: float | None = None) -> Awaitable[float | None]:
        """Upper temperature, in the source channel's display unit."""
        return self._member("HIGH", number(), value)

    @operation
    def lowest(self, value: float | None = None) -> Awaitable[float | None]:
        """Lower temperature, in the source channel's display unit."""
        return self._member("LOW", number(), value)

    @operation
    def deadband(self, value: float | None = None) -> Awaitable[float | None]:
        """Hysteresis, in the source channel's display unit."""
        return self._member("DEAD", number(0), value)

    @operation
    def high_enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the upper temperature counts."""
        return self._member("HIEN", YES_NO, value)

    @operation
    def low_enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the lower temperature counts."""
        return self._member("LOEN", YES_NO, value)


class Sensor(Part):
    """A sensor type, ``cryo.sensor(2)``: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""

    def __init__(self, owner: Members, id: int) -> None:
        super().__init__(owner, f"SENSOR {id}:")
        self.id = id

    @operation
    def name(self, value: str | None = None) -> Awaitable[str]:
        """Name, up to 15 ASCII characters."""
        return self._member("NAM", STRING, value)

    @reading
    def entries(self) -> Awaitable[int | None]:
        """Number of points of its calibration curve, 0 to 200."""
        return self._member("NENT", INTEGER)

    @operation
    def units(self, value: str | None = None) -> Awaitable[str]:
        """Unit of its readings: VOLTS, OHMS or LOGOHM."""
        return self._member("UNIT", choice("VOLTS", "OHMS", "LOGOHM"), value)

    @operation
    def type(self, value: str | None = None) -> Awaitable[str]:
        """DIODE, ACR, PTC100, PTC1K or TC70."""
        return self._member("TYP", choice("DIODE", "ACR", "PTC100", "PTC1K", "TC70"), value)

    @operation
    def multiplier(self, value: float | None = None) -> Awaitable[float | None]:
        """Multiplier; negative for a negative temperature coefficient."""
        return self._member("MULT", number(), value)


class UserCurve(Part):
    """A user's sensor curve, ``cryo.curves[1]``.

    Attributes:
        storage_time: seconds that the controller needs to store a curve, in which it is left alone.
    """

    storage_time = 5.0

    def __init__(self, owner: Members, id: int) -> None:
        super().__init__(owner, f"CALCUR {id}")
        self.id = id

    async def read(self) -> Curve:
        """Read the curve. Needs a connection of sockio, as the reply has many lines."""
        return decode_curve(await self._session.request(b":CALCUR? %d;\n" % self.id, framing=TRANSFER))

    async def write(self, curve: Curve) -> None:
        """Store a curve. The controller sorts its points by reading."""
        await self._session.request(encode_curve(self.id, curve), reply=False, settle=self.storage_time)


class UserPIDTable(Part):
    """A PID table, ``cryo.pid_tables[1]``.

    Attributes:
        storage_time: seconds that the controller needs to store a table, in which it is left alone.
    """

    storage_time = 5.0

    def __init__(self, owner: Members, id: int) -> None:
        super().__init__(owner, f"PIDTABLE {id}:")
        self.id = id

    @operation
    def name(self, value: str | None = None) -> Awaitable[str]:
        """Name, up to 15 ASCII characters."""
        return self._member("NAM", STRING, value)

    @reading
    def entries(self) -> Awaitable[int | None]:
        """Number of entries, 0 to 16."""
        return self._member("NENT", INTEGER)

    async def read(self) -> PIDTable:
        """Read the table. Needs a connection of sockio, as the reply has many lines."""
        return decode_pid_table(await self._session.request(b":PIDTABLE? %d;\n" % self.id, framing=TRANSFER))

    async def write(self, table: PIDTable) -> None:
        """Store a table. The controller sorts its entries by set point."""
        await self._session.request(encode_pid_table(self.id, table), reply=False, settle=self.storage_time)


class Network(Part):
    """The network interface, ``cryo.network``."""

    def __init__(self, owner: Members) -> None:
        super().__init__(owner, "NETW:")

    @operation
    def ip_address(self, value: str | None = None) -> Awaitable[str]:
        """IP address."""
        return self._member("IPAD", ADDRESS, value)

    @operation
    def port(self, value: int | None = None) -> Awaitable[int | None]:
        """TCP port; UDP has the next one."""
        return self._member("PORT", integer(1, 65534), value)

    @operation
    def name(self, value: str | None = None) -> Awaitable[str]:
        """Name in the network, up to 15 ASCII characters."""
        return self._member("NAM", STRING, value)

    @operation
    def dhcp(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the address comes from a DHCP server."""
        return self._member("DHCP", ON_OFF, value)

    @reading
    def mac_address(self) -> Awaitable[str]:
        """Hardware address, between 00:50:C2:6F:40:00 and 00:50:C2:6F:4F:FF."""
        return self._member("MACAD", TEXT)


class Mail(Part):
    """Mail about a channel's alarms, ``cryo.mail["A"]``."""

    def __init__(self, owner: Members, id: str) -> None:
        super().__init__(owner, f"MAIL {id}:")
        self.id = id

    @operation
    def server(self, value: str | None = None) -> Awaitable[str]:
        """IP address of the mail server."""
        return self._member("ADDR", ADDRESS, value)

    @operation
    def sender(self, value: str | None = None) -> Awaitable[str]:
        """Address from which mail is sent."""
        return self._member("FROM", ADDRESS, value)

    @operation
    def receiver(self, value: str | None = None) -> Awaitable[str]:
        """Address to which mail is sent."""
        return self._member("DEST", ADDRESS, value)

    @operation
    def port(self, value: int | None = None) -> Awaitable[int | None]:
        """TCP port of the mail server, usually 25."""
        return self._member("PORT", integer(1, 65535), value)

    @operation
    def enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether mail is sent."""
        return self._member("STATE", ON_OFF, value)


class DataLogger(Part):
    """The data logger, ``cryo.data_logger``."""

    def __init__(self, owner: Members) -> None:
        super().__init__(owner, "DLOG:")

    @operation
    def running(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether it is logging."""
        return self._member("STAT", ON_OFF, value)

    @operation
    def interval(self, value: int | None = None) -> Awaitable[int | None]:
        """Time between records, 1 to 99999 seconds."""
        return self._member("INT", integer(1, 99999), value)

    @reading
    def count(self) -> Awaitable[int | None]:
        """Number of records, at most 1365."""
        return self._member("COUN", INTEGER)

    async def read(self) -> list[LogRecord]:
        """Read all the records. Needs a connection of sockio, as the reply has many lines."""
        return decode_log(await self._session.request(b":DLOG:READ?;\n", framing=TRANSFER))

    @operation
    def reset(self) -> Awaitable[None]:
        """Begin anew."""
        return self._do("RESE")

    @operation
    def clear(self) -> Awaitable[None]:
        """Delete all the records."""
        return self._do("CLEA")


class Configuration(Part):
    """A stored configuration of the whole controller, ``cryo.configurations[0]``."""

    def __init__(self, owner: Members, id: int) -> None:
        super().__init__(owner, f"CONF {id}:")
        self.id = id

    @operation
    def name(self, value: str | None = None) -> Awaitable[str]:
        """Name, up to 15 ASCII characters."""
        return self._member("NAM", STRING, value)

    @operation
    def save(self) -> Awaitable[None]:
        """Store the present settings here."""
        return self._do("SAV")

    @operation
    def restore(self) -> Awaitable[None]:
        """Bring the stored settings back."""
        return self._do("REST")
