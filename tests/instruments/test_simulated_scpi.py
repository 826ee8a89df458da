"""The simulated SCPI instruments: their language and status in-process, the rest on real sockets and terminals."""

from __future__ import annotations

import io
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import pytest
import serial
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instruments.simulators.faults import deliver
from instruments.simulators.multimeter import Multimeter
from instruments.simulators.oscilloscope import Oscilloscope
from instruments.simulators.power_supply import PowerSupply
from instruments.simulators.raw import MessageReader
from instruments.simulators.scpi import ScpiDevice

IDENTITY = b"sockio,Simulated multimeter,DMM0001,1.0\n"


@pytest.fixture
def meter() -> Multimeter:
    return Multimeter("meter", voltage=2.5)


@pytest.fixture
def scope() -> Oscilloscope:
    return Oscilloscope("scope")


@pytest.fixture(scope="module")
def bench(serve_bench: Any) -> Iterator[Any]:
    devices = [
        {"class": "Multimeter", "voltage": 2.5, "transports": [{}, {"type": "serial"}]},
        {"class": "Oscilloscope", "transports": [{}, {"type": "serial"}]},
        {"class": "PowerSupply"},
    ]
    with serve_bench(devices) as bench:
        yield bench


@pytest.fixture
def connect(bench: Any) -> Iterator[Any]:
    """Opens a connection to an instrument that is reset, without errors and faults."""
    connections: list[socket.socket] = []

    def connect(name: str = "multimeter") -> Any:
        sock = bench.connect(name)
        connections.append(sock)
        stream = sock.makefile("rwb", 0)
        connections.append(stream)
        stream.write(b"*RST;*CLS;*SRE 0;*ESE 0;:SIM:FAUL:CLE;:SIM:OPER:TIME 0;*IDN?\n")
        assert stream.readline().startswith((b"sockio,Simulated", b"RIGOL"))
        return stream

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def terminal(bench: Any) -> Iterator[serial.Serial]:
    with serial.Serial(bench.url("multimeter", 1), timeout=10) as port:
        port.write(b"*RST;*CLS;:SIM:FAUL:CLE;*IDN?\n")
        assert port.readline() == IDENTITY
        yield port


def read_block(stream: Any) -> bytes:
    """Return the data of a definite block and take the newline after it."""
    mark, digits = read_exactly(stream, 2).decode()
    assert mark == "#"
    size = int(read_exactly(stream, int(digits)))
    data = read_exactly(stream, size)
    assert stream.read(1) == b"\n"
    return data


def read_exactly(stream: Any, size: int) -> bytes:
    memory = bytearray(size)
    with memoryview(memory) as view:
        received = 0
        while received < size:
            count = stream.readinto(view[received:])
            assert count, f"the stream has ended after {received} bytes"
            received += count
    return bytes(memory)


# The language


@pytest.mark.parametrize(
    ("message", "response"),
    [
        (b"*IDN?", IDENTITY),
        (b"*idn?", IDENTITY),
        (b"  *IDN?  ", IDENTITY),
        (b"*RST", None),
        (b"", None),
        (b";;", None),
        # Long and short forms, and nothing between them.
        (b"TRIG:SOUR?", b"IMM\n"),
        (b"TRIGGER:SOURCE?", b"IMM\n"),
        (b"trigger:sour?", b"IMM\n"),
        (b"TRIGG:SOUR?;*ESR?", None),
        # Optional keywords.
        (b"SENS:VOLT:DC:NPLC?;:VOLT:NPLC?;:SENS:VOLT:NPLC?", b"+1.00000000E+01;+1.00000000E+01;+1.00000000E+01\n"),
        # The path: SCPI-99, volume 1, 6.2.4.
        (b"TRIG:SOUR BUS;COUN 3;SOUR?;COUN?", b"BUS;3\n"),
        (b"TRIG:SOUR BUS;:SAMP:COUN 5;COUN?;:TRIG:SOUR?", b"5;BUS\n"),
        (b"TRIG:COUN 3;*ESE 4;SOUR?;*ESE?;COUN?", b"IMM;4;3\n"),
        (b":TRIG:COUN 2;:TRIG:COUN?", b"2\n"),
        (b"TRIG:COUN 2;SAMP:COUN?", None),
        # Numbers and units.
        (b"VOLT:RANG 500 mV;RANG?", b"+5.00000000E-01\n"),
        (b"VOLT:RANG 5E-1;RANG?", b"+5.00000000E-01\n"),
        (b"VOLT:RANG .1 KV;RANG?", b"+1.00000000E+02\n"),
        (b"RES:RANG 1 MOHM;RANG?", b"+1.00000000E+06\n"),
        (b"VOLT:RANG MAX;RANG?;RANG? MIN", b"+1.00000000E+03;+0.00000000E+00\n"),
        (b"SAMP:COUN 2.6;COUN?", b"3\n"),
        (b"SAMP:COUN #H1F;COUN?;COUN #B101;COUN?;COUN #Q17;COUN?", b"31;5;15\n"),
        (b"SAMP:COUN DEF;COUN?", b"1\n"),
        (b"VOLT:RANG:AUTO OFF;AUTO?;AUTO 1;AUTO?", b"0;1\n"),
        # Strings hide separators.
        (b'DISP:TEXT "a;b,c \'d\' ""e"" #15";TEXT?', b'"a;b,c \'d\' ""e"" #15"\n'),
        (b"DISP:TEXT 'it''s';TEXT?", b'"it\'s"\n'),
    ],
)
def test_messages_are_understood(meter, message, response):
    assert meter.respond(message) == response


