"""Instruments behind a simulated Prologix adapter, over TCP and a serial line, on every runtime."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

import sockio.serial_port
import sockio.tcp
from instruments.prologix import Adapter, PrologixMessages
from sockio.errors import ConnectionTimeoutError
from sockio.runtimes import asyncio as on_asyncio
from sockio.runtimes import bind, blocking
from sockio.runtimes import trio as on_trio

Run = Callable[[Coroutine[Any, Any, Any]], Any]

RUNTIMES: dict[str, tuple[Any, Run]] = {
    "blocking": (blocking.runtime, blocking.run),
    "asyncio": (on_asyncio.runtime, asyncio.run),
    "trio": (on_trio.runtime, lambda coroutine: trio.run(lambda: coroutine)),
}


class Bench:
    """A simulated adapter with a multimeter at 9 and an oscilloscope at 5, secondary address 0."""

    def __init__(self, port: int, line: Path, runtime: Any, run: Run, transport: str) -> None:
        self.port = port
        self.line = line
        self.runtime = runtime
        self.run = run
        self.transport = transport

    def adapter(self) -> Adapter:
        if self.transport == "serial":
            return Adapter(bind(sockio.serial_port.Serial, self.runtime)(str(self.line), 115200))
        return Adapter(bind(sockio.tcp.TCP, self.runtime)("127.0.0.1", self.port, quiet=0.05))

    def instruments(self) -> tuple[PrologixMessages, PrologixMessages]:
        adapter = self.adapter()
        return PrologixMessages(adapter, 9), PrologixMessages(adapter, 5, 0)

    @contextmanager
    def wire(self) -> Iterator[Callable[[bytes, bytes], None]]:
        """The adapter without anything in between: ``exchange(request, answer)``."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:

            def exchange(request: bytes, answer: bytes) -> None:
                sock.sendall(request)
                received = b""
                while len(received) < len(answer) and (chunk := sock.recv(4096)):
                    received += chunk
                assert received == answer
                assert not select.select([sock], [], [], 0.05)[0], "there is more than that"

            yield exchange


def configuration(port: int, line: Path) -> dict[str, Any]:
    package = "instruments.simulators"
    adapter = {
        "package": f"{package}.prologix",
        "class": "Prologix",
        "name": "adapter",
        "instruments": {9: "dmm", "5,0": "scope"},
        "transports": [{"type": "tcp", "url": f"127.0.0.1:{port}"}, {"type": "serial", "url": str(line)}],
    }
    dmm = {"package": f"{package}.multimeter", "class": "Multimeter", "name": "dmm", "*idn": "DMM"}
    scope = {"package": f"{package}.oscilloscope", "class": "Oscilloscope", "name": "scope", "*idn": "SCOPE"}
    return {"devices": [adapter, dmm, scope]}


