"""Locks on instruments: between tasks, threads, flavours and processes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from instruments.byte_stream import ByteStreamPipe
from sockio.errors import ConnectionTimeoutError, LockExpiredError
from tests.instruments.pipe_flavours import FLAVOURS, Asyncio, Blocking, Flavour, Peer, Trio, answer, listen, until

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(answer({b"x\n": b"y\n"})) as peer:
        yield peer


#: To take a lock needs no connection: nobody is there.
NOWHERE = "tcp://127.0.0.1:9?timeout=10"


# One holder


def test_the_guide() -> None:
    async def guide() -> None:
        from instruments import ByteStreamPipe

        pipe = ByteStreamPipe("tcp:1.2.3.4:1234")

        assert pipe.lock_time == 1.0  # the default lock time
        pipe.lock_time = 10.0  # sets the lock time to 10s

        await pipe.lock()  # locks the pipe for 10s, as set above
        await pipe.unlock()  # release acquired lock

        async with pipe:  # the pipe is locked here
            assert pipe.locked is True
            # the pipe is unlocked here
        assert pipe.locked is False

        await pipe.lock(timeout=2.0)
        await pipe.unlock()

    asyncio.run(guide())


def test_lock_and_unlock(flavour: Flavour) -> None:
    pipe = flavour.make(ByteStreamPipe, NOWHERE)
    assert (pipe.locked, pipe.lock_id) == (False, None)
    flavour.call(pipe.unlock)
    flavour.call(pipe.lock)
    assert pipe.locked
    first = pipe.lock_id
    assert first
    flavour.call(pipe.lock, 5)  # gives it back first
    assert pipe.locked
    assert pipe.lock_id not in (None, first)
    flavour.call(pipe.unlock)
    assert (pipe.locked, pipe.lock_id) == (False, None)
    flavour.call(pipe.unlock)
    with flavour.inside(pipe) as entered:
        assert entered is pipe
        assert pipe.locked
    assert not pipe.locked
    for timeout in (-1, "1", float("nan")):
        with pytest.raises((ValueError, TypeError), match=r"timeout must be"):
            flavour.call(pipe.lock, timeout)


@pytest.mark.parametrize("timeout", [None, 0])
def test_the_lock_time_of_the_pipe(flavour: Flavour, timeout: float | None) -> None:
    pipe = flavour.make(ByteStreamPipe, NOWHERE)
    pipe.lock_time = 0.05
    flavour.call(pipe.lock, timeout)
    until(lambda: not pipe.locked)


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, -1, float("nan"), "1"])
def test_a_lock_is_not_for_ever(flavour: Flavour, seconds: Any) -> None:
    """Neither for another time than was asked for; and those that are taken later expire all the same."""
    pipe = flavour.make(ByteStreamPipe, NOWHERE)
    with pytest.raises((ValueError, TypeError), match=r"timeout must be"):
        flavour.call(pipe.lock, seconds)
    for lock_time in (seconds, 0, None):
        pipe.lock_time = lock_time
        with pytest.raises((ValueError, TypeError), match=r"lock_time must be"):
            flavour.call(pipe.lock)
    assert not pipe.locked
    flavour.call(pipe.lock, 0.02)
    until(lambda: not pipe.locked)


def test_the_holder_goes_on_and_others_wait(flavour: Flavour, peer: Peer) -> None:
    pipe, other = flavour.make(ByteStreamPipe, peer.address), flavour.make(ByteStreamPipe, peer.address)
    flavour.call(pipe.lock, 30)
    for _ in range(3):
        assert flavour.call(pipe.query_line, "x") == "y"
    held = rf"in use by a lock of ByteStreamPipe\('tcp://127.0.0.1:{peer.port}'\)"
    for method in (other.read_all, lambda timeout: other.query_line("x", timeout), other.connect):
        with pytest.raises(ConnectionTimeoutError, match=held):
            flavour.call(method, timeout=0.02)
    assert flavour.call(pipe.query_line, "x") == "y"
    waiting = flavour.actor().start(other.query_line, "x", 10)
    time.sleep(0.05)
    assert not waiting.done()
    flavour.call(pipe.unlock)
    assert waiting.result(10) == "y"
    assert peer.connections == 1
    flavour.call(pipe.drop)


def test_other_tasks_and_threads_with_the_same_pipe_wait_too(flavour: Flavour, peer: Peer) -> None:
    if flavour.name == "futures":
        pytest.skip("each call is a task that ends: the lock is the pipe's")
    pipe, actor = flavour.make(ByteStreamPipe, peer.address), flavour.actor()
    flavour.call(pipe.lock, 30)
    with pytest.raises(ConnectionTimeoutError, match=r"in use by a lock of ByteStreamPipe"):
        actor.call(pipe.query_line, "x", 0.02)
    actor.call(pipe.unlock)  # which is not its own
    assert pipe.locked
    assert flavour.call(pipe.query_line, "x") == "y"
    taking = actor.start(pipe.lock, 30)
    time.sleep(0.02)
    assert not taking.done()
    flavour.call(pipe.unlock)
    taking.result(10)
    with pytest.raises(ConnectionTimeoutError, match=r"in use by a lock"):
        flavour.call(pipe.query_line, "x", 0.02)
    actor.call(pipe.unlock)
    flavour.call(pipe.drop)


def test_tasks_that_the_holder_starts_may_use_it(peer: Peer) -> None:
    async def main() -> None:
        pipe = ByteStreamPipe(peer.address)
        async with pipe:
            replies = await asyncio.gather(*(pipe.query_line("x", 5) for _ in range(5)))
            assert replies == ["y"] * 5
        await pipe.drop()

    asyncio.run(main())


def test_an_error_in_the_block_gives_the_lock_back(peer: Peer) -> None:
    async def main() -> None:
        pipe, other = ByteStreamPipe(peer.address), ByteStreamPipe(peer.address)
        with pytest.raises(ZeroDivisionError):
            async with pipe:
                raise ZeroDivisionError
        assert not pipe.locked
        task = asyncio.create_task(hold(pipe))
        await asyncio.sleep(0.02)
        assert pipe.locked
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await other.query_line("x", 1) == "y"
        await other.drop()

    async def hold(pipe: Any) -> None:
        async with pipe:
            await asyncio.sleep(30)

    asyncio.run(main())


def test_cancelled_while_it_waits(peer: Peer) -> None:
    """Who gives up leaves the queue, and those behind it move up."""

    async def main() -> None:
        pipes = [ByteStreamPipe(peer.address) for _ in range(3)]
        await pipes[0].lock(30)
        first, second = (asyncio.create_task(pipe.query_line("x", 10)) for pipe in pipes[1:])
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.sleep(0.02)
        assert not second.done()
        await pipes[0].unlock()
        assert await second == "y"
        with pytest.raises(asyncio.CancelledError):
            await first
        await pipes[0].drop()

    asyncio.run(main())


# Time is up


def test_expiry(flavour: Flavour, peer: Peer) -> None:
    pipe, other = flavour.make(ByteStreamPipe, peer.address), flavour.make(ByteStreamPipe, peer.address)
    flavour.call(pipe.lock, 0.05)
    assert flavour.call(other.query_line, "x", 10) == "y"
    assert (pipe.locked, pipe.lock_id) == (False, None)
    with pytest.raises(
        LockExpiredError, match=rf"{peer.port}'\): the lock has expired before \w+, and others may have"
    ):
        flavour.call(pipe.query_line, "x")
    assert flavour.call(pipe.query_line, "x") == "y"
    with flavour.inside(pipe):
        pass
    flavour.call(pipe.lock, 0.05)
    until(lambda: not pipe.locked)
    flavour.call(pipe.unlock)
    assert flavour.call(pipe.query_line, "x") == "y"
    flavour.call(pipe.lock, 0.05)
    until(lambda: not pipe.locked)
    flavour.call(pipe.lock, 30)
    assert flavour.call(pipe.query_line, "x") == "y"
    flavour.call(pipe.unlock)
    flavour.call(pipe.drop)


def test_who_expired_does_not_give_back_what_somebody_else_has(flavour: Flavour) -> None:
    if flavour.name == "futures":
        pytest.skip("each call is a task that ends: the lock is the pipe's")
    pipe, actor = flavour.make(ByteStreamPipe, NOWHERE), flavour.actor()
    with flavour.inside(pipe):
        flavour.call(pipe.lock, 0.05)
        until(lambda: not pipe.locked)
        actor.call(pipe.lock, 30)
    assert pipe.locked
    actor.call(pipe.unlock)
    assert not pipe.locked


def test_who_was_late_and_gave_it_back_does_not_hear_of_it_later(flavour: Flavour, peer: Peer) -> None:
    """Somebody else has locked the same pipe meanwhile."""
    pipe, actor = flavour.make(ByteStreamPipe, peer.address), flavour.actor()
    flavour.call(pipe.lock, 0.02)
    until(lambda: not pipe.locked)
    actor.call(pipe.lock, 30)
    flavour.call(pipe.unlock)
    if flavour.name != "futures":  # where the lock is the pipe's, so that this was that of the other
        assert pipe.locked
    actor.call(pipe.unlock)
    assert flavour.call(pipe.query_line, "x") == "y"
    flavour.call(pipe.drop)


def test_a_call_that_is_running_when_the_lock_expires_is_not_disturbed(flavour: Flavour) -> None:
    def serve(connection: socket.socket, peer: Peer) -> None:
        while data := peer.recv(connection):
            if data == b"slow\n":
                time.sleep(0.3)
            connection.sendall(data)

    with Peer(serve) as peer:
        pipe, other = flavour.make(ByteStreamPipe, peer.address), flavour.make(ByteStreamPipe, peer.address)
        flavour.call(pipe.lock, 0.1)
        slow = flavour.start(pipe.query_line, "slow", 10)
        until(lambda: not pipe.locked)
        assert not slow.done()
        assert flavour.actor().call(other.query_line, "next", 10) == "next"
        assert slow.result(10) == "slow"
        assert peer.connections == 1
        with pytest.raises(LockExpiredError):
            flavour.call(pipe.query_line, "x")
        flavour.call(pipe.drop)


# Who waits


def test_first_come_first_served(flavour: Flavour) -> None:
    """Also among those who give up in between."""
    holder = flavour.make(ByteStreamPipe, NOWHERE)
    flavour.call(holder.lock, 30)
    order: list[int] = []
    waiting, pipes = [], []
    for number in range(6):
        timeout = 0.1 if number % 3 == 1 else 10
        pipe, actor = flavour.make(ByteStreamPipe, NOWHERE, timeout), flavour.actor()
        pipes.append((pipe, actor))
        queued = len(holder._lock.queue)
        waiting.append(actor.start(pipe.lock, 30))
        waiting[-1].add_done_callback(lambda future, number=number: order.append(number))  # type: ignore[misc]
        until(lambda queued=queued: len(holder._lock.queue) > queued)  # type: ignore[misc]
    for number in (1, 4):
        assert isinstance(waiting[number].exception(10), ConnectionTimeoutError)
    flavour.call(holder.unlock)
    for number in (0, 2, 3, 5):
        waiting[number].result(10)
        pipe, actor = pipes[number]
        actor.call(pipe.unlock)
    assert order[2:] == [0, 2, 3, 5]


def test_all_flavours_share_it(peer: Peer) -> None:
    """A counter that is read, then written: nobody comes between."""
    kinds = [Asyncio(), Trio(), Blocking()]
    with kinds[0], kinds[1], kinds[2]:
        inside: list[str] = []
        seen: list[int] = []

        def work(flavour: Flavour, pipe: Any, actor: Any) -> None:
            for _ in range(10):
                with actor.inside(pipe):
                    inside.append(flavour.name)
                    assert actor.call(pipe.query_line, "x", 10) == "y"
                    seen.append(len(inside))
                    inside.remove(flavour.name)

        threads = []
        for kind in kinds:
            for _ in range(2):
                pipe = kind.make(ByteStreamPipe, f"tcp://127.0.0.1:{peer.port}?timeout=20")
                pipe.lock_time = 20
                threads.append(threading.Thread(target=work, args=(kind, pipe, kind.actor())))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert seen == [1] * 60


# Other processes


HOLDER = """
import sys, time
from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe

