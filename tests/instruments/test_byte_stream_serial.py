"""Byte pipes over serial lines: pseudo-terminals, and a server for RFC 2217."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from instruments.byte_stream import ByteStreamPipe
from instruments.cobs_stream import CobsStream
from sockio.errors import ProtocolError
from tests.contract.faults_serial import SER2NET, SOCAT, Line, Ser2net
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, until

pytestmark = [
    pytest.mark.skipif(SOCAT is None, reason="no socat"),
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial's own
]


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.close()


def push(line: Line, data: bytes) -> None:
    """Have the far end send something unasked."""
    number = os.open(line._far_end, os.O_WRONLY | os.O_NOCTTY)
    os.write(number, data)
    os.close(number)


def test_lines_and_bytes(flavour: Flavour, line: Line) -> None:
    pipe = flavour.make(ByteStreamPipe, f"serial::{line.port}::9600::8N1", 10)
    for text in ("one", "two", "µ"):
        assert flavour.call(pipe.query_line, f"echo {text}") == text
    flavour.call(pipe.write_line, "echo a b")
    assert flavour.call(pipe.read_to_term, 32) == b"a"
    assert flavour.call(pipe.read_exact, 2) == b"b\n"
    assert flavour.call(pipe.read_all) == b""
    flavour.call(pipe.drop)


def test_a_late_reply(flavour: Flavour, line: Line) -> None:
    pipe = flavour.make(ByteStreamPipe, f"serial://{line.port}?quiet=0.2", 10)
    with pytest.raises(TimeoutError, match=r"ttyUSB0.*timed out after 0.03 s"):
        flavour.call(pipe.query_line, "wait 0.1 late", 0.03)
    assert flavour.call(pipe.query_line, "echo next") == "next"
    flavour.call(pipe.drop)


def test_calls_shorter_than_the_silence_get_through_in_the_end(flavour: Flavour, line: Line) -> None:
    """The silence that each of them has heard adds up."""
    pipe = flavour.make(ByteStreamPipe, f"serial://{line.port}?quiet=0.3", 10)
    with pytest.raises(TimeoutError):
        flavour.call(pipe.query_line, "wait 0.1 late", 0.03)

    def answer() -> str | None:
        try:
            reply: str = flavour.call(pipe.query_line, "echo next", 0.1)
        except TimeoutError:
            return None
        return reply

    answers = []
    while not answers or answers[-1] is None:
        answers.append(answer())
        assert len(answers) < 20
    assert answers[-1] == "next"
    flavour.call(pipe.drop)


def test_a_stream_of_frames_does_not_make_a_line_trustworthy(flavour: Flavour, line: Line) -> None:
    """A query fails, frames are received for a moment, then the answer comes: it is not that to the next query."""
    pipe = flavour.make(ByteStreamPipe, f"serial://{line.port}?quiet=0.7", 10)
    with pytest.raises(TimeoutError):
        flavour.call(pipe.query_line, "wait 0.4 late", 0.03)
    frames = flavour.make(CobsStream, f"serial://{line.port}?quiet=0.7")
    flavour.call(frames.start)
    flavour.call(frames.stop)
    assert flavour.call(pipe.query_line, "echo next") == "next"
    flavour.call(pipe.drop)


def test_several_calls_at_once_under_one_lock(line: Line) -> None:
    async def ask() -> list[str]:
        pipe = ByteStreamPipe(f"serial::{line.port}::9600::8N1", 10)
        await pipe.query_line("echo before")
        async with pipe:
            answers = await asyncio.gather(*(pipe.query_line(f"echo {number}") for number in range(5)))
            with pytest.raises(TimeoutError):
                await asyncio.gather(pipe.query_line("wait 0.2 late", 0.1), pipe.query_line("echo 5"))
            answers.append(await pipe.query_line("echo 6"))
        await pipe.drop()
        return answers

    assert asyncio.run(ask()) == ["0", "1", "2", "3", "4", "6"]


def test_a_malformed_frame_leaves_the_line_as_it_is(flavour: Flavour, line: Line) -> None:
    pipe = flavour.make(ByteStreamPipe, f"serial::{line.port}::9600::8N1", 10)
    flavour.call(pipe.connect)
    push(line, b"\x05ab\x00\x02c\x00")
    with pytest.raises(ProtocolError, match=r"ttyUSB0.*expected a COBS frame"):
        flavour.call(pipe.cobs_read)
    assert flavour.call(pipe.cobs_read) == b"c"
    assert pipe._place.connection.connection_counter == 1
    flavour.call(pipe.drop)


def test_frames_that_are_pushed(flavour: Flavour, line: Line) -> None:
    stream = flavour.make(CobsStream, f"serial::{line.port}::9600::8N1")
    with flavour.inside(stream):
        push(line, b"\x02a\x00\x02")
        assert flavour.call(stream.next, 10) == b"a"
        push(line, b"b\x00")
        assert flavour.call(stream.next, 10) == b"b"
        flavour.call(stream.send, b"echo \x01\n")
        until(lambda: line.requests)
    assert line.requests == [b"\x08echo \x01"]  # up to the line feed, which ends a request for this instrument
    pipe = flavour.make(ByteStreamPipe, f"serial::{line.port}::9600::8N1", 10)
    flavour.call(pipe.write_line, "")
    assert flavour.call(pipe.query_line, "echo x") == "x"
    flavour.call(pipe.drop)


def test_unplugged_while_it_streams(flavour: Flavour, line: Line) -> None:
    errors: list[Exception] = []
    stream = flavour.make(CobsStream, f"serial::{line.port}::9600::8N1", on_error=errors.append)
    flavour.call(stream.start)
    line.unplug()
    until(lambda: errors)
    line.plug_in()
    # Connecting discards what came before, so it is sent until it is received.
    for _ in range(100):
        push(line, b"\x00\x02a\x00")
        try:
            assert flavour.call(stream.next, 0.1) == b"a"
            break
        except TimeoutError:
            continue
    else:
        raise AssertionError("not connected again")
    assert stream.connections_lost == 1
    flavour.call(stream.close)


@pytest.mark.skipif(SER2NET is None, reason="no ser2net")
def test_behind_a_server(flavour: Flavour, tmp_path: Path) -> None:
    raw, rfc2217 = Line(tmp_path, "raw"), Line(tmp_path, "rfc2217")
    server = Ser2net(tmp_path, raw.port, rfc2217.port)
    try:
        for address in (f"rfc2217://127.0.0.1:{server.rfc2217}?ign_set_control", f"tcp::127.0.0.1:{server.raw}"):
            pipe = flavour.make(ByteStreamPipe, address, 10)
            assert flavour.call(pipe.query_line, "echo here") == "here"
            flavour.call(pipe.write_line, "echo \x7f")
            assert flavour.call(pipe.read_exact, 2) == b"\x7f\n"
            flavour.call(pipe.drop)
    finally:
        server.kill()
        raw.close()
        rfc2217.close()


def test_everybody_agrees_on_the_settings(flavour: Flavour, line: Line) -> None:
    pipe = flavour.make(ByteStreamPipe, f"serial::{line.port}::9600::8N1")
    flavour.call(pipe.connect)
    other = flavour.make(ByteStreamPipe, f"serial::{line.port}::115200::8N1")
    with pytest.raises(ValueError, match=r"in use with baudrate=9600: it cannot be had with baudrate=115200"):
        flavour.call(other.connect)
    flavour.call(pipe.drop)


OTHER_PROCESS = """
import sys
from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe

