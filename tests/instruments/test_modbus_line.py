"""RTU on lines where answers come late, or not at all, and broadcasts; and what of that concerns Modbus TCP."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from instruments.modbus import ModBusDevice, ModbusError, pacing
from instruments.modbus.station import transactions
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError, ProtocolError
from tests.instruments.modbus_peers import modbus_peer, rtu_peer, tcp_frame
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer
from tests.instruments.test_modbus_codec import with_crc


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def latest_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that are given up come sooner here than on a real line."""
    monkeypatch.setattr(pacing, "LATEST_ANSWER", 0.6)


def slow_line(first: float, others: float) -> Peer:
    """Return units on one line behind a bridge with one port, which sends what it gets to whoever is connected.

    They answer with the address that is asked for as the value, after so many seconds the first time, and then.
    """
    connections: list[Any] = []
    asked = 0

    def serve(connection: Any, peer: Peer) -> None:
        nonlocal asked
        connections.append(connection)
        while frame := peer.recv(connection):
            asked += 1
            threading.Timer(first if asked == 1 else others, send, [frame]).start()

    def send(frame: bytes) -> None:
        try:
            connections[-1].sendall(with_crc(frame[:2] + b"\2" + frame[2:4]))
        except OSError:
            pass  # nobody is there any more

    return Peer(serve)


@pytest.mark.usefixtures("latest_answer")
@pytest.mark.parametrize("timeout", [0.1, 0.8])
def test_an_answer_that_is_too_late_is_not_that_to_the_next_request(flavour: Flavour, timeout: float) -> None:
    """The same unit, function and size, and no word of how long the line is to be quiet."""
    with slow_line(timeout + 0.2, 0.2) as peer:
        device = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::1", timeout=timeout)
        with pytest.raises(TimeoutError):
            flavour.call(device.read_holding, 1)
        for index in range(2, 4):
            assert flavour.call(device.read_holding, index, timeout=5) == [index]
        flavour.call(device.drop)


@pytest.mark.usefixtures("latest_answer")
def test_a_short_call_to_a_slow_device(flavour: Flavour) -> None:
    """The device is known to take its time, and is given up early: its answer comes when others' do no more."""
    with slow_line(1.0, 0.2) as peer:
        device = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::1", timeout=1.5)
        with pytest.raises(TimeoutError):
            flavour.call(device.read_holding, 1, timeout=0.05)
        assert flavour.call(device.read_holding, 2) == [2]
        flavour.call(device.drop)


def test_a_cancelled_call_and_a_cancelled_wait() -> None:
    async def main(port: int) -> None:
        device = ModBusDevice(f"modbus::rtu::127.0.0.1:{port}::1", timeout=1)
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(device.read_holding(1), 0.15)
        assert await device.read_holding(2) == [2]
        await device.drop()

    with slow_line(0.8, 0.4) as peer:
        asyncio.run(main(peer.port))
        assert peer.received == with_crc(b"\1\3\0\1\0\1") + with_crc(b"\1\3\0\2\0\1")  # nothing of what was cancelled


@pytest.mark.usefixtures("latest_answer")
def test_a_dead_unit_does_not_hold_up_the_others(flavour: Flavour) -> None:
    """Their answers say who answers: nothing but the line's silence has to be waited for."""
    with rtu_peer(lambda frame: None if frame[0] == 9 else with_crc(frame[:2] + b"\2" + frame[2:4])) as peer:
        address = f"modbus::rtu::127.0.0.1:{peer.port}"
        dead = flavour.make(ModBusDevice, f"{address}::9", timeout=0.1)
        alive = flavour.make(ModBusDevice, f"{address}::1", timeout=0.6)
        for index in range(3):
            with pytest.raises(TimeoutError):
                flavour.call(dead.read_holding, 0)
            for _ in range(2):
                assert flavour.call(alive.read_holding, index) == [index]
        flavour.call(alive.drop)


def test_waiting_for_late_answers_is_not_counted_in_the_time_of_a_split_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "LATEST_ANSWER", 1.6)
    requests: list[bytes] = []

    def script(frame: bytes) -> bytes | None:
        requests.append(frame)
        if len(requests) == 1:
            return None
        time.sleep(0.05)
        return with_crc(frame[:2] + bytes([2 * frame[5]]) + bytes(2 * frame[5]))

    async def main(port: int) -> None:
        device = ModBusDevice(f"modbus::rtu::127.0.0.1:{port}::1", timeout=1.5)
        with pytest.raises(TimeoutError):
            await device.read_holding(0, timeout=0.1)
        assert await device.read_holding(0, 200, split=True) == [0] * 200
        await device.drop()

    with rtu_peer(script) as peer:
        asyncio.run(main(peer.port))


