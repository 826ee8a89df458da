"""Modbus TCP: reads of 10 registers, one after the other and pipelined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import instruments
from instruments import sio
from tests.benchmarks.estimates import Estimate
from tests.benchmarks.harness import Comparison, Contender, Local, Options, Row, at_least, at_most
from tests.benchmarks.scpi import other_end

READS = 1000
EXPECTED = list(range(5, 15))

#: The names of pymodbus's clients in the report.
BLOCKING, ASYNCIO = "pymodbus", "pymodbus asyncio"

Run = Callable[[int], None]

loop = asyncio.new_event_loop()


def rows(options: Options) -> list[Row]:
    peers = {BLOCKING: ("pymodbus_clients", "blocking"), ASYNCIO: ("pymodbus_clients", "asynchronous")}
    with other_end("modbus_server") as (port,), ExitStack() as stack:
        contenders: dict[str, Contender] = {
            "blocking": Local(blocking(port)),
            "asyncio": Local(asynchronous(port)),
            "pipelined": Local(pipelined(port)),
            "asyncio pipelined": Local(pipelined_asynchronous(port)),
            **options.peers(stack, peers, "127.0.0.1", port),
        }
        result = Comparison(contenders, options.turns(30), options.amount(READS, 10))
    found = []
    for ours, peer in (("blocking", BLOCKING), ("asyncio", ASYNCIO)):
        what = f"Modbus TCP read of 10 registers, {ours}"
        if peer in result.samples:
            found.append(over(result, ours, peer, f"{what}, wall over pymodbus's own client"))
            found.append(speed(result, ours, peer, f"{what}, pipelined, rate over pymodbus's own client"))
        found.append(result.row(f"{what}, wall a read", result.microseconds, ours, [peer], unit="us"))
    return found


def over(result: Comparison, ours: str, peer: str, what: str) -> Row:
    def ratio(name: str) -> Estimate:
        return result.ratio(name, peer)

    return result.row(what, ratio, ours, [], at_most(1.0))


def speed(result: Comparison, ours: str, peer: str, what: str) -> Row:
    def ratio(name: str) -> Estimate:
        return result.speed(name, peer)

    return result.row(what, ratio, "pipelined" if ours == "blocking" else "asyncio pipelined", [], at_least(3.0))


def blocking(port: int) -> Run:
    """One blocking read after the other."""
    device = sio.ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=5)

    def run(count: int) -> None:
        for _ in range(count):
            assert device.read_holding(5, 10) == EXPECTED

    return run


def asynchronous(port: int) -> Run:
    """One awaited read after the other."""
    device = instruments.ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=5)

    async def run(count: int) -> None:
        for _ in range(count):
            assert await device.read_holding(5, 10) == EXPECTED

    return lambda count: loop.run_until_complete(run(count))


def pipelined(port: int) -> Run:
    """Reads that do not wait for each other, where calls block."""
    device = sio.ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=5)

    def run(count: int) -> None:
        with device.pipeline() as pipeline:
            answers = [pipeline.read_holding(5, 10) for _ in range(count)]
        assert all(answer.result() == EXPECTED for answer in answers)

    return run


def pipelined_asynchronous(port: int) -> Run:
    """Reads that do not wait for each other, on asyncio."""
    device = instruments.ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=5)

    async def run(count: int) -> None:
        async with device.pipeline() as pipeline:
            answers = [pipeline.read_holding(5, 10) for _ in range(count)]
        assert all(answer.result() == EXPECTED for answer in answers)

    return lambda count: loop.run_until_complete(run(count))
