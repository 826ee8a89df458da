"""The screen of a simulated oscilloscope, as a picture in the format PNG (RFC 2083)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .scpi_waveform import VERTICAL_DIVISIONS, Floats

#: Pixels for each division; the screen is 10 divisions wide.
DIVISION = 64
WIDTH, HEIGHT = 10 * DIVISION, VERTICAL_DIVISIONS * DIVISION

#: Red, green and blue of the background, the grid, and the channels 1 to 4.
PALETTE = ((0, 0, 0), (64, 64, 64), (255, 221, 0), (0, 204, 102), (51, 153, 255), (255, 85, 153))


def draw_screen(traces: Mapping[int, Floats]) -> bytes:
    """Return the picture of some channels' traces.

    Args:
        traces: by channel, its values from left to right, in divisions above the middle of the screen.
    """
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[::DIVISION, :] = pixels[:, ::DIVISION] = 1
    for channel, values in traces.items():
        columns = np.linspace(0, len(values) - 1, WIDTH).astype(int)
        rows = np.clip(HEIGHT / 2 - values[columns] * DIVISION, 0, HEIGHT - 1).astype(int)
        for column, (row, last) in enumerate(zip(rows, np.roll(rows, 1), strict=True)):
            last = row if column == 0 else last
            pixels[min(row, last) : max(row, last) + 1, column] = channel + 1
    return encode_png(pixels)


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture of palette indices, one row after the other, as a PNG file."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels]).tobytes()
    palette = bytes(level for colour in PALETTE for level in colour)
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