def test_who_says_how_long_the_line_is_quiet_is_believed(flavour: Flavour) -> None:
    requests: list[float] = []

    def script(frame: bytes) -> bytes | None:
        requests.append(time.monotonic())
        return None if len(requests) < 4 else with_crc(b"\1\3\2\0\7")

    with rtu_peer(script) as peer:
        address = f"modbus::rtu::tcp://127.0.0.1:{peer.port}?quiet=0.02::1"
        device = flavour.make(ModBusDevice, address, timeout=30)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                flavour.call(device.read_holding, 0, timeout=0.05)
        assert flavour.call(device.read_holding, 0) == [7]
        assert requests[3] - requests[0] < 25  # and not 30 s and more
        flavour.call(device.drop)


OTHER_PROCESS = """
import sys
from instruments import sio

device = sio.ModBusDevice(sys.argv[1], timeout=0.3)
try:
    device.read_holding(1)
except TimeoutError:
    print("none")
"""


def test_an_answer_that_another_process_did_not_get(flavour: Flavour) -> None:
    with slow_line(0.8, 0.2) as peer:
        address = f"modbus::rtu::127.0.0.1:{peer.port}::1"
        device = flavour.make(ModBusDevice, address, timeout=5)
        flavour.call(device.connect)
        command = [sys.executable, "-c", OTHER_PROCESS, address]
        assert subprocess.run(command, capture_output=True, text=True, timeout=30).stdout == "none\n"
        assert flavour.call(device.read_holding, 2) == [2]
        flavour.call(device.drop)


def test_an_answer_that_another_event_loop_did_not_get() -> None:
    """All in this process have one pace, whatever waits for them."""
    from instruments import sio

    async def main(address: str) -> None:
        device = ModBusDevice(address, timeout=0.1)
        with pytest.raises(TimeoutError):
            await device.read_holding(1)
        await device.drop()

    with slow_line(0.6, 0.5) as peer:
        address = f"modbus::rtu::127.0.0.1:{peer.port}::1"
        device = sio.ModBusDevice(address, timeout=5)
        device.connect()
        asyncio.run(main(address))
        assert device.read_holding(2) == [2]
        device.drop()


def test_nothing_is_sent_for_which_there_is_no_time(flavour: Flavour) -> None:
    """The silence after a broadcast takes 0.1 s."""
    with rtu_peer(lambda frame: None if frame[0] == 0 else with_crc(b"\1\3\2\0\7")) as peer:
        address = f"modbus::rtu::127.0.0.1:{peer.port}"
        everybody = flavour.make(ModBusDevice, f"{address}::0", timeout=5)
        device = flavour.make(ModBusDevice, f"{address}::1", timeout=5)
        flavour.call(everybody.write_register, 1, 2)
        with pytest.raises(ConnectionTimeoutError, match=r"nothing was sent within 0\.01 s, as the silence"):
            flavour.call(device.read_holding, 0, timeout=0.01)
        assert flavour.call(device.read_holding, 0) == [7]
        assert peer.received == with_crc(b"\0\6\0\1\0\2") + with_crc(b"\1\3\0\0\0\1")
        flavour.call(device.drop)


def test_a_split_broadcast_has_one_deadline(flavour: Flavour) -> None:
    """Four requests with 0.1 s between them do not fit into 0.15 s."""
    with rtu_peer(lambda frame: None) as peer:
        everybody = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::0", timeout=5)
        flavour.call(everybody.connect)
        with pytest.raises(TimeoutError):
            flavour.call(everybody.write_registers, 0, [5] * 492, split=True, timeout=0.15)
        flavour.call(everybody.drop)
        assert peer.received.count(b"\0\x10") < 4


# Answers of unknown length


def test_an_answer_that_does_not_end_ends_with_the_timeout(flavour: Flavour) -> None:
    """A byte now and then, so that it is never silent: the deadline is that of the call."""
    ending = threading.Event()

    def serve(connection: Any, peer: Peer) -> None:
        peer.recv(connection)
        while not ending.wait(0.02):
            connection.sendall(b"\1")

    with Peer(serve) as peer:
        device = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::1", timeout=0.3)
        try:
            with pytest.raises(TimeoutError, match=r"timed out after 0\.3 s receiving; so far came"):
                flavour.call(device.send_custom_command, 100, b"abc")
        finally:
            ending.set()
        flavour.call(device.drop)


