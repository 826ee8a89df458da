"""Signals at the inputs of a simulated oscilloscope, and what it makes of them: millions of points in a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

#: Divisions of the screen from bottom to top; the converter covers them all.
VERTICAL_DIVISIONS = 8

#: Points of one part of a waveform.
PART = 1 << 20

#: One period of a signal has so many values, and the noise repeats after as many.
TABLE_BITS = 16

SHAPES = ("sine", "square", "ramp", "none")


@dataclass(frozen=True)
class View:
    """The settings that a waveform is seen with.

    Attributes:
        points: how many it has.
        duration: from the first to the one after the last, in seconds.
        position: time of its middle, in seconds after the trigger.
        scale: volt for each division.
        offset: volt in the middle of the screen.
    """

    points: int
    duration: float
    position: float
    scale: float
    offset: float

    @property
    def interval(self) -> float:
        """Seconds between two points."""
        return self.duration / self.points

    @property
    def start(self) -> float:
        """The time of the first point, in seconds after the trigger."""
        return self.position - self.duration / 2

    def step(self, levels: int) -> float:
        """Return volt for each level of a converter that has *levels* of them."""
        return VERTICAL_DIVISIONS * self.scale / levels

    def written(self, volts: Floats, format: str, order: str) -> bytes:
        """Return points as they are answered: one byte, a word of two, or text each."""
        if format == "ASC":
            return ",".join(f"{value:+.6E}" for value in volts.tolist()).encode()
        levels = 1 << 16 if format == "WORD" else 1 << 8
        codes = (volts - np.float32(self.offset)) * np.float32(1 / self.step(levels)) + np.float32(levels / 2 + 0.5)
        np.clip(codes, 0, levels - 1, out=codes)
        if format == "BYTE":
            return codes.astype(np.uint8).tobytes()
        return codes.astype("<u2" if order == "LSBF" else ">u2").tobytes()


@dataclass(frozen=True)
class Signal:
    """A periodic signal that rises through its offset at the trigger.

    Attributes:
        shape: one of `SHAPES`.
        frequency: in Hz.
        amplitude: from the middle to the top, in volt.
        offset: of the middle, in volt.
    """

    shape: str
    frequency: float
    amplitude: float
    offset: float

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"the shape of a signal must be one of {', '.join(SHAPES)}, got {self.shape!r}")

    def changed(self, keys: Mapping[str, Any]) -> Signal:
        """Return the signal with some of its attributes changed."""
        values: dict[str, Any] = {key: value if key == "shape" else float(value) for key, value in keys.items()}
        return replace(self, **values)

    def sample(self, view: View, noise: float, seed: int) -> Iterator[Floats]:
        """Give the signal's voltages at the points of a view, in parts.

        Each is looked up in a table of one period, by a phase of 64 bits that turns over with the period.

        Args:
            view: the points.
            noise: its standard deviation, in volt.
            seed: of the noise.
        """
        period = self._period()
        turns = np.array([self.frequency * view.interval, self.frequency * view.start])
        step, phase = (int(turn * 2.0**53) << 11 for turn in np.mod(turns, 1.0).tolist())
        noises = np.random.default_rng(seed).normal(0.0, noise, 1 << TABLE_BITS).astype(np.float32)
        noises = np.tile(noises, PART >> TABLE_BITS)
        steps = np.arange(min(PART, view.points), dtype=np.uint64) * np.uint64(step)
        for first in range(0, view.points, PART):
            count = min(PART, view.points - first)
            phases = steps[:count] + np.uint64((phase + first * step) % (1 << 64))
            volts = period[phases >> np.uint64(64 - TABLE_BITS)]
            volts += noises[:count]
            yield volts

    def _period(self) -> npt.NDArray[np.float32]:
        """Return one period, beginning where the signal rises."""
        turn = (np.arange(1 << TABLE_BITS) + 0.5) / (1 << TABLE_BITS)
        shapes = {
            "sine": np.sin(2 * np.pi * turn),
            "square": np.where(turn < 0.5, 1.0, -1.0),
            "ramp": 2 * np.mod(turn + 0.5, 1.0) - 1,
            "none": np.zeros_like(turn),
        }
        return (self.offset + self.amplitude * shapes[self.shape]).astype(np.float32)