pipe = blocking(ByteStreamPipe)(sys.argv[1])
pipe.lock(float(sys.argv[2]))
print("locked", flush=True)
sys.stdin.readline()
pipe.unlock()
print("unlocked", flush=True)
sys.stdin.readline()
"""


@contextmanager
def process(code: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program on the side, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": ROOT},
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def test_another_process(flavour: Flavour) -> None:
    pipe = flavour.make(ByteStreamPipe, NOWHERE)
    with process(HOLDER, NOWHERE, "30") as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(ConnectionTimeoutError, match=rf"in use by process {holder.pid}"):
            flavour.call(pipe.read_all, timeout=0.05)
        waiting = flavour.start(pipe.lock, 30)
        holder.stdin.write("\n")
        assert holder.stdout.readline() == "unlocked\n"
        waiting.result(10)
        flavour.call(pipe.unlock)


def test_a_process_that_holds_it_for_too_long(flavour: Flavour) -> None:
    pipe = flavour.make(ByteStreamPipe, NOWHERE)
    with process(HOLDER, NOWHERE, "0.1") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        flavour.call(pipe.lock, 30)
        assert holder.poll() is None
        flavour.call(pipe.unlock)


def test_a_process_that_is_killed(flavour: Flavour) -> None:
    pipe = flavour.make(ByteStreamPipe, NOWHERE)
    with process(HOLDER, NOWHERE, "3600") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        waiting = flavour.start(pipe.lock, 30)
        holder.send_signal(signal.SIGKILL)
        waiting.result(10)
    flavour.call(pipe.unlock)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("end", ["child", "parent"])
def test_a_fork_under_the_lock(end: str, peer: Peer) -> None:
    """The lock stays the parent's, whoever ends first."""
    code = """
import os, sys
from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe

pipe = blocking(ByteStreamPipe)(sys.argv[1], 0.2)
pipe.lock(30)
inward, outward = os.pipe()
child = os.fork()
if not child:
    os.read(inward, 1)
    assert not pipe.locked
    try:
        pipe.query_line("x")
    except TimeoutError as error:
        print(f"process {os.getppid()}" in str(error), flush=True)
    pipe.unlock()  # not its own: nothing happens
    try:
        pipe.query_line("x")
    except TimeoutError:
        print("still", flush=True)
    if sys.argv[2] == "parent":
        os.read(inward, 1)
        pipe.timeout = 10
        print(pipe.query_line("x"), flush=True)
    os._exit(0)
os.write(outward, b"1")
if sys.argv[2] == "child":
    os.waitpid(child, 0)
    assert pipe.locked
    print(pipe.query_line("x"), flush=True)
else:
    import time
    time.sleep(1)
    os.write(outward, b"2")
"""
    with process(code, peer.address, end) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline().strip() for _ in range(3)] == ["True", "still", "y"]


