"""Work with pipes to instruments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import instruments
from instruments.sio import ScpiPipe
from tests.benchmarks.peers.workload import REPLY, serve
from tests.benchmarks.slow_instruments import hosts

Run = Callable[[int], None]

IDENTIFY, IDENTITY = "*IDN?", REPLY.decode().rstrip("\n")

loop = asyncio.new_event_loop()


def query(host: str, port: str | int) -> Run:
    """Blocking SCPI queries."""
    pipe = ScpiPipe(f"tcp::{host}:{port}", timeout=5)
    return lambda count: query_identity(pipe, count)


def query_vxi11(host: str, port: str | int) -> Run:
    """Blocking queries over VXI-11."""
    pipe = ScpiPipe(f"vxi::{host}:{port}", timeout=5)
    return lambda count: query_identity(pipe, count)


def query_hislip(host: str, port: str | int) -> Run:
    """Blocking queries over HiSLIP."""
    pipe = ScpiPipe(f"hislip::{host}:{port}", timeout=5)
    return lambda count: query_identity(pipe, count)


def query_identity(pipe: ScpiPipe, count: int) -> None:
    for _ in range(count):
        assert pipe.query(IDENTIFY) == IDENTITY


def array(host: str, port: str | int) -> Run:
    """A block of ``count`` bytes as an array."""
    pipe = ScpiPipe(f"tcp::{host}:{port}", timeout=60)

    def run(size: int) -> None:
        assert len(pipe.query_array(f"curve {size}", "u1")) == size

    return run


def array_hislip(host: str, port: str | int) -> Run:
    """A waveform of ``count`` points as an array, over HiSLIP."""
    pipe = ScpiPipe(f"hislip::{host}:{port}", timeout=60)
    pipe.write("WAV:FORM BYTE")

    def run(size: int) -> None:
        pipe.write(f"WAV:POIN {size}")
        assert len(pipe.query_array("WAV:DATA?", "u1")) == size

    return run


def slow_instruments(port: str | int, number: int) -> Run:
    """``count`` queries to each of so many instruments, all of them at once on one loop."""
    pipes = [instruments.ScpiPipe(f"tcp::{host}:{port}", timeout=5) for host in hosts(number)]

    async def run(count: int) -> None:
        for _ in range(count):
            assert await asyncio.gather(*(pipe.query(IDENTIFY) for pipe in pipes)) == [IDENTITY] * number

    return lambda count: loop.run_until_complete(run(count))


if __name__ == "__main__":
    serve({"array": array})