@pytest.mark.parametrize(
    ("message", "errors"),
    [
        (b"VOLT:NPLC 1", b'0,"No error"\n'),
        (b"FOO", b'-113,"Undefined header"\n'),
        (b"FOO?", b'-113,"Undefined header"\n'),
        (b"*FOO", b'-113,"Undefined header"\n'),
        (b"*IDN", b'-113,"Undefined header"\n'),
        (b"VOLT2:NPLC 1", b'-113,"Undefined header"\n'),
        (b"%$", b'-102,"Syntax error"\n'),
        (b"*IDN? 1", b'-108,"Parameter not allowed"\n'),
        (b"SAMP:COUN 1,2", b'-108,"Parameter not allowed"\n'),
        (b"SAMP:COUN", b'-109,"Missing parameter"\n'),
        (b"*ESE", b'-109,"Missing parameter"\n'),
        (b"SAMP:COUN 0", b'-222,"Data out of range"\n'),
        (b"VOLT:NPLC 1E9", b'-222,"Data out of range"\n'),
        (b"*ESE 256", b'-222,"Data out of range"\n'),
        (b"VOLT:RANG 1 A", b'-131,"Invalid suffix"\n'),
        (b"VOLT:NPLC 1 V", b'-138,"Suffix not allowed"\n'),
        (b"VOLT:NPLC high", b'-148,"Character data not allowed"\n'),
        (b'VOLT:NPLC "1"', b'-158,"String data not allowed"\n'),
        (b"VOLT:NPLC #11a", b'-168,"Block data not allowed"\n'),
        (b"VOLT:NPLC (@1)", b'-178,"Expression data not allowed"\n'),
        (b"SAMP:COUN #B12", b'-121,"Invalid character in number"\n'),
        (b"TRIG:SOUR 1", b'-128,"Numeric data not allowed"\n'),
        (b"TRIG:SOUR SOMEWHERE", b'-224,"Illegal parameter value"\n'),
        (b"DISP:TEXT 'open", b'-151,"Invalid string data"\n'),
        (b"DISP:TEXT text", b'-148,"Character data not allowed"\n'),
        (b"*RCL 3", b'-224,"Illegal parameter value"\n'),
        (b"*TRG", b'-211,"Trigger ignored"\n'),
        (b"FETC?", b'-230,"Data corrupt or stale"\n'),
        (b"TRIG:SOUR BUS;:READ?", b'-214,"Trigger deadlock"\n'),
        (b"TRIG:SOUR BUS;:INIT;:INIT", b'-213,"Init ignored"\n'),
    ],
)
def test_errors_are_those_of_scpi_99(meter, message, errors):
    assert meter.respond(message) is None
    assert meter.respond(b"SYST:ERR?") == errors
    assert meter.respond(b"SYST:ERR?") == b'0,"No error"\n'


def test_a_command_error_ends_the_message_another_costs_its_command_alone(meter):
    assert meter.respond(b"TRIG:COUN 2;COUN?;FOO;COUN?") == b"2\n"
    assert meter.respond(b"TRIG:COUN 0;COUN?;SOUR?") == b"2;IMM\n"
    assert meter.respond(b"SYST:ERR:COUN?;ALL?") == b'2;-113,"Undefined header",-222,"Data out of range"\n'


def test_errors_set_their_bits(meter):
    assert meter.respond(b"*ESR?;*ESR?") == b"128;0\n"
    for message, bit in ((b"FOO", 32), (b"SAMP:COUN 0", 16), (b"SIM:ERR -300", 8), (b"SIM:ERR -410", 4)):
        meter.respond(message)
        assert meter.respond(b"*ESR?;*STB?") == b"%d;4\n" % bit
    meter.report_error(-420)
    assert meter.respond(b"SYST:ERR:ALL?").endswith(b'-410,"Query INTERRUPTED",-420,"Query UNTERMINATED"\n')


def test_a_full_error_queue_says_so(meter):
    for _ in range(25):
        meter.respond(b"FOO")
    assert meter.respond(b"SYST:ERR:COUN?") == b"20\n"
    errors = [meter.respond(b"SYST:ERR?") for _ in range(21)]
    assert errors == [b'-113,"Undefined header"\n'] * 19 + [b'-350,"Queue overflow"\n', b'0,"No error"\n']


