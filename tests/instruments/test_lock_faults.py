"""What goes wrong around locks: interrupts, late holders, greedy processes, files that are removed."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe
from instruments.comsrv import ComSrv
from sockio import lock_files, locks
from sockio.errors import ConnectionTimeoutError, LockExpiredError
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, answer, until

ROOT = str(Path(__file__).parents[2])

#: To take a lock needs no connection: nobody is there.
NOWHERE = "tcp://127.0.0.1:9?timeout=10"


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


def slow_answer(connection: Any, peer: Peer) -> None:
    while line := peer.recv(connection):
        time.sleep(0.1)
        connection.sendall(line)


def test_a_call_that_is_running_when_the_lock_is_given_back_ends_first() -> None:
    """As a task does that was left behind when the block ended."""
    with Peer(slow_answer) as peer:

        async def leave() -> None:
            pipe, other = ByteStreamPipe(peer.address, 10), ByteStreamPipe(peer.address, 10)
            async with pipe:
                left_behind = asyncio.create_task(pipe.query_line("left behind"))
                await asyncio.sleep(0.02)
            assert not pipe.locked
            with pytest.raises(ConnectionTimeoutError, match="in use by a lock"):
                await other.query_line("other", 0.02)
            assert await left_behind == "left behind"
            assert await other.query_line("other") == "other"
            await pipe.drop()

        asyncio.run(leave())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # "never awaited", between two lines
def test_interrupts_leave_no_lock_behind() -> None:
    """Ctrl-C at any moment of taking a lock and giving it back."""
    pipe, other = blocking(ByteStreamPipe)(NOWHERE), blocking(ByteStreamPipe)(NOWHERE)
    other.lock()
    other.unlock()
    armed = False
    interrupted = 0

    def interrupt(number: int, frame: object) -> None:
        if armed:
            raise KeyboardInterrupt

    last = signal.signal(signal.SIGALRM, interrupt)
    chance = random.Random(7)
    try:
        for _ in range(1500):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 3e-4))
                pipe.lock(0.02)
                pipe.unlock()
                armed = False
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
            other.lock(5)  # at the latest when the time of the other one is up
            other.unlock()
    finally:
        signal.signal(signal.SIGALRM, last)
    assert interrupted > 100
    pipe.lock(0.05)
    until(lambda: not pipe.locked)


def test_many_locks_that_were_given_back_are_not_kept() -> None:
    pipe = blocking(ByteStreamPipe)(NOWHERE)
    holds = []
    for _ in range(1000):
        pipe.lock(3600)
        holds.append(weakref.ref(pipe._hold))
        pipe.unlock()
    until(lambda: sum(hold() is not None for hold in holds) < 250)


def test_who_is_late_is_told_although_somebody_else_has_locked_the_same_pipe() -> None:
    with Peer(answer({b"x\n": b"y\n"})) as peer:

        async def meet() -> None:
            pipe = ByteStreamPipe(peer.address, 10)

            async def late() -> None:
                await pipe.lock(0.1)
                await asyncio.sleep(0.3)
                with pytest.raises(LockExpiredError, match="has expired before write_readline"):
                    await pipe.query_line("x")
                assert await pipe.query_line("x") == "y"  # told once; it waits for the other one

            async def next() -> None:
                await asyncio.sleep(0.15)
                await pipe.lock(30)
                await asyncio.sleep(0.3)
                assert await pipe.query_line("x") == "y"
                await pipe.unlock()

            await asyncio.gather(late(), next())
            await pipe.drop()

        asyncio.run(meet())


def test_who_is_late_and_locks_anew_begins_again(flavour: Flavour) -> None:
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        pipe = flavour.make(ByteStreamPipe, peer.address, 10)
        flavour.call(pipe.lock, 0.05)
        until(lambda: not pipe.locked)
        flavour.call(pipe.lock, 30)
        assert flavour.call(pipe.query_line, "x") == "y"
        flavour.call(pipe.unlock)
        assert flavour.call(pipe.query_line, "x") == "y"
        flavour.call(pipe.drop)


@pytest.mark.parametrize("told", [True, False])
def test_locks_that_expired_are_not_kept(told: bool) -> None:
    references = []
    for number in range(10):
        pipe = blocking(ByteStreamPipe)(f"tcp://127.0.0.1:{number + 10}")
        references.append(weakref.ref(pipe._lock))
        pipe.lock(0.01)
        until(lambda pipe=pipe: not pipe.locked)  # type: ignore[misc]
        if told:
            with pytest.raises(LockExpiredError):
                pipe.query_line("x")
    del pipe
    gc.collect()
    until(lambda: not any(reference() for reference in references))


GREEDY = """
import sys, time
from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe

