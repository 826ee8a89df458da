"""Ctrl-C while a call blocks: at every line of the core, one after the other.

A trace function raises KeyboardInterrupt at the first line of the library that a call runs, in the next round at the
second, and so on until the call comes to its end undisturbed. The return of a function counts as a line: its result
gets lost. Whatever the line: the interrupt comes out, the object
is usable, the next exchanges get their own replies, nobody is kept waiting, and no descriptor is left open.
"""

from __future__ import annotations

import contextlib
import dis
import itertools
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import sockio
from sockio import sio
from sockio.errors import DeadlineExpired
from sockio.runtimes.blocking import BlockingWaiter, run
from tests.contract.faults_leaks import descriptors, eventually
from tests.contract.faults_server import Server, pattern

NOP = dis.opmap["NOP"]
LOAD_CONST = dis.opmap["LOAD_CONST"]
LIBRARY = str(Path(sockio.__file__).parent)


class Interrupt:
    """Raises KeyboardInterrupt in this thread at a line of the library.

    Args:
        at: the number of the line, counted from 1 in the order in which they run.
    """

    def __init__(self, at: int) -> None:
        self.left = at
        self.where = ""

    def __enter__(self) -> Interrupt:
        self._before = sys.gettrace()
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *details: object) -> None:
        sys.settrace(self._before)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self.where or not frame.f_code.co_filename.startswith(LIBRARY) or in_destructor(frame):
            return None
        return self._on_line

    def _on_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self.where:
            return None
        if event == "return" or (event == "line" and signals_are_seen(frame)):
            self.left -= 1
            if not self.left:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno} ({frame.f_code.co_name})"
                raise KeyboardInterrupt(self.where)
        return self._on_line


def signals_are_seen(frame: FrameType) -> bool:
    """Tell whether a signal can interrupt where a line begins.

    The interpreter looks for signals after calls and jumps: not at a NOP (a line such as ``try:``), and not between
    the body of a ``with`` and its exit, which is called with three times None.
    """
    code = frame.f_code.co_code[frame.f_lasti :]
    return code[0] != NOP and code[0:6:2] != bytes([LOAD_CONST] * 3)


def in_destructor(frame: FrameType | None) -> bool:
    """Tell whether a line runs in a destructor: the interpreter reports an interrupt there, and goes on."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


class Colleague:
    """A thread that makes calls when asked to, always the same one."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while call := self._calls.get():
            try:
                self._results.put(call())
            except BaseException as error:
                self._results.put(error)

    def begin(self, call: Callable[[], object]) -> None:
        self._calls.put(call)

    def result(self) -> object:
        return self._results.get(timeout=10)

    def stop(self) -> None:
        self._calls.put(None)
        self._thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def colleague() -> Iterator[Colleague]:
    colleague = Colleague()
    yield colleague
    colleague.stop()


class Scenario:
    """A call that is going to be interrupted.

    Args:
        server: whom to talk to.
        colleague: another thread.
    """

    #: Constructor arguments of the stream.
    options: dict[str, Any] = {}

    def __init__(self, server: Server, colleague: Colleague) -> None:
        self.server = server
        self.colleague = colleague

    def prepare(self, stream: Any) -> None:
        """Bring the stream into the state in which the call is made."""
        stream.write_readline(b"echo connected\n")

    def call(self, stream: Any) -> None:
        """Make the call, and check its result."""
        raise NotImplementedError

    def afterwards(self, stream: Any) -> None:
        """Look at what must hold after the call, interrupted or not."""


class Exchange(Scenario):
    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n") == b"me\n"


class ExchangeWithTimeout(Scenario):
    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n", timeout=5) == b"me\n"


class ConnectFirst(Scenario):
    def prepare(self, stream: Any) -> None:
        pass

    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n") == b"me\n"


class ConnectWithTimeLimit(ConnectFirst):
    options = {"connection_timeout": 5, "timeout": 5}


class ConnectWithCallbacks(ConnectFirst):
    """The stream is used by the callback as well."""

    def __init__(self, server: Server, colleague: Colleague) -> None:
        super().__init__(server, colleague)
        self.stream: Any = None
        self.options = {"on_connection_made": self.greet, "on_connection_lost": lambda error: None}

    def greet(self) -> None:
        assert self.stream.write_readline(b"echo hello\n", timeout=0.5) == b"hello\n"

    def prepare(self, stream: Any) -> None:
        self.stream = stream


class Open(ConnectFirst):
    def call(self, stream: Any) -> None:
        stream.open()


class Close(Scenario):
    def call(self, stream: Any) -> None:
        stream.close()


class AfterPeerHasGone(Scenario):
    """The connection is found dead, and another one made."""

    def prepare(self, stream: Any) -> None:
        stream.write(b"reset\n")
        assert eventually(lambda: not stream.connected())

    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n") == b"me\n"