def test_suffixes_choose_channels(scope):
    assert scope.respond(b"CHAN2:SCAL 2;:CHANNEL3:SCALE 3;:CHAN:SCAL 1;:CHAN1:SCAL?;:CHAN2:SCAL?") == (
        b"+1.00000000E+00;+2.00000000E+00\n"
    )
    for message in (b"CHAN5:SCAL 1", b"CHAN0:SCAL 1"):
        scope.respond(message)
        assert scope.respond(b"SYST:ERR?") == b'-114,"Header suffix out of range"\n'


def test_settings_are_saved_learned_and_reset(meter):
    meter.respond(b"SAMP:COUN 7;:FUNC 'RES';:FORM REAL,32;*SAV 2;*RST")
    assert meter.respond(b"SAMP:COUN?;:FUNC?;:FORM?") == b'1;"VOLT";ASC,9\n'
    meter.respond(b"*RCL 2")
    assert meter.respond(b"SAMP:COUN?;:FUNC?;:FORM?") == b'7;"RES";REAL,32\n'
    other = Multimeter("other")
    learned = meter.respond(b"*LRN?")
    assert other.respond(learned.rstrip(b"\n")) is None
    assert other.respond(b"SYST:ERR?") == b'0,"No error"\n'
    assert other.respond(b"SAMP:COUN?;*LRN?") == b"7;" + learned


# Status


def test_a_measurement_that_ends_requests_service_once(meter):
    heard: list[int] = []
    meter.on_service_request(heard.append)
    meter.respond(b"SIM:OPER:TIME 0.05;*CLS;*ESE 1;*SRE 32")
    assert meter.respond(b"INIT;*OPC;*STB?;STAT:OPER:COND?") == b"0;16\n"
    assert meter.respond(b"*OPC?") == b"1\n"
    assert heard == [96]
    assert meter.status_byte() == 96
    assert (meter.serial_poll(), meter.serial_poll(), meter.status_byte()) == (96, 32, 96)
    assert meter.respond(b"*ESR?;*STB?;STAT:OPER:EVEN?;COND?") == b"1;0;16;0\n"
    meter.remove_service_request_listener(heard.append)
    assert meter.respond(b"*OPC;*STB?") == b"96\n"
    assert heard == [96]


def test_an_enabled_bit_that_is_set_already_requests_service(meter):
    heard: list[int] = []
    meter.on_service_request(heard.append)
    meter.respond(b"FOO")
    assert heard == []
    meter.respond(b"*SRE 4")
    assert heard == [4 | 64]
    meter.respond(b"FOO")
    assert heard == [4 | 64]
    meter.respond(b"SYST:ERR:ALL?")
    assert meter.serial_poll() == 0
    meter.respond(b"FOO")
    assert heard == [4 | 64] * 2


def test_a_response_that_waits_is_bit_4(meter):
    heard: list[int] = []
    meter.on_service_request(heard.append)
    meter.respond(b"*SRE 16")
    first, second = object(), object()
    meter.set_message_available(first, True)
    meter.set_message_available(second, True)
    meter.set_message_available(first, False)
    assert meter.status_byte() == 16 | 64
    meter.set_message_available(second, False)
    assert meter.status_byte() == 0
    assert heard == [16 | 64]


def test_status_registers_are_summarised(meter):
    heard: list[int] = []
    meter.on_service_request(heard.append)
    meter.respond(b"*CLS;*SRE 136;:STAT:OPER:ENAB 16;NTR 16;PTR 0;:STAT:QUES:ENAB 1")
    meter.respond(b"INIT")
    assert heard == [128 | 64]
    assert meter.respond(b"*STB?;STAT:OPER?;*STB?") == b"192;16;0\n"
    meter.voltage = 500.0
    assert meter.respond(b"CONF:VOLT 1;:READ?") == b"+9.90000000E+37\n"
    assert heard == [192, 8 | 64, 128 | 8 | 64]
    assert meter.respond(b"STAT:QUES:COND?;EVEN?;ENAB?") == b"1;1;1\n"
    assert meter.respond(b"STAT:PRES;:STAT:OPER:ENAB?;PTR?;NTR?") == b"0;32767;0\n"


def test_a_trigger_begins_the_measurement(meter):
    assert meter.respond(b"*CLS;:TRIG:SOUR BUS;:SAMP:COUN 2;:INIT;*OPC;*ESR?") == b"0\n"
    meter.trigger()
    assert meter.respond(b"*ESR?;:DATA:POIN?") == b"1;2\n"
    meter.trigger()
    assert meter.respond(b"SYST:ERR?") == b'-211,"Trigger ignored"\n'
    assert meter.respond(b"INIT;*TRG;:FETC?").count(b",") == 1


