"""What a simulated CryoCon stores beside channels and loops: tables of several lines, and the data log."""

from __future__ import annotations

import time

from instruments.cryocon.tables import CURVE_UNITS, PID_TABLE_SIZE, SENSOR_TYPES

#: Settings of what is stored, by its name. Every number of a thing begins with these.
SETTINGS = {
    "over-temperature": {"enabled": "OFF", "source": "A", "temperature": "330.0"},
    "relay": {
        "source": "A",
        "mode": "AUTO",
        "highest": "200.0",
        "lowest": "100.0",
        "deadband": "0.25",
        "high_enabled": "NO",
        "low_enabled": "NO",
    },
    "sensor": {"name": "None", "entries": "0", "units": "VOLTS", "type": "DIODE", "multiplier": "-1.0"},
    "configuration": {"name": "Configuration"},
    "network": {
        "ip": "192.168.1.5",
        "port": "5000",
        "name": "M24C",
        "dhcp": "OFF",
        "mac": "00:50:C2:6F:40:01",
    },
    "mail": {"address": "192.168.1.1", "from": "", "to": "", "port": "25", "state": "OFF"},
    "curve": {"text": "User Curve\nDiode\n-1.000000\nVolts\n"},
    "table": {"name": "PID Table", "entries": "0", "text": "PID Table\n"},
    "log": {"state": "OFF", "interval": "10"},
}

#: Factory sensors (Model 24C User's Guide).
FACTORY_SENSORS = {
    "1": "S900",
    "2": "DT-670",
    "3": "DT-470",
    "4": "S950",
    "5": "SI-410",
    "20": "Pt100",
    "21": "Pt1K",
    "22": "Pt10K",
    "32": "RO-600",
    "45": "TC K",
    "46": "TC E",
    "47": "TC T",
    "48": "TC AuFe",
    "59": "Internal",
}

#: Number of the sensor that user curve 0 would be: user curves 1 to 8 are sensors 61 to 68.
USER_SENSORS = 60

#: Records that the data logger holds.
LOG_SIZE = 1365


class Transfers:
    """Settings by name and number, and the transfer that is going on.

    Attributes:
        collecting: the name and number of what is being received line by line, until a line with ``;``.
        records: of the data log, as text.
    """

    def __init__(self) -> None:
        self.collecting: tuple[str, str] | None = None
        self.records: list[str] = []
        self._settings: dict[tuple[str, str], dict[str, str]] = {}
        self._lines: list[str] = []
        self._next_record: float | None = None

    def settings(self, name: str, id: str) -> dict[str, str]:
        """Return the settings of one thing."""
        if (name, id) not in self._settings:
            self._settings[name, id] = {"id": id, **SETTINGS[name]}
            if name == "sensor":
                self._settings[name, id]["name"] = FACTORY_SENSORS.get(id, "None")
        return self._settings[name, id]

    def begin(self, name: str, id: str) -> None:
        """Take the lines that follow as a table."""
        self.collecting = name, id
        self._lines = []

    def collect(self, line: str) -> None:
        """Take one line of a table; ``;`` closes it. Lines that make no sense are dropped."""
        if line != ";":
            self._lines.append(line)
            return
        assert self.collecting is not None
        (name, id), self.collecting = self.collecting, None
        if name == "curve":
            self._store_curve(id, self._lines)
        else:
            self._store_table(id, self._lines)

    def _store_curve(self, id: str, lines: list[str]) -> None:
        if len(lines) < 4 or lines[1].split()[0].upper() not in SENSOR_TYPES or lines[3].upper() not in CURVE_UNITS:
            return
        points = sorted(point for line in lines[4:] if (point := floats(line, 2)) is not None)
        text = [*lines[:1], *lines[1:4], *(f"{reading:.6f} {kelvin:.6f}" for reading, kelvin in points)]
        text[0] = text[0][:15]
        self.settings("curve", id)["text"] = "".join(f"{line}\n" for line in text)
        self.settings("sensor", str(USER_SENSORS + int(id))).update(
            name=text[0],
            type=lines[1].split()[0].upper(),
            multiplier=lines[2],
            units=lines[3].upper(),
            entries=str(len(points)),
        )

    def _store_table(self, id: str, lines: list[str]) -> None:
        if not lines:
            return
        entries = []
        for line in lines[1:]:
            words = line.split()
            values = floats(" ".join(words[:4]), 4)
            if len(words) == 6 and values is not None and values[0] > 0:
                entries.append((values, line))
        entries = sorted(entries)[:PID_TABLE_SIZE]
        text = "".join(f"{line}\n" for line in (lines[0][:15], *(line for _, line in entries)))
        self.settings("table", id).update(name=lines[0][:15], entries=str(len(entries)), text=text)

    def curve(self, id: str) -> str:
        """Return a curve as it is transferred."""
        return self.settings("curve", id)["text"] + ";"

    def table(self, id: str) -> str:
        """Return a PID table as it is transferred."""
        return self.settings("table", id)["text"] + ";"

    def gains(self, id: int, set_point: float) -> tuple[float, float, float] | None:
        """Return the gains for a set point: of the first entry that is not below it, or else of the last."""
        gains = None
        for line in self.settings("table", str(id))["text"].splitlines()[1:]:
            limit, *values = map(float, line.split()[:4])
            gains = values[0], values[1], values[2]
            if limit >= set_point:
                break
        return gains

    def log(self, now: float, temperatures: list[str]) -> None:
        """Take a record, if it is time."""
        settings = self.settings("log", "")
        if settings["state"] != "ON":
            self._next_record = None
            return
        if self._next_record is not None and now < self._next_record:
            return
        self._next_record = now + float(settings["interval"])
        if len(self.records) < LOG_SIZE:
            moment = time.strftime("%m/%d/%Y, %H,%M,%S", time.localtime())
            a, b, c, d = temperatures
            self.records.append(f"{len(self.records)}, {moment}, {a}, {b}, {c},{d}\r\n")

    def log_text(self) -> str:
        """Return the records as they are transferred."""
        return "".join(self.records) + ";"

    def clear_log(self) -> None:
        """Delete the records."""
        self.records.clear()


def floats(line: str, count: int) -> tuple[float, ...] | None:
    """Return the numbers of a line, None if it has not *count* of them."""
    try:
        values = tuple(map(float, line.split()))
    except ValueError:
        return None
    return values if len(values) == count else None
