"""A runtime without waiting: the clock jumps to the next thing that happens.

For tests of what depends on time, exactly and at once: time limits, retries, pacing. The peer is a script: what
happens how many seconds after a connection was made, or after a request came.
"""

from __future__ import annotations

from collections import deque

from ..errors import DeadlineExpired
from .base import Runtime, Transport, Waiter
from .callbacks import refuse_awaitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from .base import HungUp
    from .descriptor import Descriptor

    Event = tuple[float, bytes | OSError]


class FakeRuntime(Runtime):
    """One caller, in a time of its own."""

    name = "fake"
    suspends = False

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    @staticmethod
    def home() -> object:
        return None

    @staticmethod
    def caller() -> str:
        return "the only one"

    def describe(self, caller: str) -> str:
        return caller

    @staticmethod
    def is_running(caller: str) -> bool:
        return True

    def waiter(self) -> Waiter:
        return FakeWaiter(self)

    def adopt(self, descriptor: Descriptor, buffer_size: int) -> Transport:
        raise NotImplementedError("no descriptors here: a stream in tests makes a FakeTransport itself")

    async def wait_writable(self, descriptor: Descriptor, deadline: float | None) -> None:
        raise NotImplementedError("no descriptors here: a stream in tests makes a FakeTransport itself")

    async def wait_readable(self, descriptor: Descriptor, deadline: float | None) -> None:
        raise NotImplementedError("there are no descriptors here")

    async def run_in_thread(self, deadline: float | None, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str = "sockio") -> Callable[[], None]:
        coroutine.close()
        raise NotImplementedError("nothing goes on at the side here")

    def invoke(self, callback: Callable[..., Any], *args: Any) -> None:
        refuse_awaitable(callback, callback(*args))

    def pass_until(self, moment: float) -> None:
        """Let the time pass until a moment, if that is yet to come."""
        self.now = max(self.now, moment)


class FakeWaiter(Waiter):
    """With one caller, nobody comes to set it while that one waits."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime
        self._set = False

    async def wait(self, deadline: float | None) -> None:
        if self._set:
            return
        if deadline is None:
            raise AssertionError("this would wait for ever")
        self._runtime.pass_until(deadline)
        raise DeadlineExpired

    def set(self) -> None:
        self._set = True


class FakeTransport(Transport):
    """A connection whose peer follows a script.

    Args:
        runtime: has the clock.
        greeting: what comes by itself: pairs of seconds from now and what happens then: bytes, ``b""`` for the end of
            the stream, or an OSError.
        answer: what comes after each request, given the request: pairs of the same kind.

    Attributes:
        requests: what was sent, one item a call.
    """

    def __init__(
        self,
        runtime: FakeRuntime,
        greeting: Iterable[Event] = (),
        answer: Callable[[bytes], Iterable[Event]] = lambda request: (),
    ) -> None:
        self._runtime = runtime
        self._answer = answer
        self._events: deque[Event] = deque()
        self._schedule(greeting)
        self.requests: list[bytes] = []
        self.closed = False

    def _schedule(self, events: Iterable[Event]) -> None:
        now = self._runtime.clock()
        self._events.extend((now + seconds, event) for seconds, event in events)

    def arrived(self) -> bool:
        return self.closed or bool(self._events and self._events[0][0] <= self._runtime.clock())

    def receive(self, deadline: float | None) -> bytes:
        when = self._events[0][0] if self._events else None
        if when is None or (deadline is not None and when > deadline):
            if deadline is None:
                raise AssertionError("this would wait for ever")
            self._runtime.pass_until(deadline)
            raise DeadlineExpired
        self._runtime.pass_until(when)
        return self._take()

    def _take(self) -> bytes:
        _, event = self._events[0]
        if isinstance(event, OSError):
            raise event
        if event:
            self._events.popleft()
        return event

    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        received = 0
        while received < len(view):
            chunk = self.receive(deadline)
            if not chunk:
                break
            count = min(len(chunk), len(view) - received)
            view[received : received + count] = chunk[:count]
            if count < len(chunk):
                self._events.appendleft((self._runtime.clock(), chunk[count:]))
            received += count
        return received

    def receive_now(self) -> bytes | None:
        return self._take() if self.arrived() else None

    def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> None:
        request = bytes(data)
        self.requests.append(request)
        self._schedule(self._answer(request))

    def in_waiting(self) -> int:
        now = self._runtime.clock()
        return sum(len(event) for when, event in self._events if when <= now and isinstance(event, bytes))

    def hung_up(self) -> bool:
        return self.closed or any(when <= self._runtime.clock() and not event for when, event in self._events)

    def watch(self, hung_up: HungUp) -> None:
        """Nobody watches here: the next call notices."""

    def shut_down(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def forget(self) -> None:
        self.closed = True
