"""What a driver talks to: a sockio connection of any flavour, or a foreign object, seen as awaitable
exchanges.

These are the only points at which drivers touch the connection's internals.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from sockio.runtimes import blocking, current
from sockio.runtimes.base import Runtime
from sockio.stream import Stream
from sockio.turns import Turn, Turns

T = TypeVar("T")

#: What a call gives: an awaitable, the value, or a `concurrent.futures.Future`.
Flavour = Literal["async", "blocking", "futures"]


class Link(ABC):
    """A connection as the driver's own coroutines see it, whatever its flavour.

    Drivers over the same connection share one link.

    Attributes:
        conn: the connection as the user gave it.
        flavour: what the driver's methods give to the user.
    """

    flavour: Flavour

    def __init__(self, conn: Any) -> None:
        self.conn = conn

    @abstractmethod
    async def write_readline(self, data: bytes) -> bytes:
        """Send *data* and return the line that comes back, as one exchange."""

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send *data*, to which no answer comes."""

    @abstractmethod
    def turn(self, method: str) -> Turn:
        """Return an async context manager for several exchanges in a row: one caller at a time, first come
        first served.

        It is a lock of the drivers' own. It does not keep out those who use the connection without a driver.
        """

    @abstractmethod
    def clock(self) -> float:
        """Return monotonic seconds."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""

    @property
    def stream(self) -> Stream:
        """The sockio stream, for what foreign objects do not have: blocks, frames, lines of any number.

        Raises:
            TypeError: the connection is a foreign object.
        """
        raise TypeError(f"this needs a connection of sockio, and {self.conn!r} is none")

    def on_connection_made(self, method: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have a driver's *method* awaited whenever a connection has been made, before anything else uses it.

        The driver is not kept alive by it.

        Returns:
            False if the connection cannot do that.

        Raises:
            ValueError: there is such a callback already.
        """
        return False

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Run *awaitable* to its end, holding up the calling thread."""
        return blocking.run(as_coroutine(awaitable))

    def submit(self, awaitable: Awaitable[T]) -> Future[T]:
        """Start *awaitable* and return its future."""
        raise TypeError(f"{self.conn!r} does not give futures")

    def __str__(self) -> str:
        host, port = getattr(self.conn, "host", None), getattr(self.conn, "port", None)
        if host is None and port is None:
            return type(self.conn).__name__
        return f"{host}:{port}" if host is not None else str(port)


class DriverCallback:
    """Calls a coroutine method of a driver in the form of the flavour, as long as the driver is in use."""

    def __init__(self, link: Link, method: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._link = weakref.ref(link)
        self._method = weakref.WeakMethod(method)

    def is_gone(self) -> bool:
        """Tell whether the driver is in use no more."""
        return self._method() is None

    def __call__(self) -> Awaitable[None] | None:
        link, method = self._link(), self._method()
        if link is None or method is None:
            return None
        return method() if link.flavour == "async" else link.wait(method())


class StreamLink(Link):
    """Over a connection of sockio.

    Args:
        conn: as the user gave it.
        stream: the core's stream behind it.
        flavour: what calls on it give.
    """

    def __init__(self, conn: Any, stream: Stream, flavour: Flavour) -> None:
        super().__init__(conn)
        self.flavour = flavour
        self._stream = stream
        self._turns = Turns(stream.runtime)

    async def write_readline(self, data: bytes) -> bytes:
        return await self._stream.write_readline(data)

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    def __str__(self) -> str:
        return str(self._stream)

    def turn(self, method: str) -> Turn:
        return self._turns.turn(method)

    def clock(self) -> float:
        return self._stream.runtime.clock()

    async def sleep(self, seconds: float) -> None:
        await self._stream.runtime.sleep(seconds)

    @property
    def stream(self) -> Stream:
        return self._stream

    def on_connection_made(self, method: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        stream = self._stream
        present = stream.on_connection_made
        if present is not None and not (isinstance(present, DriverCallback) and present.is_gone()):
            raise ValueError(f"{stream} has an on_connection_made callback already, and there can be only one")
        stream.on_connection_made = DriverCallback(self, method)
        return True

    def wait(self, awaitable: Awaitable[T]) -> T:
        return self.submit(awaitable).result() if self.flavour == "futures" else super().wait(awaitable)

    def submit(self, awaitable: Awaitable[T]) -> Future[T]:
        future: Future[T] = self.conn.submit(as_coroutine(awaitable))
        return future


class PlainLink(Link):
    """Over a foreign object whose ``write_readline`` and ``write`` block."""

    flavour: Flavour = "blocking"

    def __init__(self, conn: Any) -> None:
        super().__init__(conn)
        self._lock = threading.Lock()
        self._runtime = blocking.runtime
        self._turns = Turns(self._runtime)

    async def write_readline(self, data: bytes) -> bytes:
        with self._lock:
            reply: bytes = self.conn.write_readline(data)
        return reply

    async def write(self, data: bytes) -> None:
        with self._lock:
            self.conn.write(data)

    def turn(self, method: str) -> Turn:
        return self._turns.turn(method)

    def clock(self) -> float:
        return self._runtime.clock()

    async def sleep(self, seconds: float) -> None:
        await self._runtime.sleep(seconds)


class CoroutineLink(Link):
    """Over a foreign object whose methods are coroutine functions, on asyncio or trio."""

    flavour: Flavour = "async"

    def __init__(self, conn: Any) -> None:
        super().__init__(conn)
        self._runtime: Runtime | None = None

    def _bind(self) -> Runtime:
        """Return the runtime of the caller. A new event loop of another library makes new locks."""
        runtime = current()
        if self._runtime is None or type(runtime) is not type(self._runtime):
            self._runtime = runtime
            self._turns = Turns(runtime)
            self._exchanges = Turns(runtime)
        return self._runtime

    async def write_readline(self, data: bytes) -> bytes:
        self._bind()
        async with self._exchanges.turn("write_readline"):
            reply: bytes = await self.conn.write_readline(data)
        return reply

    async def write(self, data: bytes) -> None:
        self._bind()
        async with self._exchanges.turn("write"):
            await self.conn.write(data)

    def turn(self, method: str) -> Turn:
        self._bind()
        return self._turns.turn(method)

    def clock(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._bind().sleep(seconds)


class OwnLink(Link):
    """Of a driver that makes its connection itself, on the runtime of whoever calls it.

    Args:
        flavour: what calls on the driver give.
    """

    def __init__(self, flavour: Flavour) -> None:
        super().__init__(None)
        self.flavour = flavour

    @property
    def runtime(self) -> Runtime:
        """The runtime of the caller."""
        return blocking.runtime if self.flavour == "blocking" else runtime_here()

    async def write_readline(self, data: bytes) -> bytes:
        raise self._has_none()

    async def write(self, data: bytes) -> None:
        raise self._has_none()

    def turn(self, method: str) -> Turn:
        raise self._has_none()

    def _has_none(self) -> TypeError:
        return TypeError("this driver has no connection of its own to write to")

    def clock(self) -> float:
        return self.runtime.clock()

    async def sleep(self, seconds: float) -> None:
        await self.runtime.sleep(seconds)

    def wait(self, awaitable: Awaitable[T]) -> T:
        return self.submit(awaitable).result() if self.flavour == "futures" else super().wait(awaitable)

    def submit(self, awaitable: Awaitable[T]) -> Future[T]:
        from sockio.runtimes import loop_thread

        return loop_thread.submit(as_coroutine(awaitable))


class Here(threading.local):
    """What holds for the code that a thread is running.

    Attributes:
        blocks: it is a coroutine function that runs to its end without a loop.
        owner: the link of the driver whose constructor it is, if its calls are not awaited.
    """

    blocks: bool = False
    owner: Link | None = None


here = Here()


@contextmanager
def calls_block() -> Iterator[None]:
    """Have `runtime_here` return the blocking runtime in this thread, for a function that waits for nothing else."""
    outer, here.blocks = here.blocks, True
    try:
        yield
    finally:
        here.blocks = outer


@contextmanager
def parts_of(link: Link) -> Iterator[None]:
    """Have the standalone drivers that a constructor makes share the link of their owner."""
    outer, here.owner = here.owner, link
    try:
        yield
    finally:
        here.owner = outer


def runtime_here() -> Runtime:
    """Return the runtime of the caller: blocking in a function that `blocking` has made, otherwise that of its task.

    Raises:
        RuntimeError: neither in such a function nor in a task.
    """
    return blocking.runtime if here.blocks else current()


_links: weakref.WeakValueDictionary[int, Link] = weakref.WeakValueDictionary()
_links_lock = threading.Lock()


def link_to(conn: Any) -> Link:
    """Return the link to a connection, the same one as long as anybody uses it.

    Args:
        conn: a connection of sockio, or an object with ``write_readline(bytes) -> bytes`` and
            ``write(bytes)``, both plain functions or both coroutine functions.

    Raises:
        TypeError: it is neither.
    """
    with _links_lock:
        link = _links.get(id(conn))  # the link keeps its connection, so that the number is not given again
        if link is None:
            link = _links[id(conn)] = make_link(conn)
        return link


def make_link(conn: Any) -> Link:
    """Return a new link to a connection."""
    if isinstance(conn, Stream):
        return StreamLink(conn, conn, "async")
    stream = getattr(conn, "stream", None)
    if isinstance(stream, Stream):
        return StreamLink(conn, stream, "futures" if hasattr(conn, "submit") else "blocking")
    methods = [getattr(conn, name, None) for name in ("write_readline", "write")]
    if not all(map(callable, methods)):
        raise TypeError(
            f"a driver needs a connection of sockio, or an object with write_readline and write, not {conn!r}"
        )
    return CoroutineLink(conn) if is_coroutine_function(methods[0]) else PlainLink(conn)


def is_coroutine_function(function: Any) -> bool:
    """Tell whether calling *function* gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def as_coroutine(awaitable: Awaitable[T]) -> Coroutine[Any, Any, T]:
    """Return a coroutine that awaits *awaitable*: the very same if it is one."""
    if inspect.iscoroutine(awaitable):
        return awaitable

    async def wait() -> T:
        return await awaitable

    return wait()


def caller() -> object:
    """Return who is calling: the asyncio or trio task, otherwise the thread."""
    for library, current_task in (("trio", trio_task), ("asyncio", asyncio_task)):
        if library in sys.modules and (task := current_task()) is not None:
            return task
    return threading.get_ident()


def trio_task() -> object:
    """Return the running trio task, if any."""
    from trio.lowlevel import current_task

    try:
        return current_task()
    except RuntimeError:
        return None


def asyncio_task() -> object:
    """Return the running asyncio task, if any."""
    from asyncio import current_task

    try:
        return current_task()
    except RuntimeError:
        return None


__all__ = ["Flavour", "Link", "caller", "is_coroutine_function", "link_to"]
