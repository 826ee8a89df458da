"""Instruments through VISA libraries: pyvisa-sim's, and pyvisa-py to an instrument that is simulated here."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from instruments.message import NotSupported
from instruments.visa import VisaConnection
from sockio.errors import ConnectionTimeoutError
from sockio.resource import VISAAddress
from sockio.runtimes import asyncio as on_asyncio
from sockio.runtimes import blocking
from sockio.runtimes import trio as on_trio

pytest.importorskip("pyvisa")
pytest.importorskip("pyvisa_py")
pytest.importorskip("pyvisa_sim")

SIMULATED = f"{Path(__file__).with_suffix('.yaml')}@sim"

RUNTIMES: dict[str, tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]] = {
    "blocking": (blocking.runtime, blocking.run),
    "asyncio": (on_asyncio.runtime, asyncio.run),
    "trio": (on_trio.runtime, lambda coroutine: trio.run(lambda: coroutine)),
}

NAMES = ["USB::0x1209::0x4617::SN1::INSTR", "GPIB0::9::INSTR", "TCPIP0::192.0.2.1::inst0::INSTR"]


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]:
    return RUNTIMES[request.param]


@pytest.mark.parametrize("name", NAMES)
def test_pyvisa_sim(runtime: Any, name: str) -> None:
    async def main() -> None:
        connection = VisaConnection(name, runtime[0], SIMULATED)
        assert not connection.connected()
        await connection.open(5)
        assert connection.connected()
        assert await connection.query(b"*IDN?\n", 5) == b"SIMULATED,METER,1,0\n"
        await connection.write(b"LEV 2.25\n", 5)
        await connection.write(b"LEV?\n", 5)
        assert await connection.read(5) == b"2.250\n"
        await connection.close()
        assert not connection.connected()
        assert await connection.query(b"*IDN?\n", None) == b"SIMULATED,METER,1,0\n"
        connection.abandon()
        assert not connection.connected()
        assert await connection.query(b"*IDN?\n", 5) == b"SIMULATED,METER,1,0\n"
        await connection.close()

    runtime[1](main())


def test_a_call_that_timed_out(runtime: Any) -> None:
    async def main() -> None:
        connection = VisaConnection(NAMES[0], runtime[0], SIMULATED)
        with pytest.raises(ConnectionTimeoutError, match=r"SN1::INSTR: read timed out after 0\.2 s"):
            await connection.read(0.2)
        assert await connection.query(b"*IDN?\n", 5) == b"SIMULATED,METER,1,0\n"
        await connection.close()

    runtime[1](main())


def test_what_the_library_does_not_support(runtime: Any) -> None:
    async def main() -> None:
        connection = VisaConnection(NAMES[0], runtime[0], SIMULATED)
        with pytest.raises(NotSupported, match="status byte"):
            await connection.read_status_byte(5)
        with pytest.raises(NotSupported, match="trigger"):
            await connection.trigger(5)
        with pytest.raises(NotSupported, match="service request"):
            await connection.wait_for_service_request(5)
        await connection.lock(5)
        await connection.unlock(5)
        await connection.clear(5)
        assert await connection.query(b"*IDN?\n", 5) == b"SIMULATED,METER,1,0\n"
        await connection.close()

    runtime[1](main())


@pytest.mark.parametrize("refused", ["read_status_byte", "trigger", "wait_for_service_request"])
def test_what_is_not_supported_leaves_the_connection_in_step(runtime: Any, refused: str) -> None:
    async def main() -> None:
        connection = VisaConnection(NAMES[0], runtime[0], SIMULATED)
        await connection.write(b"*IDN?\n", 5)
        session = connection._session
        with pytest.raises(NotSupported):
            await getattr(connection, refused)(5)
        assert await connection.read(5) == b"SIMULATED,METER,1,0\n"
        await connection.lock(5)
        assert not connection.has_lock
        assert connection._session is session
        await connection.close()

    runtime[1](main())


def test_after_distrust_what_others_left_is_thrown_away(runtime: Any) -> None:
    """An instrument has one output, whoever reads it: here it is left by another connection, of another home."""

    async def main() -> None:
        connection = VisaConnection(NAMES[0], runtime[0], SIMULATED)
        assert connection.shared_output
        level = await connection.query(b"LEV?\n", 5)
        assert level.endswith(b"0\n")
        stranger = VisaConnection(NAMES[0], blocking.runtime, SIMULATED)
        blocking.run(stranger.write(b"*IDN?\n", 5))
        connection.distrust()
        assert await connection.query(b"LEV?\n", 5) == level
        await connection.close()
        await stranger.close()

    runtime[1](main())


def test_waiting_for_service_has_one_time_limit(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it holds for each look, and no look ends with the connection out of step."""
    limits: list[float] = []
    looks: list[float] = []

    def look(visa: Any, seconds: float) -> None:
        looks.append(seconds)

    async def main() -> None:
        connection = VisaConnection(NAMES[0], runtime[0], SIMULATED)
        await connection.open(5)
        request = connection._request

        async def note(method: str, timeout: float | None, *args: Any) -> Any:
            assert timeout is not None
            limits.append(timeout)
            return await request(method, timeout, *args)

        monkeypatch.setattr("instruments.visa.look_for_request", look)
        monkeypatch.setattr(connection, "_request", note)
        with pytest.raises(ConnectionTimeoutError, match=r"SN1::INSTR: requested no service within 0\.3 s"):
            await connection.wait_for_service_request(0.3)
        assert connection._user is None, "it is in step"
        await connection.close()

    runtime[1](main())
    assert len(limits) > 2
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] < limits[0] <= 0.3
    assert all(seconds < limit for seconds, limit in zip(looks, limits, strict=True))


