"""Signals by name, and log files: with what cantools and python-can themselves read and write."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.can import (
    CanBus,
    CanMessage,
    Database,
    DataMessage,
    DdpMessage,
    ErrorMessage,
    LogWriter,
    RemoteMessage,
    read_log,
)
from instruments.can.candump import read_line
from sockio.errors import ProtocolError
from tests.instruments.can_peers import receiving
from tests.instruments.pipe_flavours import FLAVOURS, Flavour

DBC = """\
VERSION "1"

BU_: Controller Motor

BO_ 291 Setpoint: 4 Controller
 SG_ Speed : 0|16@1- (0.5,0) [-16384|16383.5] "rpm" Motor
 SG_ Mode : 16|2@1+ (1,0) [0|3] "" Motor

BO_ 2566844949 Status: 8 Motor
 SG_ Temperature : 7|8@0+ (1,-40) [-40|215] "degC" Controller

VAL_ 291 Mode 0 "off" 1 "running" 2 "braking" ;
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    path = tmp_path_factory.mktemp("dbc") / "motor.dbc"
    path.write_text(DBC)
    return Database(path)


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


def test_signals_by_name(database: Database) -> None:
    """-1000 steps of half a turn are 0xFC18, least significant byte first."""
    message = DataMessage(291, data=bytes.fromhex("18FC 01 00"))
    assert database.encode("Setpoint", {"Speed": -500.0, "Mode": "running"}) == message
    signals = database.decode(message)
    assert signals is not None
    assert signals.name == "Setpoint"
    assert signals.values == {"Speed": -500.0, "Mode": "running"}
    assert signals["Speed"] == -500.0
    assert signals.message is message


def test_extended_identifiers(database: Database) -> None:
    """In the file bit 31 says so: 2566844949 is 0x98FEF215."""
    signals = database.decode(DataMessage(0x18FEF215, True, bytes.fromhex("50 00 00 00 00 00 00 00")))
    assert signals is not None
    assert signals.values == {"Temperature": 40}


def test_what_the_database_does_not_have(database: Database) -> None:
    for message in (DataMessage(292), DataMessage(291, True), RemoteMessage(291), ErrorMessage(1)):
        assert database.decode(message) is None


def test_a_frame_that_is_too_short(database: Database) -> None:
    with pytest.raises(ProtocolError, match=r"expected Setpoint \(4 bytes\), got DataMessage"):
        database.decode(DataMessage(291, data=b"\x01"))


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("Speed", {}, r"expected one of \['Setpoint', 'Status'\], got 'Speed'"),
        ("Setpoint", {"Speed": 1}, "cannot be made of"),
        ("Setpoint", {"Speed": 1e6, "Mode": 1}, "cannot be made of"),
        ("Setpoint", {"Speed": 1, "Mode": "flying"}, "cannot be made of"),
    ],
)
def test_what_cannot_be_encoded(database: Database, name: str, values: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        database.encode(name, values)


def test_what_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "nothing.dbc"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="no database of CAN messages"):
        Database(path)
    with pytest.raises(FileNotFoundError):
        Database(tmp_path / "missing.dbc")


@given(st.binary(max_size=8))
def test_any_data_are_signals_or_an_error(database: Database, data: bytes) -> None:
    try:
        signals = database.decode(DataMessage(291, data=data))
    except ProtocolError:
        assert len(data) < 4
        return
    assert signals is not None
    assert set(signals.values) == {"Speed", "Mode"}


def test_signals_from_a_bus(flavour: Flavour, database: Database) -> None:
    with flavour.inside(flavour.make(CanBus, "can::loopback")) as bus:
        with receiving(flavour, bus.raw().map(database.decode)) as receiver:
            flavour.call(bus.send, DataMessage(1))
            flavour.call(bus.send, database.encode("Setpoint", {"Speed": 7.5, "Mode": 0}))
            assert flavour.call(receiver.next).values == {"Speed": 7.5, "Mode": "off"}


# Log files

MESSAGES: list[CanMessage] = [
    DataMessage(0x123, data=b"\x01\x02\x03", timestamp=1700000000.0),
    DataMessage(0x1FFFFFFF, True, bytes(8), timestamp=1700000000.25),
    RemoteMessage(0x7FF, dlc=2, timestamp=1700000000.5),
]


