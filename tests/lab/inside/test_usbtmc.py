"""A USBTMC instrument through the kernel's own driver, on the blocking and the asyncio runtime."""

from __future__ import annotations

import asyncio
import glob
import hashlib
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from usbtmc_gadget import Gadget

from instruments.usbtmc import UsbtmcConnection, sysfs
from sockio.errors import ConnectionTimeoutError, ProtocolError
from sockio.runtimes import asyncio as on_asyncio
from sockio.runtimes import blocking

RUNTIMES = {"blocking": (blocking.runtime, blocking.run), "asyncio": (on_asyncio.runtime, asyncio.run)}

#: Patience: everything is emulated.
LONG = 30.0


@dataclass(frozen=True)
class Address:
    serial_number: str | None = "TMC1"
    vid: int = 0x1209
    pid: int = 0x4617
    interface: int | None = None

    def __str__(self) -> str:
        return f"USB0::0x{self.vid:04x}::0x{self.pid:04x}::{self.serial_number}::INSTR"


def pattern(size: int) -> bytes:
    return b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(size // 32 + 1))[:size]


class Instrument:
    """What the simulated instrument answers; it is `busy` with a slow answer until the `release`."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.busy = threading.Event()
        self.release = threading.Event()

    def __call__(self, message: bytes) -> bytes | None:
        self.received.append(message)
        command, _, parameter = message.strip().partition(b" ")
        if command == b"*IDN?":
            return b"SOCKIO,TMC,1,0\n"
        if command == b"TEXT?":
            return pattern(int(parameter) - 1).hex().encode()[: int(parameter) - 1] + b"\n"
        if command == b"BLOCK?":
            return b"#8%08d%b\n" % (int(parameter), pattern(int(parameter)))
        if command == b"CUT?":
            return b"#15hel"
        if command == b"SIZE?":
            return b"%d\n" % len(message)
        if command == b"SLOW?":
            self.busy.set()
            self.release.wait(LONG)
            return b"late\n"
        return None


@pytest.fixture(scope="module")
def gadget() -> Iterator[Gadget]:
    with Gadget(Instrument()) as gadget:
        yield gadget


@pytest.fixture
def instrument(gadget: Gadget) -> Iterator[Instrument]:
    assert isinstance(gadget.answer, Instrument)
    gadget.answer.busy.clear()
    gadget.answer.release.clear()
    gadget.log.clear()
    yield gadget.answer
    gadget.answer.release.set()


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]:
    return RUNTIMES[request.param]


pytestmark = pytest.mark.timeout(180)


def test_it_is_found_by_what_it_is(gadget: Gadget) -> None:
    assert sysfs.is_available()
    (device,) = sysfs.devices()
    assert (device.vendor_id, device.product_id, device.serial_number, device.interface) == (0x1209, 0x4617, "TMC1", 0)
    assert sysfs.find(0x1209, 0x4617, None, None) == device.path
    assert sysfs.find(0x1209, 0x4617, "TMC1", 0) == device.path
    with pytest.raises(FileNotFoundError, match="TMC1"):
        sysfs.find(0x1209, 0x4617, "TMC2", None)


def test_messages(runtime: Any, gadget: Gadget, instrument: Instrument) -> None:
    async def main() -> None:
        connection = UsbtmcConnection(Address(), runtime[0])
        await connection.open(LONG)
        assert connection.connected()
        for _ in range(20):
            assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        await connection.write(b"*IDN?\n", LONG)
        assert await connection.read(LONG) == b"SOCKIO,TMC,1,0\n"
        for size in (1, 3, 500, 501, 512, 4084, 4085, 4096, 70_000):
            message = b"SIZE? " + b"x" * (size - 1) + b"\n"
            assert await connection.query(message, LONG) == b"%d\n" % len(message)
            assert instrument.received[-1] == message
        await connection.close()
        assert not connection.connected()
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        await connection.close()

    runtime[1](main())


@pytest.mark.parametrize("part", [1 << 20, 4084, 1000])
def test_sizes_at_which_transfers_end(runtime: Any, gadget: Gadget, instrument: Instrument, part: int) -> None:
    """500 bytes and a header fill a packet, 4084 a unit of the driver, 65536 a request."""
    gadget.part = part

    async def main() -> None:
        connection = UsbtmcConnection(Address(), runtime[0])
        for size in (1, 499, 500, 501, 1012, 4083, 4084, 4085, 8179, 8180, 8181, 65524, 65536, 65537, 131072):
            if size > (9000 if part < 4084 else 70_000 if part < 1 << 20 else size):
                continue
            text = await connection.query(b"TEXT? %d\n" % size, LONG)
            assert len(text) == size
            assert text == instrument(b"TEXT? %d\n" % size)
        for size in (0, 1, 20_000, 65516, 200_000):
            if size > (20_000 if part < 4084 else 70_000 if part < 1 << 20 else size):
                continue
            assert bytes(await connection.query_block(b"BLOCK? %d\n" % size, bytearray, LONG)) == pattern(size)
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        await connection.close()

    try:
        runtime[1](main())
    finally:
        gadget.part = 1 << 20


def test_status_clear_trigger_and_local(runtime: Any, gadget: Gadget, instrument: Instrument) -> None:
    async def main() -> None:
        connection = UsbtmcConnection(Address(), runtime[0])
        gadget.status = 0x10
        assert await connection.read_status_byte(LONG) == 0x10
        await connection.clear(LONG)
        await connection.trigger(LONG)
        await connection.go_to_local(LONG)
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        assert gadget.log == ["clear", "trigger", "local"]
        with pytest.raises(ConnectionTimeoutError, match="no service"):
            await connection.wait_for_service_request(0.3)
        gadget.request_service(0x50)
        assert await connection.wait_for_service_request(LONG) & 0x50 == 0x50
        gadget.status = 0
        await connection.close()

    runtime[1](main())


def test_the_status_byte_while_a_query_waits(gadget: Gadget, instrument: Instrument) -> None:
    async def main() -> None:
        connection = UsbtmcConnection(Address(), on_asyncio.runtime)
        query = asyncio.ensure_future(connection.query(b"SLOW?\n", LONG))
        assert await asyncio.to_thread(instrument.busy.wait, LONG)
        gadget.status = 4
        assert await connection.read_status_byte(LONG) == 4
        instrument.release.set()
        assert await query == b"late\n"
        gadget.status = 0
        await connection.close()

    asyncio.run(main())


def test_a_late_answer_is_nobodys(runtime: Any, gadget: Gadget, instrument: Instrument) -> None:
    async def main() -> None:
        connection = UsbtmcConnection(Address(), runtime[0])
        with pytest.raises(ConnectionTimeoutError, match=r"TMC1.*query timed out after 1\.5 s"):
            await connection.query(b"SLOW?\n", 1.5)
        threading.Timer(0.5, instrument.release.set).start()
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        assert "clear" in gadget.log
        with pytest.raises(ConnectionTimeoutError):
            await connection.query(b"SILENT?\n", 1.0)
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        assert await connection.query_block(b"*IDN?\n", bytearray, LONG) == b"SOCKIO,TMC,1,0\n"
        with pytest.raises(ProtocolError, match="block"):
            await connection.query_block(b"CUT?\n", bytearray, LONG)
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        await connection.close()

    runtime[1](main())


def test_cancelling_and_closing_while_a_call_waits(gadget: Gadget, instrument: Instrument) -> None:
    async def main() -> None:
        connection = UsbtmcConnection(Address(), on_asyncio.runtime)
        query = asyncio.ensure_future(connection.query(b"SILENT?\n", None))
        await asyncio.sleep(0.4)
        query.cancel()
        with pytest.raises(asyncio.CancelledError):
            await query
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        for end in (connection.close, lambda: asyncio.to_thread(connection.abandon)):
            query = asyncio.ensure_future(connection.query(b"SILENT?\n", LONG))
            await asyncio.sleep(0.4)
            await end()
            with pytest.raises(OSError, match=r"closed|cancel"):
                await query
            assert not connection.connected()
            assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        await connection.close()

    asyncio.run(main())


def test_unplugged_and_plugged_in_again(runtime: Any, gadget: Gadget, instrument: Instrument) -> None:
    async def main() -> None:
        connection = UsbtmcConnection(Address(), runtime[0])
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        gadget.unplug()
        assert not connection.connected()
        with pytest.raises(FileNotFoundError, match="no such USBTMC instrument"):
            await connection.query(b"*IDN?\n", LONG)
        gadget.plug()
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        thread = threading.Timer(0.4, gadget.unplug)
        thread.start()
        with pytest.raises(OSError, match=r"unplugged|No such device"):
            await connection.query(b"SILENT?\n", LONG)
        await runtime[0].run_in_thread(None, thread.join)
        # Somebody who holds the old device file open: the new one has another name.
        gadget.plug()
        holder = open(glob.glob("/dev/usbtmc*")[0], "rb", buffering=0)  # noqa: ASYNC230, SIM115
        gadget.unplug()
        gadget.plug()
        assert await connection.query(b"*IDN?\n", LONG) == b"SOCKIO,TMC,1,0\n"
        holder.close()
        await connection.close()

    runtime[1](main())


def test_another_ones_serial_number(runtime: Any, gadget: Gadget) -> None:
    connection = UsbtmcConnection(Address("OTHER"), runtime[0])
    with pytest.raises(FileNotFoundError, match="TMC1"):
        runtime[1](connection.query(b"*IDN?\n", LONG))
