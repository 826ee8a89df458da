"""A simulated multimeter, with the commands that multimeters with six digits have in common.

Configuration keys, beside those of `instruments.simulators.scpi`, all with defaults: what is at its inputs,
``voltage`` (1 V), ``ac_voltage`` (0 V), ``current`` (0 A), ``resistance`` (1000 Ohm), which are attributes, too; and
``seed`` of the noise, 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .scpi import ScpiDevice
from .scpi_errors import ScpiError
from .scpi_parameters import Boolean, Choice, Integer, Number, Optional, String, definite_block
from .scpi_table import Command, Setting, command

#: Ranges of each function, in its unit.
RANGES = {
    "VOLT": (0.1, 1.0, 10.0, 100.0, 1000.0),
    "VOLT:AC": (0.1, 1.0, 10.0, 100.0, 750.0),
    "CURR": (1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0),
    "RES": (100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8),
}

#: How the functions are written in headers, and their units.
FUNCTIONS = {
    "VOLT": ("VOLTage[:DC]", "V"),
    "VOLT:AC": ("VOLTage:AC", "V"),
    "CURR": ("CURRent[:DC]", "A"),
    "RES": ("RESistance", "OHM"),
}

#: What is read when the input is too large for the range (SCPI-99, volume 1, 7.2.1.4).
INFINITY = 9.9e37

#: How far a range can be exceeded.
OVERRANGE = 1.2

#: Standard deviation of a reading at 1 power line cycle, as part of the range.
NOISE = 1e-6

#: Bits of the questionable status register: overload of voltage, current, resistance.
OVERLOADS = {"VOLT": 1 << 0, "VOLT:AC": 1 << 0, "CURR": 1 << 1, "RES": 1 << 9}

#: The largest number of readings that are kept.
MEMORY = 1_000_000


def function_settings(function: str) -> tuple[Setting, ...]:
    """Return the settings of one of the functions."""
    header, unit = FUNCTIONS[function]
    ranges = RANGES[function]
    return (
        Setting(f"[SENSe:]{header}:RANGe[:UPPer]", f"{function} range", Number(0, ranges[-1], unit), ranges[2]),
        Setting(f"[SENSe:]{header}:RANGe:AUTO", f"{function} autorange", Boolean(), True),
        Setting(f"[SENSe:]{header}:NPLCycles", f"{function} cycles", Number(0.02, 100), 10.0),
    )


def function_commands(function: str) -> tuple[Command, ...]:
    """Return the commands that choose a function and measure with it."""
    header, unit = FUNCTIONS[function]
    header = "[:VOLTage][:DC]" if function == "VOLT" else f":{header}"
    range_, resolution = Optional(Number(0, RANGES[function][-1], unit)), Optional(Number(0, 1e6, unit))

    def configure(device: Multimeter, range: float | None, resolution: float | None) -> None:
        device.configure(function, range)

    def measure(device: Multimeter, range: float | None, resolution: float | None) -> bytes:
        device.configure(function, range)
        return device.read()

    return (
        Command(f"CONFigure{header}", (range_, resolution), configure),
        Command(f"MEASure{header}?", (range_, resolution), measure),
    )


class Multimeter(ScpiDevice):
    """The multimeter: its functions, its trigger, and the readings in its memory."""

    identity = "sockio,Simulated multimeter,DMM0001,1.0"

    SETTINGS = (
        *(setting for function in FUNCTIONS for setting in function_settings(function)),
        Setting("SAMPle:COUNt", "samples", Integer(1, MEMORY), 1),
        Setting("TRIGger:COUNt", "triggers", Integer(1, MEMORY), 1),
        Setting("TRIGger:SOURce", "trigger source", Choice("IMMediate", "BUS", "EXTernal"), "IMM"),
        Setting("TRIGger:DELay", "trigger delay", Number(0, 3600, "S"), 0.0),
        Setting("FORMat:BORDer", "byte order", Choice("NORMal", "SWAPped"), "NORM"),
        Setting("DISPlay[:STATe]", "display", Boolean(), True),
        Setting("DISPlay:TEXT[:DATA]", "text", String(), ""),
    )

    COMMANDS = tuple(declared for function in FUNCTIONS for declared in function_commands(function))

    def __init__(
        self,
        name: str,
        voltage: float = 1.0,
        ac_voltage: float = 0.0,
        current: float = 0.0,
        resistance: float = 1000.0,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self.voltage = float(voltage)
        self.ac_voltage = float(ac_voltage)
        self.current = float(current)
        self.resistance = float(resistance)
        self._random = np.random.default_rng(seed)
        super().__init__(name, **options)

    def reset(self) -> None:
        super().reset()
        self.function = "VOLT"
        self.settings["format", 1] = ("ASC", 9)
        self._readings: npt.NDArray[np.float64] | None = None

    # Functions

    @property
    def function(self) -> str:
        """What is measured, one of `FUNCTIONS`."""
        return str(self.setting("function"))

    @function.setter
    def function(self, function: str) -> None:
        self.settings["function", 1] = function

    def configure(self, function: str, range: float | None = None) -> None:
        """Choose a function, and its range in its unit; None for the range that fits. One reading, at once."""
        self.function = function
        self.settings[f"{function} autorange", 1] = range is None
        if range is not None:
            self.settings[f"{function} range", 1] = range
        self.settings["samples", 1] = self.settings["triggers", 1] = 1
        self.settings["trigger source", 1] = "IMM"

    @command("CONFigure?")
    def _configuration(self) -> str:
        return f'"{self.function} {self._range():+.8E},{self._range() * NOISE:+.8E}"'

    @command("[SENSe:]FUNCtion[:ON]", String())
    def _set_function(self, name: str) -> None:
        names = {"VOLTAGE": "VOLT", "VOLTAGE:DC": "VOLT", "VOLT:DC": "VOLT", "VOLTAGE:AC": "VOLT:AC"}
        names.update({"CURRENT": "CURR", "CURRENT:DC": "CURR", "CURR:DC": "CURR", "RESISTANCE": "RES"})
        function = names.get(name.upper(), name.upper())
        if function not in FUNCTIONS:
            raise ScpiError(-224)
        self.function = function

    @command("[SENSe:]FUNCtion[:ON]?")
    def _get_function(self) -> str:
        return f'"{self.function}"'

    # Measurements

    @command("INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Begin to measure, at once or with the trigger; the readings go to the memory."""
        self._readings = None
        self.operation.start(self._measure, triggered=self.setting("trigger source") != "IMM")

    @command("READ?")
    def read(self) -> bytes:
        """Measure, and return the readings."""
        if self.setting("trigger source") == "BUS":
            raise ScpiError(-214)
        self.initiate()
        return self.fetch()

    @command("FETCh?")
    def fetch(self) -> bytes:
        """Return the readings of the memory, when they have been made."""
        self.operation.wait()
        if self._readings is None:
            raise ScpiError(-230)
        return self._formatted(self._readings)

    @command("DATA:POINts?")
    def _count(self) -> str:
        return str(0 if self._readings is None else len(self._readings))

    @command("DATA:LAST?")
    def _last(self) -> str:
        return f"{INFINITY if self._readings is None else self._readings[-1]:+.8E}"

    def _measure(self) -> None:
        count = min(self.setting("samples") * self.setting("triggers"), MEMORY)
        values = {"VOLT": self.voltage, "VOLT:AC": self.ac_voltage, "CURR": self.current, "RES": self.resistance}
        value, range = values[self.function], self._range()
        overload = abs(value) > OVERRANGE * range
        self.status.set_condition(self.status.questionable, OVERLOADS[self.function] if overload else 0)
        deviation = NOISE * range / math.sqrt(self.setting(f"{self.function} cycles"))
        noise = self._random.normal(0.0, deviation, count)
        self._readings = np.full(count, math.copysign(INFINITY, value)) if overload else value + noise

    def _range(self) -> float:
        """Return the range of the present function that is in use."""
        ranges = RANGES[self.function]
        values = {"VOLT": self.voltage, "VOLT:AC": self.ac_voltage, "CURR": self.current, "RES": self.resistance}
        if self.setting(f"{self.function} autorange"):
            wanted = abs(values[self.function]) / OVERRANGE
        else:
            wanted = self.setting(f"{self.function} range")
        return next((range for range in ranges if wanted <= range), ranges[-1])

    # Formats

    @command("FORMat[:DATA]", Choice("ASCii", "REAL"), Optional(Integer(0, 64)))
    def _set_format(self, name: str, size: int | None) -> None:
        sizes = {"ASC": range(10), "REAL": (32, 64)}
        size = {"ASC": 9, "REAL": 64}[name] if size is None else size
        if size not in sizes[name]:
            raise ScpiError(-224)
        self.settings["format", 1] = name, size

    @command("FORMat[:DATA]?")
    def _get_format(self) -> str:
        name, size = self.setting("format")
        return f"{name},{size}"

    def _formatted(self, readings: npt.NDArray[np.float64]) -> bytes:
        name, size = self.setting("format")
        if name == "ASC":
            digits = (size or 9) - 1
            return ",".join(f"{reading:+.{digits}E}" for reading in readings.tolist()).encode()
        order = ">" if self.setting("byte order") == "NORM" else "<"
        return definite_block(readings.astype(f"{order}f{size // 8}").tobytes())
