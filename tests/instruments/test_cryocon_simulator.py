"""The simulated controller: what it answers, byte for byte, and how its cryostat behaves."""

from __future__ import annotations

import importlib.metadata
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from instruments.simulators.cryocon import CryoCon
from instruments.simulators.cryocon_grammar import matches


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device(clock: Clock) -> CryoCon:
    return CryoCon("cryo1", io_period=0, clock=clock)


def ask(device: CryoCon, line: str) -> str | None:
    reply = device.handle_message(line.encode() + b"\n")
    if reply is None:
        return None
    assert reply.endswith(b"\n")
    return reply[:-1].decode()


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("*idn?", "Cryo-con,24C,204683,1.01A"),
        (":*IDN?;", "Cryo-con,24C,204683,1.01A"),
        ("LOOP 1:SETPOINT 1234.5;:*OPC?", "1"),
        ("INPUT A:UNIT S;SENSOR 33;:*OPC?", "1"),
        ("INPUT A:UNITS K;UNITS?", "K"),
        ("Relay? 1", "--"),
        ("net:mac?", "00:50:C2:6F:40:01"),
        ("input? b", "12.4560"),
        ("system:name?;hwrev?;fwrev?", "cryo1;12A4FE;78C90A"),
        (":CONTROL;:CONTROL?;", "ON"),
        (":STOP;:CONTROL?;", "OFF"),
        (":LOOP 1:SOUR?;TYP?;OUTP?;SETP?;RAT?;RANG?", "A;MAN;40.3;0.0;10.0;MID"),
        (":INPUT A:ALAR?;MIN?;MAX?;VARI?;SLOP?;OFFS?", "--;3.4;304.12;0.1;0.5;5.5"),
        ("input a:ALAR:High?;lowe?;dead?", "105.000000;5.000000;0.100000"),
        (":SYSTEM:LOCKOUT ON;:SYSTEM:LOCKOUT?;", "ON"),
        (':INPUT B:NAM "Sample";:INPUT B:NAM?;', "Sample"),
        (":INPUT A:TEMP?;:NONSENSE?;:LOOP 1:TYP?;", "11.4560;NACK;MAN"),
        ("NONSENSE", "NACK"),
        ("LOOP 5:TYP?", "NACK"),
        ("INPUT E:TEMP?", "NACK"),
        ("LOOP 1:RANGE 5V", "NACK"),
        ("LOOP 1:LOAD?;:LOOP 1:LOAD 25;:LOOP 1:LOAD?", "50;25"),
        (":LOOP 1:VSEN?;ISEN?;LSEN?", "0.00V;0.00A;-1.00"),
        ("LOOP 1:TYPE SCALE;:LOOP 3:TYPE SCALE;:LOOP 3:TYPE?", "NACK;SCALE"),
    ],
)
def test_answers(device: CryoCon, request_: str, reply: str | None) -> None:
    assert ask(device, request_) == reply


def test_the_manuals_tuning_example(clock: Clock) -> None:
    settings = {"setpoint": 123.45, "pgain": "20.0", "igain": 60, "dgain": 12.5}
    request = "LOOP 1:SETPt?;PGAin?;IGAin?;DGAin?;"
    plain = CryoCon("cryo1", loops={1: settings}, io_period=0, clock=clock)
    assert ask(plain, request) == "123.45;20.0;60;12.5"
    manual = CryoCon("cryo1", loops={1: settings}, io_period=0, clock=clock, final_semicolon=True)
    assert ask(manual, request) == "123.45;20.0;60;12.5;"
    assert ask(manual, "*IDN?;") == "Cryo-con,24C,204683,1.01A"


def test_the_manuals_alarm_example(clock: Clock) -> None:
    device = CryoCon("cryo1", channels={"A": {"alarm_highest": 200}}, io_period=0, clock=clock)
    assert ask(device, "input a:ALAR:High?") == "200.000000"