@pytest.mark.parametrize("ending", [".log", ".asc", ".blf", ".csv", ".db", ".trc", ".log.gz"])
def test_files_and_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"trace{ending}"
    with LogWriter(path, "can0") as log:
        for message in MESSAGES:
            log.write(message)
    expected = MESSAGES[:2] if ending == ".trc" else MESSAGES  # which cannot hold remote frames
    read = list(read_log(path))[: len(expected)]
    assert read == expected
    times = [message.timestamp - read[0].timestamp for message in read]
    assert times == pytest.approx([0, 0.25, 0.5][: len(expected)], abs=0.001)


def test_a_file_of_candump(tmp_path: Path) -> None:
    path = tmp_path / "candump.log"
    path.write_text(
        "(1700000000.000000) vcan0 123#010203\n"
        "(1700000000.250000) vcan0 18311401#08090A0B0CACDD\n"
        "(1700000000.500000) vcan0 7FF#R8\n"
        "(1700000000.750000) vcan0 20000040#0000000000000000\n"
        "\n"
        "(1700000001.000000) vcan0 00000123##1AABB T\n"
    )
    assert list(read_log(path)) == [
        DataMessage(0x123, data=b"\x01\x02\x03"),
        DataMessage(0x18311401, True, bytes.fromhex("08090A0B0CACDD")),
        RemoteMessage(0x7FF, dlc=8),
        ErrorMessage(0x40, bytes(8)),
        DataMessage(0x123, True, b"\xaa\xbb", True, True),
    ]


def test_what_is_written_for_candump(tmp_path: Path) -> None:
    path = tmp_path / "candump.log"
    with LogWriter(path, "can1") as log:
        for message in MESSAGES:
            log.write(message)
        log.write(ErrorMessage(0x40, bytes(2), 3.0))
        log.write(DataMessage(1, data=b"a", fd=True))
    assert path.read_text() == (
        "(1700000000.000000) can1 123#010203\n"
        "(1700000000.250000) can1 1FFFFFFF#0000000000000000\n"
        "(1700000000.500000) can1 7FF#R2\n"
        "(3.000000) can1 20000040#0000\n"
        "(0.000000) can1 001##061\n"
    )


@given(st.text("()0123456789.#RTABCDEFcan ", max_size=40))
def test_any_line_is_a_message_or_an_error(line: str) -> None:
    try:
        message = read_line(line)
    except ValueError:
        return
    if not isinstance(message, ErrorMessage):
        assert 0 <= message.canid <= (0x1FFFFFFF if message.extid else 0x7FF)


def test_python_can_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "gct.log"
    with LogWriter(path, "vcan0") as log:
        log.write(DdpMessage(12, 34, bytes(range(13)), 2))
    with can.LogReader(path) as reader:
        assert [(each.arbitration_id, bytes(each.data).hex()) for each in reader] == [
            (0x18311000, "0001020304050607"),
            (0x18311401, "08090a0b0cacdd"),
        ]


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nosuchformat"):
        LogWriter(tmp_path / "trace.nosuchformat")
    with pytest.raises(ValueError, match=r"nosuchformat"):
        list(read_log(tmp_path / "trace.nosuchformat"))
    with pytest.raises(FileNotFoundError):
        list(read_log(tmp_path / "missing.log"))
    broken = tmp_path / "broken.log"
    broken.write_text("this is no log\n")
    with pytest.raises(ValueError, match="not of the format that its name tells"):
        list(read_log(broken))
    broken = tmp_path / "broken.log.gz"
    broken.write_text("this is no log\n")
    with pytest.raises(ValueError, match="not of the format that its name tells"):
        list(read_log(broken))


@pytest.mark.parametrize("ending", [".csv", ".db"])
def test_no_frames_of_can_fd_where_they_would_come_back_as_others(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"trace{ending}"
    with LogWriter(path) as log:
        with pytest.raises(ValueError, match="cannot hold frames of CAN FD"):
            log.write(DataMessage(1, data=bytes(64), fd=True))
        log.write(DataMessage(1, data=bytes(8)))
    assert list(read_log(path)) == [DataMessage(1, data=bytes(8))]


@pytest.mark.skipif(find_spec("asammdf") is not None, reason="asammdf is installed")
def test_a_format_that_needs_another_package(tmp_path: Path) -> None:
    path = tmp_path / "trace.mf4"
    with pytest.raises(ImportError, match="asammdf"):
        LogWriter(path)
    path.write_bytes(bytes(100))
    with pytest.raises(ImportError, match="asammdf"):
        list(read_log(path))
