"""Photon counting electronics that stream histograms to a workstation, as arrays in the blob protocol.

The electronics run an asyncio program; the workstation a plain script. Every histogram is acknowledged, so none is
lost unnoticed, and the electronics do not run ahead of the workstation::

    python -m examples.photon_counts measure 0.0.0.0 5002 &
    python -m examples.photon_counts collect laser-lab 5002 10
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np

from sockio.aio import ClientStream, serve
from sockio.messages import BlockingMessageConnection, MessageConnection
from sockio.sio import TCP

PIXELS = (64, 64)
TIME_BINS = 256  # of 50 ps each
LIFETIME = 60.0  # of the sample's fluorescence, in time bins
BACKGROUND = 0.01  # counts in each bin


async def measure(host: str, port: int) -> None:
    """Send as many histograms as each client asks for."""

    async def stream_histograms(client: ClientStream) -> None:
        random = np.random.default_rng()
        decay = BACKGROUND + np.exp(-np.arange(TIME_BINS) / LIFETIME)
        async with MessageConnection(client) as messages:
            async for request in messages:
                for _ in range(int(request)):
                    counts = random.poisson(np.broadcast_to(decay, (*PIXELS, TIME_BINS)))
                    await messages.send(counts.astype(">u2"), timeout=60)

    async with serve(stream_histograms, host, port) as server:
        print(f"listening on port {server.port}", flush=True)
        await server.wait_closed()


def collect(host: str, port: int, count: int) -> None:
    """Add up so many histograms, and say how long the fluorescence lives."""
    total = np.zeros((*PIXELS, TIME_BINS), dtype="u8")
    with BlockingMessageConnection(TCP(host, port)) as messages:
        messages.send(str(count))
        for number in range(1, count + 1):
            histogram = messages.receive(timeout=60, progress=print_progress)
            total += histogram
            print(f"histogram {number}: {histogram.sum()} photons", flush=True)
    decay = total.sum(axis=(0, 1)) / (total.size / TIME_BINS * count) - BACKGROUND
    print(f"lifetime: {decay.sum() / decay[0]:.0f} time bins")


def print_progress(done: int, total: int) -> None:
    print(f"  {done / total:4.0%} of {total / 2**20:.0f} MiB", end="\r", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        asyncio.run(measure(sys.argv[2], int(sys.argv[3])))
    else:
        collect(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
