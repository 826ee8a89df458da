"""What the controller transfers in several lines: sensor curves, PID tables and the data log, as bytes and
back.

A transfer is closed by a line that holds ``;`` alone. Formats: Model 24C User's Guide, edition 5c.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sockio.errors import LimitError
from sockio.framing import Framing, Need

from .errors import CryoConError, ReplyError
from .values import decode_number, encode_string, refuse

if TYPE_CHECKING:
    from sockio.buffer import Buffer

SENSOR_TYPES = ("DIODE", "ACR", "PTC100", "PTC1K", "TC70", "NONE")
CURVE_UNITS = ("VOLTS", "OHMS", "LOGOHM")

#: Entries of a sensor curve and of a PID table.
CURVE_SIZE = (2, 200)
PID_TABLE_SIZE = 16

#: Where the answer to a transfer query ends: at a line with ``;`` alone, or at once when it is refused.
END = re.compile(rb"(?:\A|\n)[ \t]*;[ \t\r]*\n|\ANACK;?\r?\n")


class Transfer(Framing[bytes]):
    """The answer to a transfer query, with its closing line; what is sent is one line."""

    def encode(self, frame: bytes) -> bytes:
        return frame

    def decode(self, buffer: Buffer) -> bytes | Need:
        match = END.search(buffer.peek(-1))
        if match is not None:
            return buffer.take(match.end())
        if len(buffer) < self.limit:
            return Need(1)
        raise LimitError(f"expected a line with ';' within {self.limit} bytes", self.limit, buffer.peek(64))


#: The framing of transfers; it has no state.
TRANSFER = Transfer()


@dataclass(frozen=True)
class Curve:
    """A sensor's calibration curve.

    Attributes:
        name: up to 15 characters.
        type: DIODE (10 uA), ACR, PTC100, PTC1K, TC70 or NONE.
        multiplier: negative for diodes and sensors with a negative temperature coefficient.
        units: of the readings: VOLTS, OHMS or LOGOHM.
        points: 2 to 200 pairs of a reading and its temperature in kelvin, in any order.
        bias: excitation voltage of an ACR sensor, such as ``10MV``; the controller's own choice if empty.
    """

    name: str
    type: str
    multiplier: float
    units: str
    points: tuple[tuple[float, float], ...]
    bias: str = ""


@dataclass(frozen=True)
class PIDEntry:
    """What a loop uses up to a set point.

    Attributes:
        set_point: in the source channel's unit, above 0.
        proportional, integrator, differentiator: gains; none, seconds and 1/s.
        range: of the output, such as ``HI``.
        source: ``ChA`` to ``ChD``, or ``Default`` for the loop's own.
    """

    set_point: float
    proportional: float
    integrator: float
    differentiator: float
    range: str
    source: str = "Default"


@dataclass(frozen=True)
class PIDTable:
    """A PID table: its name and up to 16 entries."""

    name: str
    entries: tuple[PIDEntry, ...]


@dataclass(frozen=True)
class LogRecord:
    """One record of the data logger: its number, when it was taken, and the channels' temperatures."""

    number: int
    when: datetime.datetime
    temperatures: tuple[float | None, ...]


def encode_curve(index: int, curve: Curve) -> bytes:
    """Return the transfer of a curve to user curve *index*.

    Raises:
        ValueError: the curve is not one that the controller can store.
    """
    fewest, most = CURVE_SIZE
    if curve.type.upper() not in SENSOR_TYPES:
        raise refuse(curve.type, "a sensor type: " + ", ".join(SENSOR_TYPES))
    if curve.units.upper() not in CURVE_UNITS:
        raise refuse(curve.units, "a unit of readings: " + ", ".join(CURVE_UNITS))
    if not fewest <= len(curve.points) <= most:
        raise ValueError(f"a curve has {fewest} to {most} points, not {len(curve.points)}")
    type_line = f"{curve.type} {curve.bias}" if curve.bias else curve.type
    points = [f"{finite(reading):.6f} {finite(kelvin):.6f}" for reading, kelvin in curve.points]
    return transfer(
        f"CALCUR {index}",
        bare(curve.name),
        type_line,
        f"{finite(curve.multiplier):.6f}",
        curve.units,
        *points,
    )


