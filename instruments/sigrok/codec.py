"""The formats of sigrok-cli: its binary and WAV output, what it says of a device, decoded annotations."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from sockio.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

#: What sigrok-cli calls a rate (libsigrok, sr_samplerate_string).
PREFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}

#: The kinds of channels that a device with these functions has; those with others have analog ones.
FUNCTIONS = {"Logic analyzer": "logic", "Demo device": "", "Pattern generator": "", "Signal generator": ""}

#: A line of what decoders print with log level 4: samples, instance, class of annotation, its texts, the longest first.
ANNOTATION = re.compile(r'(\d+)-(\d+) ([^ ]+): ([\w-]+): "(.*)"')

#: The "fmt " chunk of a WAV file (RIFF, Multimedia Programming Interface 1.0): IEEE floats have format 3.
WAV_FORMAT = struct.Struct("<HHIIHH")
IEEE_FLOAT = 3


@dataclass(frozen=True)
class Samplerates:
    """The samplerates of a device, in hertz.

    Attributes:
        listed: all of them, in ascending order; empty if there is a range instead.
        lowest, highest, step: the range.
    """

    listed: tuple[float, ...] = ()
    lowest: float = 0
    highest: float = 0
    step: float = 1

    def check(self, samplerate: float) -> None:
        """Raise a ValueError unless the device has this samplerate."""
        if self.listed:
            if samplerate not in self.listed:
                known = ", ".join(f"{rate:g}" for rate in self.listed)
                raise ValueError(f"samplerate must be one of {known} Hz, not {samplerate:g}")
        elif not self.lowest <= samplerate <= self.highest or (samplerate - self.lowest) % self.step:
            raise ValueError(
                f"samplerate must be {self.lowest:g} to {self.highest:g} Hz in steps of {self.step:g}, "
                f"not {samplerate:g}"
            )

    @property
    def fastest(self) -> float:
        return self.listed[-1] if self.listed else self.highest


@dataclass(frozen=True)
class Description:
    """What ``sigrok-cli --show`` says of a device.

    Attributes:
        channels: the names of all channels, in the order of the device.
        functions: "Logic analyzer", "Oscilloscope", ...
        samplerates: None if it has no such option.
        triggers: the kinds of triggers, such as ``01rfe``; empty if it has none.
        options: the names of what can be configured.
    """

    channels: tuple[str, ...]
    functions: tuple[str, ...]
    samplerates: Samplerates | None
    triggers: str
    options: tuple[str, ...]

    @property
    def kinds(self) -> set[str]:
        """Which kinds of channels there may be: "logic", "analog"."""
        functions = {FUNCTIONS.get(function, "analog") for function in self.functions}
        return (functions - {""}) or {"logic", "analog"}


@dataclass(frozen=True)
class Layout:
    """Where the channels are in what sigrok-cli writes.

    Attributes:
        logic: the bit of each enabled logic channel in a sample.
        analog: the enabled analog channels, in the order of the device.
        unit: bytes of a sample of the logic channels.
    """

    logic: Mapping[str, int]
    analog: tuple[str, ...]
    unit: int


@dataclass(frozen=True)
class Annotation:
    """What a protocol decoder has found.

    Attributes:
        start, end: numbers of the first sample, and of the one after the last.
        decoder: which decoder, and a number: ``uart-1``.
        kind: the class of annotation, such as ``rx-data``; see ``sigrok-cli -P uart --show``.
        text: as the decoder says it at its most explicit, such as ``48``.
    """

    start: int
    end: int
    decoder: str
    kind: str
    text: str


def parse_rate(text: str) -> float:
    """Return the hertz of ``24 MHz``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kMG]?)Hz", text.strip())
    if match is None:
        raise ProtocolError(f"expected a samplerate, got {text!r}", text.encode())
    return float(Fraction(match[1]) * PREFIXES[match[2]])


