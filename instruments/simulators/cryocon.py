"""A simulated CryoCon temperature controller, model 24C, in a simulated cryostat.

Configuration keys of the device, all with defaults: ``*idn``, ``name``, ``lockout``, ``remled``, ``control``,
``distc``, ``hardware_revision``, ``firmware_revision``, ``channels`` (A to D), ``loops`` (1 to 4, or 0 to 3),
and, for benches and tests:

- ``io_period``: requests that follow each other faster are delayed; seconds, 0.1 as the real one.
- ``speed``: how much faster than real time the cryostat is, 1.
- ``seed``: of the sensors' noise, 0.
- ``final_semicolon``: whether lines of several replies end in ``;``, as the manual shows them, false.

A channel's ``temperature`` is a number of kelvin, or what a broken sensor shows: ``-------`` or ``.......``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from instruments.cryocon.codec import NOT_ACKNOWLEDGED, split

from .cryocon_commands import ROOT
from .cryocon_grammar import Found, Node, Refused, Target, find
from .cryocon_loop import SimulatedLoop, from_kelvin
from .cryocon_tables import Transfers
from .cryostat import Cryostat
from .engine import BaseDevice

#: Seconds in which a controller that was reset cannot be reached.
RESET_TIME = 15.0

#: Kelvin to which the four stages cool down.
BASE_TEMPERATURES = {"A": 11.456, "B": 12.456, "C": 13.456, "D": 14.456}

CHANNEL = {
    "unit": "K",
    "alarm": "--",
    "minimum": 3.4,
    "maximum": 304.12,
    "variance": 0.1,
    "slope": 0.5,
    "offset": 5.5,
    "alarm_highest": 105,
    "alarm_lowest": 5,
    "alarm_deadband": 0.1,
    "alarm_high_enabled": "NO",
    "alarm_low_enabled": "NO",
    "alarm_latch_enabled": "NO",
    "alarm_audio": "NO",
    "sensor": 2,
    "bias": "N/A",
    "ac_excitation": "OFF",
    "bridge_range": "AUTO",
    "thermocouple_offset": 0.0,
}

LOOP = {
    "source": "A",
    "type": "MAN",
    "output power": 40.3,
    "setpoint": 0.0,
    "rate": 10.0,
    "range": "MID",
    "pgain": 20.0,
    "igain": 15.0,
    "dgain": 1.0,
    "load": 50,
    "max output power": 100.0,
    "max setpoint": 1000.0,
    "table": 1,
    "mode": "PID",
    "delta": 5.0,
    "timeout": 180,
    "autotune": "IDLE",
}

#: Where a loop differs from LOOP.
LOOPS = {
    1: {},
    2: {"load": "N/A"},
    3: {"type": "OFF", "range": "5V", "load": "N/A"},
    4: {"type": "OFF", "range": "5V", "load": "N/A"},
}

SYSTEM = {
    "*idn": "Cryo-con,24C,204683,1.01A",
    "lockout": "OFF",
    "remled": "OFF",
    "control": "OFF",
    "distc": 1,
    "hardware_revision": "12A4FE",
    "firmware_revision": "78C90A",
    "address": 12,
    "baudrate": 9600,
    "taps": 7,
    "line_frequency": 60,
    "resolution": "FULL",
    "power_up_control": "OFF",
    "fan": 0,
    "*ese": 0,
    "*esr": 0,
    "*sre": 0,
}


class CryoCon(BaseDevice):
    """The controller: its settings, its loops, and the cryostat at its inputs."""

    system: Target
    channels: dict[str, Target]
    loops: dict[int, SimulatedLoop]
    transfers: Transfers

    def __init__(
        self,
        name: str,
        channels: Mapping[str, Mapping[str, Any]] | None = None,
        loops: Mapping[Any, Mapping[str, Any]] | None = None,
        io_period: float = 0.1,
        speed: float = 1.0,
        seed: int = 0,
        final_semicolon: bool = False,
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        system = {key: options.pop(key, default) for key, default in SYSTEM.items()}
        super().__init__(name, **options)
        self.system = texts({**system, "name": name})
        self.channels = {
            id: texts({"id": id, "name": f"Channel {id}", **CHANNEL, **settings})
            for id, settings in by_channel(channels or {}).items()
        }
        self.loops = {
            number: SimulatedLoop(number, texts({**LOOP, **LOOPS[number], **settings}), self.unit_of, self.gains_of)
            for number, settings in by_loop(loops or {}).items()
        }
        self.transfers = Transfers()
        self.io_period = io_period
        self.final_semicolon = final_semicolon
        self.faults: dict[str, str] = {}
        self._speed = speed
        self._clock = clock
        self._start = clock()
        self._free_at = self._silent_until = self._start
        self.cryostat = Cryostat([self._initial_temperature(id) for id in self.channels], self._start, seed)
        self.switch_control(self.system["control"] == "ON")

    def _initial_temperature(self, id: str) -> float:
        value: Any = self.channels[id].pop("temperature", BASE_TEMPERATURES[id])
        try:
            return float(value)
        except ValueError:
            self.faults[id] = value
            return BASE_TEMPERATURES[id]

    # What the wire says

    def handle_message(self, message: bytes) -> bytes | None:
        """Answer one line, after the pause that the controller needs between two."""
        if not self.transfers.collecting:
            self._pause()
        if self._clock() < self._silent_until:
            return None
        return self.answer(message)

    def answer(self, message: bytes) -> bytes | None:
        """Answer one line at once."""
        self.advance()
        line = message.decode("ascii", "replace").strip()
        if self.transfers.collecting:
            self.transfers.collect(line)
            return None
        replies: list[str] = []
        node, targets = ROOT, [self.system]
        for command in map(str.strip, split(line)):
            if command:
                try:
                    node, targets = self._obey(command, node, targets, replies)
                except Refused:
                    replies.append(NOT_ACKNOWLEDGED)
                    node, targets = ROOT, [self.system]
        if not replies:
            return None
        end = ";" if self.final_semicolon and len(replies) > 1 else ""
        return (";".join(replies) + end + "\n").encode("ascii", "replace")

    def _obey(self, command: str, node: Node, targets: list[Target], replies: list[str]) -> tuple[Node, list[Target]]:
        """Obey one command, and return the subsystem that the next one is in."""
        if command.startswith(("*", ":*")):
            self._do(find(ROOT, self, [self.system], command.removeprefix(":")), replies)
            return node, targets
        if command.startswith(":"):
            command, node, targets = command[1:], ROOT, [self.system]
        *path, last = split_path(command)
        for step in path:
            found = find(node, self, targets, step)
            if found.query:
                raise Refused
            node, targets = found.node, found.targets
        self._do(find(node, self, targets, last), replies)
        return node, targets

    def _do(self, found: Found, replies: list[str]) -> None:
        """Read or write what a command has come to."""
        if found.query:
            if found.node.read is None:
                raise Refused
            replies.extend(found.node.read(self, target) for target in found.targets)
            return
        if found.node.write is None:
            raise Refused
        for target in found.targets:
            found.node.write(self, target, found.argument)

    def _pause(self) -> None:
        now = self._clock()
        start = max(now, self._free_at)
        self._free_at = start + self.io_period
        if start > now:
            import gevent

            gevent.sleep(start - now)

    # What commands need

    def advance(self) -> None:
        """Let the cryostat come to the present moment."""
        now = self._start + (self._clock() - self._start) * self._speed
        self.cryostat.advance(now, list(self.loops.values()))
        for id, channel in self.channels.items():
            self._watch(id, channel)
        self.transfers.log(now, [self.temperature(id) for id in self.channels])

    def kelvin(self, id: str) -> float:
        """Return the reading of a channel, in kelvin."""
        return self.cryostat.stages["ABCD".index(id)].reading

    def temperature(self, id: str) -> str:
        """Return the reading of a channel in its display unit, as text."""
        return self.faults.get(id) or f"{from_kelvin(self.kelvin(id), self.unit_of(id)):.4f}"

    def unit_of(self, id: str) -> str:
        """Return the display unit of a channel."""
        unit: str = self.channels[id]["unit"]
        return unit

    def gains_of(self, table: int, set_point: float) -> tuple[float, float, float] | None:
        """Return the gains of a PID table for a set point."""
        return self.transfers.gains(table, set_point)

    def switch_control(self, on: bool) -> None:
        """Start or stop all the loops."""
        self.system["control"] = "ON" if on else "OFF"
        for loop in self.loops.values():
            loop.start(on)

    def reset(self) -> None:
        """Stop controlling, and be out of reach for a while."""
        self.switch_control(False)
        self._silent_until = self._clock() + RESET_TIME

    def now(self) -> time.struct_time:
        """Return the date and the time of day."""
        return time.localtime()

    def _watch(self, id: str, channel: Target) -> None:
        """Keep the extremes and the alarm of a channel."""
        if id in self.faults:
            channel["alarm"] = "SF"
            return
        value = from_kelvin(self.kelvin(id), self.unit_of(id))
        if value < float(channel["minimum"]):
            channel["minimum"] = f"{value:.4f}"
        if value > float(channel["maximum"]):
            channel["maximum"] = f"{value:.4f}"
        high, low = float(channel["alarm_highest"]), float(channel["alarm_lowest"])
        deadband = float(channel["alarm_deadband"])
        if channel["alarm_high_enabled"] == "YES" and value > high:
            channel["alarm"] = "HI"
        elif channel["alarm_low_enabled"] == "YES" and value < low:
            channel["alarm"] = "LO"
        elif channel["alarm_latch_enabled"] == "NO" and (
            (channel["alarm"] == "HI" and value < high - deadband)
            or (channel["alarm"] == "LO" and value > low + deadband)
        ):
            channel["alarm"] = "--"


def split_path(command: str) -> list[str]:
    """Split a command at the colons that are before its quoted argument."""
    head, quote, tail = command.partition('"')
    *path, last = head.split(":")
    return [*path, last + quote + tail]


def texts(settings: Mapping[str, Any]) -> Target:
    """Return settings as they are written on the wire; YAML makes booleans of ON and OFF, YES and NO."""
    return {key: as_text(key, value) for key, value in settings.items()}


def as_text(key: str, value: Any) -> str:
    """Return one setting as it is written on the wire."""
    if isinstance(value, bool):
        yes, no = ("YES", "NO") if key.startswith("alarm_") else ("ON", "OFF")
        return yes if value else no
    return str(value)


def by_channel(settings: Mapping[Any, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the settings of all four channels."""
    unknown = [id for id in settings if str(id).upper() not in BASE_TEMPERATURES]
    if unknown:
        raise ValueError(f"no channel {unknown[0]!r}: channels are A, B, C and D")
    given = {str(id).upper(): dict(values or {}) for id, values in settings.items()}
    return {id: given.get(id, {}) for id in BASE_TEMPERATURES}


def by_loop(settings: Mapping[Any, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the settings of all four loops, which may be numbered from 0 or from 1."""
    given = {int(number): dict(values or {}) for number, values in settings.items()}
    first = 0 if 0 in given else 1
    unknown = [number for number in given if number - first not in range(4)]
    if unknown:
        raise ValueError(f"no loop {unknown[0]!r}: loops are numbered from {first} to {first + 3}")
    return {number: given.get(number - 1 + first, {}) for number in range(1, 5)}
