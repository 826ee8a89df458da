"""The control loops of a simulated CryoCon: set points that ramp, and heaters that follow them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .cryostat import PID, Stage

#: Largest power of the outputs by range, in watt; the analog outputs are taken to drive a heater of 10 W.
POWERS = {
    1: {"HI": 50.0, "MID": 5.0, "LOW": 0.5},
    2: {"HI": 25.0, "MID": 2.5, "LOW": 2.5},
    3: {"5V": 5.0, "10V": 10.0},
    4: {"5V": 5.0, "10V": 10.0},
}

RAMPING = ("RAMPP", "RAMPT")
CONTROLLING = ("PID", "TABLE", *RAMPING)

#: Volt at which the model diode shows 0 K, and its slope's scale in kelvin, for readings in sensor units.
DIODE = (1.7, 250.0)


def from_kelvin(kelvin: float, unit: str) -> float:
    """Return a temperature in a display unit; S is the voltage of a model diode."""
    if unit == "C":
        return kelvin - 273.15
    if unit == "F":
        return kelvin * 1.8 - 459.67
    if unit == "S":
        return DIODE[0] * math.exp(-kelvin / DIODE[1])
    return kelvin


def to_kelvin(value: float, unit: str) -> float:
    """Return what is given in a display unit in kelvin."""
    if unit == "C":
        return value + 273.15
    if unit == "F":
        return (value + 459.67) / 1.8
    if unit == "S":
        return -DIODE[1] * math.log(max(value, 1e-9) / DIODE[0])
    return value


class SimulatedLoop:
    """A loop with its settings.

    Args:
        number: 1 to 4.
        settings: texts by name, as they are asked for and set over the wire.
        unit: returns the display unit of a channel.
        table: returns the gains of a PID table for a set point, None where it has none.
    """

    def __init__(
        self,
        number: int,
        settings: dict[str, Any],
        unit: Callable[[str], str],
        table: Callable[[int, float], tuple[float, float, float] | None],
    ) -> None:
        self.number = number
        self.settings = settings
        self.controlling = False
        self.output = 0.0
        self._unit = unit
        self._table = table
        self._pid = PID()
        self._ramp: float | None = None

    @property
    def source(self) -> int:
        """The index of the stage that is controlled."""
        return "ABCD".index(self.settings["source"])

    @property
    def ramping(self) -> bool:
        """Whether the set point is on its way."""
        return self._ramp is not None

    def start(self, controlling: bool) -> None:
        """Start or stop controlling."""
        if controlling and not self.controlling:
            self._pid.reset()
        self.controlling = controlling
        if not controlling:
            self._ramp = None

    def change_set_point(self, text: str, reading: float) -> None:
        """Take a new set point; the ramp to it begins where the sensor is."""
        if self.controlling and self.settings["type"] in RAMPING and float(text) != float(self.settings["setpoint"]):
            self._ramp = reading
        self.settings["setpoint"] = text

    def heat(self, stages: Sequence[Stage], seconds: float) -> tuple[int, float]:
        """Return the stage that is heated for the next *seconds*, and the power in watt."""
        settings = self.settings
        kind = settings["type"]
        limit = float(settings["max output power"])
        if not self.controlling or kind not in ("MAN", *CONTROLLING):
            self.output = 0.0
        elif kind == "MAN":
            self.output = min(float(settings["output power"]), limit)
        else:
            set_point = self._moved_set_point(seconds)
            gains = self._gains(kind, set_point)
            self.output = self._pid.output(set_point, stages[self.source].sensed, gains, limit, seconds)
        return self.source, self.output / 100 * POWERS[self.number].get(settings["range"], 0.0)

    def _moved_set_point(self, seconds: float) -> float:
        """Return the set point in kelvin, after moving it on its ramp."""
        unit = self._unit(self.settings["source"])
        target = to_kelvin(float(self.settings["setpoint"]), unit)
        if self._ramp is None or self.settings["type"] not in RAMPING:
            self._ramp = None
            return target
        rate = float(self.settings["rate"]) / 60 / (1.8 if unit == "F" else 1)
        distance = target - self._ramp
        if abs(distance) <= rate * seconds:
            self._ramp = None
            return target
        self._ramp += math.copysign(rate * seconds, distance)
        return self._ramp

    def _gains(self, kind: str, set_point: float) -> tuple[float, float, float]:
        if kind in ("TABLE", "RAMPT"):
            gains = self._table(int(float(self.settings["table"])), set_point)
            if gains is not None:
                return gains
        return (
            float(self.settings["pgain"]),
            float(self.settings["igain"]),
            float(self.settings["dgain"]),
        )