@pytest.fixture
def simulated(serve_config: Callable[..., Any], unused_port: int, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    line = tmp_path / "ttyPROLOGIX"
    with serve_config(configuration(unused_port, line), unused_port):
        yield unused_port, line


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def bench(request: pytest.FixtureRequest, simulated: tuple[int, Path]) -> Bench:
    return Bench(*simulated, *RUNTIMES[request.param], "tcp")


@pytest.fixture
def blocking_bench(simulated: tuple[int, Path]) -> Bench:
    return Bench(*simulated, *RUNTIMES["blocking"], "tcp")


def test_the_adapters_commands_as_in_the_manual(blocking_bench: Bench) -> None:
    with blocking_bench.wire() as exchange:
        exchange(b"++ver\n", b"Prologix GPIB-ETHERNET Controller version 01.06.06.00\r\n")
        exchange(b"++addr 9\n++addr\n++addr 9 96\n++addr\n", b"9\r\n9 96\r\n")
        exchange(b"++auto\r\n++eoi\r++eos 2\n++eos\n++mode\n", b"0\r\n1\r\n2\r\n1\r\n")
        exchange(b"++addr 31\n++eos 4\n++nonsense\n", 3 * b"Unrecognized command\r\n")
        exchange(b"++addr 9\n++read_tmo_ms 3000\n*IDN?\n++read eoi\n", b"DMM\n")
        exchange(b"*IDN?;*ESE?;*IDN?\n++read 59\n++read 59\n++read\n", b"DMM;0;DMM\n")
        exchange(b"++eot_enable 1\n++eot_char 42\n*IDN?\n++read eoi\n++eot_enable 0\n", b"DMM\n*")
        exchange(b"++auto 1\n*IDN?\n++auto 0\n", b"DMM\n")
        exchange(b"++eos 3\n++eoi 0\n*ID\n++eoi 1\nN?\n++read eoi\n", b"DMM\n")
        exchange(b"++read_tmo_ms 50\n++read eoi\n++addr 17\n++read eoi\n++spoll\n", b"0\r\n")
        exchange(b"++addr 9\n*SRE 16;*ESE 0\n++srq\n*IDN?\n", b"0\r\n")
        exchange(b"++srq\n++spoll\n++srq\n++spoll 9\n", b"1\r\n80\r\n0\r\n16\r\n")
        exchange(b"++clr\n++read eoi\n++ifc\n++loc\n++llo\n++rst\n++addr\n", b"0\r\n")


@pytest.mark.parametrize("transport", ["tcp", "serial"])
def test_messages_both_ways(bench: Bench, transport: str) -> None:
    bench.transport = transport
    data = bytes(range(256)) * 16

    async def main() -> None:
        dmm, scope = bench.instruments()
        await dmm.open(5)
        assert dmm.connected()
        assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        assert await dmm.query_block(b"*IDN?\n", bytearray, 5) == b"DMM\n"
        assert await scope.query(b"*IDN?\n", 5) == b"SCOPE\n"
        await dmm.write(b"*ESE 36\n", 5)
        await dmm.write(b"*ESE?\n", 5)
        assert await dmm.read(5) == b"36\n"
        await scope.write(b"DATA:ARB WAVE,#44096" + data + b"\n", 5)
        assert bytes(await scope.query_block(b"DATA:ARB? WAVE\n", bytearray, 5)) == data
        array: Any = await scope.query_block(b"DATA:ARB? WAVE\n", zeros, 5)
        assert array.tobytes() == data
        assert await scope.query(b"DATA:ARB? WAVE\n", 5) == b"#44096" + data + b"\n"
        assert await dmm.query(b"SYST:ERR?\n", None) == b'0,"No error"\n'
        assert await scope.query(b"SYST:ERR?\n", 5) == b'0,"No error"\n'
        await dmm.close()
        assert scope.connected(), "somebody else still uses the adapter"
        await scope.close()
        assert not scope.connected()
        assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        dmm.abandon()
        assert dmm.adapter.stream.connection_counter == 2
        await dmm.close()

    bench.run(main())


def test_what_goes_over_the_wire() -> None:
    """Literal bytes, at a listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        adapter = Adapter(bind(sockio.tcp.TCP, blocking.runtime)(*server.getsockname()))
        dmm, scope = PrologixMessages(adapter, 9), PrologixMessages(adapter, 5, 0)
        received: list[bytes] = []

        def answer() -> None:
            sock, _ = server.accept()
            with sock:
                set_up = sock.recv(4096)
                numbers = [line.split()[1] for line in set_up.splitlines() if line.startswith(b"++eot_char ")]
                received.append(set_up.partition(b"++eot_char")[0])
                sock.sendall(b"late answer" + b"".join(number + b"\r\n" for number in numbers))
                for reply in (b"1.5\n", b"2.5\n", b"64\r\n", b"#13a\nb\n", b"3.5\n"):
                    received.append(sock.recv(4096))
                    sock.sendall(reply)
                received.append(sock.recv(4096))

        thread = threading.Thread(target=answer)
        thread.start()

        async def main() -> None:
            assert await dmm.query(b"READ?\n", 2) == b"1.5\n"
            assert await dmm.query(b"READ?\n", 2) == b"2.5\n"
            assert await dmm.read_status_byte(2) == 64
            assert await scope.query_block(b"CURVE?\n", bytearray, 2) == b"a\nb"
            assert await dmm.query(b"READ?\n", None) == b"3.5\n"
            await dmm.close()
            await scope.close()

        blocking.run(main())
        thread.join(5)
    assert received[0] == b"++savecfg 0\n++mode 1\n++auto 0\n++eoi 1\n++eos 3\n++eot_enable 0\n"
    limits = [int(limit) for request in received for limit in re.findall(rb"(?<=read_tmo_ms )\d+", request)]
    assert all(1000 < limit <= 2000 for limit in limits[:3])
    assert [re.sub(rb"(?<=read_tmo_ms )\d+", b"...", request) for request in received[1:]] == [
        b"++addr 9\n++read_tmo_ms ...\nREAD?\x1b\n\n++read eoi\n",
        b"++addr 9\n++read_tmo_ms ...\nREAD?\x1b\n\n++read eoi\n",
        b"++addr 9\n++spoll\n",
        b"++addr 5 96\n++read_tmo_ms ...\nCURVE?\x1b\n\n++read eoi\n",
        b"++addr 9\n++read_tmo_ms ...\nREAD?\x1b\n\n++read eoi\n",
        b"",
    ]
    assert limits[3] == 3000


def test_status_trigger_clear_and_service_requests(bench: Bench) -> None:
    async def main() -> None:
        dmm, scope = bench.instruments()
        await scope.write(b"*SRE 16;*CLS\n", 5)
        await dmm.write(b"*CLS;*ESE 1;*SRE 32\n", 5)
        assert await dmm.read_status_byte(5) & 0x40 == 0
        assert await dmm.poll_service_request(5) is None
        await dmm.write(b"*OPC\n", 5)
        assert await service_request(scope, dmm) & 0x60 == 0x60
        assert await dmm.poll_service_request(5) is None, "that has been served"
        await scope.write(b"*IDN?\n", 5)
        assert await service_request(dmm, scope) & 0x50 == 0x50
        await scope.clear(5)
        assert await scope.read_status_byte(5) & 0x10 == 0, "the answer is forgotten"
        await dmm.write(b"TRIG:SOUR BUS;:INIT\n", 5)
        await dmm.trigger(5)
        float(await dmm.query(b"FETC?\n", 5))
        await dmm.go_to_local(5)
        await dmm.lock_out_local(5)
        await dmm.adapter.clear_interface(5)
        assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        assert dmm.adapter.stream.connection_counter == 1
        await dmm.close()
        await scope.close()
        await dmm.adapter.stream.close()

    bench.run(main())


def zeros(size: int) -> Any:
    return np.zeros(size, "u1")


async def service_request(other: PrologixMessages, messages: PrologixMessages) -> int:
    """Wait until an instrument requests service; poll another one as well, which does not."""
    assert not messages.waits_aside
    while True:
        assert await other.poll_service_request(5) is None
        status = await messages.poll_service_request(5)
        if status is not None:
            return status
        await messages.runtime.sleep(0.02)


OTHER_PROCESS = """
import sys
from instruments.prologix import Adapter, PrologixMessages
from sockio.runtimes import bind, blocking
import sockio.serial_port, sockio.tcp

kind, where, baudrate_or_port = sys.argv[1:]
stream = bind({"tcp": sockio.tcp.TCP, "serial": sockio.serial_port.Serial}[kind], blocking.runtime)(
    where, int(baudrate_or_port), **({"exclusive": False} if kind == "serial" else {})
)
scope = PrologixMessages(Adapter(stream), 5, 0)
for line in sys.stdin:
    print(blocking.run(scope.query(line.encode(), 5)).decode().strip(), flush=True)
"""


@pytest.mark.parametrize("transport", ["tcp", "serial"])
def test_another_process_may_talk_to_another_address_in_between(bench: Bench, transport: str) -> None:
    line, port = str(bench.line), str(bench.port)
    where = ("127.0.0.1", port) if transport == "tcp" else (line, "115200")
    child = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, transport, *where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None

        async def main() -> None:
            assert child.stdin is not None
            assert child.stdout is not None
            if transport == "tcp":
                adapter = bench.adapter()
            else:
                adapter = Adapter(bind(sockio.serial_port.Serial, bench.runtime)(line, 115200, exclusive=False))
            dmm = PrologixMessages(adapter, 9)
            for _ in range(3):
                assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
                child.stdin.write("*IDN?\n")
                child.stdin.flush()
                assert child.stdout.readline() == "SCOPE\n"
                assert await dmm.read_status_byte(5) == 0
                await dmm.write(b"*ESE 36\n", 5)
                child.stdin.write("*ESE?\n")
                child.stdin.flush()
                assert child.stdout.readline() == "0\n", "that was for the multimeter"
                assert await dmm.query(b"*ESE?;*ESE 0\n", 5) == b"36\n"
            assert adapter.stream.connection_counter == 1
            await dmm.close()

        bench.run(main())
        child.stdin.close()
        assert child.wait(10) == 0


def test_what_a_failed_call_left_is_cleared_before_anybody_on_another_connection_asks(bench: Bench) -> None:
    """The next call that ends well has cleared it, at whatever address that was."""

    async def main() -> None:
        dmm, scope = bench.instruments()
        await dmm.write(b"SIM:FAUL:DEL 0.4;:SIM:FAUL LATE\n", 5)
        with pytest.raises(ConnectionTimeoutError):
            await dmm.query(b"*IDN?\n", 0.2)
        assert await scope.query(b"*IDN?\n", 5) == b"SCOPE\n"
        await bench.runtime.sleep(0.6)
        stranger = PrologixMessages(bench.adapter(), 9)
        assert await stranger.query(b"*ESE?\n", 5) == b"0\n"
        for messages in (dmm, scope, stranger):
            await messages.close()

    bench.run(main())


def test_each_instrument_is_cleared_once_after_distrust(bench: Bench) -> None:
    async def main() -> None:
        dmm, scope = bench.instruments()
        assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        strangers = bench.instruments()  # who leave an answer in both, and never come back
        for stranger in strangers:
            await stranger.write(b"*IDN?\n", 5)
        dmm.distrust()
        assert await dmm.query(b"*ESE?\n", 5) == b"0\n"
        assert dmm.adapter.stream.connection_counter == 2
        assert await scope.query(b"*ESE?\n", 5) == b"0\n"
        await dmm.write(b"*IDN?\n", 5)
        assert await dmm.read(5) == b"DMM\n", "it is not cleared again"
        for messages in (dmm, scope, *strangers):
            await messages.close()

    bench.run(main())


def test_a_forked_child_does_not_wait_for_the_turn_of_its_parents_call(blocking_bench: Bench) -> None:
    dmm, scope = blocking_bench.instruments()
    blocking.run(dmm.write(b"SIM:LAT 1\n", 5))
    slow = threading.Thread(target=lambda: blocking.run(dmm.query(b"*IDN?\n", 5)))
    slow.start()
    while not dmm.adapter._turns.queue:
        time.sleep(0.01)
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if blocking.run(scope.query(b"*IDN?\n", 5)) == b"SCOPE\n" else 2
        finally:
            os._exit(code)
    slow.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert dmm.adapter.stream.connection_counter == 1
    for messages in (dmm, scope):
        blocking.run(messages.close())


def test_an_answer_that_is_late_is_nobodys(bench: Bench) -> None:
    """The adapter is still reading from the multimeter when the oscilloscope is asked."""

    async def main() -> None:
        dmm, scope = bench.instruments()
        await dmm.write(b"SIM:FAUL:DEL 0.6;:SIM:FAUL LATE\n", 5)
        with pytest.raises(ConnectionTimeoutError, match=r"query at GPIB address 9 timed out after 0.2"):
            await dmm.query(b"*IDN?\n", 0.2)
        assert await scope.query(b"*IDN?\n", 5) == b"SCOPE\n"
        assert await dmm.query(b"*ESE?\n", 5) == b"0\n"
        await bench.runtime.sleep(0.6)
        assert await dmm.query(b"*ESE?\n", 5) == b"0\n"
        assert await scope.query(b"*ESE?\n", 5) == b"0\n"
        await scope.close()
        await dmm.close()

    bench.run(main())


def test_whoever_asks_next_at_the_same_address_finds_it_cleared(blocking_bench: Bench) -> None:
    async def main() -> None:
        dmm, _ = blocking_bench.instruments()
        await dmm.write(b"SIM:FAUL:DEL 0.4;:SIM:FAUL LATE\n", 5)
        with pytest.raises(ConnectionTimeoutError):
            await dmm.query(b"*IDN?\n", 0.2)
        await blocking_bench.runtime.sleep(0.5)
        successor = PrologixMessages(dmm.adapter, 9)
        assert await successor.query(b"*ESE?\n", 5) == b"0\n"
        await dmm.close()
        await successor.adapter.clear_interface(5)
        assert successor.connected()
        await successor.close()
        assert not successor.connected()

    blocking_bench.run(main())


@pytest.mark.parametrize("patience", [0.0, 0.1, 0.35])
def test_a_cancelled_call_leaves_nothing_behind(simulated: tuple[int, Path], patience: float) -> None:
    """Its answer comes while the adapter waits, with its own long limit, and nobody waits for the adapter."""
    bench = Bench(*simulated, *RUNTIMES["asyncio"], "tcp")

    async def main() -> None:
        dmm, scope = bench.instruments()
        await dmm.write(b"SIM:LAT 0.5\n", 5)
        task = asyncio.ensure_future(dmm.query(b"*IDN?\n", None))
        await asyncio.sleep(patience + 0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await scope.query(b"*IDN?\n", 5) == b"SCOPE\n"
        assert await dmm.query(b"*ESE?\n", 5) == b"0\n"
        await scope.close()
        await dmm.close()

    bench.run(main())


def test_an_instrument_that_is_slower_than_the_adapter_waits(bench: Bench) -> None:
    async def main() -> None:
        dmm, scope = bench.instruments()
        await dmm.write(b"SIM:LAT 3.4\n", 5)
        assert await dmm.query(b"*IDN?\n", 10) == b"DMM\n"
        assert await scope.query(b"*IDN?\n", 5) == b"SCOPE\n"
        assert dmm.adapter.stream.connection_counter == 1
        await scope.close()
        await dmm.close()

    bench.run(main())


@pytest.mark.parametrize("fault", ["CUT", "SILENT", "DROPPED"])
def test_faults_are_over_with_the_call_that_met_them(blocking_bench: Bench, fault: str) -> None:
    async def main() -> None:
        dmm, scope = blocking_bench.instruments()
        for _ in range(3):
            await dmm.write(b"SIM:FAUL %b\n" % fault.encode(), 5)
            with pytest.raises(OSError, match=str(blocking_bench.port)):
                await dmm.query(b"*IDN?\n", 0.3)
            assert await scope.query(b"*IDN?\n", 5) == b"SCOPE\n"
            assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        await scope.close()
        await dmm.close()

    blocking_bench.run(main())


def test_two_addresses_at_the_same_time_in_threads(blocking_bench: Bench) -> None:
    instruments = blocking_bench.instruments()
    wrong: list[bytes] = []

    def ask(number: int) -> None:
        messages = instruments[number % 2]
        for index in range(50):
            reply = blocking.run(messages.query(b"*IDN?\n", 20))
            if reply != (b"DMM\n", b"SCOPE\n")[number % 2]:
                wrong.append(reply)
            value = hashlib.sha256(b"%d %d" % (number, index)).digest()[0] & 0x7F
            blocking.run(messages.write(b"*ESE %d\n" % value, 20))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert instruments[0].adapter.stream.connection_counter == 1
    for messages in instruments:
        blocking.run(messages.close())


def test_two_addresses_and_a_short_patience(simulated: tuple[int, Path]) -> None:
    """Tasks that give up at odd moments never see each other's answers."""
    bench = Bench(*simulated, *RUNTIMES["asyncio"], "tcp")

    async def main() -> None:
        dmm, scope = bench.instruments()
        good = {dmm: b"DMM\n", scope: b"SCOPE\n"}
        answered = 0

        async def ask(messages: PrologixMessages, count: int) -> None:
            nonlocal answered
            for index in range(count):
                try:
                    reply = await messages.query(b"*IDN?\n", (0.004, 0.03, 5)[index % 3])
                except ConnectionTimeoutError:
                    continue
                assert reply == good[messages]
                answered += 1

        await asyncio.gather(ask(dmm, 15), ask(scope, 15))
        assert answered >= 10
        await scope.close()
        await dmm.close()

    bench.run(main())


def test_waiting_for_ones_turn_leaves_the_connection_alone(simulated: tuple[int, Path]) -> None:
    bench = Bench(*simulated, *RUNTIMES["asyncio"], "tcp")

    async def main() -> None:
        dmm, scope = bench.instruments()
        await dmm.write(b"SIM:LAT 0.5\n", 5)
        slow = asyncio.ensure_future(dmm.query(b"*IDN?\n", 5))
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionTimeoutError, match="its turn, which query at GPIB address 9 of"):
            await scope.query(b"*IDN?\n", 0.1)
        assert await slow == b"DMM\n"
        assert dmm.adapter.stream.connection_counter == 1
        await scope.close()
        await dmm.close()

    bench.run(main())


