"""A control loop, and its autotuning."""

from __future__ import annotations

from collections.abc import Awaitable

from ..base import operation
from ..metadata import quantity
from .part import Members, Part, reading
from .values import NUMBER, ON_OFF, TEXT, Kind, choice, decode_integer, integer, number, one_of

SOURCE = choice("A", "B", "C", "D")
SET_POINT = number(0)
RATE = number(0, 100)
GAIN = number(0, 1000)
PERCENT = number(0, 100)
LOAD = Kind(decode_integer, one_of(50, 25))

CONTROL_TYPES = ("OFF", "PID", "MAN", "TABLE", "RAMPP", "RAMPT")

#: Output ranges by loop: heaters on loops 1 and 2, analog outputs on loops 3 and 4.
RANGES = {1: ("HI", "MID", "LOW"), 2: ("HI", "LOW"), 3: ("5V", "10V"), 4: ("5V", "10V")}


class Autotune(Part):
    """Finding the gains of a loop, ``cryo[1].autotune``."""

    def __init__(self, owner: Members, loop: int) -> None:
        super().__init__(owner, f"LOOP {loop}:AUT:")

    @operation
    def start(self) -> Awaitable[None]:
        """Start autotuning."""
        return self._do("STAR")

    @operation
    def exit(self) -> Awaitable[None]:
        """Abandon autotuning."""
        return self._do("EXIT")

    @operation
    def save(self) -> Awaitable[None]:
        """Take the gains that were found over to the loop."""
        return self._do("SAVE")

    @operation
    def mode(self, value: str | None = None) -> Awaitable[str]:
        """Which gains are to be found: P, PI or PID."""
        return self._member("MOD", choice("P", "PI", "PID"), value)

    @quantity("%", 0, 100)
    @operation
    def power_step(self, value: float | None = None) -> Awaitable[float | None]:
        """Largest change of output power, in percent."""
        return self._member("DELT", PERCENT, value)

    @quantity("s", 0)
    @operation
    def timeout(self, value: float | None = None) -> Awaitable[float | None]:
        """Time after which autotuning is given up, in seconds."""
        return self._member("TIM", number(0), value)

    @reading
    def proportional_gain(self) -> Awaitable[float | None]:
        """Proportional gain that was found; -1 until autotuning is complete."""
        return self._member("PGA", NUMBER)

    @quantity("s")
    @reading
    def integrator_gain(self) -> Awaitable[float | None]:
        """Integrator gain that was found, in seconds; -1 until autotuning is complete."""
        return self._member("IGA", NUMBER)

    @quantity("Hz")
    @reading
    def differentiator_gain(self) -> Awaitable[float | None]:
        """Differentiator gain that was found, in 1/s; -1 until autotuning is complete."""
        return self._member("DGA", NUMBER)

    @reading
    def status(self) -> Awaitable[str]:
        """IDLE, RUNNING, COMPLETE, FAILED or ABORT."""
        return self._member("STAT", TEXT)