pipe = blocking(ByteStreamPipe)(sys.argv[1], 10)
assert pipe.query_line("echo other") == "other"
print("ready", flush=True)
for request in sys.stdin:
    try:
        print(pipe.query_line(request.strip(), 0.05 if request.startswith("wait") else 10), flush=True)
    except TimeoutError:
        print("late", flush=True)
"""


def test_two_processes_share_a_line(flavour: Flavour, line: Line) -> None:
    """Replies that come late to one process never reach the other one, and the other way round."""
    address = f"serial://{line.port}?quiet=0.3"
    pipe = flavour.make(ByteStreamPipe, address, 10)
    assert flavour.call(pipe.query_line, "echo mine") == "mine"
    command = [sys.executable, "-c", OTHER_PROCESS, address]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": root},
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == "ready\n"
            for number in range(3):
                other.stdin.write(f"wait 0.15 theirs{number}\n")
                assert other.stdout.readline() == "late\n"
                assert flavour.call(pipe.query_line, f"echo {number}") == str(number)
                with pytest.raises(TimeoutError):
                    flavour.call(pipe.query_line, f"wait 0.15 mine{number}", 0.02)
                other.stdin.write(f"echo yours{number}\n")
                assert other.stdout.readline() == f"yours{number}\n"
        finally:
            other.kill()
    flavour.call(pipe.drop)
