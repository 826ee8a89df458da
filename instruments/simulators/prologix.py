"""A simulated Prologix GPIB adapter with simulated instruments behind it.

Configuration keys of the device:

- ``instruments``: the names of other devices by GPIB address, ``9`` or, with a secondary address, ``"9,0"``.
- ``version``: what ``++ver`` answers.

It is the device for a TCP transport (GPIB-ETHERNET) or a serial one (GPIB-USB), or several: they are one adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gevent
from gevent.lock import RLock

from .engine import BaseDevice, Conversation
from .prologix_bus import BusInstrument, ConnectionCut

VERSION = "Prologix GPIB-ETHERNET Controller version 01.06.06.00"

ESCAPE, LINE_ENDS = 27, (10, 13)

#: Settings that are numbers: how they start, and their smallest and largest value.
SETTINGS = {
    "auto": (0, 0, 1),
    "eoi": (1, 0, 1),
    "eos": (0, 0, 3),
    "eot_char": (0, 0, 255),
    "eot_enable": (0, 0, 1),
    "mode": (1, 0, 1),
    "read_tmo_ms": (200, 1, 3000),
    "savecfg": (1, 0, 1),
}

#: What ``++eos`` has appended to each message.
TERMINATORS = (b"\r\n", b"\r", b"\n", b"")

UNRECOGNIZED = b"Unrecognized command\r\n"


class LineReader:
    r"""Cuts what comes from the host into lines, and takes the escapes out of them. Without input and output.

    >>> list(LineReader().feed(b"++addr 9\n\x1b++\x1b\n\r\n"))
    [(True, b'++addr 9'), (False, b'++\n')]
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._escaped = False
        self._escaped_start = False

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """Take bytes; give the lines that they complete, and whether each is a command to the adapter."""
        for byte in data:
            if self._escaped:
                self._escaped_start |= len(self._line) < 2
                self._line.append(byte)
                self._escaped = False
            elif byte == ESCAPE:
                self._escaped = True
            elif byte not in LINE_ENDS:
                self._line.append(byte)
            elif self._line:
                line, escaped = bytes(self._line), self._escaped_start
                self._line.clear()
                self._escaped_start = False
                yield line.startswith(b"++") and not escaped, line


