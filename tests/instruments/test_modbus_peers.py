"""Modbus with programs that we did not write: pymodbus's server, libmodbus, and mbpoll against the simulated device."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from instruments.modbus import ModBusDevice, ModbusError
from instruments.simulators.modbus import ModbusDevice as Simulated
from tests.instruments.modbus_peers import simulated
from tests.instruments.pipe_flavours import FLAVOURS, PATIENCE, Flavour
from tests.ports import free_port

SOCAT, MBPOLL, GCC = (shutil.which(program) for program in ("socat", "mbpoll", "gcc"))
HERE = Path(__file__).parent
HAS_LIBMODBUS = GCC is not None and Path("/usr/include/modbus/modbus.h").exists()

needs_socat = pytest.mark.skipif(SOCAT is None, reason="no socat")
needs_mbpoll = pytest.mark.skipif(MBPOLL is None, reason="no mbpoll")
needs_libmodbus = pytest.mark.skipif(not HAS_LIBMODBUS, reason="no gcc, or no libmodbus-dev")

#: Servers: what runs, and the resource string of its device.
SERVERS = [
    pytest.param(("pymodbus", "tcp"), id="pymodbus tcp"),
    pytest.param(("pymodbus", "rtu-tcp"), id="pymodbus rtu over tcp"),
    pytest.param(("pymodbus", "rtu"), id="pymodbus rtu", marks=needs_socat),
    pytest.param(("libmodbus", "tcp"), id="libmodbus tcp", marks=needs_libmodbus),
    pytest.param(("libmodbus", "rtu"), id="libmodbus rtu", marks=[needs_libmodbus, needs_socat]),
]


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture(scope="session")
def libmodbus_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of ``modbus_server.c``."""
    program = tmp_path_factory.mktemp("libmodbus") / "modbus_server"
    source = HERE / "modbus_server.c"
    libraries = ["-I/usr/include/modbus", "-lmodbus", "-lpthread"]
    subprocess.run([str(GCC), "-Wall", "-Werror", "-o", str(program), str(source), *libraries], check=True, timeout=60)
    return str(program)


