"""Captures of eight logic channels of sigrok's demonstration, as arrays: by us, and by way of CSV."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import numpy as np

from instruments.sio.sigrok import SigrokDevice
from tests.benchmarks.peers.workload import serve

Run = Callable[[int], object]

CHANNELS = 8

DEVICE = "demo:analog_channels=0"

#: The demonstration keeps to the samplerate: this one is faster than anybody can read.
SAMPLERATE = 10**9

#: What is the result: a time of 8 bytes and 8 channels of a byte.
RESULT = 16


def binary() -> Run:
    """``count`` samples with `SigrokDevice`."""
    device = SigrokDevice(DEVICE)

    def run(count: int) -> None:
        t, data = device.read(samplerate=SAMPLERATE, num_samples=count)
        assert len(t) == len(data["D7"]) == count

    return run


def csv() -> Run:
    """``count`` samples by parsing what sigrok-cli writes as CSV."""

    def run(count: int) -> None:
        command = ["sigrok-cli", "-d", DEVICE, "-c", f"samplerate={SAMPLERATE}", "--samples", str(count)]
        command += ["-O", "csv:header=false:label=off"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            table = np.loadtxt(process.stdout, delimiter=",", dtype=np.uint8)  # type: ignore[arg-type, unused-ignore]
        t = np.arange(count) / SAMPLERATE
        assert table.shape == (count, CHANNELS)
        assert len(t) == count

    return run


if __name__ == "__main__":
    serve({"binary": binary, "csv": csv})