CROWD = """
import os, sys, threading
from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe

address, folder, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
shared = blocking(ByteStreamPipe)(address, 60)
failures = []

def work(pipe):
    pipe.lock_time = 60
    try:
        for _ in range(rounds):
            with pipe:
                guard = os.open(folder + "/guard", os.O_CREAT | os.O_EXCL)  # fails if somebody else is inside
                with open(folder + "/count", "r+") as file:
                    number = int(file.read() or 0)
                    file.seek(0)
                    file.write(str(number + 1))
                os.close(guard)
                os.unlink(folder + "/guard")
    except BaseException as error:
        failures.append(repr(error))

pipes = [shared, shared, blocking(ByteStreamPipe)(address, 60), blocking(ByteStreamPipe)(address, 60)]
threads = [threading.Thread(target=work, args=(pipe,)) for pipe in pipes]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failures, flush=True)
"""


def test_a_crowd(tmp_path: Path) -> None:
    """Four processes with four threads each take the lock a thousand times, and nobody is ever inside with another."""
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", CROWD, NOWHERE, str(tmp_path), "63"]
    environment = {**os.environ, "PYTHONPATH": ROOT}
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(4)]
    try:
        assert [process.communicate(timeout=50)[0] for process in crowd] == ["[]\n"] * 4
    finally:
        for process in crowd:
            process.kill()
    assert (tmp_path / "count").read_text() == str(4 * 4 * 63)
    assert not (tmp_path / "guard").exists()