def until(condition: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"{process.args!r} has ended"
        assert time.monotonic() < end, f"{process.args!r} is not ready"
        time.sleep(0.02)


@contextmanager
def serial_line(folder: Path) -> Iterator[tuple[str, str]]:
    """A pair of terminals that are the ends of one line."""
    ends = [folder / "ours", folder / "theirs"]
    command = [str(SOCAT), *(f"pty,raw,echo=0,link={end}" for end in ends)]
    with subprocess.Popen(command) as process:
        try:
            until(lambda: all(end.exists() for end in ends), process)
            held = [os.open(end, os.O_RDWR | os.O_NOCTTY) for end in ends]  # socat ends when the last user closes
            yield str(ends[0]), str(ends[1])
            for number in held:
                os.close(number)
        finally:
            process.terminate()


def is_listening(port: int) -> bool:
    """Tell whether somebody listens, without connecting: libmodbus's server has one client at a time."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(re.match(rf"\s*\d+: 0100007F:{port:04X} \S+ 0A ", line) for line in lines)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The resource string of a device that somebody else has made."""
    program, kind = request.param
    command = [sys.executable, str(HERE / "pymodbus_server.py")]
    if program == "libmodbus":
        command = [request.getfixturevalue("libmodbus_server")]
    folder = tmp_path_factory.mktemp("line")
    if kind == "rtu":
        with serial_line(folder) as (ours, theirs), running([*command, kind, theirs]) as process:
            until(lambda: has_open(process.pid, theirs), process)
            yield f"modbus::rtu::{ours}::115200::8N1::1"
    else:
        port = free_port()
        with running([*command, kind, str(port)]) as process:
            until(lambda: is_listening(port), process)
            yield f"modbus::{kind.removesuffix('-tcp')}::127.0.0.1:{port}::1"


def has_open(pid: int, path: str) -> bool:
    """Tell whether a process has opened a file."""
    file = os.stat(path)
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it opens and closes others while we look
            if os.path.samestat(entry.stat(), file):
                return True
    return False


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[Any]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_tables_of_others(flavour: Flavour, server: str) -> None:
    device = flavour.make(ModBusDevice, server, timeout=10)
    call = flavour.call
    assert call(device.read_holding, 500, 125) == list(range(600, 725))
    assert call(device.read_input, 10, 3) == [1010, 1011, 1012]
    assert call(device.read_coil, 3, 2000) == [index % 3 == 0 for index in range(3, 2003)]
    assert call(device.read_discrete, 4, 13) == [index % 5 == 0 for index in range(4, 17)]
    assert call(device.read_holding, 0, 1000, split=True) == list(range(100, 1100))
    call(device.write_registers, 0, list(range(123)))
    assert call(device.read_holding, 0, 125) == [*range(123), 223, 224]
    call(device.write_registers, 0, list(range(100, 223)))
    call(device.write_register, 2000, 0xFFFF)
    assert call(device.read_holding, 2000) == [0xFFFF]
    call(device.mask_write_register, 2000, 0xF0F0, 0x0A0A)
    assert call(device.read_holding, 2000) == [0xFAFA]
    assert call(device.read_write_registers, 2000, 2, 2000, [5, 6]) == [5, 6]
    pattern = [index % 7 < 3 for index in range(1968)]
    call(device.write_coils, 1, pattern)
    assert call(device.read_coil, 0, 1970) == [True, *pattern, 1969 % 3 == 0]
    call(device.write_coils, 1, [index % 3 == 0 for index in range(1, 1969)])
    call(device.write_coil, 2500, True)
    assert call(device.read_coil, 2500) == [True]
    call(device.write_float64, 2100, 0.1, word_order="little")
    assert call(device.read_float64, 2100, word_order="little") == 0.1
    with pytest.raises(ModbusError, match="function 3 with exception 2: illegal data address"):
        call(device.read_holding, 2999, 2)
    assert call(device.read_holding, 2999) == [3099]
    assert call(device.send_custom_command, 3, b"\0\1\0\1", reply_length=3) == b"\2\0\x65"
    assert call(device.read_input, 1) == [1001]
    call(device.drop)


def is_libmodbus() -> bool:
    """Tell whether the present test is about libmodbus."""
    return "libmodbus" in os.environ["PYTEST_CURRENT_TEST"]


def test_pipelines_of_others(flavour: Flavour, server: str) -> None:
    """pymodbus's server takes one request at a time: it loses those that come with another."""
    device = flavour.make(ModBusDevice, server, timeout=10)
    if device.protocol == "rtu":
        pytest.skip("no pipelines over RTU")
    with flavour.inside(device.pipeline(window=16 if is_libmodbus() else 1)) as pipeline:
        answers = [pipeline.read_holding(index, 10) for index in range(200)]
    assert [answer.result() for answer in answers] == [list(range(index, index + 10)) for index in range(100, 300)]
    flavour.call(device.drop)


# mbpoll and the simulated device


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench([simulated()]) as bench:
        yield bench


@pytest.fixture(params=["tcp", "rtu", "socat"])
def mbpoll(request: pytest.FixtureRequest, bench: Any, tmp_path: Path) -> Iterator[Callable[..., list[float]]]:
    """Runs mbpoll once, with addresses from 0 on: ``mbpoll("-t", "4", "-r", "10", "-c", "5")`` returns the values."""
    serial = ["-m", "rtu", "-b", "115200", "-P", "none"]
    if request.param == "socat":
        if SOCAT is None:
            pytest.skip("no socat")
        link = tmp_path / "line"
        bridge = f"tcp:127.0.0.1:{bench.port('modbusdevice', 1)}"
        process = subprocess.Popen([SOCAT, f"pty,raw,echo=0,link={link}", bridge])
        until(link.exists, process)
        where, options = str(link), serial
    elif request.param == "rtu":
        where, options, process = bench.url("modbusdevice", 2), serial, None
    else:
        where, options, process = "127.0.0.1", ["-m", "tcp", "-p", str(bench.port("modbusdevice"))], None

    def poll(*arguments: str, values: tuple[str, ...] = ()) -> list[float]:
        command = [str(MBPOLL), *options, "-a", "1", "-0", "-1", *arguments, where, *values]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stdout + done.stderr
        return [float(value) for value in re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE)]

    yield poll
    if process is not None:
        process.terminate()
        process.wait(10)


