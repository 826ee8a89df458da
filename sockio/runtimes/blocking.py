"""The calling thread waits: no loop, no hand-over, one system call where one is enough.

None of these primitives suspends, so a coroutine of the core that is built on them runs to its end at the first
``send``. That is what `run` does.
"""

from __future__ import annotations

import threading
import time

from ..errors import DeadlineExpired
from .base import CHUNK_SIZE, Runtime, Transport, Waiter
from .callbacks import refuse_awaitable, refuse_coroutine_function
from .descriptor import CLOSED_BY_PEER, READABLE, WRITABLE, Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any, TypeVar

    from .base import HungUp
    from .descriptor import Descriptor

    Result = TypeVar("Result")

clock = time.monotonic


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine of the blocking runtime to its end in this thread, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} is waiting for something that the blocking runtime does not know")


class BlockingWaiter(Waiter):
    """A thread that waits for another one, by a lock that is held until it is set.

    An event of `threading` has a lock of its own, which it takes by a function in Python: an interrupt at the end of
    that leaves it held for ever, and with it whoever sets the event.
    """

    def __init__(self) -> None:
        self._unset = threading.Lock()
        self._unset.acquire()

    async def wait(self, deadline: float | None) -> None:
        if not self._unset.acquire(timeout=-1 if deadline is None else max(0, deadline - clock())):
            raise DeadlineExpired
        self.set()

    def set(self) -> None:
        try:
            self._unset.release()
        except RuntimeError:
            pass  # has been set before


