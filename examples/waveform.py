"""Reads a waveform from the simulated oscilloscope and draws it.

Run it against the bench::

    sinstruments-server -c examples/bench.yml &
    python -m examples.waveform 127.0.0.1 5026
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from instruments.sio import ScpiPipe


def read_waveform(scope: Any, channel: int, points: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the times in seconds and the voltages of a channel.

    Args:
        scope: a blocking pipe to the oscilloscope.
        channel: from 1 to 4.
        points: how many, from 100 to 64 Mi.
    """
    scope.write(f":WAV:FORM WORD;BYT LSBF;SOUR CHAN{channel};POIN {points}")
    preamble = scope.query(":WAV:PRE?")
    interval, start, first, step, middle, level = map(float, preamble.split(",")[4:])
    codes = scope.query_array(":WAV:DATA?", "u2", "little")
    return start + (np.arange(len(codes)) - first) * interval, middle + (codes - level) * step


def draw_waveform(
    host: str, port: int, picture: Path, channels: tuple[int, ...] = (1, 2, 3), points: int = 5000
) -> Path:
    """Draw what an oscilloscope on a raw socket shows.

    Args:
        host: of the oscilloscope.
        port: of its raw socket.
        picture: the file to write, whose ending says the format.
        channels: to draw, from 1 to 4.
        points: of each waveform.

    Returns:
        *picture*.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    scope = ScpiPipe(f"tcp::{host}:{port}", timeout=10)
    figure, axes = pyplot.subplots(figsize=(9, 5), layout="constrained")
    for channel in channels:
        times, volts = read_waveform(scope, channel, points)
        axes.plot(1e3 * times, volts, label=f"channel {channel}", linewidth=1)
    identity = scope.query("*IDN?")
    scope.drop()
    axes.set(title=f"{identity}: {points} points for each channel", xlabel="time / ms", ylabel="voltage / V")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)
    return picture


if __name__ == "__main__":
    print(draw_waveform(sys.argv[1], int(sys.argv[2]), Path("waveform.png")))