def test_abort_ends_the_measurement(meter):
    meter.respond(b"SIM:OPER:TIME 3600;:INIT;:ABOR")
    assert meter.respond(b"*OPC?;STAT:OPER:COND?") == b"1;0\n"
    assert meter.respond(b"FETC?") is None


def test_device_clear_ends_waiting(meter):
    meter.respond(b"*CLS;:SIM:OPER:TIME 3600;:INIT;*OPC")
    waiting = [gevent.spawn(meter.respond, message) for message in (b"*IDN?;*OPC?", b"*WAI;*IDN?", b"FETC?")]
    gevent.sleep(0)
    assert not any(greenlet.ready() for greenlet in waiting)
    meter.clear()
    gevent.joinall(waiting)
    assert [greenlet.value for greenlet in waiting] == [None, None, None]
    assert meter.respond(b"STAT:OPER:COND?") == b"16\n"
    assert meter.respond(b"ABOR;*ESR?") == b"0\n"


# Multimeter


def test_readings_are_near_the_truth_and_the_same_for_the_same_seed():
    meters = [Multimeter("meter", voltage=2.5, seed=seed) for seed in (1, 1, 2)]
    first, same, other = (meter.respond(b"SAMP:COUN 100;:READ?") for meter in meters)
    assert first == same != other
    readings = [float(text) for text in first.split(b",")]
    assert len(readings) == 100
    assert np.mean(readings) == pytest.approx(2.5, abs=1e-6)
    assert 0 < np.std(readings) < 1e-5


@pytest.mark.parametrize(
    ("command", "value", "reading"),
    [
        (b"MEAS?", {"voltage": 2.5}, 2.5),
        (b"MEAS:VOLT?", {"voltage": -2.5}, -2.5),
        (b"MEAS:VOLT:DC? 10,1E-3", {"voltage": 2.5}, 2.5),
        (b"MEAS:VOLT:AC?", {"ac_voltage": 230}, 230),
        (b"MEAS:CURR:DC?", {"current": 0.02}, 0.02),
        (b"MEAS:RES? 1 MOHM", {"resistance": 1.5e4}, 1.5e4),
        (b"MEAS:VOLT? 1", {"voltage": 2.5}, 9.9e37),
        (b"MEAS:VOLT? 1", {"voltage": -2.5}, -9.9e37),
    ],
)
def test_functions_measure(command, value, reading):
    meter = Multimeter("meter", **value)
    assert float(meter.respond(command)) == pytest.approx(reading, rel=1e-4)


@pytest.mark.parametrize(("format", "code"), [(b"REAL,64", "d"), (b"REAL,32", "f"), (b"REAL", "d")])
@pytest.mark.parametrize(("order", "sign"), [(b"NORM", ">"), (b"SWAP", "<")])
def test_readings_come_in_blocks(meter, format, code, order, sign):
    meter.respond(b"SAMP:COUN 12;:INIT")
    texts = [float(text) for text in meter.respond(b"FETC?").split(b",")]
    block = meter.respond(b"FORM %b;:FORM:BORD %b;:FETC?" % (format, order))
    size = 12 * struct.calcsize(code)
    assert block[:4] == b"#2%d" % size
    assert block[-1:] == b"\n"
    assert struct.unpack(f"{sign}12{code}", block[4:-1]) == pytest.approx(texts, rel=1e-6)


def test_configuration_is_answered(meter):
    assert meter.respond(b"CONF:RES 1 kOhm;:CONF?") == b'"RES +1.00000000E+03,+1.00000000E-03"\n'
    assert meter.respond(b'FUNC "VOLT:DC";FUNC?;:FORM:DATA ASC,4;:READ?') == b'"VOLT";+2.500E+00\n'


# Oscilloscope


@pytest.mark.parametrize(
    ("digits", "header"), [(9, b"#9000000100"), (8, b"#800000100"), (4, b"#40100"), (1, b"#3100"), (0, b"#0")]
)
def test_waveforms_are_blocks_of_any_form(digits, header):
    scope = Oscilloscope("scope", block_digits=digits)
    block = scope.respond(b"WAV:POIN 100;DATA?")
    assert block.startswith(header)
    assert len(block) == len(header) + 100 + 1
    assert Oscilloscope("scope").respond(b"SIM:BLOC:DIG %d;:WAV:POIN 100;DATA?" % digits) == block