def test_the_folder_of_the_lock_files(tmp_path: Path) -> None:
    code = """
import sys
from instruments.base import blocking
from instruments.byte_stream import ByteStreamPipe
with blocking(ByteStreamPipe)(sys.argv[1]):
    pass
"""
    environment = {**os.environ, "PYTHONPATH": ROOT, "SOCKIO_LOCK_FOLDER": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code, NOWHERE], env=environment, check=True, timeout=30)
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("sockio-")
    assert file.stat().st_mode & 0o777 == 0o666


def test_nobody_is_left_waiting(flavour: Flavour) -> None:
    """Many short calls of many actors on one resource: each gets its turn."""
    with Peer(listen) as peer:
        actors = [flavour.actor() for _ in range(8)]
        pipes = [flavour.make(ByteStreamPipe, peer.address, 20) for _ in actors]
        calls = [actor.start(pipe.write, b"x") for _ in range(50) for actor, pipe in zip(actors, pipes, strict=True)]
        for call in calls:
            call.result(20)
        until(lambda: len(peer.received) == 400)
        flavour.call(pipes[0].drop)


def test_a_task_that_has_ended_is_not_kept() -> None:
    """Its result may be large, and the lock that it has left behind is the pipe's until the time is up."""
    pipe = ByteStreamPipe(NOWHERE)

    async def take() -> weakref.ref[Any]:
        async def forget() -> None:
            await pipe.lock(30)

        task = asyncio.create_task(forget())
        await task
        return weakref.ref(task)

    async def go_on() -> None:
        reference = await take()
        await asyncio.sleep(0)  # asyncio itself keeps it until then
        gc.collect()
        assert reference() is None
        assert pipe.locked
        await pipe.unlock()
        assert not pipe.locked

    asyncio.run(go_on())


def test_one_pipe_in_the_loops_of_two_threads() -> None:
    """The connection moves from one to the other; nobody ever gets what is somebody else's."""

    def echo(connection: socket.socket, peer: Peer) -> None:
        while line := peer.recv(connection):
            connection.sendall(line)

    with Peer(echo) as peer:
        pipe = ByteStreamPipe(peer.address, 30)

        async def ask(name: str) -> list[str]:
            return [answer for number in range(100) if (answer := await pipe.query_line(f"{name}{number}"))]

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda name: asyncio.run(ask(name)), "abcd"))
        assert answers == [[f"{name}{number}" for number in range(100)] for name in "abcd"]
