"""Streams and servers on event loops and tasks other than those that asyncio makes by itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from sockio.aio import TCP, ClientStream, serve
from sockio.errors import DeadlineExpired
from sockio.runtimes.asyncio_wait import Wait

from .faults_leaks import nothing_left


def in_python_tasks(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run in tasks of the class written in Python, as `nest_asyncio` and debuggers want them."""

    def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        return asyncio.tasks._PyTask(coroutine, loop=loop, **options)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(make_task)
        task = loop.create_task(coroutine)
        assert type(task) is asyncio.tasks._PyTask
        await task

    asyncio.run(main())


def in_debug_mode(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine, debug=True)


NESTED = """
import asyncio
import nest_asyncio
from sockio.aio import TCP, serve

async def echo(client):
    async for line in client:
        await client.write(line)

async def main():
    nest_asyncio.apply()
    async with serve(echo) as server:
        stream = TCP("127.0.0.1", server.port)
        for _ in range(3):
            assert await stream.write_readline(b"outside\\n") == b"outside\\n"
            assert asyncio.run(stream.write_readline(b"inside\\n", timeout=5)) == b"inside\\n"
        await stream.close()

asyncio.run(main())
"""


def test_a_task_may_run_the_loop_inside_itself() -> None:
    """As in notebooks, where a cell is a task already; that changes asyncio for the whole process."""
    done = subprocess.run([sys.executable, "-c", NESTED], capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_deadline_may_come_before_one_that_is_near() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        wait = Wait(loop)
        for seconds in (60, *[0.0004, 0.0003, 0.0002] * 5):  # for less than half a millisecond uvloop sets no timer
            with contextlib.suppress(DeadlineExpired):
                wait.wait(loop.time() + seconds)
        with pytest.raises(DeadlineExpired):
            await wait.wait(loop.time() + 0.0001)
        with pytest.raises(DeadlineExpired):
            await wait.wait(loop.time() + 0.01)
        wait.stop()

    uvloop.run(main())


@pytest.mark.parametrize("timeout", [None, 60])
def test_a_loop_may_be_closed_while_tasks_wait(timeout: float | None) -> None:
    async def main(port: int) -> None:
        stream = TCP("127.0.0.1", port, timeout=timeout)
        await stream.open()
        for call in (stream.readline(), stream.write_readline(b"first\n"), stream.write_readline(b"second\n")):
            task = asyncio.create_task(call)
            # asyncio complains of the tasks as such, which are not what this is about.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as silent, nothing_left():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main(silent.getsockname()[1]))
        assert len(asyncio.all_tasks(loop)) == 3
        loop.close()
        del loop


@pytest.mark.parametrize("run", [in_python_tasks, in_debug_mode, uvloop.run])
def test_exchanges_deadlines_and_cancellations(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def answer(client: ClientStream) -> None:
        async for line in client:
            if line == b"slow\n":
                await asyncio.sleep(0.05)
            await client.write(line)

    async def ask(stream: TCP, number: int) -> None:
        request = b"%d\n" % number
        assert await stream.write_readline(request, timeout=10) == request

    async def main() -> None:
        async with serve(answer, buffer_size=20_000_000) as server:
            stream = TCP("127.0.0.1", server.port)
            await asyncio.gather(*(ask(stream, number) for number in range(100)))
            for number in range(5):
                with pytest.raises(asyncio.TimeoutError):
                    await stream.write_readline(b"slow\n", timeout=0.02)
                await ask(stream, number)
            for number in range(5):
                task = asyncio.get_running_loop().create_task(stream.write_readline(b"slow\n"))
                await asyncio.sleep(0.01 * number)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await ask(stream, number)
            block = bytes(10_000_000) + b"\n"
            sending = asyncio.get_running_loop().create_task(stream.write(block))
            assert await stream.readexactly(len(block)) == block
            await sending
            await stream.close()

    run(main())
