"""The controller itself."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Iterable
from typing import Any, overload

from ..base import operation
from ..metadata import quantity
from . import codec
from .channel import UNIT, Channel
from .equipment import (
    Configuration,
    DataLogger,
    Mail,
    Network,
    OverTemperature,
    Relay,
    Sensor,
    UserCurve,
    UserPIDTable,
)
from .errors import CryoConError
from .group import Group, open_group
from .loop import RANGES, Loop
from .part import Members, reading
from .session import Identity, Session
from .values import (
    DATE,
    INTEGER,
    NUMBER,
    ON_OFF,
    STRING,
    TEXT,
    TIME,
    Kind,
    choice,
    decode_integer,
    decode_number,
    integer,
    one_of,
)

CHANNELS = "ABCD"

FILTER_TIME = Kind(decode_number, one_of(0.5, 1, 2, 4, 8, 16, 32, 64))
LINE_FREQUENCY = Kind(decode_integer, one_of(50, 60))
BAUD_RATE = Kind(decode_integer, one_of(9600, 19200, 38400, 57600, 115200))
REGISTER = integer(0, 255)


class CryoCon(Members):
    """A CryoCon temperature controller, models 24C, 32 and others with the same remote interface.

    Members read without an argument; those that can be set take a value, and read it back::

        cryo = CryoCon(TCP("192.168.1.123", 5000))
        cryo["A"].temperature()
        cryo[1].set_point(4.2)

    The controller takes a request every 0.1 s. Calls inside a ``with`` block (``async with`` where calls are
    awaited) travel together at its end; only those of the task or thread that opened the block join::

        with cryo as group:
            cryo["A"].temperature()
            cryo["B"].temperature()
        a, b = group.replies

    Args:
        conn: a connection of sockio (calls give what its calls give), or any object with
            ``write_readline(bytes) -> bytes`` and ``write(bytes) -> None``, both plain or both coroutine
            functions.
        channels: the input channels to be used, letters A to D.
        loops: the control loops to be used, numbers 1 to 4.
        setup: on every new connection set the display units of the channels to kelvin, and remember the
            controller's `identity`, before anything else is asked. Takes the connection's
            ``on_connection_made``, which must be free. A foreign object, which cannot tell when it
            reconnects, is set up once, before the first request.

    Attributes:
        io_period: seconds from the end of a request to the start of the next.
        io_error_retry_period: seconds after a failure of the connection in which every request fails at once.
        channels: the `Channel` objects by letter; also ``cryo["A"]``.
        loops: the `Loop` objects by number; also ``cryo[1]``.
        relays, curves, pid_tables, configurations: by number.
        mail: by channel letter.
        over_temperature, network, data_logger: what their names say.

    Raises:
        ValueError: there is no such channel or loop.
    """

    io_period = 0.1
    io_error_retry_period = 3.0

    def __init__(
        self,
        conn: Any,
        channels: Iterable[str] = CHANNELS,
        loops: Iterable[int] = (1, 2, 3, 4),
        *,
        setup: bool = False,
    ) -> None:
        super().__init__(conn)
        channels, loops = tuple(channels), tuple(loops)
        if unknown := [id for id in channels if id not in tuple(CHANNELS)]:
            raise ValueError(f"no channel {unknown[0]!r}: channels are A, B, C and D")
        if unknown_loops := [id for id in loops if id not in RANGES or isinstance(id, bool)]:
            raise ValueError(f"no loop {unknown_loops[0]!r}: loops are 1, 2, 3 and 4")
        self._session = Session(self, setup_commands(channels) if setup else ())
        self.channels: dict[str, Channel] = {id: Channel(self, id) for id in channels}
        self.loops: dict[int, Loop] = {id: Loop(self, id) for id in loops}
        self.over_temperature = OverTemperature(self)
        self.relays: dict[int, Relay] = {id: Relay(self, id) for id in (1, 2)}
        self.curves: dict[int, UserCurve] = {id: UserCurve(self, id) for id in range(1, 9)}
        self.pid_tables: dict[int, UserPIDTable] = {id: UserPIDTable(self, id) for id in range(1, 7)}
        self.configurations: dict[int, Configuration] = {id: Configuration(self, id) for id in range(6)}
        self.network = Network(self)
        self.mail: dict[str, Mail] = {id: Mail(self, id) for id in CHANNELS}
        self.data_logger = DataLogger(self)

    def __repr__(self) -> str:
        identity = "" if self.identity is None else f", {self.identity.idn}"
        return f"<CryoCon on {self.link}{identity}>"

    @overload
    def __getitem__(self, key: str) -> Channel: ...

    @overload
    def __getitem__(self, key: int) -> Loop: ...

    def __getitem__(self, key: str | int) -> Channel | Loop:
        """Return a channel by its letter or a loop by its number."""
        if type(key) is str:
            return self.channels[key]
        if type(key) is int:
            return self.loops[key]
        raise KeyError(key)

    def sensor(self, id: int) -> Sensor:
        """Return a sensor type: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""
        if id not in range(69):
            raise ValueError(f"no sensor {id!r}: sensors are 0 to 68")
        return Sensor(self, id)

    @property
    def identity(self) -> Identity | None:
        """Who the controller said it is when it was set up; None without ``setup``, or before that."""
        return self._session.identity

    @property
    def group(self) -> Group | None:
        """The group that this task or thread has open."""
        return open_group(self._session.send)

    @operation
    def __aenter__(self) -> Awaitable[Group]:
        # Opened by the call itself, in the user's task or thread, not where the awaitable is run.
        group = Group(self._session.send)
        group.open()
        return done(group)

    @operation
    def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> Awaitable[None]:
        group = self.group
        if group is None:
            raise RuntimeError("the group was opened by another task or thread")
        group.close()
        if error is None:
            return group.send()
        group.drop(error)
        return done(None)

    async def summary(self) -> str:
        """Ask who the controller is and what it does, and return that as text."""
        commands = [
            codec.query("*IDN", TEXT),
            codec.query("SYSTEM:NAME", STRING),
            codec.query("CONTROL", ON_OFF),
            codec.query("SYSTEM:HWR", TEXT),
            codec.query("SYSTEM:FWR", TEXT),
        ]
        labels = ("identity", "name", "control", "hardware revision", "firmware revision")
        values = await self._session.send(commands)
        failures = [value for value in values if isinstance(value, CryoConError)]
        if failures:
            raise failures[0]
        lines = [f"{label}: {show(value)}" for label, value in zip(labels, values, strict=True)]
        return "\n".join([f"CryoCon on {self.link}", *lines])

    async def run(self, line: str) -> str:
        """Send a line as it stands, and return the line that comes back, which is not looked at.

        Args:
            line: commands, such as ``:LOOP 1:SETPT?;PGA?``. Something comes back if there is a question mark in it;
                otherwise the empty string is returned.

        Raises:
            ValueError: not one line of ASCII.
        """
        if not line.isascii() or not line.isprintable() or not line.strip():
            raise ValueError(f"{line!r} is not allowed: expected one line of printable ASCII characters")
        reply = await self._session.request(line.encode("ascii") + b"\n", "?" in line)
        return reply.decode("ascii", "backslashreplace").strip()

    @reading
    def idn(self) -> Awaitable[str]:
        """Manufacturer, model, serial number and firmware revision."""
        return self._member("*IDN", TEXT)

    @operation
    def name(self, value: str | None = None) -> Awaitable[str]:
        """The controller's name, up to 15 ASCII characters."""
        return self._member("SYSTEM:NAME", STRING, value)

    @reading
    def hw_revision(self) -> Awaitable[str]:
        """Hardware revision."""
        return self._member("SYSTEM:HWR", TEXT)

    @reading
    def fw_revision(self) -> Awaitable[str]:
        """Firmware revision."""
        return self._member("SYSTEM:FWR", TEXT)

    @operation
    def lockout(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the keys of the front panel are locked."""
        return self._member("SYSTEM:LOCKOUT", ON_OFF, value)

    @operation
    def led(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the Remote LED is on."""
        return self._member("SYSTEM:REMLED", ON_OFF, value)

    @quantity("s", 0.5, 64)
    @operation
    def display_filter_time(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Time constant of the display: 0.5, 1, 2, 4, 8, 16, 32 or 64 seconds."""
        return self._member("SYSTEM:DISTC", FILTER_TIME, value)

    @operation
    def date(self, value: datetime.date | str | None = None) -> Awaitable[datetime.date]:
        """The controller's date; set by a date or ``mm/dd/yyyy``."""
        return self._member("SYSTEM:DATE", DATE, value)

    @operation
    def time(self, value: datetime.time | str | None = None) -> Awaitable[datetime.time]:
        """The controller's time of day; set by a time or ``hh:mm:ss``."""
        return self._member("SYSTEM:TIME", TIME, value)

    @operation
    def control(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the loops control; setting it starts or stops all of them."""
        if value is None:
            return self._member("CONTROL", ON_OFF)
        action = "CONTROL" if ON_OFF.encode(value) == "ON" else "STOP"
        return self._session.submit(codec.switch(action, "CONTROL", ON_OFF))

    @operation
    def save(self) -> Awaitable[None]:
        """Save the settings in the flash memory, to be used from the next power-up on."""
        return self._do("SYSTEM:NVS")

    @operation
    def beep(self, seconds: float) -> Awaitable[None]:
        """Sound the beeper."""
        if not seconds > 0:
            raise ValueError(f"seconds must be above 0, not {seconds!r}")
        return self._do(f"SYSTEM:BEEP {seconds}")

    @quantity("", 1, 31)
    @operation
    def gpib_address(self, value: int | None = None) -> Awaitable[int | None]:
        """Address of the GPIB option, 1 to 31."""
        return self._member("SYSTEM:ADRS", integer(1, 31), value)

    @operation
    def baud_rate(self, value: int | None = None) -> Awaitable[int | None]:
        """Baud rate of the RS-232 port: 9600, 19200, 38400, 57600 or 115200."""
        return self._member("SYSTEM:BAUD", BAUD_RATE, value)

    @operation
    def reseed(self) -> Awaitable[None]:
        """Seed the display filters with the present readings, so that they need not settle."""
        return self._do("SYSTEM:RES")

    @operation
    def home(self) -> Awaitable[None]:
        """Show the home screen on the front panel."""
        return self._do("SYSTEM:HOM")

    @quantity("", 1, 255)
    @operation
    def synchronous_filter_taps(self, value: int | None = None) -> Awaitable[int | None]:
        """Taps of the synchronous filter; 7 from the factory."""
        return self._member("SYSTEM:SYNC", integer(1, 255), value)

    @quantity("Hz", 50, 60)
    @operation
    def line_frequency(self, value: int | None = None) -> Awaitable[int | None]:
        """Frequency of the mains, 50 or 60 hertz."""
        return self._member("SYSTEM:LIN", LINE_FREQUENCY, value)

    @operation
    def display_resolution(self, value: str | None = None) -> Awaitable[str]:
        """Digits after the point on the display: FULL, 1, 2 or 3."""
        return self._member("SYSTEM:DRES", choice("FULL", "1", "2", "3"), value)

    @operation
    def control_on_power_up(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the loops control from power-up on."""
        return self._member("SYSTEM:PUC", ON_OFF, value)

    @quantity("rpm")
    @reading
    def fan_speed(self) -> Awaitable[float | None]:
        """Speed of the fan in revolutions a minute; hardware revision G and later."""
        return self._member("SYSTEM:FANR", NUMBER)

    @reading
    def instrument_status(self) -> Awaitable[int | None]:
        """Instrument status register: bit 7 alarm, 4 heater, 1 and 0 sensor faults of B and A."""
        return self._member("SYSTEM:ISR", INTEGER)

    @operation
    def clear_status(self) -> Awaitable[None]:
        """Clear the status registers (``*CLS``)."""
        return self._do("*CLS")

    @quantity("", 0, 255)
    @operation
    def event_status_enable(self, value: int | None = None) -> Awaitable[int | None]:
        """Event status enable register (``*ESE``), 0 to 255."""
        return self._member("*ESE", REGISTER, value)

    @reading
    def event_status(self) -> Awaitable[int | None]:
        """Event status register (``*ESR?``), which is cleared by reading it.

        Bit 7 operation complete, 5 query, 4 device, 3 execution and 2 command error, 0 power.
        """
        return self._member("*ESR", INTEGER)

    @quantity("", 0, 255)
    @operation
    def service_request_enable(self, value: int | None = None) -> Awaitable[int | None]:
        """Service request enable register (``*SRE``), 0 to 255."""
        return self._member("*SRE", REGISTER, value)

    @reading
    def status_byte(self) -> Awaitable[int | None]:
        """Status byte: bit 6 service request, 5 standard event, 4 message available, 3 instrument event."""
        return self._member("*STB", INTEGER)

    @reading
    def operation_complete(self) -> Awaitable[int | None]:
        """Return 1 when all that was asked for is done (``*OPC?``)."""
        return self._member("*OPC", INTEGER)

    @operation
    def reset(self) -> Awaitable[None]:
        """Reset the controller (``*RST``), which then cannot be reached for about 15 seconds."""
        return self._session.submit(codec.action("*RST"))


def setup_commands(channels: Iterable[str]) -> list[codec.Command[str]]:
    """Return what a new connection is set up with."""
    identity = [codec.query(name, TEXT) for name in ("*IDN", "SYSTEM:HWR", "SYSTEM:FWR")]
    return [*(codec.setting(f"INPUT {id}:UNIT", UNIT, "K") for id in channels), *identity]


async def done(value: Any) -> Any:
    """Return *value* when awaited."""
    return value


def show(value: object) -> str:
    """Return a value as it is shown to people."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
