"""An input channel: temperature, statistics, alarm and sensor."""

from __future__ import annotations

from collections.abc import Awaitable

from ..base import operation
from ..metadata import quantity
from . import codec
from .part import Members, Part, reading
from .values import NUMBER, ON_OFF, STRING, TEXT, YES_NO, choice, integer, number

UNIT = choice("K", "C", "F", "S")
BIAS_VOLTAGE = choice("10MV", "3.0MV", "1.0MV", "300UV", "200UV", "100UV")
BRIDGE_RANGE = choice("AUTO", "1.0MA", "100UA", "10UA", "1.0UA")
SENSOR = integer(0, 68)


class Channel(Part):
    """An input channel of the controller, ``cryo["A"]``. Temperatures are in the channel's display unit.

    Numbers are None while the sensor has a fault (``-------``) or is outside its calibration curve
    (``.......``).
    """

    def __init__(self, owner: Members, id: str) -> None:
        super().__init__(owner, f"INPUT {id}:")
        self.id = id

    @operation
    def name(self, value: str | None = None) -> Awaitable[str]:
        """The channel's name: up to 15 ASCII characters."""
        return self._member("NAM", STRING, value)

    @reading
    def temperature(self) -> Awaitable[float | None]:
        """Temperature, in the display unit."""
        return self._member("TEMP", NUMBER)

    @operation
    def unit(self, value: str | None = None) -> Awaitable[str]:
        """Display unit: K, C, F or S (the sensor's own: volt or ohm)."""
        return self._member("UNIT", UNIT, value)

    @reading
    def minimum(self) -> Awaitable[float | None]:
        """Lowest temperature since the statistics were reset, in the display unit."""
        return self._member("MIN", NUMBER)

    @reading
    def maximum(self) -> Awaitable[float | None]:
        """Highest temperature since the statistics were reset, in the display unit."""
        return self._member("MAX", NUMBER)

    @reading
    def variance(self) -> Awaitable[float | None]:
        """Variance since the statistics were reset, in display units squared."""
        return self._member("VARI", NUMBER)

    @reading
    def slope(self) -> Awaitable[float | None]:
        """Slope of the straight line through the readings, in display units per minute."""
        return self._member("SLOP", NUMBER)

    @reading
    def offset(self) -> Awaitable[float | None]:
        """Offset of the straight line through the readings, in display units."""
        return self._member("OFFS", NUMBER)

    @reading
    def statistics_time(self) -> Awaitable[float | None]:
        """How long the statistics have been accumulating, as the controller counts it."""
        return self._member("STAT:TIM", NUMBER)

    @operation
    def reset_statistics(self) -> Awaitable[None]:
        """Begin the statistics anew."""
        return self._do("STAT:RES")

    @reading
    def alarm(self) -> Awaitable[str]:
        """State of the alarm: ``--`` none, ``SF`` sensor fault, ``HI`` or ``LO``."""
        return self._member("ALAR", TEXT)

    @operation
    def clear_alarm(self) -> Awaitable[None]:
        """Clear a latched alarm. The controller answers nothing."""
        return self._session.submit(codec.action(self._prefix + "ALAR:CLE"))

    @operation
    def alarm_highest(self, value: float | None = None) -> Awaitable[float | None]:
        """Temperature of the high alarm, in display units."""
        return self._member("ALAR:HIGH", number(), value)

    @operation
    def alarm_lowest(self, value: float | None = None) -> Awaitable[float | None]:
        """Temperature of the low alarm, in display units."""
        return self._member("ALAR:LOWE", number(), value)

    @quantity(minimum=0)
    @operation
    def alarm_deadband(self, value: float | None = None) -> Awaitable[float | None]:
        """Hysteresis of the alarms, in display units."""
        return self._member("ALAR:DEAD", number(0), value)

    @operation
    def alarm_high_enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the high alarm is enabled."""
        return self._member("ALAR:HIEN", YES_NO, value)

    @operation
    def alarm_low_enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the low alarm is enabled."""
        return self._member("ALAR:LOEN", YES_NO, value)

    @operation
    def alarm_latch_enabled(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether an alarm stays until it is cleared."""
        return self._member("ALAR:LTEN", YES_NO, value)

    @operation
    def alarm_audio(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether alarms sound."""
        return self._member("ALAR:AUD", YES_NO, value)

    @reading
    def sensor_reading(self) -> Awaitable[float | None]:
        """What the sensor gives, before its calibration curve: in volt or ohm."""
        return self._member("SENP", NUMBER)

    @quantity("", 0, 68)
    @operation
    def sensor(self, value: int | None = None) -> Awaitable[int | None]:
        """Index of the sensor type: 0 none, 1 to 60 of the factory, 61 to 68 user curves 1 to 8."""
        return self._member("SENS", SENSOR, value)

    @quantity("W")
    @reading
    def sensor_power(self) -> Awaitable[float | None]:
        """Power dissipated in the sensor, in watt."""
        return self._member("SENSPW", NUMBER)

    @operation
    def bias_voltage(self, value: str | None = None) -> Awaitable[str]:
        """Constant-voltage excitation of an AC resistance sensor, 10MV to 100UV; ``N/A`` for others."""
        return self._member("VBI", BIAS_VOLTAGE, value)

    @operation
    def ac_excitation(self, value: bool | str | None = None) -> Awaitable[bool]:
        """Whether the sensor is excited with alternating current."""
        return self._member("ACEX", ON_OFF, value)

    @operation
    def bridge_range(self, value: str | None = None) -> Awaitable[str]:
        """Excitation current of the resistance bridge: AUTO, or 1.0MA to 1.0UA."""
        return self._member("BRAN", BRIDGE_RANGE, value)

    @reading
    def bridge_unlocked(self) -> Awaitable[str]:
        """``*`` while the bridge is not locked, otherwise empty."""
        return self._member("BRUN", TEXT)

    @operation
    def thermocouple_offset(self, value: float | None = None) -> Awaitable[float | None]:
        """Offset of a thermocouple, in display units."""
        return self._member("TCOF", number(), value)
