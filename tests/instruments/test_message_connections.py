"""What VXI-11 and HiSLIP connections have in common: forks, generations, distrust, interrupts, what errors say."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import instruments
import sockio
from instruments.hislip import HislipConnection
from instruments.message import MessageConnection, in_seconds
from instruments.vxi11 import Vxi11Connection
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError
from sockio.resource import parse
from sockio.runtimes import asyncio as on_asyncio
from sockio.runtimes import blocking
from sockio.turns import Turns

run = blocking.run

PROTOCOLS = {"hislip": 0, "vxi11": 1}

DEVICES: list[dict[str, Any]] = [
    {"class": "Multimeter", "*idn": "DMM", "transports": [{"protocol": name} for name in PROTOCOLS]},
]


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench(DEVICES) as bench:
        yield bench


@pytest.fixture(params=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def resource(protocol: str, port: int) -> str:
    return f"{protocol.removesuffix('11')}::127.0.0.1:{port}"


def make(protocol: str, port: int, runtime: Any = blocking.runtime) -> MessageConnection:
    address: Any = parse(resource(protocol, port))
    if protocol == "hislip":
        return HislipConnection(address, runtime)
    return Vxi11Connection(address, runtime)


@pytest.fixture
def connection(protocol: str, bench: Any) -> Iterator[MessageConnection]:
    connection = make(protocol, bench.port("multimeter", PROTOCOLS[protocol]))
    yield connection
    run(connection.close())


# Connections are counted, and not trusted when others have failed


def test_generations_count_connections(connection: MessageConnection) -> None:
    assert connection.generation == 0
    for generation in (1, 2):
        for _ in range(2):
            assert run(connection.query(b"*IDN?\n", 5)) == b"DMM\n"
            assert connection.generation == generation
        run(connection.close())
    run(connection.write(b"SIM:FAUL DROPPED\n", 5))
    with pytest.raises(ConnectionEOFError):
        run(connection.query(b"*IDN?\n", 5))
    assert run(connection.query(b"*IDN?\n", 5)) == b"DMM\n"
    assert connection.generation == 4


def test_after_distrust_the_device_is_cleared_once(connection: MessageConnection) -> None:
    run(connection.write(b"*IDN?\n", 5))
    connection.distrust()
    assert run(connection.query(b"*ESE?\n", 5)) == b"0\n"
    run(connection.write(b"*IDN?\n", 5))
    assert run(connection.read(5)) == b"DMM\n", "it is not cleared again"
    assert connection.generation == 1


def test_distrust_while_a_call_runs_holds_for_the_next(connection: MessageConnection) -> None:
    cleared = []

    async def recover(deadline: float | None) -> None:
        cleared.append(deadline)

    async def doubt(deadline: float | None) -> None:
        connection.distrust()

    connection._recover = recover  # type: ignore[method-assign]
    run(connection._call("doubt", 5, doubt))
    assert not cleared
    for _ in range(2):
        run(connection.open(5))
    assert len(cleared) == 1


def test_distrust_lasts_until_recovery_succeeds(connection: MessageConnection) -> None:
    outcomes: list[BaseException | None] = [OSError("no"), None]

    async def recover(deadline: float | None) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    connection._recover = recover  # type: ignore[method-assign]
    connection.distrust()
    with pytest.raises(OSError, match="no"):
        run(connection.open(5))
    for _ in range(2):
        assert run(connection.query(b"*IDN?\n", 5)) == b"DMM\n"
    assert not outcomes


def test_what_kinds_of_connections_promise() -> None:
    assert Vxi11Connection.shared_output
    assert not HislipConnection.shared_output
    assert Vxi11Connection.waits_aside
    assert HislipConnection.waits_aside


# The instrument's own lock


@pytest.mark.parametrize("lost", ["closed", "dropped"])
def test_a_lock_that_went_with_its_connection_is_not_given_back(connection: MessageConnection, lost: str) -> None:
    run(connection.lock(5))
    if lost == "closed":
        run(connection.close())
    else:
        run(connection.write(b"SIM:FAUL DROPPED\n", 5))
        with pytest.raises(ConnectionEOFError):
            run(connection.query(b"*IDN?\n", 5))
    run(connection.unlock(5))
    assert connection.generation == 1, "there is no connection only to unlock"
    assert run(connection.query(b"*IDN?\n", 5)) == b"DMM\n"
    assert connection.generation == 2
    run(connection.unlock(5))
    assert connection.generation == 2


# Forks

FORK = """
import os, sys

first, protocol, resource = sys.argv[1:]
__import__(first)  # whose fork hooks are registered before the others

from instruments.hislip import HislipConnection
from instruments.vxi11 import Vxi11Connection
from sockio.resource import parse
from sockio.runtimes.blocking import run, runtime

connection = {"hislip": HislipConnection, "vxi11": Vxi11Connection}[protocol](parse(resource), runtime)
assert run(connection.query(b"*CLS;*ESE 1;*SRE 32;*OPC?\\n", 5)) == b"1\\n"
try:
    run(connection.wait_for_service_request(0.1))
except TimeoutError:
    pass
run(connection.lock(5))
child = os.fork()
if not child:
    assert not connection.connected()
    run(connection.close())
    del connection
    sys.exit()  # in good order, with all that is closed at the end
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert connection.connected()
run(connection.write(b"*OPC\\n", 5))
assert run(connection.wait_for_service_request(5)) & 96 == 96
assert run(connection.query(b"*IDN?\\n", 5)) == b"DMM\\n"
assert connection.generation == 1
run(connection.unlock(5))
child = os.fork()
if not child:
    assert run(connection.query(b"*IDN?\\n", 5)) == b"DMM\\n"
    assert connection.generation == 2
    run(connection.close())
    sys.exit()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert run(connection.query(b"*IDN?\\n", 5)) == b"DMM\\n"
