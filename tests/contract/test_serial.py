"""Serial ports, on pty pairs: a pty is a terminal device like any other, but for the bits on the wire."""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.faults_serial import SOCAT, Line, make
from tests.contract.flavours import Flavour

pytestmark = [
    pytest.mark.skipif(SOCAT is None, reason="no socat, which makes the pty pairs"),
    pytest.mark.needs("serial"),
]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.close()


async def test_request_and_reply(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    for number in range(50):
        assert await serial.write_readline(b"echo %d\n" % number) == b"%d\n" % number
    assert await serial.write_readline(b"split 0.01 in two\n", timeout=5) == b"in two\n"
    assert serial.connection_counter == 1
    assert serial.connected()
    await serial.close()
    assert not serial.connected()


async def test_big_block_both_ways(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port, timeout=10)
    await serial.write(b"block 262144\n")
    assert await serial.readexactly(262144) == bytes(range(256)) * 1024
    await serial.write(b"block 131072\n")
    target = bytearray(131072)
    await serial.read_into(target)
    assert target == bytes(range(256)) * 512
    long = b"x" * 200_000
    assert await serial.write_readline(b"echo " + long + b"\n") == long + b"\n"


SETTINGS = [
    ({"baudrate": 9600}, termios.CS8, 0, 0, termios.B9600),
    ({"baudrate": 115200, "bytesize": 7, "parity": "E"}, termios.CS7, termios.PARENB, 0, termios.B115200),
    ({"parity": "O", "stopbits": 2}, termios.CS8, termios.PARENB | termios.PARODD | termios.CSTOPB, 0, termios.B9600),
    ({"baudrate": 1200, "xonxoff": True}, termios.CS8, 0, termios.IXON | termios.IXOFF, termios.B1200),
    ({"baudrate": 57600, "rtscts": True, "bytesize": 5}, termios.CS5, termios.CRTSCTS, 0, termios.B57600),
]


@pytest.mark.parametrize(("options", "size", "control", "flow", "speed"), SETTINGS)
async def test_settings_reach_the_device(
    flavour: Flavour,
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    size: int,
    control: int,
    flow: int,
    speed: int,
) -> None:
    # What goes to the device is noted on its way: the kernel's ptys have no wire, so they forget size and parity.
    asked = []
    set_attributes = termios.tcsetattr

    def tcsetattr(number: Any, when: int, attributes: list[Any]) -> None:
        asked.append(list(attributes))
        set_attributes(number, when, attributes)

    monkeypatch.setattr(termios, "tcsetattr", tcsetattr)
    serial = make(flavour, "Serial", line.port, **options)
    await serial.open()
    number = os.open(line.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        there = termios.tcgetattr(number)
    finally:
        os.close(number)
    forgotten = termios.CSIZE | termios.PARENB
    flags = forgotten | termios.PARODD | termios.CSTOPB | termios.CRTSCTS
    input_flow = termios.IXON | termios.IXOFF
    assert asked[-1][2] & flags == size | control
    assert there[2] & (flags & ~forgotten) == control & ~forgotten
    assert there[0] & input_flow == flow
    assert there[4] == there[5] == speed
    assert not there[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    assert await serial.write_readline(b"echo \x03\x04\x1a\n") == b"\x03\x04\x1a\n"  # raw: no control characters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baudrate": 0}, "baudrate must be an integer from 1"),
        ({"baudrate": "fast"}, "baudrate must be"),
        ({"bytesize": 9}, "bytesize must be one of 5, 6, 7, 8"),
        ({"parity": "X"}, "parity must be one of N, E, O, M, S"),
        ({"stopbits": 3}, "stopbits must be one of 1, 1.5, 2"),
        ({"xonxoff": "yes"}, "xonxoff must be true or false"),
        ({"rtscts": 2}, "rtscts must be true or false"),
        ({"quiet": -1}, "quiet must be zero or more"),
        ({"eol": b""}, "at least one byte"),
    ],
)
async def test_impossible_settings(flavour: Flavour, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(flavour, "Serial", "/dev/ttyUSB0", **options)


@pytest.mark.parametrize("port", [None, 5, b"/dev/ttyUSB0"])
async def test_port_of_the_wrong_type(flavour: Flavour, port: Any) -> None:
    with pytest.raises(TypeError, match="port must be"):
        make(flavour, "Serial", port)


async def test_port_of_another_kind(flavour: Flavour) -> None:
    with pytest.raises(ValueError, match="serial://"):
        make(flavour, "Serial", "tcp://host:5025")


async def test_port_that_does_not_exist(flavour: Flavour, tmp_path: Path) -> None:
    serial = make(flavour, "Serial", str(tmp_path / "ttyUSB7"))
    for timeout in (None, 5):
        with pytest.raises(FileNotFoundError, match="ttyUSB7"):
            await serial.write_readline(b"echo\n", timeout=timeout)


async def test_opened_exclusively(flavour: Flavour, line: Line) -> None:
    first = make(flavour, "Serial", line.port)
    second = make(flavour, "Serial", line.port)
    third = make(flavour, "Serial", line.port, exclusive=False)
    await first.open()
    with pytest.raises(OSError, match="in use by another program") as caught:
        await second.open()
    assert line.port in str(caught.value)
    assert not second.connected()
    await third.open()
    await third.close()
    assert await first.write_readline(b"echo mine\n") == b"mine\n"
    await first.close()
    await second.open()
    assert await second.write_readline(b"echo mine\n") == b"mine\n"


async def test_unplugged_while_idle(flavour: Flavour, line: Line) -> None:
    lost: list[BaseException | None] = []
    serial = make(flavour, "Serial", line.port, on_connection_lost=lost.append)
    assert await serial.write_readline(b"echo here\n") == b"here\n"
    await flavour.call(line.unplug)
    await flavour.until(lambda: lost)
    assert isinstance(lost[0], OSError)
    assert not serial.connected()
    with pytest.raises(OSError, match="ttyUSB0"):
        await serial.write_readline(b"echo gone\n", timeout=1)
    await flavour.call(line.plug_in)
    assert await serial.write_readline(b"echo back\n", timeout=5) == b"back\n"
    assert serial.connection_counter == 2
    assert len(lost) == 1


async def test_unplugged_while_reading(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    await serial.open()
    reading = flavour.start(serial.readline)
    await flavour.waiting(serial, 1)
    await flavour.sleep(0.02)
    await flavour.call(line.unplug)
    error = await flavour.error(reading)
    assert isinstance(error, OSError)
    assert not isinstance(error, TimeoutError)
    assert line.port in str(error), str(error)
    await flavour.call(line.plug_in)
    assert await serial.write_readline(b"echo back\n", timeout=5) == b"back\n"


async def test_late_answer_never_reaches_the_next_request(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await serial.write_readline(b"wait 0.04 late\n", timeout=0.01)
        assert await serial.write_readline(b"echo next\n", timeout=5) == b"next\n"


async def test_without_quiet_a_late_answer_crosses(flavour: Flavour, line: Line) -> None:
    """What the test above prevents happens when it is asked for: closing a port does not stop an answer."""
    serial = make(flavour, "Serial", line.port, quiet=None)
    await serial.open()
    with pytest.raises(TimeoutError):
        await serial.write_readline(b"wait 0.4 late\n", timeout=0.1)
    assert await serial.write_readline(b"echo next\n", timeout=5) == b"late\n"


async def test_a_line_that_is_never_silent(flavour: Flavour, line: Line) -> None:
    """Not back in step in time: an error, and never an answer."""
    serial = make(flavour, "Serial", line.port, quiet=0.2)
    await serial.open()
    with pytest.raises(TimeoutError):
        await serial.write_readline(b"silence\n", timeout=0.1)
    with pytest.raises(TimeoutError, match="no resynchronisation in time"):
        await serial.write_readline(b"echo next\n", timeout=0.05)
    assert b"echo next" not in line.requests
    assert await serial.write_readline(b"echo next\n", timeout=5) == b"next\n"


async def test_calls_shorter_than_the_silence_get_there_too(flavour: Flavour, line: Line) -> None:
    """A poller: what one call has heard of the silence counts for the next one."""
    serial = make(flavour, "Serial", line.port, quiet=0.5, timeout=0.2)
    await serial.open()
    with pytest.raises(TimeoutError):
        await serial.write_readline(b"silence\n", timeout=0.1)
    errors: list[str] = []
    answer = b""
    while not answer:
        assert len(errors) < 10, "it never recovers"
        try:
            answer = await serial.write_readline(b"echo next\n")
        except TimeoutError as error:
            errors.append(str(error))
    assert answer == b"next\n"
    assert len(errors) >= 2, "not silent for as long as it has to be"
    assert all("no resynchronisation in time" in error for error in errors)
    assert line.requests == [b"silence", b"echo next"]


class ListedPort:
    """An entry of pyserial's list of ports."""

    def __init__(
        self, device: str, vid: int | None, pid: int | None, serial_number: str, location: str = "1-1"
    ) -> None:
        self.device = device
        self.vid = vid
        self.pid = pid
        self.serial_number = serial_number
        self.location = location
        self.hwid = f"USB VID:PID={vid or 0:04X}:{pid or 0:04X} SER={serial_number}"


async def test_found_by_its_identity(flavour: Flavour, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    # The list of ports is the test's: ptys are no USB devices, and a machine without adapters has none to list.
    ports: list[ListedPort] = []
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(ports))
    serial = make(flavour, "Serial", "serial://?vid=0403&pid=6001&sn=A50285BI")
    others = [ListedPort("/dev/ttyS0", None, None, ""), ListedPort("/dev/ttyUSB3", 0x0403, 0x6001, "B1")]
    ports[:] = others
    with pytest.raises(FileNotFoundError, match=r"/dev/ttyUSB3.*SER=B1"):
        await serial.open()
    ports[:] = [*others, ListedPort(line.port, 0x0403, 0x6001, "A50285BI")]
    assert await serial.write_readline(b"echo here\n") == b"here\n"
    await flavour.call(line.unplug)
    ports[:] = others
    with pytest.raises(OSError, match=r"gone|no such adapter"):
        await serial.write_readline(b"echo gone\n", timeout=5)
    await flavour.call(line.plug_in, "ttyUSB9")
    ports[:] = [ListedPort(line.port, 0x0403, 0x6001, "A50285BI"), *others]
    assert await serial.write_readline(b"echo back\n", timeout=5) == b"back\n"
    assert serial.connection_counter == 2


async def test_by_url(flavour: Flavour, line: Line) -> None:
    serial = flavour.socket_for_url(f"serial://{line.port}?baudrate=19200&parity=E&timeout=5")
    assert await serial.write_readline(b"echo here\n") == b"here\n"
    assert (serial.baudrate, serial.parity, serial.timeout) == (19200, "E", 5)


def busy_threads() -> set[str]:
    """Return the names of the other threads that are doing something in sockio or pyserial."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    busy = set()
    for ident, frame in sys._current_frames().items():
        stack = []
        while frame is not None and ident != threading.get_ident():
            stack.append(frame.f_code.co_filename)
            frame = frame.f_back  # type: ignore[assignment]
        if any("/sockio/" in file or "/serial/" in file for file in stack):
            busy.add(names[ident])
    return busy


@pytest.mark.only("aio", "trio")
async def test_no_thread_polls(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    before = busy_threads()  # what other tests have started once for all
    await serial.open()
    reading = flavour.start(serial.readline)
    await flavour.waiting(serial, 1)
    await flavour.sleep(0.02)
    assert busy_threads() == before
    await serial.write(b"echo here\n")
    assert await flavour.result(reading) == b"here\n"


@pytest.mark.only("sio")
async def test_no_thread_is_started(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    threads = [thread.ident for thread in threading.enumerate()]
    assert await serial.write_readline(b"echo here\n") == b"here\n"
    assert {thread.ident for thread in threading.enumerate()} <= set(threads)


async def test_close_wakes_who_reads(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    for options in ({}, {"timeout": 30}):
        await serial.open()
        reading = flavour.start(serial.readline, **options)
        await flavour.waiting(serial, 1)
        await flavour.sleep(0.02)
        await serial.close()
        error = await flavour.error(reading)
        assert isinstance(error, ConnectionAbortedError)
        assert "closed" in str(error)
    assert await serial.write_readline(b"echo here\n", timeout=5) == b"here\n"


async def test_full_duplex(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    await serial.open()
    reading = flavour.start(serial.readline)
    await flavour.waiting(serial, 1)
    await serial.write(b"echo both ways\n", timeout=5)
    assert await flavour.result(reading) == b"both ways\n"


async def test_no_descriptor_is_left(flavour: Flavour, line: Line) -> None:
    serial = make(flavour, "Serial", line.port)
    await serial.open()
    await serial.close()
    await flavour.sleep(0.01)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        await serial.open()
        await serial.close()
    await flavour.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) == before