def parse_show(text: str) -> Description:
    """Return what ``sigrok-cli --show`` says of a device."""
    channels = re.search(r"^.* with \d+ channels?: (.*)$", text, re.MULTILINE)
    if channels is None:
        raise ProtocolError(f"expected the channels of a device, got {text!r}", text.encode())
    functions = re.search(r"^Driver functions:\n((?: {4}\S.*\n)*)", text, re.MULTILINE)
    triggers = re.search(r"^ +Supported triggers: (.*)$", text, re.MULTILINE)
    return Description(
        tuple(channels[1].split()),
        tuple(line.strip() for line in functions[1].splitlines()) if functions else (),
        _parse_samplerates(text),
        triggers[1].replace(" ", "") if triggers else "",
        tuple(re.findall(r"^ {4}([a-z_]+)(?::| \(| - )", text, re.MULTILINE)),
    )


def _parse_samplerates(text: str) -> Samplerates | None:
    steps = re.search(r"^ +samplerate \((.*) - (.*) in steps of (.*)\)", text, re.MULTILINE)
    if steps is not None:
        lowest, highest, step = map(parse_rate, steps.groups())
        return Samplerates((), lowest, highest, step)
    listed = re.search(r"^ +samplerate - supported samplerates:\n((?: +[\d.]+ ?[kMG]?Hz.*\n?)+)", text, re.MULTILINE)
    if listed is not None:
        return Samplerates(tuple(sorted(parse_rate(line.replace("(current)", "")) for line in listed[1].splitlines())))
    return None


def check_logic(data: Mapping[str, Array]) -> None:
    """Raise a ValueError if one of these channels has something else than 0 and 1."""
    for name, samples in data.items():
        if len(samples) and not (samples.min() >= 0 and samples.max() <= 1):
            raise ValueError(f"channel {name!r} must be 0 and 1 for a logic channel")


def unpack_logic(packed: Array, layout: Layout, names: tuple[str, ...]) -> dict[str, Array]:
    """Return the samples of logic channels, 0 or 1, a new array each.

    Args:
        packed: bytes, as sigrok-cli writes them: *unit* for each sample, the first channel in the lowest bit.
        layout: which bit is which.
        names: the channels that are wanted.
    """
    rows = packed.reshape(-1, layout.unit)
    data = {}
    for name in names:
        byte, bit = divmod(layout.logic[name], 8)
        data[name] = samples = rows[:, byte] >> np.uint8(bit)
        samples &= np.uint8(1)
    return data


def parse_wav_header(data: bytes) -> tuple[int, float, int] | None:
    """Return the number of channels, the samplerate, and where the samples begin; None if more has to come.

    Raises:
        ProtocolError: it is no WAV file of IEEE floats.
    """
    if len(data) < 12:
        return None
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ProtocolError(f"expected a WAV file, got {data[:40]!r}", data[:40])
    position = 12
    found: tuple[int, float] | None = None
    while len(data) >= position + 8:
        name = data[position : position + 4]
        (size,) = struct.unpack_from("<I", data, position + 4)
        position += 8
        if name == b"data" and found is not None:
            return *found, position
        if len(data) < position + size:
            return None
        if name == b"fmt ":
            if size < WAV_FORMAT.size:
                raise ProtocolError(f"expected a format of {WAV_FORMAT.size} bytes, got {size}", data[:position])
            kind, channels, rate, _, _, bits = WAV_FORMAT.unpack_from(data, position)
            if (kind, bits) != (IEEE_FLOAT, 32):
                raise ProtocolError(f"expected floats of 32 bits, got format {kind} of {bits} bits", data[:position])
            found = channels, float(rate)
        position += size
    return None


def unpack_analog(samples: Array, layout: Layout, names: tuple[str, ...]) -> dict[str, Array]:
    """Return the values of analog channels as float32, a new array each.

    Args:
        samples: float32, those of all channels of the layout in turn.
        layout: the order of the channels.
        names: the channels that are wanted.
    """
    rows = samples.reshape(-1, len(layout.analog))
    return {name: rows[:, layout.analog.index(name)].copy() for name in names}


def parse_annotations(text: str) -> list[Annotation]:
    """Return the annotations in the output of decoders, with numbers of samples and log level 4.

    Raises:
        ProtocolError: a line that is none.
    """
    return [_parse_annotation(line) for line in text.split("\n") if line]


def _parse_annotation(line: str) -> Annotation:
    match = ANNOTATION.fullmatch(line)
    if match is None:
        raise ProtocolError(f"expected an annotation, got {line!r}", line.encode())
    start, end, decoder, kind, texts = match.groups()
    return Annotation(int(start), int(end), decoder, kind, texts.split('" "')[0])
