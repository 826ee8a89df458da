"""A simulated oscilloscope with four channels.

Configuration keys, beside those of `instruments.simulators.scpi`, all with defaults:

- ``signals``: by channel, what is at its input: ``shape`` (sine, square, ramp, none), ``frequency`` in Hz,
  ``amplitude`` and ``offset`` in volt.
- ``noise``: standard deviation of the noise at all inputs, in volt, 0.005.
- ``seed``: of the noise, 0.
- ``block_digits``: how many digits the header of a waveform block has for its length, 9; 1 for as many as it takes, 0
  for an indefinite block. ``SIMulate:BLOCk:DIGits`` changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gevent

from .scpi import ScpiDevice
from .scpi_errors import ScpiError
from .scpi_parameters import Block, Boolean, Choice, Integer, Name, Number, Optional, definite_block
from .scpi_screen import draw_screen
from .scpi_table import Setting, command
from .scpi_waveform import Floats, Signal, View

CHANNELS = (1, 2, 3, 4)

SOURCE = Choice("CHANnel1", "CHANnel2", "CHANnel3", "CHANnel4")

#: What is at the inputs unless the configuration says otherwise.
SIGNALS = {
    1: Signal("sine", 1e3, 1.0, 0.0),
    2: Signal("square", 500.0, 0.5, 0.5),
    3: Signal("ramp", 2e3, 2.0, 0.0),
    4: Signal("none", 1.0, 0.0, 0.0),
}

#: Points that a waveform has at most: 64 Mi.
LARGEST_WAVEFORM = 1 << 26

#: Bytes that an uploaded waveform has at most.
LARGEST_UPLOAD = 1 << 28

#: The first number of a waveform's preamble.
FORMATS = {"BYTE": 0, "WORD": 1, "ASC": 4}


class Oscilloscope(ScpiDevice):
    """The oscilloscope: its channels, its time base, and the waveforms that it gives and takes."""

    identity = "sockio,Simulated oscilloscope,DSO0001,1.0"

    SETTINGS = (
        Setting("CHANnel{4}:SCALe", "scale", Number(1e-3, 10, "V"), 0.5),
        Setting("CHANnel{4}:OFFSet", "offset", Number(-100, 100, "V"), 0.0),
        Setting("CHANnel{4}:DISPlay", "display", Boolean(), True),
        Setting("CHANnel{4}:COUPling", "coupling", Choice("DC", "AC"), "DC"),
        Setting("TIMebase:SCALe", "time scale", Number(1e-9, 50, "S"), 2e-4),
        Setting("TIMebase:POSition", "time position", Number(-500, 500, "S"), 0.0),
        Setting("TRIGger[:EDGE]:SOURce", "trigger source", SOURCE, "CHAN1"),
        Setting("TRIGger[:EDGE]:LEVel", "trigger level", Number(-100, 100, "V"), 0.0),
        Setting("TRIGger[:EDGE]:SLOPe", "slope", Choice("POSitive", "NEGative"), "POS"),
        Setting("WAVeform:SOURce", "source", SOURCE, "CHAN1"),
        Setting("WAVeform:FORMat", "format", Choice("BYTE", "WORD", "ASCii"), "BYTE"),
        Setting("WAVeform:BYTeorder", "byte order", Choice("LSBFirst", "MSBFirst"), "MSBF"),
        Setting("WAVeform:POINts", "points", Integer(100, LARGEST_WAVEFORM), 1000),
    )

    def __init__(
        self,
        name: str,
        signals: Mapping[Any, Mapping[str, Any]] | None = None,
        noise: float = 0.005,
        seed: int = 0,
        block_digits: int = 9,
        **options: Any,
    ) -> None:
        self.signals = dict(SIGNALS)
        for channel, keys in (signals or {}).items():
            self.signals[int(channel)] = self.signals[int(channel)].changed(keys)
        self.noise = float(noise)
        self.seed = int(seed)
        self.block_digits = int(block_digits)
        self.uploads: dict[str, bytes] = {}
        self._cache: tuple[Any, bytes] | None = None
        super().__init__(name, **options)

    def reset(self) -> None:
        super().reset()
        self.running = True

    # Acquisition

    @command("RUN")
    def _run(self) -> None:
        self.running = True

    @command("STOP")
    def _stop(self) -> None:
        self.operation.abort()
        self.running = False

    @command("SINGle")
    @command("INITiate[:IMMediate]")
    def _single(self) -> None:
        self.operation.start(self._stopped)

    @command("DIGitize")
    def _digitize(self) -> None:
        self.operation.start(self._stopped)
        self.operation.wait()

    def _stopped(self) -> None:
        self.running = False

    # Waveforms

    @command("WAVeform:DATA?")
    def _waveform(self) -> bytes:
        self.operation.wait()
        channel = self._source()
        view, format, order = self._view(channel), self.setting("format"), self.setting("byte order")
        signal, digits = self.signals[channel], self.block_digits
        key = (channel, view, signal, format, order, digits, self.noise, self.seed)
        if self._cache is None or self._cache[0] != key:
            self._cache = key, self._written(self._volts(channel, view), view, format, order)
        return self._cache[1]

    @command("WAVeform:PREamble?")
    def _preamble(self) -> str:
        view, format = self._view(self._source()), self.setting("format")
        levels = 1 << 16 if format == "WORD" else 1 << 8
        numbers = [FORMATS[format], 0, view.points, 1]
        times = [view.interval, view.start, 0.0]
        volts = [view.step(levels), view.offset, levels / 2]
        return ",".join([*map(str, numbers), *(f"{number:+.8E}" for number in times + volts)])

    @command("MEASure:VPP?", Optional(SOURCE))
    def _peak_to_peak(self, source: str | None) -> str:
        channel = self._source(source)
        parts = [part.max() - part.min() for part in self._volts(channel, self._view(channel, 1000))]
        return f"{max(parts):+.8E}"

    @command("MEASure:FREQuency?", Optional(SOURCE))
    def _frequency(self, source: str | None) -> str:
        signal = self.signals[self._source(source)]
        return f"{9.9e37 if signal.shape == 'none' else signal.frequency:+.8E}"

    @command("DISPlay:DATA?")
    def _screen(self) -> bytes:
        shown = [channel for channel in CHANNELS if self.setting("display", channel)]
        traces = {channel: self._trace(channel) for channel in shown}
        return definite_block(draw_screen(traces), 8)

    def _trace(self, channel: int) -> Floats:
        """Return what the screen shows of a channel, in divisions from its middle."""
        view = self._view(channel, 1000)
        (volts,) = self._volts(channel, view)
        trace: Floats = (volts - view.offset) / view.scale
        return trace

    def _source(self, source: str | None = None) -> int:
        return int((source or self.setting("source"))[-1])

    def _view(self, channel: int, points: int | None = None) -> View:
        return View(
            points=self.setting("points") if points is None else points,
            duration=10 * self.setting("time scale"),
            position=self.setting("time position"),
            scale=self.setting("scale", channel),
            offset=self.setting("offset", channel),
        )

    def _volts(self, channel: int, view: View) -> Iterator[Floats]:
        signal = self.signals[channel]
        if self.setting("coupling", channel) == "AC":
            signal = signal.changed({"offset": 0.0})
        return signal.sample(view, self.noise, self.seed + channel)

    def _written(self, volts: Iterator[Floats], view: View, format: str, order: str) -> bytes:
        """Return a waveform as it is answered. Other connections are served between its parts."""
        parts = []
        for part in volts:
            parts.append(view.written(part, format, order))
            gevent.sleep(0)
        if format == "ASC":
            return b",".join(parts)
        data = b"".join(parts)
        return b"#0" + data if self.block_digits == 0 else definite_block(data, self.block_digits)

    # Uploaded waveforms

    @command("DATA:ARBitrary", Name(), Block())
    def _upload(self, name: str, data: bytes) -> None:
        if len(data) > LARGEST_UPLOAD:
            raise ScpiError(-223)
        self.uploads[name] = data

    @command("DATA:ARBitrary?", Name())
    def _uploaded(self, name: str) -> bytes:
        if name not in self.uploads:
            raise ScpiError(-224)
        return definite_block(self.uploads[name])

    @command("DATA:CATalog?")
    def _catalog(self) -> str:
        return ",".join(f'"{name}"' for name in sorted(self.uploads)) or '""'

    @command("DATA:DELete", Name())
    def _delete(self, name: str) -> None:
        if self.uploads.pop(name, None) is None:
            raise ScpiError(-224)

    @command("SIMulate:BLOCk:DIGits", Integer(0, 9))
    def _set_block_digits(self, digits: int) -> None:
        self.block_digits = digits
