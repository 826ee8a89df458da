"""A simulated power supply with three outputs, with the commands of a Rigol DP832.

Configuration keys, beside those of `instruments.simulators.scpi`: ``loads``, the resistance at each output in Ohm,
a list of three. Commands are about the output that ``INSTrument:NSELect`` has chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .scpi import ScpiDevice
from .scpi_errors import ScpiError
from .scpi_parameters import Boolean, Integer, Number, Parameter
from .scpi_table import Command, Setting, command

#: Volt and ampere that each output can give.
LIMITS = ((32.0, 3.2), (32.0, 3.2), (5.3, 3.2))


@dataclass
class Output:
    """One output: what is set, and what its load makes of it.

    Attributes:
        load: resistance at the output, in Ohm.
        largest_voltage: that can be set, in volt.
        largest_current: that can be set, in ampere.
    """

    load: float
    largest_voltage: float
    largest_current: float
    on: bool = False
    voltage: float = 0.0
    current: float = 1.0
    voltage_protection: float = 33.0
    voltage_protected: bool = False
    current_protection: float = 3.3
    current_protected: bool = False
    tripped: str = ""

    @property
    def regulation(self) -> str:
        """Whether the voltage is held, CV, or the current, CC; UR when the output is off."""
        if not self.on:
            return "UR"
        return "CV" if self.voltage / self.load <= self.current else "CC"

    @property
    def measured_voltage(self) -> float:
        """The voltage at the load, in volt."""
        return min(self.voltage, self.current * self.load) if self.on else 0.0

    @property
    def measured_current(self) -> float:
        """The current through the load, in ampere."""
        return self.measured_voltage / self.load

    def protect(self) -> None:
        """Switch off if a limit is exceeded."""
        if self.voltage_protected and self.measured_voltage > self.voltage_protection:
            self.on, self.tripped = False, "OVP"
        elif self.current_protected and self.measured_current > self.current_protection:
            self.on, self.tripped = False, "OCP"


def output_setting(header: str, name: str, parameter: Parameter) -> tuple[Command, Command]:
    """Return the commands that set and return an attribute of the selected output."""

    def write(device: PowerSupply, value: Any) -> None:
        device.change(name, value)

    def read(device: PowerSupply) -> bytes:
        value = getattr(device.output, name)
        if isinstance(value, bool):
            return b"ON" if value else b"OFF"
        return b"%.3f" % value

    return Command(header, (parameter,), write), Command(header + "?", (), read)


class PowerSupply(ScpiDevice):
    """The supply and its three outputs."""

    identity = "RIGOL TECHNOLOGIES,DP832,DP8A000000000,00.01.16"

    SETTINGS = (
        Setting("INSTrument:NSELect", "selected", Integer(1, len(LIMITS)), 1),
        Setting("SYSTem:BEEPer[:STATe]", "beeper", Boolean(), False),
        Setting("SYSTem:OTP", "temperature protection", Boolean(), True),
    )

    COMMANDS = (
        *output_setting("[SOURce:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", "voltage", Number(0, 32, "V")),
        *output_setting("[SOURce:]CURRent[:LEVel][:IMMediate][:AMPLitude]", "current", Number(0, 3.2, "A")),
        *output_setting("OUTPut[:STATe]", "on", Boolean()),
        *output_setting("OUTPut:OVP[:STATe]", "voltage_protected", Boolean()),
        *output_setting("OUTPut:OVP:VALue", "voltage_protection", Number(0.01, 33, "V")),
        *output_setting("OUTPut:OCP[:STATe]", "current_protected", Boolean()),
        *output_setting("OUTPut:OCP:VALue", "current_protection", Number(0.001, 3.3, "A")),
    )

    def __init__(self, name: str, loads: Sequence[float] = (10.0, 100.0, 50.0), **options: Any) -> None:
        self.loads = [float(load) for load in loads]
        if len(self.loads) != len(LIMITS) or min(self.loads) <= 0:
            raise ValueError(f"loads must be {len(LIMITS)} numbers of Ohm above 0, got {loads!r}")
        super().__init__(name, **options)

    def reset(self) -> None:
        super().reset()
        self.outputs = [Output(load, *limits) for load, limits in zip(self.loads, LIMITS, strict=True)]

    @property
    def output(self) -> Output:
        """The output that is selected."""
        selected: int = self.setting("selected")
        return self.outputs[selected - 1]

    def change(self, name: str, value: Any) -> None:
        """Set an attribute of the selected output."""
        output = self.output
        limits = {"voltage": output.largest_voltage, "current": output.largest_current}
        if value > limits.get(name, value):
            raise ScpiError(-222)
        setattr(output, name, value)
        output.protect()

    @command("MEASure[:VOLTage][:DC]?")
    def _measure_voltage(self) -> str:
        return f"{self.output.measured_voltage:.4f}"

    @command("MEASure:CURRent[:DC]?")
    def _measure_current(self) -> str:
        return f"{self.output.measured_current:.4f}"

    @command("MEASure:POWEr[:DC]?")
    def _measure_power(self) -> str:
        return f"{self.output.measured_voltage * self.output.measured_current:.3f}"

    @command("OUTPut:MODE?")
    def _regulation(self) -> str:
        return self.output.regulation

    @command("OUTPut:OVP:QUES?")
    def _voltage_tripped(self) -> str:
        return "YES" if self.output.tripped == "OVP" else "NO"

    @command("OUTPut:OCP:QUES?")
    def _current_tripped(self) -> str:
        return "YES" if self.output.tripped == "OCP" else "NO"

    @command("SYSTem:REMote")
    @command("SYSTem:LOCal")
    def _take_control(self) -> None:
        """Nobody is at the front panel."""