VISA_FORK = """
import os, sys
from instruments.visa import VisaConnection
from sockio.runtimes.blocking import run, runtime

connection = VisaConnection(sys.argv[1], runtime)
answer = run(connection.query(b"*IDN?\\n", 5))
child = os.fork()
if not child:
    assert not connection.connected()
    del connection
    sys.exit()  # in good order: PyVISA closes all that it has opened
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
for _ in range(2):
    assert run(connection.query(b"*IDN?\\n", 5)) == answer
assert connection.generation == 1
run(connection.close())
"""


@pytest.mark.parametrize("kind", ["vxi11_name", "socket_name"])
def test_a_forked_child_leaves_its_parents_session_alone(kind: str, request: pytest.FixtureRequest) -> None:
    name = request.getfixturevalue(kind)
    done = subprocess.run([sys.executable, "-c", VISA_FORK, name], capture_output=True, text=True, timeout=50)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.fixture
def vxi11_name(serve_config: Callable[..., Any], unused_port: int) -> Iterator[str]:
    device = {
        "package": "instruments.simulators.oscilloscope",
        "class": "Oscilloscope",
        "name": "scope",
        "transports": [{"type": "tcp", "url": f"127.0.0.1:{unused_port}", "protocol": "vxi11"}],
    }
    with serve_config({"devices": [device]}, unused_port):
        yield f"TCPIP0::127.0.0.1,{unused_port}::inst0::INSTR"


def test_the_instruments_own_lock(runtime: Any, vxi11_name: str) -> None:
    """PyVISA-py has it for VXI-11, and does not wait for it."""

    async def main() -> None:
        holder, other = (VisaConnection(vxi11_name, runtime[0]) for _ in range(2))
        await other.unlock(5)
        await holder.lock(5)
        with pytest.raises(ConnectionTimeoutError, match=r"lock timed out after 0\.5 s: somebody else has locked it"):
            await other.lock(0.5)
        assert (holder.has_lock, other.has_lock) == (True, False)
        await holder.unlock(5)
        await other.lock(5)
        assert other.has_lock
        other.abandon()  # which gives it back
        await holder.lock(5)
        await holder.unlock(5)
        await holder.unlock(5)
        assert await holder.query(b"*ESE?\n", 5) == b"0\n"
        await holder.close()

    runtime[1](main())


@pytest.mark.parametrize("name", ["GPIB0::10::INSTR", "GPIB0::99::INSTR", "nonsense"])
def test_what_cannot_be_opened_is_an_OSError_with_its_name(runtime: Any, name: str) -> None:
    with pytest.raises(OSError, match="no such resource") as caught:
        runtime[1](VisaConnection(name, runtime[0], SIMULATED).query(b"*IDN?\n", 5))
    assert caught.value.filename == name