@pytest.mark.parametrize(
    ("answer", "error", "complaint"),
    [
        (bytes(300), ProtocolError, "expected a frame of up to 256 bytes"),
        (None, ConnectionEOFError, "closed the connection"),
    ],
)
def test_what_is_no_answer_of_unknown_length(
    flavour: Flavour, answer: bytes | None, error: type[Exception], complaint: str
) -> None:
    def script(frame: bytes) -> bytes:
        if answer is None:
            raise OSError("hang up")
        return answer

    with rtu_peer(script) as peer:
        device = flavour.make(ModBusDevice, f"modbus::rtu::127.0.0.1:{peer.port}::1", timeout=10)
        with pytest.raises(error, match=complaint):
            flavour.call(device.send_custom_command, 100, b"abc")
        assert peer.connections == 1
        flavour.call(device.drop)


# What of it concerns Modbus TCP


def test_what_others_leave_behind_is_nothing_to_modbus_tcp(flavour: Flavour) -> None:
    """Each process has a connection of its own, and answers their transactions: no connection is given up for them."""
    with modbus_peer(lambda transaction, unit, pdu: tcp_frame(transaction, unit, b"\3\2\0\7")) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        assert flavour.call(device.read_holding, 0) == [7]
        device._lock.file.take()
        device._lock.file.mark()  # what a process leaves that was killed in the middle
        device._lock.file.give_back()
        assert flavour.call(device.read_holding, 0) == [7]
        assert peer.connections == 1
        flavour.call(device.drop)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_has_transactions_of_its_own() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(next(transactions) & 0xFFFF).encode())
        os._exit(0)
    os.waitpid(child, 0)
    first = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)
    assert first != next(transactions) & 0xFFFF


@pytest.mark.parametrize("how", ["alone", "split", "pipeline"])
def test_an_exception_names_the_device(flavour: Flavour, how: str) -> None:
    with modbus_peer(lambda transaction, unit, pdu: tcp_frame(transaction, unit, b"\x83\2")) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        complaint = rf"^modbus::tcp::127.0.0.1:{peer.port}::1: unit 1 answers function 3 with exception 2: illegal data"
        if how == "pipeline":
            with flavour.inside(device.pipeline()) as pipeline:
                answer = pipeline.read_holding(0)
            ask: Callable[[], Any] = answer.result
        else:
            ask = partial(flavour.call, device.read_holding, 0, 200 if how == "split" else 1, split=how == "split")
        with pytest.raises(ModbusError, match=complaint) as caught:
            ask()
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        flavour.call(device.drop)


def test_an_answer_stands_whatever_becomes_of_the_others(flavour: Flavour) -> None:
    """The first request is answered, the second never: who waits for the first gets its value."""

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        return tcp_frame(transaction, unit, b"\3\2\0\7") if pdu[2] == 0 else b""

    with modbus_peer(script) as peer:
        device = flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=0.2)
        pipeline = device.pipeline()
        first, second = pipeline.read_holding(0), pipeline.read_holding(1)

        async def wait(answer: Any) -> Any:
            return await answer

        def value_of(answer: Any) -> Any:
            return flavour.call(wait, answer) if flavour.is_async else flavour.call(answer.result)

        assert value_of(first) == [7]
        with pytest.raises(TimeoutError):
            value_of(second)
        flavour.call(device.drop)


def test_waiting_leaves_nothing_behind() -> None:
    """Tasks that gave up waiting for an answer are not told of it."""

    async def main(port: int) -> None:
        device = ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=10)
        pipeline = device.pipeline()
        answer: Any = pipeline.read_holding(0)

        async def wait() -> Any:
            return await answer

        tasks = [asyncio.create_task(wait()) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.wait(tasks[1:])
        assert not answer._settled._waiters
        tasks[0].cancel()
        await asyncio.wait(tasks)
        await device.drop()

    with modbus_peer(lambda *_: b"") as peer:
        asyncio.run(main(peer.port))


def test_units_without_lines_are_forgotten() -> None:
    import gc

    async def use() -> None:
        device: Any = ModBusDevice("modbus::rtu::127.0.0.1:502::1")
        device._here()
        assert (len(pacing._paces), len(pacing._lines)) == (before[0] + 1, before[1] + 1)

    gc.collect()
    before = len(pacing._paces), len(pacing._lines)
    asyncio.run(use())
    gc.collect()
    assert (len(pacing._paces), len(pacing._lines)) == before


def test_a_fault_of_any_unit(serve_bench: Callable[..., Any]) -> None:
    """The unit after 255 is 0."""
    from instruments import sio
    from tests.instruments.modbus_peers import simulated

    with serve_bench([simulated(faults=["unit"])]) as bench:
        device = sio.ModBusDevice(f"modbus::tcp::{bench.url('modbusdevice')}::255", timeout=5)
        with pytest.raises(ProtocolError, match="from unit 255, got one from 0"):
            device.read_holding(0)
        device.drop()