def decode_curve(reply: bytes) -> Curve:
    """Read a curve.

    Raises:
        ReplyError: it is none.
    """
    name, type_line, multiplier, units, *points = lines_of(reply, 4)
    words = type_line.split()
    try:
        pairs = tuple((float(reading), float(kelvin)) for reading, kelvin in map(str.split, points))
        return Curve(name, words[0], float(multiplier), units, pairs, " ".join(words[1:]))
    except (ValueError, IndexError) as problem:
        raise ReplyError(f"cannot read the curve {reply!r}: {problem}", reply) from problem


def encode_pid_table(index: int, table: PIDTable) -> bytes:
    """Return the transfer of a PID table to table *index*.

    Raises:
        ValueError: the table is not one that the controller can store.
    """
    if len(table.entries) > PID_TABLE_SIZE:
        raise ValueError(f"a PID table has up to {PID_TABLE_SIZE} entries, not {len(table.entries)}")
    return transfer(f"PIDTABLE {index}:TABLE", bare(table.name), *map(encode_pid_entry, table.entries))


def encode_pid_entry(entry: PIDEntry) -> str:
    """Return the line of an entry, such as ``300.00 1.60 160.00 40.00 HI Default``."""
    if not entry.set_point > 0:
        raise refuse(entry.set_point, "a set point above 0; the controller deletes others")
    numbers = (entry.set_point, entry.proportional, entry.integrator, entry.differentiator)
    return " ".join([*(f"{finite(number):.2f}" for number in numbers), entry.range, entry.source])


def decode_pid_table(reply: bytes) -> PIDTable:
    """Read a PID table.

    Raises:
        ReplyError: it is none.
    """
    name, *entries = lines_of(reply, 1)
    try:
        return PIDTable(name, tuple(decode_pid_entry(line) for line in entries))
    except ValueError as problem:
        raise ReplyError(f"cannot read the PID table {reply!r}: {problem}", reply) from problem


def decode_pid_entry(line: str) -> PIDEntry:
    """Read the line of an entry."""
    set_point, proportional, integrator, differentiator, output_range, source = line.split()
    gains = float(proportional), float(integrator), float(differentiator)
    return PIDEntry(float(set_point), *gains, output_range, source)


def decode_log(reply: bytes) -> list[LogRecord]:
    """Read the data logger's records: ``#, MM/DD/YYYY, HR,MN,SC, ChA, ChB, ChC,ChD`` on each line.

    Raises:
        ReplyError: they are none.
    """
    try:
        return [decode_record(line) for line in lines_of(reply, 0)]
    except ValueError as problem:
        raise ReplyError(f"cannot read the data log {reply!r}: {problem}", reply) from problem


def decode_record(line: str) -> LogRecord:
    """Read one record."""
    number, date, hour, minute, second, *temperatures = (part.strip() for part in line.split(","))
    when = datetime.datetime.strptime(f"{date} {hour}:{minute}:{second}", "%m/%d/%Y %H:%M:%S")
    return LogRecord(int(number), when, tuple(map(decode_number, temperatures)))


def transfer(*lines: str) -> bytes:
    """Return lines with their ends, and the one that closes the transfer."""
    return "".join(f"{line}\n" for line in (*lines, ";")).encode("ascii")


def lines_of(reply: bytes, fewest: int) -> Sequence[str]:
    """Return the lines of a reply without the closing one."""
    try:
        text = reply.decode("ascii")
    except UnicodeDecodeError:
        raise ReplyError(f"the reply is not ASCII: {reply!r}", reply) from None
    lines = [line.strip() for line in text.splitlines()]
    if lines in (["NACK"], ["NACK;"]):
        raise CryoConError("the transfer was not acknowledged")
    if not lines or lines.pop() != ";" or len(lines) < fewest:
        raise ReplyError(f"expected {fewest} lines or more and a closing ';', got {reply!r}", reply)
    return lines


def bare(name: str) -> str:
    """Return a name after checking it. In transfers it has no quotation marks."""
    return encode_string(name)[1:-1]


def finite(number: float) -> float:
    """Return a number after checking that it is one."""
    if not math.isfinite(number):
        raise refuse(number, "a finite number")
    return number