class BlockingTransport(Transport):
    """Waits in the operating system: inside ``recv`` where that can be, otherwise with poll.

    Args:
        descriptor: what to read from and write to.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._recv = descriptor.recv
        self._waits_in_recv = descriptor.set_blocking()
        self._receive_timeout = 0.0
        self._readable = Poller(descriptor.number, READABLE | CLOSED_BY_PEER, descriptor.alarm)
        self._send_all = descriptor.send_all if self._waits_in_recv else None
        self.arrived = self._readable.poll_now
        self._writable = Poller(descriptor.number, WRITABLE, descriptor.alarm)
        self._watched = False
        self._ended = False

    def receive(self, deadline: float | None) -> bytes:
        if deadline is not None or self._receive_timeout or not self._waits_in_recv:
            self._prepare_receive(deadline)
        try:
            return self._recv(CHUNK_SIZE)
        except BlockingIOError:
            raise DeadlineExpired from None

    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        received = 0
        while received < len(view):
            self._prepare_receive(deadline)
            try:
                count = self._descriptor.recv_into(view[received:])
            except BlockingIOError:
                raise DeadlineExpired from None
            if not count:
                break
            received += count
        return received

    def _prepare_receive(self, deadline: float | None) -> None:
        """See to it that the next receive returns what has arrived, or waits by itself until the deadline."""
        if not self._waits_in_recv:
            self._wait(self._readable, deadline)
            return
        # Whole milliseconds, upwards: a loop of requests with one timeout then sets the same value every time,
        # which costs nothing, where asking poll first would be a system call for each.
        seconds = 0.0 if deadline is None else -(1000 * (clock() - deadline) // 1) / 1000
        if seconds <= 0 and deadline is not None:
            self._wait(self._readable, deadline)
        elif seconds != self._receive_timeout:
            self._descriptor.set_receive_timeout(seconds)
            self._receive_timeout = seconds

    def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> Awaitable[None] | None:
        if deadline is None and self._send_all is not None:
            self._send_all(data)
            return None
        sent = self.send_now(data)
        return None if sent == len(data) else self._send_rest(memoryview(data)[sent:], deadline)

    async def _send_rest(self, rest: memoryview, deadline: float | None) -> None:
        while rest:
            self._wait(self._writable, deadline)
            rest = rest[self.send_now(rest) :]

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._descriptor.send(data)
        except BlockingIOError:
            return 0

    def _wait(self, poller: Poller, deadline: float | None) -> None:
        """Wait for the descriptor to become readable or writable."""
        ready = poller.wait(None if deadline is None else deadline - clock())
        if self._ended:
            raise ConnectionAbortedError("closed")
        if not ready:
            raise DeadlineExpired

    def descriptor(self) -> Descriptor:
        return self._descriptor

    def receive_now(self) -> bytes | None:
        # Not the poll object that another thread, which reads, may be waiting with.
        if not Poller(self._descriptor.number, READABLE | CLOSED_BY_PEER).wait(0):
            return None
        return self._recv(CHUNK_SIZE)

    def in_waiting(self) -> int:
        return self._descriptor.in_waiting()

    def hung_up(self) -> bool:
        return self._descriptor.hung_up()

    def watch(self, hung_up: HungUp) -> None:
        from . import watcher

        self._watched = True
        watcher.watch(self._descriptor, hung_up)

    def shut_down(self) -> None:
        self._ended = True
        self._descriptor.shut_down()

    def close(self) -> None:
        self._ended = True
        if self._watched:
            from . import watcher

            watcher.unwatch(self._descriptor)
        self._descriptor.close()

    def forget(self) -> None:
        self._descriptor.forget()


class BlockingRuntime(Runtime):
    """Threads that wait."""

    name = "blocking"
    suspends = False

    def clock(self) -> float:
        return clock()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  to block is what this runtime is for

    @staticmethod
    def home() -> object:
        return None  # the process; a fork is noticed by the connection itself

    caller = staticmethod(threading.get_ident)

    def describe(self, caller: int) -> str:
        for thread in threading.enumerate():
            if thread.ident == caller:
                return f"thread {thread.name!r}"
        return "a thread that has ended"

    @staticmethod
    def is_running(caller: int) -> bool:
        return any(thread.ident == caller for thread in threading.enumerate())

    def waiter(self) -> Waiter:
        return BlockingWaiter()

    def adopt(self, descriptor: Descriptor, buffer_size: int) -> Transport:
        return BlockingTransport(descriptor)

    async def wait_writable(self, descriptor: Descriptor, deadline: float | None) -> None:
        seconds = None if deadline is None else deadline - clock()
        if not Poller(descriptor.number, WRITABLE).wait(seconds):
            raise DeadlineExpired

    async def wait_readable(self, descriptor: Descriptor, deadline: float | None) -> None:
        seconds = None if deadline is None else deadline - clock()
        if not Poller(descriptor.number, READABLE).wait(seconds):
            raise DeadlineExpired

    async def run_in_thread(self, deadline: float | None, function: Callable[..., Any], *args: Any) -> Any:
        if deadline is None:
            return function(*args)
        outcome: list[tuple[Any, BaseException | None]] = []
        done = BlockingWaiter()

        def work() -> None:
            try:
                outcome.append((function(*args), None))
            except Exception as error:
                outcome.append((None, error))
            done.set()

        thread = threading.Thread(target=work, name=f"sockio {function.__name__}")
        thread.daemon = True
        thread.start()
        await done.wait(deadline)
        value, error = outcome.pop()
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # its traceback holds this frame, and with it what has called

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str = "sockio") -> Callable[[], None]:
        thread = threading.Thread(target=run, args=(coroutine,), name=name)
        thread.daemon = True
        try:
            thread.start()
        except BaseException:
            coroutine.close()
            raise
        return cannot_cancel

    def check_callback(self, name: str, callback: Any) -> None:
        super().check_callback(name, callback)
        refuse_coroutine_function(name, callback)

    def invoke(self, callback: Callable[..., Any], *args: Any) -> None:
        refuse_awaitable(callback, callback(*args))

    def may_pass(self, owner: int) -> bool:
        return owner == threading.get_ident()


def cannot_cancel() -> None:
    """Do nothing: a thread ends when it has done its work."""


#: One for everybody: it has no state that belongs to anyone.
runtime = BlockingRuntime()
