"""Signals of serial buses, bit by bit, for protocol decoders to read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.uint8]


def uart(data: bytes, samplerate: float, baudrate: float) -> Signal:
    """A UART line, 8N1: idle high, a start bit, eight bits from the lowest up, a stop bit."""
    bits = [1] * 20
    for byte in data:
        bits += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    bits += [1] * 20
    samples = np.arange(int(len(bits) * samplerate / baudrate))
    return np.array(bits, np.uint8)[(samples * baudrate / samplerate).astype(int)]


def i2c(address: int, data: bytes) -> dict[str, Signal]:
    """A write to an I2C target (UM10204, 3.1), which acknowledges: four samples to a bit."""
    scl, sda = [1] * 8, [1] * 8
    scl += [1, 1, 0]  # START: SDA falls while SCL is high
    sda += [1, 0, 0]
    for byte in (address << 1, *data):
        for bit in [*(byte >> bit & 1 for bit in reversed(range(8))), 0]:
            scl += [0, 1, 1, 0]
            sda += [bit] * 4
    scl += [0, 1, 1, 1]  # STOP: SDA rises while SCL is high
    sda += [0, 0, 1, 1]
    return {"SCL": np.array(scl + [1] * 8, np.uint8), "SDA": np.array(sda + [1] * 8, np.uint8)}


def spi(sent: bytes, answered: bytes) -> dict[str, Signal]:
    """An SPI transfer in mode 0, the most significant bit first: two samples to a bit, chip select active low."""
    lines: dict[str, list[int]] = {"CS": [1] * 4, "CLK": [0] * 4, "MOSI": [0] * 4, "MISO": [0] * 4}

    def sample(levels: Iterable[int]) -> None:
        for line, level in zip(lines.values(), levels, strict=True):
            line.append(level)

    for out, back in zip(sent, answered, strict=True):
        for bit in reversed(range(8)):
            sample((0, 0, out >> bit & 1, back >> bit & 1))
            sample((0, 1, out >> bit & 1, back >> bit & 1))
    for _ in range(4):
        sample((1, 0, 0, 0))
    return {name: np.array(line, np.uint8) for name, line in lines.items()}