class Prologix(BaseDevice):
    """The adapter: its settings, which all its connections share, and the instruments on its bus."""

    def __init__(
        self, name: str, instruments: Mapping[Any, str] | None = None, version: str = VERSION, **options: Any
    ) -> None:
        super().__init__(name, **options)
        self.version = version
        self._names = {_address(key): device for key, device in (instruments or {}).items()}
        self._bus: dict[tuple[int, ...], BusInstrument] = {}
        self.turn = RLock()
        self._reset()

    def _reset(self) -> None:
        self.settings = {name: start for name, (start, _, _) in SETTINGS.items()}
        self.address: tuple[int, ...] = (0,)

    def get_protocol(self, channel: Any, transport: Any) -> Any:
        """Return what speaks on a new connection."""
        return PrologixProtocol(self, channel, transport)

    # The bus

    def at(self, address: tuple[int, ...]) -> BusInstrument | None:
        """Return the instrument at an address, if there is one."""
        if address not in self._bus and address in self._names:
            self._bus[address] = BusInstrument(self.server.get_device_by_name(self._names[address]))
        return self._bus.get(address)

    def instruments(self) -> list[BusInstrument]:
        """Return all instruments on the bus."""
        return [found for address in self._names if (found := self.at(address)) is not None]

    def send(self, message: bytes) -> None:
        """Send a message to the addressed instrument."""
        instrument = self.at(self.address)
        if instrument is not None:
            instrument.listen(message + TERMINATORS[self.settings["eos"]], bool(self.settings["eoi"]))

    def read(self, put: Callable[[bytes], None], until_end: bool, until: int | None) -> None:
        """Pass on what the addressed instrument says: until END, or a byte, or until it says no more in time."""
        instrument = self.at(self.address)
        wait = self.settings["read_tmo_ms"] / 1000
        while True:
            if instrument is None:
                gevent.sleep(wait)
                return
            data, end = instrument.talk(wait, until)
            put(data)
            if end and self.settings["eot_enable"]:
                put(bytes([self.settings["eot_char"]]))
            if not data or (end and (until_end or until is not None)):
                return
            if until is not None and data[-1] == until:
                return

    # Commands

    def obey(self, line: bytes, put: Callable[[bytes], None]) -> None:
        """Obey a command; *put* sends what is answered."""
        name, *words = line[2:].decode("ascii", "replace").split()
        if name in SETTINGS:
            self._set(name, words, put)
            return
        numbers = [word for word in words if word != "eoi"]
        if name not in COMMANDS or not all(map(str.isdigit, numbers)):
            put(UNRECOGNIZED)
            return
        COMMANDS[name](self, tuple(map(int, numbers)), words, put)

    def _set(self, name: str, words: list[str], put: Callable[[bytes], None]) -> None:
        _, smallest, largest = SETTINGS[name]
        if not words:
            put(b"%d\r\n" % self.settings[name])
        elif len(words) == 1 and words[0].isdigit() and smallest <= int(words[0]) <= largest:
            self.settings[name] = int(words[0])
        else:
            put(UNRECOGNIZED)

    def _addr(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        if not words:
            put(" ".join(map(str, self.address)).encode() + b"\r\n")
        elif _is_address(numbers):
            self.address = numbers
        else:
            put(UNRECOGNIZED)

    def _read(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        self.read(put, words == ["eoi"], numbers[0] if numbers else None)

    def _spoll(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        instrument = self.at(numbers or self.address)
        put(b"%d\r\n" % (0 if instrument is None else instrument.poll()))

    def _srq(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        put(b"%d\r\n" % any(instrument.requests_service for instrument in self.instruments()))

    def _clr(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        instrument = self.at(self.address)
        if instrument is not None:
            instrument.clear()

    def _trg(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        instrument = self.at(numbers or self.address)
        if instrument is not None:
            instrument.trigger()

    def _ver(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        put(self.version.encode() + b"\r\n")

    def _help(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        names = sorted([*COMMANDS, *SETTINGS])
        put(b"The following commands are available:\r\n" + b"".join(b"++%b\r\n" % name.encode() for name in names))

    def _rst(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        self._reset()

    def _bus_line(self, numbers: tuple[int, ...], words: list[str], put: Callable[[bytes], None]) -> None:
        """``++ifc``, ``++llo``, ``++loc``: simulated instruments have no front panel."""


COMMANDS: dict[str, Callable[[Prologix, tuple[int, ...], list[str], Callable[[bytes], None]], None]] = {
    "addr": Prologix._addr,
    "clr": Prologix._clr,
    "help": Prologix._help,
    "ifc": Prologix._bus_line,
    "llo": Prologix._bus_line,
    "loc": Prologix._bus_line,
    "read": Prologix._read,
    "rst": Prologix._rst,
    "spoll": Prologix._spoll,
    "srq": Prologix._srq,
    "trg": Prologix._trg,
    "ver": Prologix._ver,
}


class PrologixProtocol(Conversation[Prologix]):
    """One connection of the adapter."""

    def __init__(self, device: Prologix, channel: Any, transport: Any) -> None:
        super().__init__(device, channel, transport)
        self._reader = LineReader()

    def receive(self, data: bytes) -> None:
        """Obey one line after the other."""
        for is_command, line in self._reader.feed(data):
            try:
                self._do(is_command, line)
            except ConnectionCut:
                self.close()

    def _do(self, is_command: bool, line: bytes) -> None:
        adapter = self._device
        with adapter.turn:
            if is_command:
                adapter.obey(line, self.send)
                return
            adapter.send(line)
            if adapter.settings["auto"]:
                adapter.read(self.send, True, None)


def _address(key: Any) -> tuple[int, ...]:
    """Return the numbers of an address as the adapter has them: 9 is (9,), "9,0" is (9, 96)."""
    primary, *secondary = [int(number) for number in str(key).split(",")]
    return (primary, *(number + 96 for number in secondary))


def _is_address(numbers: tuple[int, ...]) -> bool:
    return 0 < len(numbers) <= 2 and 0 <= numbers[0] <= 30 and all(96 <= secondary <= 126 for secondary in numbers[1:])
