"""trio: tasks wait for the descriptor, and cancel scopes end the waiting."""

from __future__ import annotations

import inspect
import logging
import math
import select
import signal
import threading
from typing import TYPE_CHECKING, Any

import trio

from ..errors import DeadlineExpired, ungroup
from .base import CHUNK_SIZE, Runtime, Transport, Waiter
from .descriptor import CLOSED_BY_PEER, READABLE, Poller, reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .base import HungUp
    from .descriptor import Descriptor


async def wait_until(deadline: float | None, wait: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Return ``await wait(*args)``, or raise DeadlineExpired when the deadline comes first."""
    with trio.CancelScope(deadline=math.inf if deadline is None else deadline):
        return await wait(*args)
    raise DeadlineExpired


class TrioWaiter(Waiter):
    """A task that waits for another one."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()

    async def wait(self, deadline: float | None) -> None:
        await wait_until(deadline, self._event.wait)

    def set(self) -> None:
        if threading.get_ident() == self._thread:
            self._event.set()
            return
        try:
            self._token.run_sync_soon(self._event.set)
        except trio.RunFinishedError:
            pass  # nobody waits any more


class TrioTransport(Transport):
    """A descriptor that trio tasks wait for."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._poller = Poller(descriptor.number, READABLE | CLOSED_BY_PEER)
        self.arrived = self._poller.poll_now
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()
        self._closed = False

    async def receive(self, deadline: float | None) -> bytes:
        await self._wait_readable(deadline)
        return self._descriptor.recv(CHUNK_SIZE)

    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        received = 0
        while received < len(view):
            await self._wait_readable(deadline)
            count = self._descriptor.recv_into(view[received:])
            if not count:
                break
            received += count
        return received

    async def _wait_readable(self, deadline: float | None) -> None:
        try:
            await wait_until(deadline, self._wait, trio.lowlevel.wait_readable)
        except DeadlineExpired:
            if not self._poller.wait(0):
                raise

    async def _wait(self, wait: Callable[[int], Awaitable[None]]) -> None:
        if self._closed:
            raise ConnectionAbortedError("closed")
        try:
            await wait(self._descriptor.number)
        except trio.ClosedResourceError:
            raise ConnectionAbortedError("closed") from None

    def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> Awaitable[None] | None:
        # Without a checkpoint: a cancellation that came out here would cost the connection.
        sent = self.send_now(data)
        return None if sent == len(data) else self._send_rest(memoryview(data)[sent:], deadline)

    async def _send_rest(self, rest: memoryview, deadline: float | None) -> None:
        while rest:
            await wait_until(deadline, self._wait, trio.lowlevel.wait_writable)
            rest = rest[self.send_now(rest) :]

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        if self._closed:
            raise ConnectionAbortedError("closed")
        try:
            return self._descriptor.send(data)
        except BlockingIOError:
            return 0

    def descriptor(self) -> Descriptor:
        return self._descriptor

    def receive_now(self) -> bytes | None:
        if not self._poller.wait(0):
            return None
        return self._descriptor.recv(CHUNK_SIZE)

    def in_waiting(self) -> int:
        return self._descriptor.in_waiting()

    def hung_up(self) -> bool:
        return self._closed or self._descriptor.hung_up()

    def watch(self, hung_up: HungUp) -> None:
        if hasattr(select, "epoll"):
            trio.lowlevel.spawn_system_task(self._watch, hung_up, name="sockio watcher")

    async def _watch(self, hung_up: HungUp) -> None:
        """Wait for the hang-up alone: bytes that arrive are for those who read.

        trio waits for readability, which unread bytes would satisfy; so it waits for an epoll object that is itself
        readable when the peer has closed.
        """
        if self._closed:
            return  # before this task had its first turn
        with select.epoll() as hang_up:
            hang_up.register(self._descriptor.number, CLOSED_BY_PEER)
            self._watching = hang_up
            try:
                await trio.lowlevel.wait_readable(hang_up.fileno())
            except trio.ClosedResourceError:
                return  # closed on this side
            finally:
                self._watching = None
            events = hang_up.poll(0)
        if events and not self._closed:
            hung_up(reason(events[0][1]))

    _watching: select.epoll | None = None

    def shut_down(self) -> None:
        self.close()

    def close(self) -> None:
        if self._closed:
            return
        if threading.get_ident() == self._thread:
            self._close()
        else:
            try:
                self._token.run_sync_soon(self._close)
            except trio.RunFinishedError:
                self._closed = True
                self._descriptor.close()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            trio.lowlevel.notify_closing(self._descriptor.number)
            if self._watching is not None:
                trio.lowlevel.notify_closing(self._watching.fileno())
        except RuntimeError:
            pass  # the trio run is over: nobody waits
        self._descriptor.close()

    def forget(self) -> None:
        self._closed = True
        self._descriptor.forget()


class TrioRuntime(Runtime):
    """Tasks of a trio run."""

    name = "trio"
    drops_generators = False
    asks_for_cancellation = True

    def clock(self) -> float:
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def check_cancellation(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()

    @staticmethod
    def home() -> object:
        return trio.lowlevel.current_root_task()

    @staticmethod
    def caller() -> Any:
        return trio.lowlevel.current_task()

    def describe(self, caller: Any) -> str:
        return f"task {caller.name!r}"

    @staticmethod
    def is_running(caller: trio.lowlevel.Task) -> bool:
        nursery = caller.parent_nursery
        return nursery is None or caller in nursery.child_tasks

    def waiter(self) -> Waiter:
        return TrioWaiter()

    def adopt(self, descriptor: Descriptor, buffer_size: int) -> Transport:
        return TrioTransport(descriptor)

    async def wait_writable(self, descriptor: Descriptor, deadline: float | None) -> None:
        await wait_until(deadline, trio.lowlevel.wait_writable, descriptor.number)

    async def wait_readable(self, descriptor: Descriptor, deadline: float | None) -> None:
        await wait_until(deadline, trio.lowlevel.wait_readable, descriptor.number)

    async def run_in_thread(self, deadline: float | None, function: Callable[..., Any], *args: Any) -> Any:
        def call() -> Any:
            return function(*args)

        async def wait() -> Any:
            return await trio.to_thread.run_sync(call, abandon_on_cancel=True)

        return await wait_until(deadline, wait)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str = "sockio") -> Callable[[], None]:
        scope = trio.CancelScope()

        async def finish() -> None:
            try:
                with scope:
                    await coroutine
            except BaseException as error:
                # Of tasks of its own, in a group with their cancellation. In a system task it would end the whole run.
                if isinstance(ungroup(error), KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)  # here nobody is interrupted: trio tells the main task
                elif isinstance(error, Exception):
                    logging.getLogger("sockio").exception("%s failed", name)
                else:
                    raise

        try:
            trio.lowlevel.spawn_system_task(finish, name=name)
        except RuntimeError:
            coroutine.close()
            raise
        return scope.cancel

    def invoke(self, callback: Callable[..., Any], *args: Any) -> Awaitable[Any] | None:
        result = callback(*args)
        return result if inspect.isawaitable(result) else None


#: One for everybody: it has no state that belongs to anyone.
runtime = TrioRuntime()