def test_without_pyvisa() -> None:
    program = """
import sys
sys.modules["pyvisa"] = None
from instruments.visa import VisaConnection
from sockio.runtimes import blocking
try:
    blocking.run(VisaConnection("GPIB0::9::INSTR", blocking.runtime).open(5))
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert "pip install sockio[visa]" in done.stdout, done.stderr


def test_a_library_that_cannot_be_used() -> None:
    """There is none by that name; or it has nothing for GPIB, and says what it needs."""
    program = """
import sys
sys.modules["gpib"] = sys.modules["gpib_ctypes"] = None
from instruments.visa import VisaConnection
from sockio.runtimes import blocking
for library in ("@nothing", "@py"):
    try:
        blocking.run(VisaConnection("GPIB0::9::INSTR", blocking.runtime, library).open(5))
    except ValueError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert "GPIB0::9::INSTR: the VISA library @nothing cannot be used for it: Wrapper not found" in done.stdout
    assert "GPIB0::9::INSTR: the VISA library @py cannot be used for it: Please install" in done.stdout, done.stderr


@pytest.fixture
def socket_name(serve_config: Callable[..., Any], unused_port: int) -> Iterator[str]:
    device = {
        "package": "instruments.simulators.oscilloscope",
        "class": "Oscilloscope",
        "name": "scope",
        "*idn": "SCOPE",
        "transports": [{"type": "tcp", "url": f"127.0.0.1:{unused_port}"}],
    }
    with serve_config({"devices": [device]}, unused_port):
        yield f"TCPIP0::127.0.0.1::{unused_port}::SOCKET"


def bytes_of_numpy(size: int) -> Any:
    return np.zeros(size, "u1")


def test_pyvisa_py_over_a_socket(runtime: Any, socket_name: str) -> None:
    data = bytes(range(256)) * 400

    async def main() -> None:
        connection = VisaConnection(VISAAddress(socket_name), runtime[0])
        assert await connection.query(b"*IDN?\n", 5) == b"SCOPE\n"
        await connection.write(b"DATA:ARB WAVE,#6102400" + data + b"\n", 5)
        assert bytes(await connection.query_block(b"DATA:ARB? WAVE\n", bytearray, 5)) == data
        array: Any = await connection.query_block(b"DATA:ARB? WAVE\n", bytes_of_numpy, 5)
        assert array.tobytes() == data
        assert await connection.query(b"DATA:ARB? WAVE\n", 5) == b"#6102400" + data + b"\n"
        assert await connection.query_block(b"*IDN?\n", bytearray, 5) == b"SCOPE\n"
        await connection.close()

    runtime[1](main())


def test_a_late_answer_over_a_socket_is_nobodys(runtime: Any, socket_name: str) -> None:
    async def main() -> None:
        connection = VisaConnection(socket_name, runtime[0])
        await connection.write(b"SIM:FAUL:DEL 0.5;:SIM:FAUL LATE\n", 5)
        with pytest.raises(ConnectionTimeoutError):
            await connection.query(b"*IDN?\n", 0.2)
        assert await connection.query(b"*ESE?\n", 5) == b"0\n"
        await runtime[0].sleep(0.5)
        assert await connection.query(b"*ESE?\n", 5) == b"0\n"
        await connection.close()

    runtime[1](main())


def test_a_cancelled_call_leaves_its_thread_and_its_session_behind(socket_name: str) -> None:
    async def main() -> None:
        connection = VisaConnection(socket_name, on_asyncio.runtime)
        await connection.write(b"SIM:LAT 0.6\n", 5)
        query = asyncio.ensure_future(connection.query(b"*IDN?\n", 3))
        await asyncio.sleep(0.2)
        query.cancel()
        with pytest.raises(asyncio.CancelledError):
            await query
        assert await connection.query(b"*ESE?\n", 5) == b"0\n"
        await connection.close()

    asyncio.run(main())


def test_one_thread_at_a_time(socket_name: str) -> None:
    connection = VisaConnection(socket_name, blocking.runtime)
    replies: list[bytes] = []

    def ask() -> None:
        for _ in range(25):
            replies.append(blocking.run(connection.query(b"*IDN?\n", 20)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert replies == [b"SCOPE\n"] * 100
    blocking.run(connection.close())