class Loop(Part):
    """A control loop of the controller, ``cryo[1]``.

    Temperatures are in the display unit of the channel that is the loop's source.
    """

    def __init__(self, owner: Members, id: int) -> None:
        super().__init__(owner, f"LOOP {id}:")
        self.id = id
        self.autotune = Autotune(self, id)

    @operation
    def source(self, value: str | None = None) -> Awaitable[str]:
        """The channel that the loop controls: A, B, C or D."""
        return self._member("SOURCE", SOURCE, value)

    @quantity(minimum=0)
    @operation
    def set_point(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Set point, 0 or more. The controller keeps the old one, and returns it, above `max_set_point`."""
        return self._member("SETPT", SET_POINT, value)

    @reading
    def error(self) -> Awaitable[str]:
        """State of the output: ``--Htr OK--`` ``-Overtemp-`` ``OTDisconn`` ``Htr-Low-R`` ``Fan Fault``."""
        return self._member("ERR", TEXT)

    @operation
    def type(self, value: str | None = None) -> Awaitable[str]:
        """Control type: OFF, PID, MAN, TABLE, RAMPP or RAMPT; on loops 3 and 4 also SCALE."""
        return self._member("TYP", choice(*CONTROL_TYPES, *(["SCALE"] if self.id in (3, 4) else [])), value)

    @operation
    def range(self, value: str | None = None) -> Awaitable[str]:
        """Output range: HI, MID or LOW on loop 1, HI or LOW on loop 2, 5V or 10V on loops 3 and 4."""
        return self._member("RANG", choice(*RANGES[self.id]), value)

    @reading
    def ramp(self) -> Awaitable[bool]:
        """Whether the set point is being ramped at this moment."""
        return self._member("RAMP", ON_OFF)

    @quantity("", 0, 100)
    @operation
    def rate(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Ramp rate, 0 to 100 units per minute."""
        return self._member("RATE", RATE, value)

    @quantity("", 0, 1000)
    @operation
    def proportional_gain(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Proportional gain, 0 to 1000."""
        return self._member("PGA", GAIN, value)

    @quantity("s", 0, 1000)
    @operation
    def integrator_gain(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Integrator gain, 0 to 1000 seconds."""
        return self._member("IGA", GAIN, value)

    @quantity("Hz", 0, 1000)
    @operation
    def differentiator_gain(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Differentiator gain, 0 to 1000 per second."""
        return self._member("DGA", GAIN, value)

    @quantity("%", 0, 100)
    @operation
    def manual_output_power(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Output power when the control type is MAN, in percent."""
        return self._member("PMAN", PERCENT, value)

    @quantity("%")
    @reading
    def output_power(self) -> Awaitable[float | None]:
        """Output power, in percent."""
        return self._member("OUTP", NUMBER)

    @quantity("%")
    @reading
    def output_read_back(self) -> Awaitable[float | None]:
        """Output power as it is measured, in percent."""
        return self._member("HTRR", NUMBER)

    @quantity("ohm")
    @operation
    def load(self, value: int | str | None = None) -> Awaitable[int | None]:
        """Load resistance, 50 or 25 ohm. Loop 1 only; others have None."""
        if value is not None and self.id != 1:
            raise ValueError(f"the load of loop {self.id} cannot be set: loop 1 alone has one")
        return self._member("LOAD", LOAD, value)

    @quantity("%", 0, 100)
    @operation
    def max_output_power(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Limit of the output power, in percent."""
        return self._member("MAXP", PERCENT, value)

    @quantity(minimum=0)
    @operation
    def max_set_point(self, value: float | str | None = None) -> Awaitable[float | None]:
        """Limit of the set point."""
        return self._member("MAXS", SET_POINT, value)

    @quantity("V")
    @reading
    def output_voltage(self) -> Awaitable[float | None]:
        """Voltage at the output, in volt."""
        return self._member("VSEN", NUMBER)

    @quantity("A")
    @reading
    def output_current(self) -> Awaitable[float | None]:
        """Current at the output, in ampere."""
        return self._member("ISEN", NUMBER)

    @quantity("ohm")
    @reading
    def output_load_resistance(self) -> Awaitable[float | None]:
        """Measured load resistance, in ohm; -1 while not controlling."""
        return self._member("LSEN", NUMBER)

    @quantity("degC")
    @reading
    def temperature(self) -> Awaitable[float | None]:
        """Temperature of the heat sink, in degrees Celsius."""
        return self._member("HTRH", NUMBER)

    @quantity("", 1, 6)
    @operation
    def table(self, value: int | None = None) -> Awaitable[int | None]:
        """Number of the PID table for the types TABLE and RAMPT, 1 to 6."""
        return self._member("TABL", integer(1, 6), value)

    @reading
    def autotune_status(self) -> Awaitable[str]:
        """State of autotuning: IDLE, RUNNING, COMPLETE, FAILED or ABORT."""
        return self._member("AUT:STAT", TEXT)