def volts_of(scope: Oscilloscope, format: bytes, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times and voltages of a waveform, as its preamble says."""
    preamble = [float(text) for text in scope.respond(b"WAV:FORM %b;PRE?" % format).split(b",")]
    interval, start, first, step, middle, level = preamble[4:]
    response = scope.respond(b"WAV:DATA?")
    codes = np.frombuffer(response[11:-1], dtype).astype(float)
    assert len(codes) == preamble[2]
    return start + (np.arange(len(codes)) - first) * interval, middle + (codes - level) * step


@pytest.mark.parametrize(
    ("format", "dtype", "tolerance"),
    [
        (b"BYTE", "u1", 0.01),
        (b"WORD;BYT MSBF", ">u2", 1e-4),
        (b"WORD;BYT LSBF", "<u2", 1e-4),
    ],
)
def test_the_preamble_scales_the_waveform(format, dtype, tolerance):
    scope = Oscilloscope("scope", noise=0, signals={1: {"frequency": 2e3, "amplitude": 0.5, "offset": 0.25}})
    scope.respond(b"CHAN1:SCAL 0.2;OFFS 0.3;:TIM:SCAL 1E-4;POS 3E-5;:WAV:POIN 5000")
    times, volts = volts_of(scope, format, dtype)
    assert (times[0], times[-1]) == pytest.approx((-4.7e-4, 5.3e-4 - 2e-7))
    assert volts == pytest.approx(0.25 + 0.5 * np.sin(2 * np.pi * 2e3 * times), abs=tolerance)


def test_a_waveform_as_text(scope):
    texts = scope.respond(b"WAV:FORM ASC;POIN 200;DATA?").split(b",")
    assert len(texts) == 200
    assert max(map(float, texts)) == pytest.approx(1, abs=0.05)


def test_a_signal_beyond_the_screen_is_cut(scope):
    block = scope.respond(b"CHAN1:SCAL 0.1;:WAV:DATA?")
    assert block.count(b"\x00", 11) > 100
    assert block.count(b"\xff", 11) > 100


def test_the_longest_waveform_is_regular_to_its_end():
    scope = Oscilloscope("scope", noise=0)
    data = np.frombuffer(scope.respond(b"TIM:SCAL 1E-3;:WAV:POIN MAX;DATA?"), np.uint8, 1 << 26, 11)
    rises = np.flatnonzero((data[:-1] < 128) & (data[1:] >= 128))
    assert len(rises) in (9, 10)
    assert np.diff(rises) == pytest.approx((1 << 26) / 10, abs=2**10)


def test_the_screen_is_a_picture(scope):
    from matplotlib import image

    block = scope.respond(b"DISP:DATA?")
    assert block[:2] == b"#8"
    assert len(block) == 10 + int(block[2:10]) + 1
    picture = image.imread(io.BytesIO(block[10:-1]), format="png")
    assert picture.shape[:2] == (512, 640)
    colours = {tuple(colour[:3]) for colour in (picture.reshape(-1, picture.shape[2]) * 255).round().tolist()}
    assert (255, 221, 0) in colours
    without = scope.respond(b"CHAN1:DISP OFF;:DISP:DATA?")
    assert without != block


def test_uploads_are_kept_byte_by_byte(scope):
    data = bytes(range(256)) + b';"\n#15,'
    assert scope.respond(b"DATA:ARB one,#3%d%b;:DATA:ARB two,#0%b" % (len(data), data, data)) is None
    expected = b"#3%d%b" % (len(data), data)
    assert scope.respond(b"DATA:ARB? one;ARB? TWO;CAT?") == expected + b";" + expected + b';"ONE","TWO"\n'
    scope.respond(b"DATA:DEL one;ARB? one")
    assert scope.respond(b"SYST:ERR?") == b'-224,"Illegal parameter value"\n'
    scope.respond(b"DATA:ARB three,#210short")
    assert scope.respond(b"SYST:ERR?;:DATA:CAT?") == b'-161,"Invalid block data";"TWO"\n'


def test_a_single_acquisition_is_waited_for(scope):
    scope.respond(b"*CLS;:SIM:OPER:TIME 0.02;:SING;*OPC")
    assert scope.respond(b"*ESR?") == b"0\n"
    assert scope.respond(b"DIG") is None
    assert scope.respond(b"*OPC?;*ESR?;SYST:ERR?") == b'1;17;-213,"Init ignored"\n'


# Power supply


def test_a_supply_holds_the_voltage_or_the_current():
    supply = PowerSupply("supply", loads=[10, 100, 50])
    assert supply.respond(b"VOLT 5;CURR 1;:MEAS?;:OUTP:MODE?") == b"0.0000;UR\n"
    assert supply.respond(b"OUTP ON;:MEAS?;:MEAS:CURR?;:MEAS:POWE?;:OUTP:MODE?") == b"5.0000;0.5000;2.500;CV\n"
    assert supply.respond(b"CURR 0.2;:MEAS?;:MEAS:CURR?;:OUTP:MODE?") == b"2.0000;0.2000;CC\n"
    assert supply.respond(b"INST:NSEL 2;:VOLT?;:OUTP?") == b"0.000;OFF\n"
    assert supply.respond(b"INST:NSEL 3;:VOLT 6;:SYST:ERR?") == b'-222,"Data out of range"\n'
    assert (
        supply.respond(b"INST:NSEL 2;:OUTP:OVP:VAL 3;:OUTP:OVP ON;:OUTP ON;:VOLT 4;:OUTP?;:OUTP:OVP:QUES?")
        == b"OFF;YES\n"
    )


# Program messages on a byte stream


MESSAGES = st.lists(
    st.one_of(
        st.text("ABC:?*; 1,.", max_size=20).map(lambda text: text.strip().encode()),
        st.binary(max_size=40).map(lambda data: b"DATA:ARB a,#2%02d%b" % (len(data), data)),
        st.binary(max_size=40).map(lambda data: b"A #1%d%b;B #2%02d%b,'#15" % (5, b"\n\n\n\n\n", len(data), data)),
        st.binary(max_size=40).map(lambda data: b"A #0" + data.replace(b"\n", b"")),
        st.just(b'TEXT "#19 not a block"'),
        st.just(b"TEXT 'not \"closed"),
        st.just(b"A#15 no block"),
        st.just(b"A #H15"),
    ),
    max_size=6,
)


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 400), max_size=10), newline=st.sampled_from([b"\n", b" \n"]))
def test_messages_are_framed_however_they_are_split(messages, cuts, newline):
    wire = b"".join(message + newline for message in messages)
    if newline != b"\n":  # white space after an indefinite block is part of it
        messages = [message + b" " if message.startswith(b"A #0") else message for message in messages]
    reader = MessageReader()
    bounds = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    got = [message for start, end in pairwise(bounds) for message in reader.feed(wire[start:end])]
    assert got == messages


def test_messages_are_framed_byte_by_byte():
    reader = MessageReader()
    wire = b'*RST\r\nDATA:ARB a,#214\n#9"\n\n\';\r\n,#1;*WAI\r\nTEXT "#12\n"\n'
    assert [message for byte in wire for message in reader.feed(bytes([byte]))] == [
        b"*RST",
        b"DATA:ARB a,#214\n#9\"\n\n';\r\n,#1;*WAI",
        b'TEXT "#12',
        b'"',
    ]


def test_a_block_uploaded_over_a_socket_in_pieces_comes_back(connect):
    stream = connect("oscilloscope")
    data = bytes(range(256)) * 4 + b"\n*IDN?\n"
    for byte in b"DATA:ARB wave,#4%04d" % len(data):
        stream.write(bytes([byte]))
    stream.write(data[:-3])
    stream.write(data[-3:])
    stream.write(b"\n:DATA:ARB? wave\n")
    assert read_block(stream) == data
    stream.write(b"SYST:ERR?\n")
    assert stream.readline() == b'0,"No error"\n'


def test_a_large_waveform_comes_wholly_to_a_slow_reader(connect):
    stream = connect("oscilloscope")
    stream.write(b"WAV:POIN 8388608;FORM WORD;DATA?\n")
    time.sleep(0.2)
    assert len(read_block(stream)) == 1 << 24
    stream.write(b"*IDN?\n")
    assert stream.readline().startswith(b"sockio,Simulated oscilloscope")


def test_a_large_waveform_comes_wholly_over_a_serial_line(bench):
    with serial.Serial(bench.url("oscilloscope", 1), timeout=10) as port:
        port.write(b"*RST;:WAV:POIN 300000;DATA?\n")
        assert port.read(11) == b"#9000300000"
        data = port.read(300001)
        assert len(data) == 300001
        assert data.endswith(b"\n")
        port.write(b"DATA:ARB raw,#3256%b\nDATA:ARB? raw\n" % bytes(range(256)))
        assert port.read(5 + 256 + 1) == b"#3256" + bytes(range(256)) + b"\n"


def test_connections_are_served_at_the_same_time(connect):
    first, second = connect(), connect()
    first.write(b"SIM:OPER:TIME 3600;:INIT;*OPC?\n")
    condition = b"0\n"
    while condition == b"0\n":  # until the first one's message has arrived and the operation has begun
        second.write(b"STAT:OPER:COND?\n")
        condition = second.readline()
    second.write(b"*IDN?\n")
    assert second.readline() == IDENTITY
    second.write(b"ABOR\n")
    assert first.readline() == b"1\n"


# Faults


class Faulty:
    """An instrument with one fault, and what `deliver` does for it."""

    latency = 0.25
    fault_delay = 2.0

    def __init__(self, fault: str | None) -> None:
        self.fault = fault
        self.done: list[object] = []

    def take_fault(self) -> str | None:
        return self.fault

    def deliver(self, wire: bytes) -> list[object]:
        deliver(self, wire, self.done.append, lambda: self.done.append("closed"), self.done.append)
        return self.done


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (None, [0.25, b"response\n"]),
        ("late", [0.25, 2.0, b"response\n"]),
        ("cut", [0.25, b"resp", "closed"]),
        ("garbled", [0.25, b"\xf2esp\xefns\xe5\n"]),
        ("silent", [0.25]),
        ("dropped", [0.25, "closed"]),
    ],
)
def test_faults_change_what_is_delivered(fault, done):
    assert Faulty(fault).deliver(b"response\n") == done


@pytest.mark.parametrize("wire", [b"", b"1", b"1\n", b"12\n"])
def test_short_responses_are_garbled_too(wire):
    *_, sent = Faulty("garbled").deliver(wire)
    assert len(sent) == len(wire)
    assert (sent == wire) == (wire == b"")


def test_faults_are_scheduled_by_configuration_attribute_and_command():
    device = ScpiDevice("device", faults=["late", "none", "cut"])
    assert [device.take_fault() for _ in range(4)] == ["late", None, "cut", None]
    device.faults.append("silent")
    device.respond(b"SIM:FAUL DROPPED;FAUL garbled,2")
    assert device.respond(b"SIM:FAUL?") == b"SILENT,DROPPED,GARBLED,GARBLED\n"
    device.respond(b"SIM:FAUL:CLE")
    assert device.respond(b"SIM:FAUL?") == b"NONE\n"
    assert device.respond(b"SIM:LAT 0.01;LAT?;:SIM:FAUL:DEL 5 ms") == b"+1.00000000E-02\n"
    assert (device.latency, device.fault_delay) == (0.01, 0.005)
    with pytest.raises(ValueError, match="must be one of late, cut, garbled, silent, dropped, none, got 'lost'"):
        ScpiDevice("device", faults=["lost"])


@pytest.mark.parametrize(("fault", "received"), [(b"CUT", IDENTITY[:20]), (b"DROPPED", b"")])
def test_faults_that_close_a_socket(connect, fault, received):
    stream = connect()
    stream.write(b"SIM:FAUL %b\n" % fault)
    stream.write(b"*IDN?\n")
    assert stream.read(100) == received
    assert received == b"" or stream.read(100) == b""
    again = connect()
    again.write(b"*IDN?\n")
    assert again.readline() == IDENTITY


def test_faults_that_leave_a_socket_open(connect):
    stream = connect()
    stream.write(b"SIM:FAUL:DEL 0.05;:SIM:FAUL SILENT;FAUL GARBLED;FAUL LATE\n")
    stream.write(b"SYST:VERS?\n*IDN?\n*OPC?\n*IDN?\n")
    assert stream.readline() == b"\xf3ockio,Simulated mul\xf4imeter,DMM0001,1.\xb0\n"
    assert stream.readline() == b"1\n"
    assert stream.readline() == IDENTITY


def test_faults_on_a_serial_line(terminal):
    terminal.write(b"SIM:FAUL CUT;FAUL DROPPED\n*OPC?;*OPC?\n*IDN?\n*IDN?\n")
    assert terminal.readline() == b"1;" + IDENTITY


# Clients that others wrote


def test_pyvisa_talks_to_the_raw_socket_and_the_serial_line(bench, connect):
    pyvisa = pytest.importorskip("pyvisa", reason="needs pyvisa and pyvisa-py")
    pytest.importorskip("pyvisa_py", reason="needs pyvisa-py")
    connect(), connect("oscilloscope")
    manager = pyvisa.ResourceManager("@py")
    ends = {"read_termination": "\n", "write_termination": "\n"}
    try:
        for name in (
            f"TCPIP::127.0.0.1::{bench.port('multimeter')}::SOCKET",
            f"ASRL{bench.url('multimeter', 1)}::INSTR",
        ):
            meter = manager.open_resource(name, **ends)
            assert meter.query("*IDN?") == IDENTITY.decode().rstrip()
            meter.write("FORM REAL,64;:FORM:BORD SWAP;:SAMP:COUN 100")
            readings = meter.query_binary_values("READ?", datatype="d")
            assert readings == pytest.approx([2.5] * 100, abs=1e-4)
            meter.write("FORM ASC")
            assert meter.query_ascii_values("READ?") == pytest.approx([2.5] * 100, abs=1e-4)
            meter.close()
        scope = manager.open_resource(f"TCPIP::127.0.0.1::{bench.port('oscilloscope')}::SOCKET", **ends)
        scope.write_binary_values("DATA:ARB visa,", range(256), datatype="B")
        assert scope.query_binary_values("DATA:ARB? visa", datatype="B") == list(range(256))
        scope.write("WAV:POIN 50000;FORM BYTE")
        assert len(scope.query_binary_values("WAV:DATA?", datatype="B")) == 50000
        scope.close()
    finally:
        manager.close()


def sigrok(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["sigrok-cli", "-d", f"scpi-pps:conn=tcp-raw/127.0.0.1/{port}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.skipif(shutil.which("sigrok-cli") is None, reason="needs sigrok-cli")
def test_sigrok_drives_the_supply(bench, connect):
    stream, port = connect("powersupply"), bench.port("powersupply")
    stream.write(b"VOLT 5;:OUTP ON;:INST:NSEL 2;:VOLT 10;:CURR 0.05;:OUTP ON\n")
    # Its exit status says nothing: sigrok-cli 0.7.2 ends every acquisition from a scpi-pps with an assertion of GLib.
    samples = sigrok(port, "--samples", "2", "-O", "analog").stdout.splitlines()
    first = ["V1: 5.0000 V DC", "I1: 500.0 mA DC", "P1: 2.5000 W", "V2: 5.0000 V DC", "I2: 50.0 mA DC", "P2: 250.0 mW"]
    assert samples == [*first, "V3: 0.0 mV DC", "I3: 0.0 mA DC", "P3: 0.0 mW"] * 2
    done = sigrok(port, "-g", "3", "--config", "voltage_target=3.3", "--set")
    assert done.returncode == 0, done.stderr
    assert float(sigrok(port, "-g", "3", "--get", "voltage_target").stdout) == 3.3
    stream.write(b"INST:NSEL 3;:VOLT?;:SYST:ERR?\n")
    assert stream.readline() == b'3.300;0,"No error"\n'


# The bench


def test_an_instrument_is_back_at_its_place_after_a_restart(serve_bench):
    with serve_bench([{"class": "Multimeter", "transports": [{}, {"type": "serial"}]}]) as bench:
        for _ in range(2):
            with bench.connect("multimeter") as sock, sock.makefile("rwb", 0) as stream:
                stream.write(b"*IDN?\n")
                assert stream.readline() == IDENTITY
            with serial.Serial(bench.url("multimeter", 1), timeout=10) as port:
                port.write(b"*IDN?\n")
                assert port.readline() == IDENTITY
            bench.restart()
        link = Path(bench.url("multimeter", 1))
    assert not link.is_symlink()


def test_a_datagram_is_a_message(serve_bench, unused_port):
    transports = [{}, {"type": "udp", "url": f"127.0.0.1:{unused_port}"}]
    with serve_bench([{"class": "Multimeter", "transports": transports}]):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(b"*IDN?\n", ("127.0.0.1", unused_port))
            assert sock.recv(1000) == IDENTITY


def identify_by_vxi11(port: int) -> bytes:
    """Call procedure 0 of the core channel (RFC 1831): the reply that it is there."""
    call = struct.pack(">10I", 17, 0, 2, 0x0607AF, 1, 0, 0, 0, 0, 0)
    with socket.create_connection(("127.0.0.1", port), 10) as sock, sock.makefile("rwb", 0) as stream:
        stream.write(struct.pack(">I", 1 << 31 | len(call)) + call)
        return read_exactly(stream, 28)


def test_the_example_of_a_bench_runs(root, serve_bench):
    pyvisa = pytest.importorskip("pyvisa", reason="needs pyvisa and pyvisa-py")
    pytest.importorskip("pyvisa_py", reason="needs pyvisa-py")
    devices = yaml.safe_load((root / "examples" / "bench.yml").read_text())["devices"]
    for device in devices:
        assert all(transport.pop("url") for transport in device["transports"])
    with serve_bench(devices) as bench:
        for name in ("multimeter", "oscilloscope", "supply", "cryostat"):
            with bench.connect(name) as sock, sock.makefile("rwb", 0) as stream:
                stream.write(b"*IDN?\n")
                assert stream.readline().startswith((b"sockio,", b"RIGOL", b"Cryo-con"))
        with serial.Serial(bench.url("multimeter", 3), timeout=10) as port:
            port.write(b"MEAS:VOLT?\n")
            assert float(port.readline()) == pytest.approx(3.3, abs=1e-4)
        manager = pyvisa.ResourceManager("@py")
        for name in ("multimeter", "oscilloscope"):
            instrument = manager.open_resource(f"TCPIP::127.0.0.1::hislip0,{bench.port(name, 1)}::INSTR")
            assert instrument.query("*IDN?").startswith(f"sockio,Simulated {name}")
            instrument.close()
            assert identify_by_vxi11(bench.port(name, 2)) == struct.pack(">7I", 1 << 31 | 24, 17, 1, 0, 0, 0, 0)
        manager.close()
        with bench.connect("adapter") as sock, sock.makefile("rwb", 0) as stream:
            ask_adapter(stream)
        with serial.Serial(bench.url("adapter", 1), timeout=10) as port:
            ask_adapter(port)


def ask_adapter(stream: Any) -> None:
    """Ask both instruments on a Prologix adapter's bus who they are."""
    stream.write(b"++auto 0\n")
    for address, name in ((22, b"multimeter"), (7, b"oscilloscope")):
        stream.write(b"++addr %d\n*IDN?\n++read eoi\n" % address)
        assert stream.readline().startswith(b"sockio,Simulated " + name)


def test_the_example_draws_a_waveform(bench, connect, tmp_path):
    from examples.waveform import draw_waveform

    connect("oscilloscope")
    picture = draw_waveform("127.0.0.1", bench.port("oscilloscope"), tmp_path / "waveform.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