def test_the_manuals_sensor_example(device: CryoCon) -> None:
    assert ask(device, "input c:sensor 2") is None
    assert ask(device, "input c:sensor?") == "2"


@pytest.mark.parametrize("ids", ["A,B,D", "CHA,CHB,CHD", "0,1,3", "a, b, d"])
def test_several_inputs_at_once(device: CryoCon, ids: str) -> None:
    assert ask(device, f":INPUT {ids}:TEMP?") == "11.4560;12.4560;14.4560"


@pytest.mark.parametrize(
    ("keyword", "accepted", "refused"),
    [
        ("TEMPerature", ["TEMP", "temp", "TEMPE", "TEMPERATURE"], ["TEM", "TEMPX", "TEMPERATUREX"]),
        ("NAMe", ["NAM", "NAME"], ["NA", "NAMES"]),
        ("DEAdband", ["DEA", "DEAD", "DEADB"], ["DE"]),
        ("SETPt|SETPoint", ["SETP", "SETPT", "SETPOINT"], ["SET", "SETPX"]),
        ("LOOP", ["LOOP"], ["LOO", "LOOPS"]),
    ],
)
def test_abbreviations(keyword: str, accepted: list[str], refused: list[str]) -> None:
    assert [matches(keyword, word) for word in accepted] == [True] * len(accepted)
    assert [matches(keyword, word) for word in refused] == [False] * len(refused)


def test_a_semicolon_stays_in_the_subsystem_and_a_colon_leaves_it(device: CryoCon) -> None:
    assert ask(device, "INPUT A:ALAR:HIGH 50;LOWE 7;HIGH?;LOWE?;:INPUT B:UNIT?") == "50.000000;7.000000;K"
    assert ask(device, "LOOP 1:TYP?;INPUT A:UNIT?") == "MAN;NACK"


@pytest.mark.parametrize("line", ["", ";", ";;", ":", "?", "INPUT", "INPUT?", "LOOP:TYP?", "::", '"', "INPUT A:TEMP"])
def test_nonsense_does_not_hurt(device: CryoCon, line: str) -> None:
    assert ask(device, line) in (None, "NACK")
    assert ask(device, "*IDN?") == "Cryo-con,24C,204683,1.01A"


def test_bytes_that_are_no_text_do_not_hurt(device: CryoCon) -> None:
    assert device.handle_message(b"\xff\x00\n") == b"NACK\n"


def test_a_name_may_hold_colons_and_semicolons(device: CryoCon) -> None:
    assert ask(device, ':SYSTEM:NAME "a:b;c";:SYSTEM:NAME?;') == "a:b;c"


def test_set_points_out_of_range_are_rejected(device: CryoCon) -> None:
    assert ask(device, "LOOP 1:MAXSET 300;SETPT 20;SETPT 301;SETPT?;SETPT -1;SETPT?") == "20;20"
    assert ask(device, "*ESR?") == "16"
    assert ask(device, "*ESR?") == "0"


def test_broken_sensors(clock: Clock) -> None:
    channels = {"A": {"temperature": "-------"}, "B": {"temperature": "......."}}
    device = CryoCon("cryo1", channels=channels, io_period=0, clock=clock)
    assert ask(device, "INPUT A,B,C:TEMP?;:INPUT A:ALAR?;:SYSTEM:ISR?") == "-------;.......;13.4560;SF;131"


def test_alarms(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "INPUT A:ALAR:HIGH 10;HIENA YES;LTENA YES") is None
    assert ask(device, "INPUT A:ALAR?;ALAR:LTENA?") == "HI;YES"
    assert ask(device, "INPUT A:ALAR:HIGH 20") is None
    assert ask(device, "INPUT A:ALAR?") == "HI"
    assert ask(device, ":INPUT A:ALAR:CLE;") is None
    assert ask(device, "INPUT A:ALAR?") == "--"