class WithLeftovers(Scenario):
    """What came unasked is thrown away before the request."""

    def prepare(self, stream: Any) -> None:
        stream.write(b"echo unasked\n")
        assert eventually(stream.in_waiting)

    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n") == b"me\n"


class WaitForTurn(Scenario):
    """Another thread has the turn."""

    def prepare(self, stream: Any) -> None:
        super().prepare(stream)
        sent = int(self.server.ask("requests"))
        self.colleague.begin(lambda: stream.write_readline(b"wait 0.01 colleague\n"))
        assert eventually(lambda: int(self.server.ask("requests")) > sent + 1)

    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n") == b"me\n"

    def afterwards(self, stream: Any) -> None:
        # The colleague was first, and nothing happened to its own call.
        assert self.colleague.result() == b"colleague\n"


class SomebodyWaits(Scenario):
    """Another thread waits for this one."""

    started = True

    def call(self, stream: Any) -> None:
        self.colleague.begin(lambda: self.follow(stream))
        assert stream.write_readline(b"wait 0.01 me\n") == b"me\n"

    def follow(self, stream: Any) -> bytes:
        time.sleep(0.005)
        return bytes(stream.write_readline(b"echo colleague\n", timeout=1))

    def afterwards(self, stream: Any) -> None:
        assert self.colleague.result() == b"colleague\n"


class Timeout(Scenario):
    """The line runs while a call is failing anyway; its late reply is on the way."""

    def call(self, stream: Any) -> None:
        with pytest.raises(sio.ConnectionTimeoutError):
            stream.write_readline(b"wait 0.2 late\n", timeout=0.002)


class PeerEnds(Scenario):
    def call(self, stream: Any) -> None:
        with pytest.raises(EOFError):
            stream.write_readline(b"end cut short\n")


class PartialLine(Scenario):
    """Half of the line is there, the rest is to come; a line without its beginning is a wrong answer."""

    def prepare(self, stream: Any) -> None:
        super().prepare(stream)
        stream.write(b"split 0.002 0123456789\n")
        assert eventually(stream.in_waiting)

    def call(self, stream: Any) -> None:
        assert stream.readline(timeout=5) == b"0123456789\n"

    def afterwards(self, stream: Any) -> None:
        with contextlib.suppress(OSError):
            assert stream.readline(timeout=0.005) == b"0123456789\n"


class ManyLines(Scenario):
    def call(self, stream: Any) -> None:
        assert stream.write_readlines(b"lines 3 me\n", 3) == [b"me 0\n", b"me 1\n", b"me 2\n"]


class Write(Scenario):
    def call(self, stream: Any) -> None:
        stream.write(b"silence\n")


class BigWrite(Scenario):
    """More than the operating system takes at once."""

    size = 5 << 20

    def call(self, stream: Any) -> None:
        data = b"sink %d taken\n" % self.size + bytes(self.size)
        assert stream.write_readline(data, timeout=10) == b"taken\n"


class BigBlock(Scenario):
    size = 300_000

    def call(self, stream: Any) -> None:
        assert stream.write_readblock(b"ieee %d\n" % self.size) == pattern(self.size)


class Iteration(Scenario):
    def prepare(self, stream: Any) -> None:
        super().prepare(stream)
        stream.write(b"lines 4 me\n")
        assert eventually(lambda: stream.in_waiting() == 20)

    def call(self, stream: Any) -> None:
        self.iterator = iter(stream)  # kept: what runs in a destructor is not the call's
        lines = [next(self.iterator) for _ in range(4)]
        assert lines == [b"me 0\n", b"me 1\n", b"me 2\n", b"me 3\n"]


class Quiet(Scenario):
    """The connection has to be drained first, since the last call failed."""

    options = {"quiet": 0.001}

    def prepare(self, stream: Any) -> None:
        with pytest.raises(sio.ConnectionTimeoutError):
            stream.write_readline(b"silence\n", timeout=0.001)

    def call(self, stream: Any) -> None:
        assert stream.write_readline(b"echo me\n", timeout=5) == b"me\n"


SCENARIOS = [
    Exchange,
    ExchangeWithTimeout,
    ConnectFirst,
    ConnectWithTimeLimit,
    ConnectWithCallbacks,
    Open,
    Close,
    AfterPeerHasGone,
    WithLeftovers,
    WaitForTurn,
    SomebodyWaits,
    Timeout,
    PeerEnds,
    PartialLine,
    ManyLines,
    Write,
    BigWrite,
    BigBlock,
    Iteration,
    Quiet,
]


