"""One text for every way of waiting.

A contract is an ``async def`` test that is given a `Flavour`. What it awaits are the calls of that flavour: on asyncio
and trio as they are; where calls block, a coroutine method that blocks in the calling thread, and whatever runs at the
same time (`Flavour.start`) is another thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import importlib
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType
from typing import Any

from .server import PATIENCE

#: A contract that takes longer has hung.
LIMIT = 15.0

Contract = Callable[..., Coroutine[Any, Any, Any]]


class Task:
    """Something that goes on at the same time."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.outcome: tuple[Any, BaseException | None] | None = None

    def end(self, value: Any, error: BaseException | None) -> None:
        self.outcome = value, error
        self.ended.set()

    def done(self) -> bool:
        return self.ended.is_set()


async def collect(items: Any, into: list[Any]) -> None:
    """Append the items of an iteration, as far as it goes."""
    async for item in items:
        into.append(item)


def core_of(stream: Any) -> Any:
    """Return the core's stream behind a facade."""
    stream = getattr(stream, "stream", stream)
    return getattr(stream, "stream", stream)


def calls_under_way(stream: Any) -> list[Any]:
    """Return the calls of a stream that have begun and not ended, the ones that wait for their turn included."""
    return list(core_of(stream)._turns.queue)


class Flavour:
    """What a contract needs of a concurrency model. `TCP` and its like are those of the flavour's module."""

    #: Features that it does not have, by the names that contracts say they need.
    lacks: frozenset[str] = frozenset()
    name: str
    module_name: str
    blocks = False

    def __init__(self) -> None:
        self.streams: list[Any] = []

    @functools.cached_property
    def module(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    def __repr__(self) -> str:
        return self.name

    def __getattr__(self, name: str) -> Any:
        """Return what the flavour's module calls so: its errors, `Retry`."""
        if name in ("ConnectionTimeoutError", "ConnectionEOFError", "LimitError", "ProtocolError", "Retry"):
            return getattr(self.module, name)
        raise AttributeError(name)

    def TCP(self, *args: Any, **options: Any) -> Any:
        return self.keep(self.module.TCP(*args, **options))

    def Unix(self, *args: Any, **options: Any) -> Any:
        return self.keep(self.module.Unix(*args, **options))

    def serve(self, handler: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        """Return a server, not yet open, whose handler is written as a contract is."""
        return self.module.serve(handler, *args, **options)

    def make(self, cls: type[Any], *args: Any, **options: Any) -> Any:
        """Make a driver of a class that makes its connection itself, in this flavour."""
        return cls(*args, **options)

    def LineStream(self, stream: Any, *args: Any, **options: Any) -> Any:
        return self.module.LineStream(stream, *args, **options)

    def BlockStream(self, stream: Any, *args: Any, **options: Any) -> Any:
        return self.module.BlockStream(stream, *args, **options)

    def socket_for_url(self, *args: Any, **options: Any) -> Any:
        import sockio

        return self.keep(sockio.socket_for_url(*args, concurrency=self.concurrency, **options))

    concurrency: str

    def keep(self, stream: Any) -> Any:
        """Close the stream at the end of the contract."""
        self.streams.append(stream)
        return stream

    def run(self, contract: Contract, *args: Any, **arguments: Any) -> Any:
        raise NotImplementedError

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Task:
        raise NotImplementedError

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return ``function(*args)``, which waits for the peer, while everything else goes on."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def callback(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        """Return a coroutine function as this flavour has its callbacks."""
        return function

    async def result(self, task: Task) -> Any:
        """Wait for a task and return its result, or raise its error."""
        await self.until(task.done)
        assert task.outcome is not None
        value, error = task.outcome
        if error is not None:
            raise error
        return value

    async def error(self, task: Task) -> BaseException:
        """Wait for a task that is to fail and return its error."""
        await self.until(task.done)
        assert task.outcome is not None
        value, error = task.outcome
        assert error is not None, f"succeeded with {value!r}"
        return error

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is true."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it does not come true"
            await self.sleep(0.002)

    async def waiting(self, stream: Any, count: int) -> None:
        """Wait until so many calls of a stream are under way, those that wait for their turn included."""
        await self.until(lambda: len(calls_under_way(stream)) >= count)

    async def receiving(self, stream: Any) -> None:
        """Wait until a call of a stream is receiving."""

        def is_receiving() -> bool:
            link = core_of(stream)._link
            return link is not None and link.reader is not None

        await self.until(is_receiving)

    async def close_streams(self) -> None:
        for stream in self.streams:
            await stream.close()


class Asyncio(Flavour):
    name = "aio"
    module_name = "sockio.aio"
    concurrency = "async"

    def run(self, contract: Contract, *args: Any, **arguments: Any) -> Any:
        async def main() -> Any:
            self.tasks: set[asyncio.Task[Any]] = set()
            try:
                result = await asyncio.wait_for(contract(*args, **arguments), LIMIT)
            finally:
                for task in self.tasks:
                    task.cancel()
                await asyncio.gather(*self.tasks, return_exceptions=True)
                await self.close_streams()
            await asyncio.sleep(0.01)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks left behind: {left}"
            return result

        return asyncio.run(main())

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Task:
        task = AsyncioTask()

        async def work() -> None:
            try:
                task.end(await function(*args, **options), None)
            except BaseException as error:
                task.end(None, error)

        task.task = asyncio.get_running_loop().create_task(work())
        self.tasks.add(task.task)
        return task

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class AsyncioTask(Task):
    task: asyncio.Task[None]

    def cancel(self) -> None:
        self.task.cancel()


class Trio(Flavour):
    name = "trio"
    module_name = "sockio.trio"
    concurrency = "trio"

    def run(self, contract: Contract, *args: Any, **arguments: Any) -> Any:
        import trio

        async def main() -> Any:
            result, failure = None, None
            async with trio.open_nursery() as self.nursery:
                try:
                    with trio.fail_after(LIMIT):
                        result = await contract(*args, **arguments)
                except BaseException as error:
                    failure = error  # raised outside, where it is not wrapped in a group
                self.nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await self.close_streams()
            if failure is not None:
                raise failure
            return result

        return trio.run(main)

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Task:
        import trio

        task = TrioTask()
        task.scope = trio.CancelScope()

        async def work() -> None:
            with task.scope:
                try:
                    task.end(await function(*args, **options), None)
                except BaseException as error:
                    task.end(None, error)
                    if not isinstance(error, Exception):
                        raise

        self.nursery.start_soon(work)
        return task

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        import trio

        return await trio.to_thread.run_sync(functools.partial(function, *args), abandon_on_cancel=True)

    async def sleep(self, seconds: float) -> None:
        import trio

        await trio.sleep(seconds)


class TrioTask(Task):
    scope: Any

    def cancel(self) -> None:
        self.scope.cancel()


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits for anything but blocking calls."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a blocking call has suspended")


def is_driver(thing: Any) -> bool:
    return hasattr(type(thing), "_twins")


#: Methods that are not awaited anywhere.
PLAIN = ("at_eof", "broadcast", "connected", "in_waiting", "post", "reset_input_buffer")


class Awaited:
    """A blocking stream whose calls are awaited, so that a contract has one text."""

    def __init__(self, stream: Any) -> None:
        self.__dict__["stream"] = stream

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.stream, name, value)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.stream, name)
        if not inspect.ismethod(value) or name in PLAIN:
            return value

        async def call(*args: Any, **options: Any) -> Any:
            result = value(*args, **options)
            return result.result(PATIENCE) if isinstance(result, concurrent.futures.Future) else result

        return call

    def __str__(self) -> str:
        return str(self.stream)

    def __repr__(self) -> str:
        return repr(self.stream)

    def __aiter__(self) -> Any:
        return AwaitedIterator(iter(self.stream))

    async def __aenter__(self) -> Any:
        self.stream.__enter__()
        return self

    async def __aexit__(self, *exception: Any) -> Any:
        return self.stream.__exit__(*exception)


class AwaitedIterator:
    """A plain iterator, for ``async for``."""

    def __init__(self, iterator: Any) -> None:
        self.iterator = iterator

    def __aiter__(self) -> Any:
        return AwaitedIterator(iter(self.iterator))

    async def __anext__(self) -> Any:
        try:
            item = next(self.iterator)
        except StopIteration:
            raise StopAsyncIteration from None
        return item.result(PATIENCE) if isinstance(item, concurrent.futures.Future) else item


class Blocking(Flavour):
    name = "sio"
    module_name = "sockio.sio"
    concurrency = "sync"
    blocks = True
    options: dict[str, Any] = {}

    def TCP(self, *args: Any, **options: Any) -> Any:
        return self.keep(Awaited(self.facade.TCP(*args, **self.options, **options)))

    def Unix(self, *args: Any, **options: Any) -> Any:
        return self.keep(Awaited(self.facade.Unix(*args, **self.options, **options)))

    def serve(self, handler: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        def plain(client: Any) -> Any:
            return finish(handler(Awaited(client)))  # type: ignore[arg-type]

        return Awaited(self.module.serve(plain, *args, **options))

    def make(self, cls: type[Any], *args: Any, **options: Any) -> Any:
        from instruments.base import blocking

        plain = [arg.stream if isinstance(arg, Awaited) else arg for arg in args]
        return Awaited(blocking(cls)(*plain, **({} if any(map(is_driver, plain)) else self.options), **options))

    @property
    def facade(self) -> ModuleType:
        """Return the module that a user has the streams from."""
        import sockio.sio

        return sockio.sio if self.options else self.module

    def LineStream(self, stream: Any, *args: Any, **options: Any) -> Any:
        return AwaitedIterator(self.module.LineStream(stream.stream, *args, **options))

    def BlockStream(self, stream: Any, *args: Any, **options: Any) -> Any:
        return AwaitedIterator(self.module.BlockStream(stream.stream, *args, **options))

    def socket_for_url(self, *args: Any, **options: Any) -> Any:
        import sockio

        return self.keep(Awaited(sockio.socket_for_url(*args, concurrency="sync", **self.options, **options)))

    def run(self, contract: Contract, *args: Any, **arguments: Any) -> Any:
        async def main() -> Any:
            self.threads: list[threading.Thread] = []
            try:
                result = await contract(*args, **arguments)
            finally:
                await self.close_streams()
                for thread in self.threads:
                    thread.join(PATIENCE)
            assert not any(thread.is_alive() for thread in self.threads), "a thread does not end"
            return result

        return finish(main())

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Task:
        task = Task()

        async def work() -> None:
            try:
                task.end(await function(*args, **options), None)
            except BaseException as error:
                task.end(None, error)

        thread = threading.Thread(target=lambda: finish(work()), daemon=True)
        self.threads.append(thread)
        thread.start()
        return task

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  where calls block, this one does too

    def callback(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        def plain(*args: Any) -> Any:
            return finish(function(*args))  # type: ignore[arg-type]

        return plain


class Futures(Blocking):
    name = "futures"
    module_name = "sockio.futures"
    options = {"resolve_futures": False}
    lacks = frozenset({"server"})


class Python2(Blocking):
    name = "py2"
    module_name = "sockio.py2"
    #: Only a call notices that the peer has gone; the rest is for other kinds of links or of calls.
    lacks = frozenset({"idle", "serial", "server", "unix", "url", "tls"})


FLAVOURS: dict[str, type[Flavour]] = {kind.name: kind for kind in (Asyncio, Trio, Blocking, Futures, Python2)}
