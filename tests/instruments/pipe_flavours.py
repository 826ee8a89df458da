"""One text for every flavour of pipe, written in plain functions.

`Flavour.call` makes a call and returns what comes of it. Every call is made by an *actor*: a task of asyncio or trio,
or a thread, which goes on from one call to the next; two actors are two tasks or threads that use the same pipe.
"""

from __future__ import annotations

import asyncio
import gc
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from instruments.base import blocking

#: Nothing in these tests takes longer, in seconds.
PATIENCE = 20.0

Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], "Future[Any]"]


class Actor:
    """A task or thread that makes calls, one after the other.

    Args:
        give: hands it a job; None ends it.
    """

    def __init__(self, give: Callable[[Job | None], Any]) -> None:
        self.give = give

    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = Future()
        self.give((function, args, options, future))
        return future

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Make a call and wait for its result."""
        return self.start(function, *args, **options).result(PATIENCE)

    @contextmanager
    def inside(self, manager: Any) -> Iterator[Any]:
        """What ``async with`` or ``with`` does, done by this actor."""
        is_async = not hasattr(type(manager), "__enter__")
        enter, leave = ("__aenter__", "__aexit__") if is_async else ("__enter__", "__exit__")
        entered = self.call(getattr(manager, enter))
        try:
            yield entered
        finally:
            self.call(getattr(manager, leave), None, None, None)


class Flavour:
    """A way of waiting; use it as a context manager."""

    name: str
    is_async = True

    def __enter__(self) -> Flavour:
        self.actors: list[Actor] = []
        self.open()
        self.first = self.actor()
        self.start, self.call, self.inside = self.first.start, self.first.call, self.first.inside
        return self

    def __exit__(self, *exception: object) -> None:
        for actor in self.actors:
            actor.give(None)
        self.close()
        gc.collect()

    def actor(self) -> Actor:
        """Return a new task or thread."""
        actor = self.make_actor()
        self.actors.append(actor)
        return actor

    def make(self, cls: Any, *args: Any, **options: Any) -> Any:
        """Return an object of a standalone driver class in this flavour."""
        return cls(*args, **options)

    def open(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def make_actor(self) -> Actor:
        raise NotImplementedError

    def collect(self, items: Any, count: int) -> list[Any]:
        """Return the first *count* items of an iteration."""

        async def collect() -> list[Any]:
            collected: list[Any] = []
            async for item in items:
                collected.append(item)
                if len(collected) == count:
                    break
            return collected

        result: list[Any] = self.call(collect)
        return result


async def work(job: Job) -> None:
    function, args, options, future = job
    try:
        future.set_result(await function(*args, **options))
    except Exception as error:
        future.set_exception(error)
    except BaseException:
        future.cancel()
        raise


class Asyncio(Flavour):
    name = "asyncio"

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.end_tasks(), self.loop).result(PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()

    @staticmethod
    async def end_tasks() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def make_actor(self) -> Actor:
        jobs: asyncio.Queue[Job | None] = asyncio.Queue()

        async def act() -> None:
            while job := await jobs.get():
                await work(job)
                del job  # what it was called on is to be dropped by the test

        asyncio.run_coroutine_threadsafe(act(), self.loop)
        return Actor(lambda job: self.loop.call_soon_threadsafe(jobs.put_nowait, job))


class Trio(Flavour):
    name = "trio"

    def open(self) -> None:
        import trio

        begun = threading.Event()

        async def main() -> None:
            async with trio.open_nursery() as self.nursery:
                self.token = trio.lowlevel.current_trio_token()
                begun.set()
                await trio.sleep_forever()

        self.thread = threading.Thread(target=trio.run, args=(main,))
        self.thread.start()
        assert begun.wait(PATIENCE)

    def close(self) -> None:
        self.token.run_sync_soon(self.nursery.cancel_scope.cancel)
        self.thread.join(PATIENCE)

    def make_actor(self) -> Actor:
        import trio

        send, receive = trio.open_memory_channel[Any](1000)

        async def act() -> None:
            async with receive:
                while job := await receive.receive():
                    await work(job)
                    del job
            send.close()

        trio.from_thread.run_sync(self.nursery.start_soon, act, trio_token=self.token)
        return Actor(lambda job: trio.from_thread.run_sync(send.send_nowait, job, trio_token=self.token))


class Blocking(Flavour):
    name = "blocking"
    is_async = False
    options: dict[str, Any] = {}

    def make(self, cls: Any, *args: Any, **options: Any) -> Any:
        return blocking(cls)(*args, **options, **self.options)

    def open(self) -> None:
        self.threads: list[threading.Thread] = []

    def close(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE)

    def make_actor(self) -> Actor:
        jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

        def act() -> None:
            while job := jobs.get():
                work_blocking(job)
                del job

        self.threads.append(threading.Thread(target=act))
        self.threads[-1].start()
        return Actor(jobs.put)

    def collect(self, items: Any, count: int) -> list[Any]:
        def collect() -> list[Any]:
            collected: list[Any] = []
            for item in items:
                collected.append(item)
                if len(collected) == count:
                    break
            return collected

        result: list[Any] = self.call(collect)
        return result


def work_blocking(job: Job) -> None:
    function, args, options, future = job
    try:
        result = function(*args, **options)
        future.set_result(result.result(PATIENCE) if isinstance(result, Future) else result)
    except BaseException as error:
        future.set_exception(error)


class Futures(Blocking):
    name = "futures"
    options = {"resolve_futures": False}


FLAVOURS: list[type[Flavour]] = [Asyncio, Trio, Blocking, Futures]


class Peer:
    """A TCP server on this machine. Each connection is given to *serve*, in a thread of its own.

    Attributes:
        received: all that has come, on all connections.
        connections: how many there have been.
    """

    def __init__(self, serve: Callable[[socket.socket, Peer], None], port: int = 0) -> None:
        self.received = b""
        self.connections = 0
        self._serve = serve
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"tcp::127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)

    def hang_up(self) -> None:
        """Close the connections there are."""
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was faster

    def send(self, data: bytes) -> None:
        """Send on the latest connection, unasked; wait for one if there is none."""
        until(lambda: self._sockets)
        self._sockets[-1].sendall(data)

    def recv(self, connection: socket.socket) -> bytes:
        """Receive something for *serve*; ``b""`` at the end."""
        try:
            data = connection.recv(65536)
        except OSError:
            return b""
        self.received += data
        return data

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            self.connections += 1
            self._threads.append(threading.Thread(target=self._run, args=(connection,)))
            self._threads[-1].start()

    def _run(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._serve(connection, self)
            except OSError:
                pass


def listen(connection: socket.socket, peer: Peer) -> None:
    """Take what comes and answer nothing."""
    while peer.recv(connection):
        pass


def answer(replies: dict[bytes, bytes]) -> Callable[[socket.socket, Peer], None]:
    """Return a server that sends the replies of a table, whatever ends the requests."""

    def serve(connection: socket.socket, peer: Peer) -> None:
        pending = b""
        while data := peer.recv(connection):
            pending += data
            while request := next((request for request in replies if pending.startswith(request)), None):
                pending = pending[len(request) :]
                connection.sendall(replies[request])

    return serve


def until(condition: Callable[[], Any], complaint: str = "it does not come true") -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.005)