def test_an_adapter_that_was_exchanged_is_set_up_again(blocking_bench: Bench) -> None:
    async def main() -> None:
        dmm, _ = blocking_bench.instruments()
        assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        with blocking_bench.wire() as exchange:
            exchange(b"++rst\n++auto 1\n++addr 5 96\n++addr\n", b"5 96\r\n")
        await dmm.adapter.stream.close()
        assert await dmm.query(b"*IDN?\n", 5) == b"DMM\n"
        with blocking_bench.wire() as exchange:
            exchange(b"++auto\n++addr\n", b"0\r\n9\r\n")
        await dmm.close()

    blocking_bench.run(main())


def test_somebody_who_is_no_adapter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        messages = PrologixMessages(Adapter(bind(sockio.tcp.TCP, blocking.runtime)(*server.getsockname())), 9)
        with pytest.raises(ConnectionTimeoutError):
            blocking.run(messages.query(b"*IDN?\n", 0.2))
        assert not messages.connected()


def test_pyvisa_py_as_a_third_party(blocking_bench: Bench) -> None:
    pyvisa = pytest.importorskip("pyvisa")
    pytest.importorskip("pyvisa_py")
    manager = pyvisa.ResourceManager("@py")
    try:
        board = manager.open_resource(f"PRLGX-TCPIP0::127.0.0.1::{blocking_bench.port}::INTFC")
        dmm = manager.open_resource("GPIB0::9::INSTR")
        assert dmm.query("*IDN?").strip() == "DMM"
        dmm.write("*ESE 36")
        assert dmm.query("*ESE?").strip() == "36"
        assert dmm.read_stb() & 0x40 == 0
        dmm.close()
        board.close()
    finally:
        manager.close()
