"""What the core asks of a concurrency model.

A *runtime* is a handful of primitives: a clock, sleeping, waiting, running something in a thread or on the side, and
turning a file descriptor into a *transport* that sends and receives bytes. The core (`sockio.connection`,
`sockio.stream`) is written once in terms of these, and never imports a concurrency library. To bring another library,
implement `Runtime`, `Waiter` and `Transport`, run `sockio.testing.TransportContract` on them, and bind the runtime
as the facades do: ``class TCP(stream.TCP): runtime = MyRuntime()``.

Rules that every implementation keeps:

- Deadlines are moments on `Runtime.clock`, None being never. A primitive whose deadline passes raises
  `DeadlineExpired`, and does at least once what can be done without waiting.
- Cancellation and interrupts may come out of any primitive that waits. They leave nothing behind but what the
  docstring says.
- The primitives of a runtime with ``suspends = False`` never suspend: their coroutines run to the end in the thread
  that sends to them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..errors import ConnectionEOFError, ConnectionTimeoutError, LimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from .descriptor import Descriptor

    HungUp = Callable[[BaseException | None], None]

#: How much is received at once, in bytes.
CHUNK_SIZE = 65536


class Waiter(ABC):
    """Something that one caller waits for, and another sets, once."""

    @abstractmethod
    async def wait(self, deadline: float | None) -> None:
        """Return when `set` is called, at once if it was called before.

        Raises:
            DeadlineExpired: nobody called it in time.
        """

    @abstractmethod
    def set(self) -> None:
        """Wake who waits. Any thread may call it."""


class Transport(ABC):
    """An open connection that carries bytes, one reader and one writer at a time."""

    #: ``arrived()`` tells whether bytes, the end of the stream or an error may be waiting to be received: something
    #: true if so. It is asked before every request, by whoever has the reading turn, so it has to be quick.
    arrived: Callable[[], object]

    @abstractmethod
    def receive(self, deadline: float | None) -> bytes | Awaitable[bytes]:
        """Receive bytes that have arrived, waiting for at least one; ``b""`` at the end of the stream.

        The bytes are returned as they are where that is possible without suspending the caller; otherwise what is
        returned has to be awaited for them. Interrupted or expired, it has taken nothing.
        """

    @abstractmethod
    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        """Receive straight into *view* until it is full; return how many bytes, fewer only at the end of the stream."""

    @abstractmethod
    def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> Awaitable[None] | None:
        """Hand all of *data* to the operating system.

        Small requests go at once, and None is returned. Otherwise the rest is sent by what is returned, which has to
        be awaited. When either raises, any part of the data may have gone.
        """

    def descriptor(self) -> Descriptor | None:
        """Return what the bytes come from and go to in the end; None where that is no descriptor."""
        return None

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Hand to the operating system what it takes of *data* without waiting; return how many bytes."""
        return 0

    @abstractmethod
    def receive_now(self) -> bytes | None:
        """Return what has arrived without waiting: None if nothing has, ``b""`` at the end of the stream."""

    @abstractmethod
    def in_waiting(self) -> int:
        """Return how many received bytes can be read without waiting."""

    @abstractmethod
    def hung_up(self) -> bool:
        """Tell whether the peer has closed or the link has broken; bytes may still be waiting."""

    @abstractmethod
    def watch(self, hung_up: HungUp) -> None:
        """From now on call ``hung_up(error)`` once when the peer goes, also while nobody reads.

        The error is None if the peer closed in good order. It is called where the runtime runs callbacks, and must not
        keep the stream alive.
        """

    @abstractmethod
    def shut_down(self) -> None:
        """End the connection now, waking whoever waits on it, from any thread. What they raise does not matter."""

    @abstractmethod
    def close(self) -> None:
        """Shut down and give the descriptor back. Nobody may be inside a call on a runtime with threads."""

    @abstractmethod
    def forget(self) -> None:
        """In a forked child: give back this process' copy of the descriptor and leave the connection alone."""


class Runtime(ABC):
    """A concurrency model, as the core sees it."""

    #: What users call it.
    name: str

    #: Whether primitives may suspend the calling coroutine.
    suspends = True

    #: Whether calls have to ask if they are cancelled: those that need not wait would not be told otherwise.
    asks_for_cancellation = False

    #: Whether an async generator may be left half-way, by ``break``, without a warning.
    drops_generators = True

    #: The errors that the core raises; a runtime may add kin of its library's own.
    timeout_error: type[ConnectionTimeoutError] = ConnectionTimeoutError
    eof_error: type[ConnectionEOFError] = ConnectionEOFError
    limit_error: type[LimitError] = LimitError

    @abstractmethod
    def clock(self) -> float:
        """Return monotonic seconds."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""

    async def check_cancellation(self) -> None:
        """Raise what cancels the calling task, if it is cancelled. Called before a call has done anything."""
        raise NotImplementedError  # where `asks_for_cancellation` is not set

    @staticmethod
    @abstractmethod
    def home() -> object:
        """Return what a connection made now belongs to: the event loop, the trio run, the process."""

    @staticmethod
    @abstractmethod
    def caller() -> Any:
        """Return who is calling: the task or thread. Cheap; `describe` makes text of it."""

    @abstractmethod
    def describe(self, caller: Any) -> str:
        """Return the name of a task or thread for an error message."""

    @staticmethod
    @abstractmethod
    def is_running(caller: Any) -> bool:
        """Tell whether the task or thread that `caller` returned has not ended yet."""

    @abstractmethod
    def waiter(self) -> Waiter:
        """Return a new waiter."""

    @abstractmethod
    def adopt(self, descriptor: Descriptor, buffer_size: int) -> Transport:
        """Return a transport over an open descriptor, which is the transport's from now on.

        A runtime that reads ahead stops at *buffer_size* bytes until they are taken.
        """

    @abstractmethod
    async def wait_writable(self, descriptor: Descriptor, deadline: float | None) -> None:
        """Wait until *descriptor*, not yet adopted, can be written to: a connection has been made or refused."""

    @abstractmethod
    async def wait_readable(self, descriptor: Descriptor, deadline: float | None) -> None:
        """Wait until *descriptor*, not adopted, can be read from: somebody has connected, a datagram has come."""

    @abstractmethod
    async def run_in_thread(self, deadline: float | None, function: Callable[..., Any], *args: Any) -> Any:
        """Return ``function(*args)`` without holding up anybody else.

        When the deadline passes, or the caller is cancelled, the thread is left to itself.
        """

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str = "sockio") -> Callable[[], None]:
        """Run *coroutine* on the side: a task, a system task, a daemon thread. It handles its own errors.

        If that cannot be done, the coroutine is closed.

        Args:
            coroutine: what to run.
            name: what the task or thread is called.

        Returns:
            what cancels it, called where tasks run, but not before it has begun; a thread cannot be cancelled, and
            goes on.

        Raises:
            RuntimeError: there can be no more threads, or no tasks here.
        """

    @abstractmethod
    def invoke(self, callback: Callable[..., Any], *args: Any) -> Awaitable[Any] | None:
        """Call a user's callback, and return what is left to be awaited, if anything."""

    def check_callback(self, name: str, callback: Any) -> None:
        """Raise TypeError if *callback* cannot be called on this runtime."""
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be callable or None, not {callback!r}")

    def may_pass(self, owner: Any) -> bool:
        """Tell whether the caller may use what belongs to the callback that *owner* is running."""
        return True