assert connection.generation == 1
run(connection.close())
"""


@pytest.mark.parametrize("first", ["sockio.endpoint", "instruments.message"])
def test_a_forked_child_leaves_its_parents_connection_alone(protocol: str, bench: Any, first: str) -> None:
    """Whichever module has been imported first."""
    where = resource(protocol, bench.port("multimeter", PROTOCOLS[protocol]))
    root = str(Path(sockio.__file__).parents[1])
    done = subprocess.run(
        # Python 3.12 and later warn of forking beside threads.
        [sys.executable, "-W", "ignore::DeprecationWarning:__main__", "-c", FORK, first, protocol, where],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.stderr, done.returncode) == ("", 0)


# Interrupts


@pytest.fixture
def tracebacks() -> Iterator[list[BaseException]]:
    """Keeps interrupts, as an interactive interpreter does. Coroutines that were made and not begun are in them."""
    interrupts: list[BaseException] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield interrupts
        for interrupt in interrupts:
            interrupt.__traceback__ = None
        interrupts.clear()
        gc.collect()


class Stop:
    """Interrupts at one line of this project: at the first, the second, ... that is run."""

    def __init__(self, line: int) -> None:
        self.left = line
        self.where = ""
        self.folders = tuple(str(Path(package.__file__ or "").parent) for package in (sockio, instruments))

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(self.folders):
            return None
        if event in ("line", "call"):
            if not self.left:
                self.where = f"{frame.f_code.co_name} line {frame.f_lineno}"
                sys.settrace(None)
                raise KeyboardInterrupt
            self.left -= 1
        return self


def test_an_interrupt_in_any_line_of_a_status_poll_harms_nobody(
    protocol: str, bench: Any, tracebacks: list[BaseException]
) -> None:
    connection = make(protocol, bench.port("multimeter", PROTOCOLS[protocol]))
    for line in range(2000):
        assert run(connection.query(b"*IDN?\n", 5)) == b"DMM\n"
        stop = Stop(line)
        try:
            sys.settrace(stop)
            run(connection.read_status_byte(5))
            sys.settrace(None)
        except KeyboardInterrupt as interrupt:
            tracebacks.append(interrupt)
        finally:
            sys.settrace(None)
        if not stop.where:
            break
        try:
            assert run(connection.query(b"*IDN?\n", 2)) == b"DMM\n"
            run(connection.read_status_byte(2))
        except OSError as error:
            pytest.fail(f"after an interrupt in {stop.where}: {error}")
    else:
        pytest.fail("it has never come to an end")
    assert line > 30
    run(connection.close())


def test_a_turn_that_was_torn_away_before_its_end_is_left_with_its_traceback() -> None:
    turns = Turns(blocking.runtime)

    async def tear() -> None:
        turn = turns.turn("torn", None)
        await turn.__aenter__()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tear())
    assert not turns.queue


def test_an_interrupt_in_any_line_of_a_turn_leaves_the_queue_empty(tracebacks: list[BaseException]) -> None:
    turns = Turns(blocking.runtime)

    async def nothing() -> int:
        return 1

    for line in range(200):
        stop = Stop(line)
        try:
            sys.settrace(stop)
            run(turns.run("nothing", 5, nothing))
            sys.settrace(None)
        except KeyboardInterrupt as interrupt:
            tracebacks.append(interrupt)
        finally:
            sys.settrace(None)
        assert not turns.queue, stop.where
        if not stop.where:
            break
    else:
        pytest.fail("it has never come to an end")
    assert line > 8


# What errors say


def test_errors_name_the_resource(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    connection = make(protocol, port)
    with pytest.raises(ConnectionRefusedError) as caught:
        run(connection.open(5))
    assert caught.value.filename == str(connection) == resource(protocol, port)
    assert "tcp://" not in str(caught.value)


def test_a_silent_instrument_is_named(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = make(protocol, int(server.getsockname()[1]))
        with pytest.raises(ConnectionTimeoutError) as caught:
            run(connection.open(0.2))
        text = str(caught.value)
    assert text.startswith(f"{connection}: open timed out after 0.2 s")
    assert "tcp://" not in text


@pytest.mark.parametrize("fault", ["CUT", "DROPPED"])
def test_a_connection_that_the_instrument_cuts_is_said_to_be(connection: MessageConnection, fault: str) -> None:
    run(connection.write(b"SIM:FAUL %b\n" % fault.encode(), 5))
    with pytest.raises(ConnectionEOFError) as caught:
        run(connection.query(b"*IDN?\n", 5))
    assert str(caught.value).startswith(f"{connection}: the instrument closed the connection")


@pytest.mark.parametrize(
    ("timeout", "text"),
    [(2, "2 s"), (0.5, "0.5 s"), (0.1999748930, "0.2 s"), (0.0001, "0.0001 s"), (None, "its own time limit")],
)
def test_time_limits_as_errors_tell_them(timeout: float | None, text: str) -> None:
    assert in_seconds(timeout) == text


def test_a_wait_for_service_tells_the_limit_that_it_was_given(protocol: str, bench: Any) -> None:
    port = bench.port("multimeter", PROTOCOLS[protocol])

    async def main() -> str:
        connection = make(protocol, port, on_asyncio.runtime)
        try:
            with pytest.raises(ConnectionTimeoutError) as caught:
                await connection.wait_for_service_request(0.1999748930)
            return str(caught.value)
        finally:
            await connection.close()

    assert "0.2 s" in asyncio.run(main())
