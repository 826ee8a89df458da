"""Cancellation at every point where a call waits, on asyncio and trio.

The call is driven step by step, and cancelled at its first suspension, in the next round at the second, and so on
until it comes to its end; on asyncio also at the moment at which what it waited for has just come.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextvars import Context
from typing import Any

import pytest
import trio
import trio.testing

from sockio import aio
from sockio import trio as sockio_trio
from tests.contract.faults_leaks import nothing_left
from tests.contract.faults_server import Server, pattern

Call = Callable[[Any], Awaitable[Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@types.coroutine
def at_suspension(coroutine: Coroutine[Any, Any, Any], act: Callable[[Any], Any]) -> Generator[Any, Any, Any]:
    """Run a coroutine; each time when it is about to suspend, do so on what ``act(trap)`` returns."""
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            trap = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value
        trap = act(trap)
        value = error = None
        try:
            value = yield trap
        except BaseException as thrown:
            error = thrown


class Scenario:
    """A call that is going to be cancelled.

    Args:
        name: of the scenario.
        call: makes the call and checks its result.
        prepare: brings the stream into the state in which the call is made.
        options: constructor arguments of the stream.
    """

    def __init__(self, name: str, call: Call, prepare: Call | None = None, **options: Any) -> None:
        self.name = name
        self.call = call
        self.prepare = prepare
        self.options = options


async def connect(stream: Any) -> None:
    assert await stream.write_readline(b"echo connected\n") == b"connected\n"


async def fail_first(stream: Any) -> None:
    with pytest.raises(TimeoutError):
        await stream.write_readline(b"silence\n", timeout=0.005)


async def exchange(stream: Any) -> None:
    assert await stream.write_readline(b"wait 0.005 me\n") == b"me\n"


async def exchange_with_timeout(stream: Any) -> None:
    assert await stream.write_readline(b"wait 0.005 me\n", timeout=5) == b"me\n"


async def exchange_in_pieces(stream: Any) -> None:
    assert await stream.write_readline(b"split 0.005 mine\n") == b"mine\n"


async def exchange_by_name(stream: Any) -> None:
    stream.host = "localhost"
    assert await stream.write_readline(b"wait 0.005 me\n") == b"me\n"


async def lines(stream: Any) -> None:
    assert await stream.write_readlines(b"lines 3 me\n", 3) == [b"me 0\n", b"me 1\n", b"me 2\n"]


async def big_block(stream: Any) -> None:
    assert await stream.write_readblock(b"ieee 500000\n") == pattern(500_000)


async def big_write(stream: Any) -> None:
    size = 5 << 20
    assert await stream.write_readline(b"sink %d taken\n" % size + bytes(size)) == b"taken\n"


async def late(stream: Any) -> None:
    with pytest.raises(TimeoutError):
        await stream.write_readline(b"wait 0.2 late\n", timeout=0.002)


async def cut_short(stream: Any) -> None:
    with pytest.raises(EOFError):
        await stream.write_readline(b"end cut\n")


async def iterate(stream: Any) -> None:
    await stream.write(b"wait 0.003 me\nwait 0.003 me 1\n")
    async for line in stream:
        if line == b"me 1\n":
            return


async def open_stream(stream: Any) -> None:
    try:
        await stream.open()
    except ConnectionError as error:
        if "is open already" not in str(error):
            raise  # another task was not first


SCENARIOS = [
    Scenario("exchange", exchange, connect),
    Scenario("exchange with timeout", exchange_with_timeout, connect),
    Scenario("reply in pieces", exchange_in_pieces, connect),
    Scenario("connect first", exchange),
    Scenario("connect first, with limits", exchange, connection_timeout=5, timeout=5),
    Scenario("connect to a name", exchange_by_name),
    Scenario("open", open_stream),
    Scenario("drain first", exchange, fail_first, quiet=0.003),
    Scenario("lines", lines, connect),
    Scenario("big block", big_block, connect),
    Scenario("big write", big_write, connect),
    Scenario("late reply", late, connect),
    Scenario("cut short", cut_short, connect),
    Scenario("iteration", iterate, connect),
]


#: Lines that come by themselves are no answers, so an exchange that another task makes could take one for its own.
TOGETHER = [
    pytest.param(scenario, behind, id=f"{scenario.name}-{behind}")
    for scenario in SCENARIOS
    for behind in ("alone", "behind another", "before another")
    if scenario.call is not iterate or behind != "before another"
]


class Count:
    """Acts at the suspension with one number."""

    def __init__(self, at: int, act: Callable[[Any], Any]) -> None:
        self.left = at
        self.act = act

    def __call__(self, trap: Any) -> Any:
        self.left -= 1
        return trap if self.left else self.act(trap)

    @property
    def reached(self) -> bool:
        return self.left <= 0


async def check(stream: Any) -> None:
    """Look whether the stream is as good as new."""
    assert await stream.write_readline(b"echo next\n", timeout=1) == b"next\n"
    await stream.close()
    assert await stream.write_readline(b"echo anew\n", timeout=1) == b"anew\n"
    await stream.close()


def before_it_comes(trap: Any) -> Any:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return trap


def when_it_has_come(trap: Any) -> Any:
    task = asyncio.current_task()
    assert task is not None
    if trap is None:  # a bare yield: there is nothing to wait for
        task.cancel()
        return None
    return CancelledWhenDone(trap, task)


class CancelledWhenDone:
    """A future whose task is cancelled in the moment in which it is done, before the task goes on."""

    _asyncio_future_blocking = True

    def __init__(self, future: Any, task: asyncio.Task[None]) -> None:
        self.future = future
        self.task = task

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.task.get_loop()

    def add_done_callback(self, go_on: Callable[[Any], None], *, context: Context) -> None:
        def cancel_and_go_on(_: Any) -> None:
            self.task.cancel()
            go_on(self)

        self.future.add_done_callback(cancel_and_go_on, context=context)

    def cancel(self, msg: Any = None) -> bool:
        return False  # it is done

    def result(self) -> Any:
        return self.future.result()


@pytest.mark.parametrize("cancel", [before_it_comes, when_it_has_come], ids=lambda cancel: cancel.__name__)
@pytest.mark.parametrize(("scenario", "behind"), TOGETHER)
def test_asyncio(server: Server, scenario: Scenario, behind: str, cancel: Callable[[Any], None]) -> None:
    async def one_round(at: int) -> bool:
        stream = aio.TCP(server.host, server.port, **scenario.options)
        if scenario.prepare is not None:
            await scenario.prepare(stream)
        other = None
        if behind == "behind another":
            other = asyncio.create_task(stream.write_readline(b"wait 0.005 other\n", timeout=5))
            await asyncio.sleep(0)
        count = Count(at, cancel)

        async def call() -> None:
            await at_suspension(scenario.call(stream), count)

        task = asyncio.create_task(call())
        if behind == "before another":
            await asyncio.sleep(0)
            other = asyncio.create_task(stream.write_readline(b"echo other\n", timeout=5))
        await asyncio.wait([task])
        if other is not None:
            assert await other == b"other\n"
        if not task.cancelled():
            task.result()
            assert not count.reached or cancel is when_it_has_come, "the cancellation was swallowed"
        await check(stream)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return count.reached

    async def main() -> int:
        at = 1
        while await one_round(at):
            at += 1
        return at

    with nothing_left():
        assert asyncio.run(main()) > 1


@pytest.mark.parametrize(("scenario", "behind"), TOGETHER)
def test_trio(server: Server, scenario: Scenario, behind: str) -> None:
    async def one_round(at: int) -> bool:
        stream = sockio_trio.TCP(server.host, server.port, **scenario.options)
        if scenario.prepare is not None:
            await scenario.prepare(stream)
        replies: list[bytes] = []
        finished = False

        async def other(request: bytes) -> None:
            replies.append(await stream.write_readline(request, timeout=5))

        async def call(count: Count) -> None:
            nonlocal finished
            with scope:
                await at_suspension(scenario.call(stream), count)
                finished = True

        def cancel(trap: Any) -> Any:
            scope.cancel()
            return trap

        scope = trio.CancelScope()
        count = Count(at, cancel)
        async with trio.open_nursery() as nursery:
            if behind == "behind another":
                nursery.start_soon(other, b"wait 0.005 other\n")
                await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(call, count)
            if behind == "before another":
                await trio.lowlevel.checkpoint()
                nursery.start_soon(other, b"echo other\n")
        if behind != "alone":
            assert replies == [b"other\n"]
        assert finished or scope.cancelled_caught
        with trio.CancelScope(shield=True):
            await check(stream)
        return count.reached

    async def main() -> int:
        at = 1
        while await one_round(at):
            at += 1
        return at

    with nothing_left():
        # Opening what is open waits for nothing.
        assert trio.run(main) > (0 if scenario.name == "open" and behind == "behind another" else 1)


def test_on_trio_calls_that_need_not_wait_are_cancelled_too(server: Server) -> None:
    async def main() -> None:
        stream = sockio_trio.TCP(server.host, server.port)
        assert await stream.write_readline(b"echo one\necho two\n") == b"one\n"
        await stream.wait_readable(4)
        for call in (lambda: stream.write(b"echo three\n"), stream.readline):
            with trio.CancelScope() as scope:
                scope.cancel()
                await call()
            assert scope.cancelled_caught
        assert await stream.readline() == b"two\n"
        assert stream.connection_counter == 1
        await check(stream)

    trio.run(main)
