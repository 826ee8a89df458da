"""What calls on `CryoCon` give over connections of each flavour, for type checkers and completion.

The protocols are for annotations: at run time the twins are subclasses of the driver, made when that is defined. What
joins an open group is queued, whatever the annotation says. A class of your own is derived from `driver.CryoCon`, so
that checkers know its own methods, as coroutines.

Written by ``python -m sockio.generate`` from the drivers: change those instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

from . import driver

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable
    from concurrent.futures import Future

    from typing_extensions import Self

    from sockio import futures

    from ..base import Driver
    from ..connections import BlockingConnection, CoroutineConnection
    from ..link import Link
    from .group import Group
    from .session import Identity
    from .tables import Curve, LogRecord, PIDTable


class FuturesCryoCon(Protocol):
    """A `CryoCon` whose calls give futures."""

    conn: Any
    link: Link
    io_period: float
    io_error_retry_period: float
    channels: dict[str, FuturesChannel]
    loops: dict[int, FuturesLoop]
    over_temperature: FuturesOverTemperature
    relays: dict[int, FuturesRelay]
    curves: dict[int, FuturesUserCurve]
    pid_tables: dict[int, FuturesUserPIDTable]
    configurations: dict[int, FuturesConfiguration]
    network: FuturesNetwork
    mail: dict[str, FuturesMail]
    data_logger: FuturesDataLogger

    @overload
    def __getitem__(self, key: str) -> FuturesChannel: ...

    @overload
    def __getitem__(self, key: int) -> FuturesLoop: ...

    def sensor(self, id: int) -> FuturesSensor:
        """Return a sensor type: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""
        ...

    @property
    def identity(self) -> Identity | None:
        """Who the controller said it is when it was set up; None without ``setup``, or before that."""
        ...

    @property
    def group(self) -> Group | None:
        """The group that this task or thread has open."""
        ...

    def __enter__(self) -> Group: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None: ...

    def summary(self) -> Future[str]:
        """Ask who the controller is and what it does, and return that as text."""
        ...

    def run(self, line: str) -> Future[str]:
        """Send a line as it stands, and return the line that comes back, which is not looked at.

        Args:
            line: commands, such as ``:LOOP 1:SETPT?;PGA?``. Something comes back if there is a question mark in it;
                otherwise the empty string is returned.

        Raises:
            ValueError: not one line of ASCII.
        """
        ...

    def idn(self) -> Future[str]:
        """Manufacturer, model, serial number and firmware revision."""
        ...

    def name(self, value: str | None = None) -> Future[str]:
        """The controller's name, up to 15 ASCII characters."""
        ...

    def hw_revision(self) -> Future[str]:
        """Hardware revision."""
        ...

    def fw_revision(self) -> Future[str]:
        """Firmware revision."""
        ...

    def lockout(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the keys of the front panel are locked."""
        ...

    def led(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the Remote LED is on."""
        ...

    def display_filter_time(self, value: float | str | None = None) -> Future[float | None]:
        """Time constant of the display: 0.5, 1, 2, 4, 8, 16, 32 or 64 seconds."""
        ...

    def date(self, value: datetime.date | str | None = None) -> Future[datetime.date]:
        """The controller's date; set by a date or ``mm/dd/yyyy``."""
        ...

    def time(self, value: datetime.time | str | None = None) -> Future[datetime.time]:
        """The controller's time of day; set by a time or ``hh:mm:ss``."""
        ...

    def control(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the loops control; setting it starts or stops all of them."""
        ...

    def save(self) -> Future[None]:
        """Save the settings in the flash memory, to be used from the next power-up on."""
        ...

    def beep(self, seconds: float) -> Future[None]:
        """Sound the beeper."""
        ...

    def gpib_address(self, value: int | None = None) -> Future[int | None]:
        """Address of the GPIB option, 1 to 31."""
        ...

    def baud_rate(self, value: int | None = None) -> Future[int | None]:
        """Baud rate of the RS-232 port: 9600, 19200, 38400, 57600 or 115200."""
        ...

    def reseed(self) -> Future[None]:
        """Seed the display filters with the present readings, so that they need not settle."""
        ...

    def home(self) -> Future[None]:
        """Show the home screen on the front panel."""
        ...

    def synchronous_filter_taps(self, value: int | None = None) -> Future[int | None]:
        """Taps of the synchronous filter; 7 from the factory."""
        ...

    def line_frequency(self, value: int | None = None) -> Future[int | None]:
        """Frequency of the mains, 50 or 60 hertz."""
        ...

    def display_resolution(self, value: str | None = None) -> Future[str]:
        """Digits after the point on the display: FULL, 1, 2 or 3."""
        ...

    def control_on_power_up(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the loops control from power-up on."""
        ...

    def fan_speed(self) -> Future[float | None]:
        """Speed of the fan in revolutions a minute; hardware revision G and later."""
        ...

    def instrument_status(self) -> Future[int | None]:
        """Instrument status register: bit 7 alarm, 4 heater, 1 and 0 sensor faults of B and A."""
        ...

    def clear_status(self) -> Future[None]:
        """Clear the status registers (``*CLS``)."""
        ...

    def event_status_enable(self, value: int | None = None) -> Future[int | None]:
        """Event status enable register (``*ESE``), 0 to 255."""
        ...

    def event_status(self) -> Future[int | None]:
        """Event status register (``*ESR?``), which is cleared by reading it.

        Bit 7 operation complete, 5 query, 4 device, 3 execution and 2 command error, 0 power.
        """
        ...

    def service_request_enable(self, value: int | None = None) -> Future[int | None]:
        """Service request enable register (``*SRE``), 0 to 255."""
        ...

    def status_byte(self) -> Future[int | None]:
        """Status byte: bit 6 service request, 5 standard event, 4 message available, 3 instrument event."""
        ...

    def operation_complete(self) -> Future[int | None]:
        """Return 1 when all that was asked for is done (``*OPC?``)."""
        ...

    def reset(self) -> Future[None]:
        """Reset the controller (``*RST``), which then cannot be reached for about 15 seconds."""
        ...


class FuturesChannel(Protocol):
    """A `Channel` whose calls give futures."""

    conn: Any
    link: Link
    id: str

    def name(self, value: str | None = None) -> Future[str]:
        """The channel's name: up to 15 ASCII characters."""
        ...

    def temperature(self) -> Future[float | None]:
        """Temperature, in the display unit."""
        ...

    def unit(self, value: str | None = None) -> Future[str]:
        """Display unit: K, C, F or S (the sensor's own: volt or ohm)."""
        ...

    def minimum(self) -> Future[float | None]:
        """Lowest temperature since the statistics were reset, in the display unit."""
        ...

    def maximum(self) -> Future[float | None]:
        """Highest temperature since the statistics were reset, in the display unit."""
        ...

    def variance(self) -> Future[float | None]:
        """Variance since the statistics were reset, in display units squared."""
        ...

    def slope(self) -> Future[float | None]:
        """Slope of the straight line through the readings, in display units per minute."""
        ...

    def offset(self) -> Future[float | None]:
        """Offset of the straight line through the readings, in display units."""
        ...

    def statistics_time(self) -> Future[float | None]:
        """How long the statistics have been accumulating, as the controller counts it."""
        ...

    def reset_statistics(self) -> Future[None]:
        """Begin the statistics anew."""
        ...

    def alarm(self) -> Future[str]:
        """State of the alarm: ``--`` none, ``SF`` sensor fault, ``HI`` or ``LO``."""
        ...

    def clear_alarm(self) -> Future[None]:
        """Clear a latched alarm. The controller answers nothing."""
        ...

    def alarm_highest(self, value: float | None = None) -> Future[float | None]:
        """Temperature of the high alarm, in display units."""
        ...

    def alarm_lowest(self, value: float | None = None) -> Future[float | None]:
        """Temperature of the low alarm, in display units."""
        ...

    def alarm_deadband(self, value: float | None = None) -> Future[float | None]:
        """Hysteresis of the alarms, in display units."""
        ...

    def alarm_high_enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the high alarm is enabled."""
        ...

    def alarm_low_enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the low alarm is enabled."""
        ...

    def alarm_latch_enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether an alarm stays until it is cleared."""
        ...

    def alarm_audio(self, value: bool | str | None = None) -> Future[bool]:
        """Whether alarms sound."""
        ...

    def sensor_reading(self) -> Future[float | None]:
        """What the sensor gives, before its calibration curve: in volt or ohm."""
        ...

    def sensor(self, value: int | None = None) -> Future[int | None]:
        """Index of the sensor type: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""
        ...

    def sensor_power(self) -> Future[float | None]:
        """Power dissipated in the sensor, in watt."""
        ...

    def bias_voltage(self, value: str | None = None) -> Future[str]:
        """Constant-voltage excitation of an AC resistance sensor, 10MV to 100UV; ``N/A`` for others."""
        ...

    def ac_excitation(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the sensor is excited with alternating current."""
        ...

    def bridge_range(self, value: str | None = None) -> Future[str]:
        """Excitation current of the resistance bridge: AUTO, or 1.0MA to 1.0UA."""
        ...

    def bridge_unlocked(self) -> Future[str]:
        """``*`` while the bridge is not locked, otherwise empty."""
        ...

    def thermocouple_offset(self, value: float | None = None) -> Future[float | None]:
        """Offset of a thermocouple, in display units."""
        ...


class FuturesLoop(Protocol):
    """A `Loop` whose calls give futures."""

    conn: Any
    link: Link
    id: int
    autotune: FuturesAutotune

    def source(self, value: str | None = None) -> Future[str]:
        """The channel that the loop controls: A, B, C or D."""
        ...

    def set_point(self, value: float | str | None = None) -> Future[float | None]:
        """Set point, 0 or more. The controller keeps the old one, and returns it, above `max_set_point`."""
        ...

    def error(self) -> Future[str]:
        """State of the output: ``--Htr OK--`` ``-Overtemp-`` ``OTDisconn`` ``Htr-Low-R`` ``Fan Fault``."""
        ...

    def type(self, value: str | None = None) -> Future[str]:
        """Control type: OFF, PID, MAN, TABLE, RAMPP or RAMPT; on loops 3 and 4 also SCALE."""
        ...

    def range(self, value: str | None = None) -> Future[str]:
        """Output range: HI, MID or LOW on loop 1, HI or LOW on loop 2, 5V or 10V on loops 3 and 4."""
        ...

    def ramp(self) -> Future[bool]:
        """Whether the set point is being ramped at this moment."""
        ...

    def rate(self, value: float | str | None = None) -> Future[float | None]:
        """Ramp rate, 0 to 100 units per minute."""
        ...

    def proportional_gain(self, value: float | str | None = None) -> Future[float | None]:
        """Proportional gain, 0 to 1000."""
        ...

    def integrator_gain(self, value: float | str | None = None) -> Future[float | None]:
        """Integrator gain, 0 to 1000 seconds."""
        ...

    def differentiator_gain(self, value: float | str | None = None) -> Future[float | None]:
        """Differentiator gain, 0 to 1000 per second."""
        ...

    def manual_output_power(self, value: float | str | None = None) -> Future[float | None]:
        """Output power when the control type is MAN, in percent."""
        ...

    def output_power(self) -> Future[float | None]:
        """Output power, in percent."""
        ...

    def output_read_back(self) -> Future[float | None]:
        """Output power as it is measured, in percent."""
        ...

    def load(self, value: int | str | None = None) -> Future[int | None]:
        """Load resistance, 50 or 25 ohm. Loop 1 only; others have None."""
        ...

    def max_output_power(self, value: float | str | None = None) -> Future[float | None]:
        """Limit of the output power, in percent."""
        ...

    def max_set_point(self, value: float | str | None = None) -> Future[float | None]:
        """Limit of the set point."""
        ...

    def output_voltage(self) -> Future[float | None]:
        """Voltage at the output, in volt."""
        ...

    def output_current(self) -> Future[float | None]:
        """Current at the output, in ampere."""
        ...

    def output_load_resistance(self) -> Future[float | None]:
        """Measured load resistance, in ohm; -1 while not controlling."""
        ...

    def temperature(self) -> Future[float | None]:
        """Temperature of the heat sink, in degrees Celsius."""
        ...

    def table(self, value: int | None = None) -> Future[int | None]:
        """Number of the PID table for the types TABLE and RAMPT, 1 to 6."""
        ...

    def autotune_status(self) -> Future[str]:
        """State of autotuning: IDLE, RUNNING, COMPLETE, FAILED or ABORT."""
        ...


class FuturesAutotune(Protocol):
    """A `Autotune` whose calls give futures."""

    conn: Any
    link: Link

    def start(self) -> Future[None]:
        """Start autotuning."""
        ...

    def exit(self) -> Future[None]:
        """Abandon autotuning."""
        ...

    def save(self) -> Future[None]:
        """Take the gains that were found over to the loop."""
        ...

    def mode(self, value: str | None = None) -> Future[str]:
        """Which gains are to be found: P, PI or PID."""
        ...

    def power_step(self, value: float | None = None) -> Future[float | None]:
        """Largest change of output power, in percent."""
        ...

    def timeout(self, value: float | None = None) -> Future[float | None]:
        """Time after which autotuning is given up, in seconds."""
        ...

    def proportional_gain(self) -> Future[float | None]:
        """Proportional gain that was found; -1 until autotuning is complete."""
        ...

    def integrator_gain(self) -> Future[float | None]:
        """Integrator gain that was found, in seconds; -1 until autotuning is complete."""
        ...

    def differentiator_gain(self) -> Future[float | None]:
        """Differentiator gain that was found, in 1/s; -1 until autotuning is complete."""
        ...

    def status(self) -> Future[str]:
        """IDLE, RUNNING, COMPLETE, FAILED or ABORT."""
        ...


class FuturesOverTemperature(Protocol):
    """A `OverTemperature` whose calls give futures."""

    conn: Any
    link: Link

    def enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the heaters are disconnected."""
        ...

    def source(self, value: str | None = None) -> Future[str]:
        """The channel that is watched: A, B, C or D."""
        ...

    def temperature(self, value: float | None = None) -> Future[float | None]:
        """The limit, in the source channel's display unit."""
        ...


class FuturesRelay(Protocol):
    """A `Relay` whose calls give futures."""

    conn: Any
    link: Link
    id: int

    def status(self) -> Future[str]:
        """``--`` not asserted, HI or LO by an alarm, ON or OFF by hand."""
        ...

    def source(self, value: str | None = None) -> Future[str]:
        """The channel that is watched: A, B, C or D."""
        ...

    def mode(self, value: str | None = None) -> Future[str]:
        """AUTO (by temperature), WITHIN, CONTROL (while loops control), ON or OFF."""
        ...

    def highest(self, value: float | None = None) -> Future[float | None]:
        """Upper temperature, in the source channel's display unit."""
        ...

    def lowest(self, value: float | None = None) -> Future[float | None]:
        """Lower temperature, in the source channel's display unit."""
        ...

    def deadband(self, value: float | None = None) -> Future[float | None]:
        """Hysteresis, in the source channel's display unit."""
        ...

    def high_enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the upper temperature counts."""
        ...

    def low_enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the lower temperature counts."""
        ...


class FuturesUserCurve(Protocol):
    """A `UserCurve` whose calls give futures."""

    conn: Any
    link: Link
    storage_time: float
    id: int

    def read(self) -> Future[Curve]:
        """Read the curve. Needs a connection of sockio, as the reply has many lines."""
        ...

    def write(self, curve: Curve) -> Future[None]:
        """Store a curve. The controller sorts its points by reading."""
        ...


class FuturesUserPIDTable(Protocol):
    """A `UserPIDTable` whose calls give futures."""

    conn: Any
    link: Link
    storage_time: float
    id: int

    def name(self, value: str | None = None) -> Future[str]:
        """Name, up to 15 ASCII characters."""
        ...

    def entries(self) -> Future[int | None]:
        """Number of entries, 0 to 16."""
        ...

    def read(self) -> Future[PIDTable]:
        """Read the table. Needs a connection of sockio, as the reply has many lines."""
        ...

    def write(self, table: PIDTable) -> Future[None]:
        """Store a table. The controller sorts its entries by set point."""
        ...


class FuturesConfiguration(Protocol):
    """A `Configuration` whose calls give futures."""

    conn: Any
    link: Link
    id: int

    def name(self, value: str | None = None) -> Future[str]:
        """Name, up to 15 ASCII characters."""
        ...

    def save(self) -> Future[None]:
        """Store the present settings here."""
        ...

    def restore(self) -> Future[None]:
        """Bring the stored settings back."""
        ...


class FuturesNetwork(Protocol):
    """A `Network` whose calls give futures."""

    conn: Any
    link: Link

    def ip_address(self, value: str | None = None) -> Future[str]:
        """IP address."""
        ...

    def port(self, value: int | None = None) -> Future[int | None]:
        """TCP port; UDP has the next one."""
        ...

    def name(self, value: str | None = None) -> Future[str]:
        """Name in the network, up to 15 ASCII characters."""
        ...

    def dhcp(self, value: bool | str | None = None) -> Future[bool]:
        """Whether the address comes from a DHCP server."""
        ...

    def mac_address(self) -> Future[str]:
        """Hardware address, between 00:50:C2:6F:40:00 and 00:50:C2:6F:4F:FF."""
        ...


class FuturesMail(Protocol):
    """A `Mail` whose calls give futures."""

    conn: Any
    link: Link
    id: str

    def server(self, value: str | None = None) -> Future[str]:
        """IP address of the mail server."""
        ...

    def sender(self, value: str | None = None) -> Future[str]:
        """Address from which mail is sent."""
        ...

    def receiver(self, value: str | None = None) -> Future[str]:
        """Address to which mail is sent."""
        ...

    def port(self, value: int | None = None) -> Future[int | None]:
        """TCP port of the mail server, usually 25."""
        ...

    def enabled(self, value: bool | str | None = None) -> Future[bool]:
        """Whether mail is sent."""
        ...


class FuturesDataLogger(Protocol):
    """A `DataLogger` whose calls give futures."""

    conn: Any
    link: Link

    def running(self, value: bool | str | None = None) -> Future[bool]:
        """Whether it is logging."""
        ...

    def interval(self, value: int | None = None) -> Future[int | None]:
        """Time between records, 1 to 99999 seconds."""
        ...

    def count(self) -> Future[int | None]:
        """Number of records, at most 1365."""
        ...

    def read(self) -> Future[list[LogRecord]]:
        """Read all the records. Needs a connection of sockio, as the reply has many lines."""
        ...

    def reset(self) -> Future[None]:
        """Begin anew."""
        ...

    def clear(self) -> Future[None]:
        """Delete all the records."""
        ...


class FuturesSensor(Protocol):
    """A `Sensor` whose calls give futures."""

    conn: Any
    link: Link
    id: int

    def name(self, value: str | None = None) -> Future[str]:
        """Name, up to 15 ASCII characters."""
        ...

    def entries(self) -> Future[int | None]:
        """Number of points of its calibration curve, 0 to 200."""
        ...

    def units(self, value: str | None = None) -> Future[str]:
        """Unit of its readings: VOLTS, OHMS or LOGOHM."""
        ...

    def type(self, value: str | None = None) -> Future[str]:
        """DIODE, ACR, PTC100, PTC1K or TC70."""
        ...

    def multiplier(self, value: float | None = None) -> Future[float | None]:
        """Multiplier; negative for a negative temperature coefficient."""
        ...


class BlockingCryoCon(Protocol):
    """A `CryoCon` whose calls block."""

    conn: Any
    link: Link
    io_period: float
    io_error_retry_period: float
    channels: dict[str, BlockingChannel]
    loops: dict[int, BlockingLoop]
    over_temperature: BlockingOverTemperature
    relays: dict[int, BlockingRelay]
    curves: dict[int, BlockingUserCurve]
    pid_tables: dict[int, BlockingUserPIDTable]
    configurations: dict[int, BlockingConfiguration]
    network: BlockingNetwork
    mail: dict[str, BlockingMail]
    data_logger: BlockingDataLogger

    @overload
    def __getitem__(self, key: str) -> BlockingChannel: ...

    @overload
    def __getitem__(self, key: int) -> BlockingLoop: ...

    def sensor(self, id: int) -> BlockingSensor:
        """Return a sensor type: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""
        ...

    @property
    def identity(self) -> Identity | None:
        """Who the controller said it is when it was set up; None without ``setup``, or before that."""
        ...

    @property
    def group(self) -> Group | None:
        """The group that this task or thread has open."""
        ...

    def __enter__(self) -> Group: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None: ...

    def summary(self) -> str:
        """Ask who the controller is and what it does, and return that as text."""
        ...

    def run(self, line: str) -> str:
        """Send a line as it stands, and return the line that comes back, which is not looked at.

        Args:
            line: commands, such as ``:LOOP 1:SETPT?;PGA?``. Something comes back if there is a question mark in it;
                otherwise the empty string is returned.

        Raises:
            ValueError: not one line of ASCII.
        """
        ...

    def idn(self) -> str:
        """Manufacturer, model, serial number and firmware revision."""
        ...

    def name(self, value: str | None = None) -> str:
        """The controller's name, up to 15 ASCII characters."""
        ...

    def hw_revision(self) -> str:
        """Hardware revision."""
        ...

    def fw_revision(self) -> str:
        """Firmware revision."""
        ...

    def lockout(self, value: bool | str | None = None) -> bool:
        """Whether the keys of the front panel are locked."""
        ...

    def led(self, value: bool | str | None = None) -> bool:
        """Whether the Remote LED is on."""
        ...

    def display_filter_time(self, value: float | str | None = None) -> float | None:
        """Time constant of the display: 0.5, 1, 2, 4, 8, 16, 32 or 64 seconds."""
        ...

    def date(self, value: datetime.date | str | None = None) -> datetime.date:
        """The controller's date; set by a date or ``mm/dd/yyyy``."""
        ...

    def time(self, value: datetime.time | str | None = None) -> datetime.time:
        """The controller's time of day; set by a time or ``hh:mm:ss``."""
        ...

    def control(self, value: bool | str | None = None) -> bool:
        """Whether the loops control; setting it starts or stops all of them."""
        ...

    def save(self) -> None:
        """Save the settings in the flash memory, to be used from the next power-up on."""
        ...

    def beep(self, seconds: float) -> None:
        """Sound the beeper."""
        ...

    def gpib_address(self, value: int | None = None) -> int | None:
        """Address of the GPIB option, 1 to 31."""
        ...

    def baud_rate(self, value: int | None = None) -> int | None:
        """Baud rate of the RS-232 port: 9600, 19200, 38400, 57600 or 115200."""
        ...

    def reseed(self) -> None:
        """Seed the display filters with the present readings, so that they need not settle."""
        ...

    def home(self) -> None:
        """Show the home screen on the front panel."""
        ...

    def synchronous_filter_taps(self, value: int | None = None) -> int | None:
        """Taps of the synchronous filter; 7 from the factory."""
        ...

    def line_frequency(self, value: int | None = None) -> int | None:
        """Frequency of the mains, 50 or 60 hertz."""
        ...

    def display_resolution(self, value: str | None = None) -> str:
        """Digits after the point on the display: FULL, 1, 2 or 3."""
        ...

    def control_on_power_up(self, value: bool | str | None = None) -> bool:
        """Whether the loops control from power-up on."""
        ...

    def fan_speed(self) -> float | None:
        """Speed of the fan in revolutions a minute; hardware revision G and later."""
        ...

    def instrument_status(self) -> int | None:
        """Instrument status register: bit 7 alarm, 4 heater, 1 and 0 sensor faults of B and A."""
        ...

    def clear_status(self) -> None:
        """Clear the status registers (``*CLS``)."""
        ...

    def event_status_enable(self, value: int | None = None) -> int | None:
        """Event status enable register (``*ESE``), 0 to 255."""
        ...

    def event_status(self) -> int | None:
        """Event status register (``*ESR?``), which is cleared by reading it.

        Bit 7 operation complete, 5 query, 4 device, 3 execution and 2 command error, 0 power.
        """
        ...

    def service_request_enable(self, value: int | None = None) -> int | None:
        """Service request enable register (``*SRE``), 0 to 255."""
        ...

    def status_byte(self) -> int | None:
        """Status byte: bit 6 service request, 5 standard event, 4 message available, 3 instrument event."""
        ...

    def operation_complete(self) -> int | None:
        """Return 1 when all that was asked for is done (``*OPC?``)."""
        ...

    def reset(self) -> None:
        """Reset the controller (``*RST``), which then cannot be reached for about 15 seconds."""
        ...


class BlockingChannel(Protocol):
    """A `Channel` whose calls block."""

    conn: Any
    link: Link
    id: str

    def name(self, value: str | None = None) -> str:
        """The channel's name: up to 15 ASCII characters."""
        ...

    def temperature(self) -> float | None:
        """Temperature, in the display unit."""
        ...

    def unit(self, value: str | None = None) -> str:
        """Display unit: K, C, F or S (the sensor's own: volt or ohm)."""
        ...

    def minimum(self) -> float | None:
        """Lowest temperature since the statistics were reset, in the display unit."""
        ...

    def maximum(self) -> float | None:
        """Highest temperature since the statistics were reset, in the display unit."""
        ...

    def variance(self) -> float | None:
        """Variance since the statistics were reset, in display units squared."""
        ...

    def slope(self) -> float | None:
        """Slope of the straight line through the readings, in display units per minute."""
        ...

    def offset(self) -> float | None:
        """Offset of the straight line through the readings, in display units."""
        ...

    def statistics_time(self) -> float | None:
        """How long the statistics have been accumulating, as the controller counts it."""
        ...

    def reset_statistics(self) -> None:
        """Begin the statistics anew."""
        ...

    def alarm(self) -> str:
        """State of the alarm: ``--`` none, ``SF`` sensor fault, ``HI`` or ``LO``."""
        ...

    def clear_alarm(self) -> None:
        """Clear a latched alarm. The controller answers nothing."""
        ...

    def alarm_highest(self, value: float | None = None) -> float | None:
        """Temperature of the high alarm, in display units."""
        ...

    def alarm_lowest(self, value: float | None = None) -> float | None:
        """Temperature of the low alarm, in display units."""
        ...

    def alarm_deadband(self, value: float | None = None) -> float | None:
        """Hysteresis of the alarms, in display units."""
        ...

    def alarm_high_enabled(self, value: bool | str | None = None) -> bool:
        """Whether the high alarm is enabled."""
        ...

    def alarm_low_enabled(self, value: bool | str | None = None) -> bool:
        """Whether the low alarm is enabled."""
        ...

    def alarm_latch_enabled(self, value: bool | str | None = None) -> bool:
        """Whether an alarm stays until it is cleared."""
        ...

    def alarm_audio(self, value: bool | str | None = None) -> bool:
        """Whether alarms sound."""
        ...

    def sensor_reading(self) -> float | None:
        """What the sensor gives, before its calibration curve: in volt or ohm."""
        ...

    def sensor(self, value: int | None = None) -> int | None:
        """Index of the sensor type: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""
        ...

    def sensor_power(self) -> float | None:
        """Power dissipated in the sensor, in watt."""
        ...

    def bias_voltage(self, value: str | None = None) -> str:
        """Constant-voltage excitation of an AC resistance sensor, 10MV to 100UV; ``N/A`` for others."""
        ...

    def ac_excitation(self, value: bool | str | None = None) -> bool:
        """Whether the sensor is excited with alternating current."""
        ...

    def bridge_range(self, value: str | None = None) -> str:
        """Excitation current of the resistance bridge: AUTO, or 1.0MA to 1.0UA."""
        ...

    def bridge_unlocked(self) -> str:
        """``*`` while the bridge is not locked, otherwise empty."""
        ...

    def thermocouple_offset(self, value: float | None = None) -> float | None:
        """Offset of a thermocouple, in display units."""
        ...


class BlockingLoop(Protocol):
    """A `Loop` whose calls block."""

    conn: Any
    link: Link
    id: int
    autotune: BlockingAutotune

    def source(self, value: str | None = None) -> str:
        """The channel that the loop controls: A, B, C or D."""
        ...

    def set_point(self, value: float | str | None = None) -> float | None:
        """Set point, 0 or more. The controller keeps the old one, and returns it, above `max_set_point`."""
        ...

    def error(self) -> str:
        """State of the output: ``--Htr OK--`` ``-Overtemp-`` ``OTDisconn`` ``Htr-Low-R`` ``Fan Fault``."""
        ...

    def type(self, value: str | None = None) -> str:
        """Control type: OFF, PID, MAN, TABLE, RAMPP or RAMPT; on loops 3 and 4 also SCALE."""
        ...

    def range(self, value: str | None = None) -> str:
        """Output range: HI, MID or LOW on loop 1, HI or LOW on loop 2, 5V or 10V on loops 3 and 4."""
        ...

    def ramp(self) -> bool:
        """Whether the set point is being ramped at this moment."""
        ...

    def rate(self, value: float | str | None = None) -> float | None:
        """Ramp rate, 0 to 100 units per minute."""
        ...

    def proportional_gain(self, value: float | str | None = None) -> float | None:
        """Proportional gain, 0 to 1000."""
        ...

    def integrator_gain(self, value: float | str | None = None) -> float | None:
        """Integrator gain, 0 to 1000 seconds."""
        ...

    def differentiator_gain(self, value: float | str | None = None) -> float | None:
        """Differentiator gain, 0 to 1000 per second."""
        ...

    def manual_output_power(self, value: float | str | None = None) -> float | None:
        """Output power when the control type is MAN, in percent."""
        ...

    def output_power(self) -> float | None:
        """Output power, in percent."""
        ...

    def output_read_back(self) -> float | None:
        """Output power as it is measured, in percent."""
        ...

    def load(self, value: int | str | None = None) -> int | None:
        """Load resistance, 50 or 25 ohm. Loop 1 only; others have None."""
        ...

    def max_output_power(self, value: float | str | None = None) -> float | None:
        """Limit of the output power, in percent."""
        ...

    def max_set_point(self, value: float | str | None = None) -> float | None:
        """Limit of the set point."""
        ...

    def output_voltage(self) -> float | None:
        """Voltage at the output, in volt."""
        ...

    def output_current(self) -> float | None:
        """Current at the output, in ampere."""
        ...

    def output_load_resistance(self) -> float | None:
        """Measured load resistance, in ohm; -1 while not controlling."""
        ...

    def temperature(self) -> float | None:
        """Temperature of the heat sink, in degrees Celsius."""
        ...

    def table(self, value: int | None = None) -> int | None:
        """Number of the PID table for the types TABLE and RAMPT, 1 to 6."""
        ...

    def autotune_status(self) -> str:
        """State of autotuning: IDLE, RUNNING, COMPLETE, FAILED or ABORT."""
        ...


class BlockingAutotune(Protocol):
    """A `Autotune` whose calls block."""

    conn: Any
    link: Link

    def start(self) -> None:
        """Start autotuning."""
        ...

    def exit(self) -> None:
        """Abandon autotuning."""
        ...

    def save(self) -> None:
        """Take the gains that were found over to the loop."""
        ...

    def mode(self, value: str | None = None) -> str:
        """Which gains are to be found: P, PI or PID."""
        ...

    def power_step(self, value: float | None = None) -> float | None:
        """Largest change of output power, in percent."""
        ...

    def timeout(self, value: float | None = None) -> float | None:
        """Time after which autotuning is given up, in seconds."""
        ...

    def proportional_gain(self) -> float | None:
        """Proportional gain that was found; -1 until autotuning is complete."""
        ...

    def integrator_gain(self) -> float | None:
        """Integrator gain that was found, in seconds; -1 until autotuning is complete."""
        ...

    def differentiator_gain(self) -> float | None:
        """Differentiator gain that was found, in 1/s; -1 until autotuning is complete."""
        ...

    def status(self) -> str:
        """IDLE, RUNNING, COMPLETE, FAILED or ABORT."""
        ...


class BlockingOverTemperature(Protocol):
    """A `OverTemperature` whose calls block."""

    conn: Any
    link: Link

    def enabled(self, value: bool | str | None = None) -> bool:
        """Whether the heaters are disconnected."""
        ...

    def source(self, value: str | None = None) -> str:
        """The channel that is watched: A, B, C or D."""
        ...

    def temperature(self, value: float | None = None) -> float | None:
        """The limit, in the source channel's display unit."""
        ...


class BlockingRelay(Protocol):
    """A `Relay` whose calls block."""

    conn: Any
    link: Link
    id: int

    def status(self) -> str:
        """``--`` not asserted, HI or LO by an alarm, ON or OFF by hand."""
        ...

    def source(self, value: str | None = None) -> str:
        """The channel that is watched: A, B, C or D."""
        ...

    def mode(self, value: str | None = None) -> str:
        """AUTO (by temperature), WITHIN, CONTROL (while loops control), ON or OFF."""
        ...

    def highest(self, value: float | None = None) -> float | None:
        """Upper temperature, in the source channel's display unit."""
        ...

    def lowest(self, value: float | None = None) -> float | None:
        """Lower temperature, in the source channel's display unit."""
        ...

    def deadband(self, value: float | None = None) -> float | None:
        """Hysteresis, in the source channel's display unit."""
        ...

    def high_enabled(self, value: bool | str | None = None) -> bool:
        """Whether the upper temperature counts."""
        ...

    def low_enabled(self, value: bool | str | None = None) -> bool:
        """Whether the lower temperature counts."""
        ...


class BlockingUserCurve(Protocol):
    """A `UserCurve` whose calls block."""

    conn: Any
    link: Link
    storage_time: float
    id: int

    def read(self) -> Curve:
        """Read the curve. Needs a connection of sockio, as the reply has many lines."""
        ...

    def write(self, curve: Curve) -> None:
        """Store a curve. The controller sorts its points by reading."""
        ...


class BlockingUserPIDTable(Protocol):
    """A `UserPIDTable` whose calls block."""

    conn: Any
    link: Link
    storage_time: float
    id: int

    def name(self, value: str | None = None) -> str:
        """Name, up to 15 ASCII characters."""
        ...

    def entries(self) -> int | None:
        """Number of entries, 0 to 16."""
        ...

    def read(self) -> PIDTable:
        """Read the table. Needs a connection of sockio, as the reply has many lines."""
        ...

    def write(self, table: PIDTable) -> None:
        """Store a table. The controller sorts its entries by set point."""
        ...


class BlockingConfiguration(Protocol):
    """A `Configuration` whose calls block."""

    conn: Any
    link: Link
    id: int

    def name(self, value: str | None = None) -> str:
        """Name, up to 15 ASCII characters."""
        ...

    def save(self) -> None:
        """Store the present settings here."""
        ...

    def restore(self) -> None:
        """Bring the stored settings back."""
        ...


class BlockingNetwork(Protocol):
    """A `Network` whose calls block."""

    conn: Any
    link: Link

    def ip_address(self, value: str | None = None) -> str:
        """IP address."""
        ...

    def port(self, value: int | None = None) -> int | None:
        """TCP port; UDP has the next one."""
        ...

    def name(self, value: str | None = None) -> str:
        """Name in the network, up to 15 ASCII characters."""
        ...

    def dhcp(self, value: bool | str | None = None) -> bool:
        """Whether the address comes from a DHCP server."""
        ...

    def mac_address(self) -> str:
        """Hardware address, between 00:50:C2:6F:40:00 and 00:50:C2:6F:4F:FF."""
        ...


class BlockingMail(Protocol):
    """A `Mail` whose calls block."""

    conn: Any
    link: Link
    id: str

    def server(self, value: str | None = None) -> str:
        """IP address of the mail server."""
        ...

    def sender(self, value: str | None = None) -> str:
        """Address from which mail is sent."""
        ...

    def receiver(self, value: str | None = None) -> str:
        """Address to which mail is sent."""
        ...

    def port(self, value: int | None = None) -> int | None:
        """TCP port of the mail server, usually 25."""
        ...

    def enabled(self, value: bool | str | None = None) -> bool:
        """Whether mail is sent."""
        ...


class BlockingDataLogger(Protocol):
    """A `DataLogger` whose calls block."""

    conn: Any
    link: Link

    def running(self, value: bool | str | None = None) -> bool:
        """Whether it is logging."""
        ...

    def interval(self, value: int | None = None) -> int | None:
        """Time between records, 1 to 99999 seconds."""
        ...

    def count(self) -> int | None:
        """Number of records, at most 1365."""
        ...

    def read(self) -> list[LogRecord]:
        """Read all the records. Needs a connection of sockio, as the reply has many lines."""
        ...

    def reset(self) -> None:
        """Begin anew."""
        ...

    def clear(self) -> None:
        """Delete all the records."""
        ...


class BlockingSensor(Protocol):
    """A `Sensor` whose calls block."""

    conn: Any
    link: Link
    id: int

    def name(self, value: str | None = None) -> str:
        """Name, up to 15 ASCII characters."""
        ...

    def entries(self) -> int | None:
        """Number of points of its calibration curve, 0 to 200."""
        ...

    def units(self, value: str | None = None) -> str:
        """Unit of its readings: VOLTS, OHMS or LOGOHM."""
        ...

    def type(self, value: str | None = None) -> str:
        """DIODE, ACR, PTC100, PTC1K or TC70."""
        ...

    def multiplier(self, value: float | None = None) -> float | None:
        """Multiplier; negative for a negative temperature coefficient."""
        ...


if TYPE_CHECKING:

    class CryoCon(driver.CryoCon):
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

        @overload
        def __new__(  # type: ignore[misc]
            cls,
            conn: futures.Stream,
            channels: Iterable[str] = ...,
            loops: Iterable[int] = (1, 2, 3, 4),
            *,
            setup: bool = False,
        ) -> FuturesCryoCon: ...

        @overload
        def __new__(  # type: ignore[misc]
            cls,
            conn: BlockingConnection,
            channels: Iterable[str] = ...,
            loops: Iterable[int] = (1, 2, 3, 4),
            *,
            setup: bool = False,
        ) -> BlockingCryoCon: ...

        @overload
        def __new__(
            cls,
            conn: CoroutineConnection | Driver,
            channels: Iterable[str] = ...,
            loops: Iterable[int] = (1, 2, 3, 4),
            *,
            setup: bool = False,
        ) -> Self: ...

        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

else:
    CryoCon = driver.CryoCon
