"""Events without a client's polling; the instrument lost and back; the device server killed and started again."""

from __future__ import annotations

import itertools
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


@pytest.fixture(scope="module")
def supply_server(serve: Callable[..., Process]) -> Process:
    return serve("sockio-tango", "--driver", "tests.tango.own_driver:Supply", "--device", "test/supply/1", "supply")


@pytest.fixture
def supply(client: Client, supply_server: Process, recorder: Recorder) -> str:
    """A device without a state of its own, which is ON as long as the instrument can be reached."""
    name = "test/supply/1"
    recorder.replies |= {"T?": b"4.2\n", "V1": b"1.5\n"}
    client.put(name, url=[f"{recorder.url}?timeout=0.2"], PollingPeriod=["0.05"])
    client.command(name, "Init")
    eventually(lambda: client.state(name)[0] == "ON")
    return name


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


def test_events_do_not_take_values_from_those_who_read(client: Client, supply: str) -> None:
    client.put(supply, PollingPeriod=["0.01"])
    client.command(supply, "Init")
    client.subscribe(supply, "temperature")
    readings = [reading for _ in range(500) for reading in client.read(supply, "temperature", "State")]
    assert {error for _, _, error in readings} == {""}


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


def test_a_connection_alone_is_no_answer_of_a_lost_instrument(client: Client, supply: str, recorder: Recorder) -> None:
    client.subscribe(supply, "State")
    assert qualities(client.read(supply, "temperature")) == ["ATTR_VALID"]
    recorder.replies |= {"T?": b"", "V1": b""}  # the connection stands, as that of a serial line's server does
    assert qualities(client.read(supply, "output1_voltage")) == ["ATTR_INVALID"]
    with pytest.raises(Refused, match="timed out"):
        client.write(supply, "output1_voltage", 5.0)
    asked = len(recorder.lines)
    eventually(lambda: len(recorder.lines) > asked + 1)  # it is tried again
    state, status = client.state(supply)
    assert state == "FAULT"
    assert "timed out" in status
    recorder.replies |= {"T?": b"4.2\n"}
    eventually(lambda: client.events(supply, "State")[-1][0] == "ON")
    states = [state for state, _, _ in client.events(supply, "State")]
    assert [key for key, _ in itertools.groupby(states)] == ["ON", "FAULT", "ON"]


def test_a_value_beyond_its_alarm_level_is_state_alarm(client: Client, supply: str, recorder: Recorder) -> None:
    client.alarm(supply, "temperature", "50")
    client.subscribe(supply, "State")  # of the attribute itself, nobody wants to know
    for temperature, expected in ((b"49.5", "ON"), (b"50", "ALARM"), (b"-", "ON"), (b"60", "ALARM")):
        recorder.replies["T?"] = temperature + b"\n"
        eventually(lambda expected=expected: client.events(supply, "State")[-1][0] == expected)
    state, status = client.state(supply)
    assert (state, status.partition("\n")[2]) == ("ALARM", "Alarm : Value too high for temperature")
    recorder.replies["T?"] = b"30\n"
    client.write(supply, "output1_voltage", 1.0)
    assert client.state(supply)[0] == "ON"
    recorder.replies["T?"] = b""
    eventually(lambda: client.events(supply, "State")[-1][0] == "FAULT")
    recorder.replies["T?"] = b"30\n"
    eventually(lambda: client.events(supply, "State")[-1][0] == "ON")
    client.alarm(supply, "temperature", "Not specified")


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


def test_who_waits_for_ever_gives_up_at_init_and_at_the_end(
    client: Client, serve: Callable[..., Process], recorder: Recorder
) -> None:
    device = "test/waiting/1"
    url = f"{recorder.url}?timeout=3600"
    server = serve("CryoCon", "--device", device, "--url", url, "waiting")
    eventually(lambda: client.state(device)[0] == "OFF")
    client.patience(device, 2 * PATIENCE)
    failures: list[Exception] = []

    def call(method: Callable[..., object], *arguments: str) -> threading.Thread:
        def run() -> None:
            try:
                method(device, *arguments)
            except Refused as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    recorder.replies["LOOP 1:PGA"] = recorder.replies["LOCKOUT"] = b""  # nothing comes
    waiting = call(client.command, "run", "SYSTEM:LOCKOUT?")
    eventually(lambda: recorder.asked("LOCKOUT"))
    client.command(device, "Init")
    waiting.join()
    assert ["before the instrument had answered" in str(failure) for failure in failures] == [True]
    eventually(lambda: client.state(device)[0] == "OFF")
    waiting = call(client.read, "loop1pgain")
    eventually(lambda: recorder.asked("LOOP 1:PGA"))
    server.process.terminate()
    assert server.process.wait(PATIENCE) in (0, -signal.SIGTERM)
    waiting.join()
    assert server.printed() == "Ready to accept request\n"


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
