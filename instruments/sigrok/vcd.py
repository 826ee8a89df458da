"""Value Change Dump files (IEEE 1364-2005, clause 18): read onto a grid of samples, and written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sockio.errors import ProtocolError

from .capture import Capture
from .codec import check_logic, parse_rate

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Path = str | PathLike[str]

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}

#: The longest variable that is read, in bits: as long as every implementation takes them (4.3.1).
LONGEST = 65536

#: More samples than that from the beginning of time cannot be counted in floating point.
MOST = 2**53

#: Characters of the short names of variables: all that can be printed.
FIRST, COUNT = 33, 94


class Variable:
    """A variable of the file, and how it changes.

    Args:
        name: of the channel.
        scope: the modules that it is in.
        size: in bits; 0 for a real number.
    """

    def __init__(self, name: str, scope: str, size: int) -> None:
        self.name = name
        self.scope = scope
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
        self._scopes: list[str] = []
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
        names = Counter(variable.name for variable in self.variables.values())
        for variable in self.variables.values():
            if names[variable.name] > 1 and variable.scope:
                variable.name = f"{variable.scope}.{variable.name}"

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
            if len(words) < 4 or re.fullmatch("[0-9]{1,5}", words[1]) is None or not 0 < int(words[1]) <= LONGEST:
                raise ProtocolError(f"expected a variable's type, size, code and name, got {' '.join(words)!r}")
            size = 0 if words[0] in ("real", "realtime") else int(words[1])
            # Which bits they are follows the name of some, with or without a space: "bus [3:0]" and "bus [3]".
            name = re.sub(r" ?\[-?\d+:-?\d+\]$", "", " ".join(words[3:]))
            name = re.sub(r" (\[-?\d+\])$", r"\1", name)
            self.variables.setdefault(words[2], Variable(name, ".".join(self._scopes), size))
        elif keyword == "$scope":
            self._scopes.append(words[-1] if words else "")
        elif keyword == "$upscope" and self._scopes:
            self._scopes.pop()

    @staticmethod
    def _number(word: str) -> int:
        if re.fullmatch("#[0-9]{1,18}", word) is None:
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
            which every change falls on a sample. At one that is too low, changes are lost between samples.
        unknown: 0 or 1, what the values x and z are read as; None refuses a file that has them.

    Returns:
        The capture from the first time in the file to the last. A variable of several bits is several channels,
        ``name.0`` being the lowest bit. A variable that is said nothing of at first is taken for *unknown*. Variables
        of one name in several modules have these in front, ``top.counter.clock``.

    Raises:
        ValueError: there is no such samplerate.
        ProtocolError: the file is malformed, or too long for this samplerate.
    """
    if samplerate is not None and not 0 < samplerate < math.inf:
        raise ValueError(f"samplerate must be hertz, more than 0, not {samplerate!r}")
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
    if times[-1] * ticks > MOST:
        raise _too_long(path, rate)
    start, stop = round(times[0] * ticks), round(times[-1] * ticks)
    # What changes at the last time is a sample as well, unless that only says where the capture ends.
    stop += any(variable.times and variable.times[-1] == times[-1] for variable in reader.variables.values())
    data: dict[str, Array] = {}
    try:
        for variable in reader.variables.values():
            for name, samples in _sampled(variable, ticks, start, stop, unknown, path).items():
                if name in data:
                    raise ProtocolError(f"{path}: two variables are called {name!r}")
                data[name] = samples
        return Capture(data, rate, start)
    except MemoryError:
        raise _too_long(path, rate) from None


def _too_long(path: Path, rate: float) -> ProtocolError:
    return ProtocolError(f"{path}: too many samples at {rate:g} Hz: give a lower rate, samplerate=")


def _samplerate(reader: Reader, times: Array) -> float:
    for comment in reader.comments:
        match = re.match(r"Acquisition .*\bat ([0-9]+(?:\.[0-9]+)? [kMG]?Hz)", comment)
        if match is not None and (rate := parse_rate(match[1])):
            return rate
    step = math.gcd(*np.diff(times).tolist()) or 1
    return 1 / (step * reader.timescale)


def _sampled(
    variable: Variable, ticks: float, start: int, stop: int, unknown: int | None, path: Path
) -> dict[str, Array]:
    """Return the samples of a variable, by channel."""
    changes = np.rint(np.array(variable.times, dtype=np.float64) * ticks).astype(np.int64)
    changes = np.maximum(changes, start)  # what is said before the first time is so at the first time
    with np.errstate(over="ignore"):
        kind = object if variable.size > 1 else np.float32 if not variable.size else int
        values = np.array(variable.values, dtype=kind)
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
    """Write a Value Change Dump: integers 0 and 1 as wires, floats as real numbers.

    Raises:
        ValueError: a channel of integers with something else than 0 and 1, or a name that the file cannot hold.
    """
    for name in capture.data:
        words = name.split()
        if not words or name != " ".join(words) or "$end" in words:
            raise ValueError(f"a Value Change Dump has names of words with one space between, not {name!r}")
    check_logic({name: samples for name, samples in capture.data.items() if samples.dtype.kind != "f"})
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
