"""Value Change Dump files (IEEE 1364-2005, clause 18): read onto a grid of samples, and written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sockio.errors import ProtocolError

from .capture import Capture
from .codec import parse_rate

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Path = str | PathLike[str]

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}

#: Characters of the short names of variables: all that can be printed.
FIRST, COUNT = 33, 94


class Variable:
    """A variable of the file, and how it changes.

    Args:
        name: of the channel.
        size: in bits; 0 for a real number.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.times: list[int] = []
        self.values: list[Any] = []


class Reader:
    """Reads the words of a file.

    Args:
        words: of the whole file.
        unknown: what x and z are read as; None refuses them.
    """

    def __init__(self, words: Iterator[str], unknown: int | None) -> None:
        self._words = words
        self._unknown = unknown
        self.variables: dict[str, Variable] = {}
        self.timescale = 1e-9
        self.comments: list[str] = []
        self.times: list[int] = []

    def read(self) -> None:
        time = 0
        for word in self._words:
            if word == "$end" or word in ("$dumpvars", "$dumpall", "$dumpon", "$dumpoff"):
                continue
            if word.startswith("$"):
                self._declare(word, self._section(word))
            elif word.startswith("#"):
                time = self._number(word)
                self.times.append(time)
            elif word[0] in "bBrR":
                self._change(next(self._words, ""), word[1:], time, word[0] in "rR")
            else:
                self._change(word[1:], word[0], time, False)

    def _section(self, keyword: str) -> list[str]:
        section: list[str] = []
        for word in self._words:
            if word == "$end":
                return section
            section.append(word)
        raise ProtocolError(f"{keyword} without an $end")

    def _declare(self, keyword: str, words: list[str]) -> None:
        if keyword == "$comment":
            self.comments.append(" ".join(words))
        elif keyword == "$timescale":
            match = re.fullmatch(r"(1|10|100) ?([munpf]?s)", " ".join(words))
            if match is None:
                raise ProtocolError(f"expected a timescale such as 1 ns, got {' '.join(words)!r}")
            self.timescale = int(match[1]) * UNITS[match[2]]
        elif keyword == "$var":
            if len(words) < 4 or not words[1].isdigit():
                raise ProtocolError(f"expected a variable's type, size, code and name, got {' '.join(words)!r}")
            size = 0 if words[0] == "real" else int(words[1])
            self.variables.setdefault(words[2], Variable(words[3], size))

    @staticmethod
    def _number(word: str) -> int:
        if not word[1:].isdigit():
            raise ProtocolError(f"expected a time, got {word!r}")
        return int(word[1:])

    def _change(self, code: str, text: str, time: int, real: bool) -> None:
        variable = self.variables.get(code)
        if variable is None:
            raise ProtocolError(f"expected a change of a variable, got {text + code!r} at #{time}")
        if real != (variable.size == 0):
            raise ProtocolError(f"{variable.name!r} cannot be {text!r} at #{time}")
        variable.times.append(time)
        variable.values.append(self._real(text) if real else self._bits(variable, text, time))

    @staticmethod
    def _real(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise ProtocolError(f"expected a real number, got {text!r}") from None

    def _bits(self, variable: Variable, text: str, time: int) -> int:
        if self._unknown is None and re.search("[xzXZ]", text):
            raise ProtocolError(f"{variable.name!r} is {text!r} at #{time}: say what that is to be read as, unknown=0")
        digits = re.sub("[xzXZ]", str(self._unknown), text)
        if re.fullmatch("[01]+", digits) is None or len(digits) > variable.size:
            raise ProtocolError(f"expected {variable.size} bits of {variable.name!r}, got {text!r} at #{time}")
        return int(digits, 2)


def read(path: Path, samplerate: float | None = None, unknown: int | None = None) -> Capture:
    """Read a Value Change Dump.

    Args:
        path: of the file.
        samplerate: of the capture, in hertz. None for that which a comment of sigrok tells, otherwise the lowest at
            which every change falls on a sample.
        unknown: 0 or 1, what the values x and z are read as; None refuses a file that has them.

    Returns:
        The capture from the first time in the file to the last. A variable of several bits is several channels,
        ``name.0`` being the lowest bit. A variable that is said nothing of at first is taken for *unknown*.

    Raises:
        ProtocolError: the file is malformed.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        reader = Reader((word for line in file for word in line.split()), unknown)
        try:
            reader.read()
        except ProtocolError as error:
            raise ProtocolError(f"{path}: {error}") from None
    if not reader.variables or not reader.times:
        raise ProtocolError(f"{path}: expected variables and times, there are none")
    times = np.array(reader.times)
    if (np.diff(times) < 0).any():
        raise ProtocolError(f"{path}: time goes backwards")
    rate = samplerate or _samplerate(reader, times)
    ticks = rate * reader.timescale
    start, stop = round(times[0] * ticks), round(times[-1] * ticks)
    # What changes at the last time is a sample as well, unless that only says where the capture ends.
    stop += any(variable.times and variable.times[-1] == times[-1] for variable in reader.variables.values())
    data: dict[str, Array] = {}
    for variable in reader.variables.values():
        data.update(_sampled(variable, ticks, start, stop, unknown, path))
    return Capture(data, rate, start)


def _samplerate(reader: Reader, times: Array) -> float:
    for comment in reader.comments:
        match = re.search(r"at ([\d.]+ [kMG]?Hz)", comment)
        if match is not None:
            return parse_rate(match[1])
    step = math.gcd(*np.diff(times).tolist()) or 1
    return 1 / (step * reader.timescale)


def _sampled(
    variable: Variable, ticks: float, start: int, stop: int, unknown: int | None, path: Path
) -> dict[str, Array]:
    """Return the samples of a variable, by channel."""
    changes = np.rint(np.array(variable.times, dtype=np.float64) * ticks).astype(np.int64)
    values = np.array(variable.values, dtype=object if variable.size > 1 else np.float32 if not variable.size else int)
    if not len(changes) or changes[0] > start:
        if unknown is None and variable.size:
            raise ProtocolError(f"{path}: {variable.name!r} has no value at first: say what to take, unknown=0")
        changes = np.concatenate([[start], changes])
        first = (1 << variable.size) - 1 if unknown else 0
        values = np.concatenate([np.array([first if variable.size else np.nan], dtype=values.dtype), values])
    lengths = np.diff(np.concatenate([changes, [stop]]))
    if variable.size == 0:
        return {variable.name: np.repeat(values, lengths)}
    if variable.size == 1:
        return {variable.name: np.repeat(values.astype(np.uint8), lengths)}
    return {
        f"{variable.name}.{bit}": np.repeat(np.array([value >> bit & 1 for value in values], np.uint8), lengths)
        for bit in range(variable.size)
    }


def write(path: Path, capture: Capture) -> None:
    """Write a Value Change Dump: integers 0 and 1 as wires, floats as real numbers."""
    scale, unit = _timescale(capture.samplerate)
    codes = {name: _code(number) for number, name in enumerate(capture.data)}
    end = capture.start + len(capture.t)
    events: dict[int, list[str]] = {}
    for name, samples in capture.data.items():
        changes = np.flatnonzero(samples[1:] != samples[:-1]) + 1
        for index in [0, *changes.tolist()] if len(samples) else []:
            value = samples[index]
            text = f"r{value:.9g} {codes[name]}" if samples.dtype.kind == "f" else f"{value:d}{codes[name]}"
            events.setdefault(capture.start + index, []).append(text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"$comment Acquisition at {_rate(capture.samplerate)} $end\n$timescale 1 {unit} $end\n")
        file.write("$scope module sockio $end\n")
        for name, samples in capture.data.items():
            kind = "real 64" if samples.dtype.kind == "f" else "wire 1"
            file.write(f"$var {kind} {codes[name]} {name} $end\n")
        file.write("$upscope $end\n$enddefinitions $end\n")
        for number in sorted(events):
            file.write(f"#{round(number * scale)} {' '.join(events[number])}\n")
        file.write(f"#{round(end * scale)}\n")


def _timescale(samplerate: float) -> tuple[float, str]:
    """Return the coarsest unit in which a sample takes whole units, and how many; picoseconds if there is none."""
    for unit in ("s", "ms", "us", "ns"):
        scale = 1 / (samplerate * UNITS[unit])
        if scale >= 1 and abs(scale - round(scale)) < 1e-9 * scale:
            return round(scale), unit
    return 1e12 / samplerate, "ps"


def _rate(samplerate: float) -> str:
    for prefix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if samplerate >= factor:
            return f"{samplerate / factor:.15g} {prefix}Hz"
    return f"{samplerate:.15g} Hz"


def _code(number: int) -> str:
    """Return the short name of a variable."""
    code = chr(FIRST + number % COUNT)
    return code if number < COUNT else _code(number // COUNT - 1) + code