def test_curves(device: CryoCon) -> None:
    for line in ["CALCUR 4", "A name that is too long", "Diode", "-1.000000", "Volts"]:
        assert ask(device, line) is None
    for line in ["0.320000 425.000000", "nonsense", "0.163300 475.000000\r", ";"]:
        assert ask(device, line) is None
    stored = "A name that is \nDiode\n-1.000000\nVolts\n0.163300 475.000000\n0.320000 425.000000\n;"
    assert ask(device, "CALCUR? 4") == stored
    assert ask(device, "SENSOR 64:NENT?;UNIT?;TYPE?;MULT?") == "2;VOLTS;DIODE;-1.000000"


def test_pid_tables(device: CryoCon) -> None:
    lines = ["PIDTABLE 2:TABLE", "Mine", "300.00 1.60 160.00 40.00 HI Default", "0 1 1 1 HI Default"]
    for line in [*lines, "10.00 2.00 20.00 0.00 LOW ChA", ";"]:
        assert ask(device, line) is None
    stored = "Mine\n10.00 2.00 20.00 0.00 LOW ChA\n300.00 1.60 160.00 40.00 HI Default\n;"
    assert ask(device, "PIDTABLE? 2") == stored
    assert ask(device, "PIDTABLE 2:NENTRY?;NAME?") == "2;Mine"


def test_the_data_log(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "DLOG:INT 10;STATE ON") is None
    for _ in range(3):
        assert ask(device, "*OPC?") == "1"
        clock.now += 10
    reply = device.handle_message(b"DLOG?\n")
    assert reply is not None
    assert re.fullmatch(rb"(\d, \d\d/\d\d/\d{4}, \d\d,\d\d,\d\d, [\d.]+, [\d.]+, [\d.]+,[\d.]+\r\n){4};\n", reply)
    assert ask(device, "DLOG:COUNT?;CLEAR;COUNT?") == "4;0"


def test_a_reset_controller_cannot_be_reached_for_a_while(device: CryoCon, clock: Clock) -> None:
    assert ask(device, ":CONTROL;:*RST;") is None
    assert ask(device, "*IDN?") is None
    clock.now += 16
    assert ask(device, "*IDN?;:CONTROL?") == "Cryo-con,24C,204683,1.01A;OFF"


def follow(device: CryoCon, clock: Clock, seconds: int, command: str = "INPUT A:TEMP?") -> list[float]:
    """Return a reading every second."""
    readings = []
    for _ in range(seconds):
        clock.now += 1
        readings.append(float(ask(device, command) or "nan"))
    return readings


def test_it_settles_at_the_set_point(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "LOOP 1:TYPE PID;RANGE HI;SETPT 30;:LOOP 2:TYPE OFF;:CONTROL;") is None
    readings = follow(device, clock, 300)
    assert readings[0] < 20
    assert max(readings) < 33
    assert all(abs(reading - 30) < 0.05 for reading in readings[-60:])
    assert len(set(readings[-60:])) > 10, "a sensor has noise"


def test_it_ramps_at_the_rate(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "LOOP 1:TYPE RAMPP;RANGE HI;RATE 6;:LOOP 2:TYPE OFF;:CONTROL") is None
    assert ask(device, "LOOP 1:SETPT 31.456;RAMP?") == "ON"
    readings = follow(device, clock, 180)
    slopes = [60 * (after - before) / 60 for before, after in zip(readings[30:120], readings[90:180], strict=True)]
    assert all(5.5 < slope < 6.5 for slope in slopes)
    follow(device, clock, 60)
    assert ask(device, "LOOP 1:RAMP?;:INPUT A:TEMP?") is not None
    assert ask(device, "LOOP 1:RAMP?") == "OFF"


def test_it_cools_down_when_control_stops(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "LOOP 1:RANGE HI;:CONTROL") is None
    hot = follow(device, clock, 120)[-1]
    assert hot > 60
    assert ask(device, "STOP") is None
    cooling = follow(device, clock, 400)
    assert cooling[-1] < 13
    assert cooling[-1] < cooling[100] < cooling[20] < hot


