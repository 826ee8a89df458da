"""Devices of Tango: what the way through a device server costs, grouped requests, many devices of one server."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from instruments.cryocon import CryoCon
from instruments.tango.declaration import Attribute, declare
from sockio import aio, sio
from tests.benchmarks.estimates import Estimate, estimate
from tests.benchmarks.harness import Comparison, Contender, Local, Options, Row, at_most, pin_to_server_core
from tests.benchmarks.scpi import other_end
from tests.benchmarks.tango_driver import Thermometer

READS = 200
DEVICES = 20
ATTRIBUTES = 50

Run = Callable[[int], None]

loop = asyncio.new_event_loop()


def rows(options: Options) -> list[Row]:
    with other_end("tango_instrument") as (port,), ExitStack() as stack:
        driver = "tests.benchmarks.tango_driver:Thermometer"
        devices = stack.enter_context(server(driver, port, DEVICES))
        (cryocon,) = stack.enter_context(server("cryocon", port, 1))
        return [*reads(options, port, devices), *exchanges(options, port, cryocon), *many(options, devices)]


def reads(options: Options, port: int, devices: list[Any]) -> list[Row]:
    contenders: dict[str, Contender] = {
        "asyncio driver": Local(asynchronous(port)),
        "blocking driver": Local(blocking(port)),
        "Tango": Local(through_tango(devices[0])),
    }
    result = Comparison(contenders, options.turns(15), options.amount(READS, 5))

    def ratio(name: str) -> Estimate:
        return result.ratio(name, "asyncio driver")

    what = "attribute read through Tango, instrument of 1 ms"
    return [
        result.row(f"{what}, wall over the driver's own call", ratio, "Tango", ["blocking driver"], at_most(1.5)),
        result.row(f"{what}, wall a read", result.microseconds, "Tango", ["asyncio driver"], unit="us"),
    ]


def exchanges(options: Options, port: int, device: Any) -> list[Row]:
    """How often the instrument is asked for many attributes in one client call, and by the driver's own group."""
    connection = Counting()
    driver = CryoCon(connection)
    driver.io_period = 0
    declared = declare(driver).attributes.values()
    wanted = [each for each in declared if str(each.type) == "float"][:ATTRIBUTES]
    loop.run_until_complete(grouped(driver, wanted))
    ratios = []
    for _ in range(options.turns(5)):
        before = lines_at(port)
        readings = device.read_attributes([each.name for each in wanted])
        assert all(reading.value == 4.2 for reading in readings)
        ratios.append((lines_at(port) - before) / connection.lines)
    what = f"{ATTRIBUTES} attributes in one client call, exchanges with the instrument over those of the driver's group"
    return [Row(what, "", estimate(ratios), at_most(1.0))]


async def grouped(driver: CryoCon, wanted: list[Attribute]) -> None:
    """Read attributes by the driver, in a group."""
    async with driver as group:
        for each in wanted:
            each.read(driver)
    assert len(group.replies) == len(wanted)


class Counting:
    """A connection that counts the lines of a controller, and answers each."""

    def __init__(self) -> None:
        self.lines = 0

    async def write_readline(self, data: bytes) -> bytes:
        self.lines += 1
        return b";".join([b"4.2"] * data.count(b"?")) + b"\n"

    async def write(self, data: bytes) -> None:
        raise AssertionError(f"{data!r} is not a query")


def lines_at(port: int) -> int:
    """How many lines the instrument has received so far, apart from these."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"count\n")
        return int(connection.recv(100))


def many(options: Options, devices: list[Any]) -> list[Row]:
    """Reads of all devices at once, over that of one."""

    def all_at_once(count: int) -> None:
        for _ in range(count):
            calls = [device.read_attributes_asynch(["slow_temperature"]) for device in devices]
            for device, call in zip(devices, calls, strict=True):
                (reading,) = device.read_attributes_reply(call, 10000)
                assert reading.value == 4.2

    def one(count: int) -> None:
        for _ in range(count):
            assert devices[0].read_attribute("slow_temperature").value == 4.2

    contenders: dict[str, Contender] = {"all": Local(all_at_once), "one": Local(one)}
    result = Comparison(contenders, options.turns(10), options.amount(5, 1))
    what = f"{len(devices)} devices of one server read at once, instruments of 50 ms, wall over reading one"

    def ratio(name: str) -> Estimate:
        return result.ratio(name, "one")

    return [result.row(what, ratio, "all", [], at_most(2.0))]


def asynchronous(port: int) -> Run:
    """The driver, awaited."""
    driver = Thermometer(aio.TCP("127.0.0.1", port))

    async def run(count: int) -> None:
        for _ in range(count):
            assert await driver.temperature() == 4.2

    return lambda count: loop.run_until_complete(run(count))


def blocking(port: int) -> Run:
    """The driver, where calls block."""
    driver: Any = Thermometer(sio.TCP("127.0.0.1", port))

    def run(count: int) -> None:
        for _ in range(count):
            assert driver.temperature() == 4.2

    return run


def through_tango(device: Any) -> Run:
    """A client of the device."""

    def run(count: int) -> None:
        for _ in range(count):
            assert device.read_attribute("temperature").value == 4.2

    return run


@contextmanager
def server(driver: str, port: int, count: int) -> Iterator[list[Any]]:
    """Devices of one server, for an instrument at a port, as a client sees them."""
    import tango

    with socket.create_server(("127.0.0.1", 0)) as free:
        place: int = free.getsockname()[1]
    names = [f"bench/{place}/{number}" for number in range(count)]
    command = [sys.executable, "-m", "instruments.tango.server", "--driver", driver]
    command += ["--url", f"tcp://127.0.0.1:{port}", "--no-database", "--port", str(place)]
    for name in names:
        command += ["--device", name]
    process = subprocess.Popen(
        [*command, "bench"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=pin_to_server_core,
    )
    with process:
        assert process.stdout is not None
        try:
            said = ""
            while "Ready" not in said:
                said = process.stdout.readline()
                if not said:
                    raise RuntimeError("the device server has ended")
            yield [tango.DeviceProxy(f"tango://127.0.0.1:{place}/{name}#dbase=no") for name in names]
        finally:
            process.kill()
