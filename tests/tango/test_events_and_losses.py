"""Events without a client's polling; the instrument lost and back; the device server killed and started again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.conftest import Bench
from tests.tango.clients import Client, Reading, Refused
from tests.tango.conftest import PATIENCE, Process, eventually
from tests.tango.recorder import Recorder


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench([{"class": "CryoCon", "io_period": 0}], tmp_path)
    yield bench
    bench.stop()


def qualities(readings: list[Reading]) -> list[str]:
    return [quality for _, quality, _ in readings]


def test_changes_are_told_without_polling(client: Client, device: str, recorder: Recorder) -> None:
    for name in ("loop1setpoint", "loop1type", "State", "Status"):
        client.subscribe(device, name)
    client.subscribe(device, "loop1setpoint", "archive")
    recorder.device.answer(b":LOOP 1:SETPT 77;:LOOP 1:TYPE PID;:CONTROL\n")  # by hand, at the front panel
    expected: dict[str, Any] = {"loop1setpoint": 77.0, "loop1type": "PID", "State": "ON", "Status": "Control is On"}
    for name, value in expected.items():
        eventually(lambda name=name, value=value: client.events(device, name)[-1][0] == value)
    eventually(lambda: client.events(device, "loop1setpoint", "archive")[-1][0] == 77.0)


def test_nothing_is_told_twice(client: Client, device: str, recorder: Recorder) -> None:
    client.subscribe(device, "loop2rate")
    before = len(client.events(device, "loop2rate"))
    asked = len(recorder.asked("LOOP 2:RATE"))
    eventually(lambda: len(recorder.asked("LOOP 2:RATE")) > asked + 5)
    assert len(client.events(device, "loop2rate")) <= before + 1
    client.write(device, "loop2rate", 33.0)
    eventually(lambda: client.events(device, "loop2rate")[-1][0] == 33.0)


def test_only_what_somebody_wants_to_be_told_is_polled(client: Client, device: str, recorder: Recorder) -> None:
    asked = len(recorder.lines)
    eventually(lambda: len(recorder.lines) > asked + 5)
    assert not recorder.asked("LOOP 4:TYP?")
    assert recorder.asked(":CONTROL?;")


def test_alarms_are_told(client: Client, device: str, recorder: Recorder) -> None:
    client.alarm(device, "loop3setpoint", "50")
    client.subscribe(device, "loop3setpoint", "alarm")
    recorder.device.answer(b":LOOP 3:SETPT 60\n")
    eventually(lambda: client.events(device, "loop3setpoint", "alarm")[-1][:2] == (60.0, "ATTR_ALARM"))
    recorder.device.answer(b":LOOP 3:SETPT 40\n")
    eventually(lambda: client.events(device, "loop3setpoint", "alarm")[-1][:2] == (40.0, "ATTR_VALID"))


def test_a_killed_instrument_is_a_fault_and_heals_by_itself(client: Client, device: str, bench: Bench) -> None:
    port = bench.port("cryocon")
    client.put(device, url=[f"tcp://127.0.0.1:{port}"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    client.subscribe(device, "channelB")
    client.subscribe(device, "State")
    eventually(lambda: client.events(device, "channelB")[-1][1] == "ATTR_VALID")
    bench.stop()
    eventually(lambda: client.events(device, "channelB")[-1][1] == "ATTR_INVALID")
    eventually(lambda: client.events(device, "State")[-1][0] == "FAULT")
    state, status = client.state(device)
    assert state == "FAULT"
    assert status.startswith("Error: ")
    assert f"127.0.0.1:{port}" in status
    assert qualities(client.read(device, "channelA", "loop1type", "loop1ramp")) == ["ATTR_INVALID"] * 3
    with pytest.raises(Refused, match=f"127.0.0.1:{port}"):
        client.write(device, "loop1setpoint", 4.2)
    bench.restart()
    eventually(lambda: client.events(device, "State")[-1][0] == "OFF")
    eventually(lambda: client.events(device, "channelB")[-1][1] == "ATTR_VALID")
    assert qualities(client.read(device, "channelA", "loop1type", "loop1ramp")) == ["ATTR_VALID"] * 3
    assert client.state(device) == ("OFF", "Control is Off")


def test_an_instrument_that_is_there_later_is_found(client: Client, device: str, bench: Bench) -> None:
    bench.stop()
    client.put(device, url=[f"tcp://127.0.0.1:{bench.port('cryocon')}"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "FAULT")
    bench.restart()
    eventually(lambda: client.state(device)[0] == "OFF")


def test_a_lost_instrument_is_found_again_however_long_its_readings_hold(
    client: Client, device: str, recorder: Recorder
) -> None:
    client.put(device, PollingPeriod=["3600"], ReadValidityPeriod=["3600"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    recorder.replies["INPUT A:TEMP"] = b""  # nothing comes
    assert qualities(client.read(device, "channelA")) == ["ATTR_INVALID"]
    assert client.state(device)[0] == "FAULT"
    recorder.replies.clear()
    eventually(lambda: qualities(client.read(device, "channelA")) == ["ATTR_VALID"])
    assert client.state(device)[0] == "OFF"


def test_the_state_is_polled_though_readings_hold(client: Client, device: str, recorder: Recorder) -> None:
    client.put(device, ReadValidityPeriod=["3600"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    client.subscribe(device, "loop4rate")
    client.subscribe(device, "State")
    recorder.device.answer(b":CONTROL\n")  # by hand, at the front panel
    eventually(lambda: client.events(device, "State")[-1][0] == "ON")


def test_a_server_ends_though_clients_keep_reading(
    client: Client, serve: Callable[..., Process], recorder: Recorder
) -> None:
    device = "test/ending/1"
    server = serve("CryoCon", "--device", device, "--url", recorder.url, "ending")
    eventually(lambda: client.state(device)[0] == "OFF")
    client.subscribe(device, "channelA")
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                client.read(device, "loop1setpoint")
            except Refused:
                pass  # it has ended

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        asked = len(recorder.lines)
        eventually(lambda: len(recorder.lines) > asked + 5)
        server.process.terminate()
        assert server.process.wait(PATIENCE) in (0, -signal.SIGTERM)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert server.printed() == "Ready to accept request\n"
    eventually(lambda: recorder.open == 0)


def test_a_killed_server_is_there_again_by_its_name(
    client: Client, device: str, cryocon: Process, recorder: Recorder
) -> None:
    client.write(device, "loop1setpoint", 12.0)
    cryocon.kill()
    with pytest.raises(Refused):
        client.ping(device)
    cryocon.start()
    cryocon.wait_for("Ready to accept request")

    def answers() -> bool:
        try:
            return client.read(device, "loop1setpoint")[0][:2] == (12.0, "ATTR_VALID")
        except Refused:
            return False  # the proxy waits a moment before it connects again

    eventually(answers)


def test_devices_of_one_server_are_read_in_parallel(
    client: Client, serve: Callable[..., Process], recorder: Recorder
) -> None:
    devices = [f"test/parallel/{number}" for number in range(20)]
    for device in devices:
        client.register("CryoCon/parallel", "CryoCon", device)
        client.put(device, url=[recorder.url], PollingPeriod=["3600"], ReadValidityPeriod=["0"])
    server = serve("CryoCon", "parallel")
    for device in devices:
        eventually(lambda device=device: client.state(device)[0] == "OFF")
    # Nobody is answered before all have asked.
    barrier = threading.Barrier(len(devices))
    recorder.before = lambda line: barrier.wait(20) if "LOOP 1:TYP?" in line else None
    assert qualities(client.read_all(devices, "loop1type")) == ["ATTR_VALID"] * len(devices)
    server.process.terminate()
    assert server.process.wait(20) in (0, -signal.SIGTERM)
    eventually(lambda: recorder.open == 0)
    assert "Traceback" not in server.printed()