def test_the_heater_has_its_limits(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "LOOP 1:TYPE PID;SETPT 300;RANGE LOW;MAXPWR 50;:LOOP 2:TYPE OFF;:CONTROL") is None
    assert follow(device, clock, 100)[-1] < 13.5
    assert ask(device, "LOOP 1:OUTP?;HTRR?") == "50.0;50.0"


def test_the_same_moments_give_the_same_readings() -> None:
    def readings(step: int) -> list[float]:
        clock = Clock()
        device = CryoCon("cryo1", io_period=0, clock=clock, seed=5)
        ask(device, "LOOP 1:TYPE PID;RANGE HI;SETPT 30;:CONTROL;")
        return follow(device, clock, 60)[step - 1 :: step]

    assert readings(1)[4::5] == readings(5)


def test_a_long_absence_is_caught_up_with(device: CryoCon, clock: Clock) -> None:
    assert ask(device, "LOOP 1:TYPE PID;RANGE HI;SETPT 30;:LOOP 2:TYPE OFF;:CONTROL;") is None
    clock.now += 30 * 24 * 3600
    assert abs(float(ask(device, "INPUT A:TEMP?") or "nan") - 30) < 0.1


@pytest.mark.parametrize("first", [0, 1])
def test_loops_are_numbered_from_zero_or_one(first: int, clock: Clock) -> None:
    loops: dict[Any, Any] = {first: {"setpoint": 5}, str(first + 1): {"setpoint": 6}}
    device = CryoCon("cryo1", loops=loops, io_period=0, clock=clock)
    assert ask(device, "LOOP 1:SETPT?;:LOOP 2:SETPT?;:LOOP 3:TYPE?") == "5;6;OFF"


def test_impossible_configurations_are_refused() -> None:
    with pytest.raises(ValueError, match="A, B, C and D"):
        CryoCon("cryo1", channels={"E": {}})
    with pytest.raises(ValueError, match="from 1 to 4"):
        CryoCon("cryo1", loops={5: {}})


def test_the_engine_finds_it_by_its_name() -> None:
    (entry,) = importlib.metadata.entry_points(group="sinstruments.device", name="CryoCon")
    assert entry.load() is CryoCon


def exchange(port: int, *lines: bytes) -> list[bytes]:
    with socket.create_connection(("127.0.0.1", port), 5) as sock, sock.makefile("rwb") as stream:
        replies = []
        for line in lines:
            stream.write(line)
            stream.flush()
            replies.append(stream.readline())
        return replies


def test_over_a_real_server(port: int) -> None:
    lines = [b"*IDN?\n", b"INPUT A:UNITS K;UNITS?\n", b"nonsense\n", b"LOOP 1:SETPOINT 1234.5;:*OPC?\n"]
    assert exchange(port, *lines) == [b"Cryo-con,24C,204683,1.01A\n", b"K\n", b"NACK\n", b"1\n"]


def test_fast_requests_are_delayed(simulator: Callable[..., Any], unused_port: int) -> None:
    with simulator(unused_port):
        start = time.monotonic()
        exchange(unused_port, *[b"*IDN?\n"] * 6)
        assert time.monotonic() - start >= 0.5


def test_the_example_configuration_as_it_stands(serve_config: Callable[..., Any], root: Path, unused_port: int) -> None:
    config = yaml.safe_load((root / "examples" / "cryocon.yml").read_text())
    first, second = config["devices"]
    assert (first["transports"][0]["url"], second["transports"][0]["url"]) == (":5000", ":5001")
    # Only the port: another one may be in use here.
    first["transports"][0]["url"] = "127.0.0.1:0"
    second["transports"][0]["url"] = f"127.0.0.1:{unused_port}"
    with serve_config(config, unused_port):
        request = b":SYSTEM:NAME?;LOCKOUT?;REMLED?;DISTC?;:CONTROL?;:LOOP 1:SOUR?;TYP?;:LOOP 4:TYP?\n"
        assert exchange(unused_port, request) == [b"cryo2;OFF;ON;4;OFF;A;MAN;OFF\n"]