@needs_mbpoll
def test_mbpoll_reads_the_simulated_device(mbpoll: Callable[..., list[float]]) -> None:
    assert mbpoll("-t", "4", "-r", "20", "-c", "125") == list(range(120, 245))
    assert mbpoll("-t", "3", "-r", "3", "-c", "4") == [1003, 1004, 1005, 1006]
    assert mbpoll("-t", "0", "-r", "0", "-c", "9") == [1, 0, 0, 1, 0, 0, 1, 0, 0]
    assert mbpoll("-t", "1", "-r", "4", "-c", "3") == [0, 1, 0]


@needs_mbpoll
def test_mbpoll_and_we_mean_the_same_numbers(mbpoll: Callable[..., list[float]], bench: Any) -> None:
    from instruments import sio

    device = sio.ModBusDevice(f"modbus::tcp::{bench.url('modbusdevice')}::1", timeout=10)
    device.write_float32(9000, 123456.789, word_order="little")
    device.write_int32(9010, -70000)
    assert mbpoll("-t", "4:float", "-r", "9000") == [pytest.approx(123456.789, rel=1e-5)]
    assert mbpoll("-t", "4:int", "-B", "-r", "9010") == [-70000]
    mbpoll("-t", "4", "-r", "9020", values=("1", "2", "65535"))
    assert device.read_holding(9020, 3) == [1, 2, 65535]
    mbpoll("-t", "4:float", "-B", "-r", "9030", values=("1.5",))
    assert device.read_float32(9030) == 1.5
    mbpoll("-t", "0", "-r", "9040", values=("1", "0", "1"))
    assert device.read_coil(9040, 3) == [True, False, True]
    device.drop()


# The user's guide


def test_the_functions_of_the_users_guide(flavour: Flavour, bench: Any) -> None:
    """Its section on Modbus names them; the import is all that changes."""
    module = importlib.import_module("instruments.modbus" if flavour.is_async else "instruments.sio.modbus")
    options: dict[str, Any] = {"resolve_futures": False} if flavour.name == "futures" else {}
    device = module.ModBusDevice(f"modbus::tcp::{bench.url('modbusdevice')}::1", **options)
    call = flavour.call
    call(device.write_registers, 9100, [1, 2, 3])
    call(device.write_coils, 9100, [True, False, True])
    assert call(device.read_holding, 9100, 3) == [1, 2, 3]
    assert call(device.read_coil, 9100, 3) == [True, False, True]
    assert call(device.read_discrete, 0) == [True]
    assert call(device.read_input, 0) == [1000]
    assert call(device.send_custom_command, 100, b"abc") == b"abc"
    with flavour.inside(device):  # "Modbus ... instruments support a locking feature"
        assert device.locked
        assert call(device.read_holding, 9100) == [1]
    assert not device.locked
    call(device.drop)


def test_the_simulated_device_does_nothing_of_what_it_refuses() -> None:
    device = Simulated("plc", holding=[7, 8, 9], size=3)
    beyond = bytes.fromhex("17 0002 0002 0000 0001 02 ABCD")  # function 23: read from 2 on, write to 0
    assert device.respond(beyond) == bytes.fromhex("97 02")
    assert device.respond(bytes.fromhex("03 0000 0003")) == bytes.fromhex("03 06 0007 0008 0009")
    assert device.respond(bytes.fromhex("17 0000 0002 0000 0001 02 ABCD")) == bytes.fromhex("17 04 ABCD 0008")