pipe = blocking(ByteStreamPipe)(sys.argv[1], 30)
pipe.query_line("x")
print("begun", flush=True)
while True:
    pipe.query_line("x")
"""


def test_a_process_that_never_pauses_lets_others_in() -> None:
    """Twenty calls of ours, each of which would have to hit one of few moments without luck."""
    with Peer(slow_answer) as peer:
        command = [sys.executable, "-c", GREEDY, peer.address]
        environment = {**os.environ, "PYTHONPATH": ROOT}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as greedy:
            try:
                assert greedy.stdout is not None
                assert greedy.stdout.readline() == "begun\n"
                pipe = blocking(ByteStreamPipe)(peer.address, 2)
                assert [pipe.query_line("mine") for _ in range(20)] == ["mine"] * 20
                pipe.drop()
            finally:
                greedy.kill()


def test_a_lock_file_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By something that cleans up. There must not be two holders, of two files."""
    monkeypatch.setenv("SOCKIO_LOCK_FOLDER", str(tmp_path))
    one, other = lock_files.LockFile("x"), lock_files.LockFile("x")
    assert one.take()
    one.give_back()
    os.unlink(one.path)
    assert other.take()
    assert not one.take()
    other.give_back()
    assert one.take()
    one.close()
    other.close()


def test_everybody_locks_in_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only root may make files, root does not lock either: the others would not see it."""
    roots, everybodys = tmp_path / "roots", tmp_path / "everybodys"
    for path, mode in ((roots, 0o755), (everybodys, 0o1777)):
        path.mkdir()
        path.chmod(mode)
    monkeypatch.delenv("SOCKIO_LOCK_FOLDER", raising=False)
    monkeypatch.setattr(lock_files, "FOLDERS", (str(tmp_path / "none"), str(roots), str(everybodys)))
    assert lock_files.folder() == str(everybodys)
    monkeypatch.setenv("SOCKIO_LOCK_FOLDER", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match=r"SOCKIO_LOCK_FOLDER.*none"):
        lock_files.folder()


def test_instruments_are_listed_while_others_come_and_go() -> None:
    stop = threading.Event()

    def make(start: int) -> None:
        number = start
        while not stop.is_set():
            number = number % 10000 + 1
            kept = [blocking(ByteStreamPipe)(f"tcp://127.0.0.1:{start + number + index}") for index in range(20)]
            del kept

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            makers = [threads.submit(make, start) for start in (10000, 30000)]
            comsrv: Any = blocking(ComSrv)()
            try:
                for _ in range(300):
                    assert comsrv.list_instruments() == []
            finally:
                stop.set()
            for maker in makers:
                maker.result(10)
    finally:
        sys.setswitchinterval(interval)


def test_an_interrupt_at_the_end_of_a_call_does_not_keep_the_lock() -> None:
    """A call that is noted as running holds up its end."""
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        pipe, other = (blocking(ByteStreamPipe)(peer.address, 10) for _ in range(2))
        pipe.lock(0.5)
        interrupted = False

        def interrupt(frame: Any, event: str, argument: Any) -> None:
            nonlocal interrupted
            if not interrupted and frame.f_code is locks.Hold.end.__code__:
                interrupted = True
                raise KeyboardInterrupt

        before = sys.gettrace()
        try:
            sys.settrace(interrupt)
            with pytest.raises(KeyboardInterrupt):
                pipe.query_line("x")
        finally:
            sys.settrace(before)
        pipe.unlock()
        assert other.query_line("x") == "y"
        other.drop()