@pytest.mark.parametrize("scenario_class", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_interrupt_at_every_line(server: Server, colleague: Colleague, scenario_class: type[Scenario]) -> None:
    one_round(server, colleague, scenario_class, Interrupt(0))  # what is started only once
    failures = []
    at = 0
    finished = False
    while not finished and len(failures) < 10:
        at += 1
        interrupt = Interrupt(at)
        problem, finished = one_round(server, colleague, scenario_class, interrupt)
        if problem:
            failures.append(f"interrupted at line {at}, {interrupt.where}: {problem}")
    assert at > 3, "nothing was interrupted"
    assert not failures, "\n".join(failures)


def one_round(
    server: Server, colleague: Colleague, scenario_class: type[Scenario], interrupt: Interrupt
) -> tuple[str, bool]:
    """Do the call with one interrupt; return what is wrong, and whether the call came to its end without it."""
    finished = False
    problem = ""
    scenario = scenario_class(server, colleague)
    server.ask("clients")
    before = descriptors()
    try:
        with no_noise_at_all() as noise:
            stream = sio.TCP(server.host, server.port, **scenario.options)
            scenario.prepare(stream)
            try:
                with interrupt:
                    scenario.call(stream)
                finished = not interrupt.where
                if not finished:
                    problem = "the interrupt was swallowed"
            except KeyboardInterrupt:
                pass
            scenario.afterwards(stream)
            assert stream.write_readline(b"echo next\n", timeout=0.5) == b"next\n"
            colleague.begin(lambda: stream.write_readline(b"echo other\n", timeout=0.5))
            other = colleague.result()
            assert other == b"other\n", repr(other)
            stream.close()
            assert stream.write_readline(b"echo anew\n", timeout=0.5) == b"anew\n"
            stream.close()
            left = {number: what for number, what in descriptors().items() if before.get(number) != what}
            assert not left, f"descriptors left {left}"
        assert not noise, noise
    except (Exception, AssertionError) as error:
        problem = f"{type(error).__name__}: {error}".partition("\n")[0]
    return problem, finished


@contextlib.contextmanager
def no_noise_at_all() -> Iterator[list[str]]:
    """The same as `no_noise`, without the cost of a collection in every round."""
    noise: list[str] = []
    before = sys.unraisablehook

    def note(unraisable: Any) -> None:
        # Between making a coroutine and starting it nothing has happened yet, and nothing can be done about it.
        if "was never awaited" not in str(unraisable.exc_value):
            noise.append(f"{unraisable.exc_value!r} in {unraisable.object!r}")

    sys.unraisablehook = note
    try:
        yield noise
    finally:
        sys.unraisablehook = before


SIGNALLED = """
import sys
from sockio import sio

stream = sio.TCP("127.0.0.1", int(sys.argv[1]))
for call in (
    lambda: stream.write_readline(b"silence\\n"),
    lambda: stream.readline(),
    lambda: stream.write_readline(b"silence\\n", timeout=30),
    lambda: stream.write_read(b"silence\\n"),
    lambda: stream.readexactly(1 << 20),
    lambda: stream.write(b"deaf\\n" + bytes(1 << 27)),
    lambda: next(iter(stream)),
):
    stream.write_readline(b"echo in step\\n", timeout=5)
    try:
        print("blocks", flush=True)
        call()
    except KeyboardInterrupt:
        print(stream.write_readline(b"echo next\\n", timeout=5).decode(), end="", flush=True)
"""


def test_sigint_ends_a_blocking_call_and_the_program_goes_on(server: Server) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SIGNALLED, str(server.port)],
        cwd=Path(LIBRARY).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    replies = []
    with process:
        for line in process.stdout:
            if line == "blocks\n":
                time.sleep(0.05)
                process.send_signal(signal.SIGINT)
            else:
                replies.append(line)
        errors = process.stderr.read()
    assert errors == ""
    assert process.returncode == 0
    assert replies == ["next\n"] * 7


@pytest.mark.parametrize("method", ["wait", "set"])
def test_an_interrupt_of_who_waits_does_not_hold_up_who_wakes(method: str) -> None:
    """Wherever it comes, in the standard library too: whose turn is next is told by everybody who leaves."""
    for at in itertools.count(1):
        waiter = BlockingWaiter()
        waiting = waiter.wait(0.0)
        left = at

        def interrupt(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            return interrupt

        before = sys.gettrace()
        try:
            sys.settrace(interrupt)
            run(waiting) if method == "wait" else waiter.set()
        except (KeyboardInterrupt, DeadlineExpired):
            pass
        finally:
            sys.settrace(before)
            waiting.close()
        waking = threading.Thread(target=waiter.set, daemon=True)
        waking.start()
        waking.join(20)
        assert not waking.is_alive(), f"interrupted at {at}"
        run(waiter.wait(0.0))
        run(waiter.wait(None))
        if left > 0:
            return
