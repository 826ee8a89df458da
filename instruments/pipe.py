"""What all pipes have in common: a resource, the connection to it that others may share, and the lock on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sockio import registry, serial_port, tcp, unix
from sockio.deadline import DEFAULT, check_timeout
from sockio.errors import LockExpiredError, ProtocolError
from sockio.locks import Hold, check_lock_time, late_hold
from sockio.resource import Address, HostAddress, SerialAddress, parse
from sockio.runtimes import bind
from sockio.stream import Stream
from sockio.turns import Ticket
from sockio.urls import stream_for_url

from .base import Standalone

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from sockio.deadline import Timeout
    from sockio.runtimes.base import Runtime


#: Seconds for a call, and for which a lock is taken, unless a pipe is told otherwise.
TIMEOUT = 2.0
LOCK_TIME = 1.0

#: The longest line that a pipe reads, in bytes: a long list of numbers in ASCII.
BUFFER_SIZE = 2**24

#: What everybody who shares a stream has to agree on, as it is when nothing is said.
STREAM_SETTINGS: dict[str, Any] = {"connection_timeout": None, "quiet": None}

#: The same for a serial line.
LINE_SETTINGS: dict[str, Any] = {
    "connection_timeout": None,
    "quiet": serial_port.QUIET,
    "baudrate": 9600,
    "bytesize": 8,
    "parity": "N",
    "stopbits": 1,
    "xonxoff": False,
    "rtscts": False,
}


class BasePipe(Standalone):
    """An instrument by its resource string.

    All pipes for one resource share one connection, which is made at the first call that needs it. Every call takes the
    resource's lock, which keeps others out while it runs: other tasks and threads, and other processes on this machine.
    `lock` keeps it for several calls.

    Args:
        address: a resource string, see `sockio.resource`.
        timeout: seconds for a call: waiting for the lock, connecting, and what the call does. None for no limit.
            Without it that of the resource string holds, or else 2 s.

    Attributes:
        lock_time: seconds after which a lock that is not released expires.

    Raises:
        ValueError: the resource string is not understood, or nothing that this kind of pipe can talk to.
    """

    lock_time: float

    _default_timeout = TIMEOUT

    def __init__(self, address: str | Address, timeout: Timeout = DEFAULT) -> None:
        self._address = parse(address) if isinstance(address, str) else address
        self._carrier = self._carrier_of(self._address)
        if timeout is DEFAULT:
            timeout = self._carrier.options.get("timeout", self._default_timeout)
        self.timeout: float | None = check_timeout("timeout", timeout)
        self.lock_time = LOCK_TIME
        self._resource = registry.resource(self._carrier.resource)
        self._lock = self._resource.lock
        self._hold: Hold | None = None
        self._place = NOWHERE

    def _carrier_of(self, address: Address) -> Address:
        """Return the address of what is connected to and locked: the address itself, or that of an adapter."""
        return address

    def _connect_to(self, runtime: Runtime) -> tuple[Any, Doubtful | None]:
        """Return the connection that calls are made on, and what is `Doubtful` about it."""
        raise NotImplementedError

    async def _lock_instrument(self, connection: Any, timeout: float | None) -> Callable[[], object] | None:
        """Take the instrument's own lock, if there is one; return what gives it back from any thread."""
        return None

    async def _unlock_instrument(self, connection: Any) -> None:
        """Give the instrument's own lock back."""

    def _lose_instrument(self, connection: Any) -> None:
        """See to it that the instrument's own lock is not kept, without waiting: nobody knows whether we have it."""

    def _has_lost_lock(self, connection: Any) -> bool:
        """Tell whether the instrument's own lock, taken by the lock that is held, has been lost since."""
        return False

    @property
    def address(self) -> str:
        """The resource string, in its normal form."""
        return str(self._address)

    @property
    def locked(self) -> bool:
        """Whether this pipe holds the lock at this moment."""
        hold = self._hold
        return hold is not None and not hold.expired and not hold.void

    @property
    def lock_id(self) -> str | None:
        """What tells the present lock from others; None without one."""
        hold = self._hold
        return hold.id if hold is not None and self.locked else None

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('Blocking').removeprefix('Futures')}({self.address!r})"

    async def connect(self, timeout: Timeout = DEFAULT) -> Self:
        """Connect now instead of at the first call that needs it; return the pipe."""
        await self._call(open_connection, timeout)
        return self

    async def drop(self) -> None:
        """Close the connection, which others may share. The next call connects again."""
        await self._here().connection.close()

    async def disconnect(self) -> None:
        """The same as `drop`."""
        await self.drop()

    async def lock(self, timeout: float | None = None) -> None:
        """Keep everybody else from using the instrument, until `unlock` or until the time is up.

        Others are other pipes, other tasks and threads that use this pipe, and other processes on this machine; where
        the instrument itself can be locked (VXI-11, HiSLIP), other machines too. They wait, each with its own timeout.
        To take the lock may take as long as the pipe's ``timeout``. A task or thread that has the lock already gives
        it back first.

        Args:
            timeout: seconds until the lock expires; None or 0 for the pipe's ``lock_time``. If that happens while a
                call is running, the lock is released at its end; the next call raises a LockExpiredError.

        Raises:
            ConnectionTimeoutError: somebody else held it all the time.
            ValueError: a time without an end, or none at all: each lock expires.
        """
        if timeout is None or timeout == 0:
            seconds = check_lock_time("lock_time", self.lock_time)
        else:
            seconds = check_lock_time("timeout", timeout)
        runtime, _, connection, _ = self._here()
        self._forget_late()
        hold = self._hold
        if hold is not None and (hold.expired or hold.admits(runtime)):
            await self.unlock()
        hold = None
        ticket = Ticket("lock")
        try:
            left = await self._wait_lock(ticket, runtime, self.timeout)
            caller = runtime.describe(runtime.caller())
            hold = Hold(self._lock, ticket, runtime, seconds, f"{self!r} ({caller})", self)
            hold.start(await self._lock_instrument(connection, left))
            self._hold = hold
        except BaseException as error:
            try:
                if hold is not None and not isinstance(error, Exception):
                    self._lose_instrument(connection)
            finally:
                if hold is not None:
                    hold.release()
                self._lock.leave(ticket)
            raise

    async def unlock(self) -> None:
        """Give the lock back. Without a lock, or where another task or thread has it, nothing happens.

        If calls are running under it, that happens when they have ended.
        """
        runtime, _, connection, _ = self._here()
        self._forget_late()
        hold = self._hold
        if hold is None or not self._may_pass(hold, runtime):
            return
        try:
            if not hold.expired:
                await self._unlock_instrument(connection)
        except BaseException:
            self._lose_instrument(connection)
            raise
        finally:
            self._forget(hold)

    async def __aenter__(self) -> Self:
        await self.lock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.unlock()

    # Calls

    def _here(self) -> Place:
        """Return where the caller is."""
        runtime = self._runtime
        home = runtime.home()
        place = self._place
        if place.home is not home:
            place = self._place = Place(runtime, home, *self._connect_to(runtime))
        return place

    async def _call(self, operation: str | Callable[..., Any], timeout: Timeout, *args: Any) -> Any:
        """Do something with the connection, under the resource's lock.

        Args:
            operation: the name of a method of the connection, or a function that takes the connection first. Either
                takes *timeout* in seconds as a keyword argument.
            timeout: seconds for everything; None or DEFAULT.
            *args: more positional arguments.
        """
        runtime, _, connection, doubtful = self._here()
        limit = self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        if isinstance(operation, str):
            method, operate = operation, getattr(connection, operation)
        else:
            method, operate = operation.__name__, partial(operation, connection)
        hold = late_hold(self) or self._hold
        if hold is not None and self._may_pass(hold, runtime):
            return await self._call_under(hold, method, operate, connection, doubtful, limit, *args)
        lock = self._lock
        ticket = Ticket(method)
        try:
            try:
                if not lock.enter(ticket):
                    limit = await self._wait_entered(ticket, runtime, limit)
                if doubtful is None:
                    return await operate(*args, timeout=limit)
                return await self._call_in_doubt(doubtful, operate, limit, *args)
            finally:
                lock.leave(ticket)
        finally:
            if lock.queue:
                lock.leave(ticket)  # again, in case that an interrupt came in the middle of the line above

    def _may_pass(self, hold: Hold, runtime: Runtime) -> bool:
        """Tell whether the caller may use what this pipe has locked."""
        if hold.void:
            if self._hold is hold:
                self._hold = None
            return False
        return hold.admits(runtime)

    def _forget(self, hold: Hold) -> None:
        """Give a lock back."""
        try:
            hold.release()
        finally:
            if self._hold is hold:
                self._hold = None

    def _forget_late(self) -> None:
        """Give up what the caller has had and has lost by being late: it begins again, or needs it no more."""
        while (late := late_hold(self)) is not None:
            self._forget(late)

    async def _call_under(
        self,
        hold: Hold,
        method: str,
        operate: Callable[..., Awaitable[Any]],
        connection: Any,
        doubtful: Doubtful | None,
        timeout: float | None,
        *args: Any,
    ) -> Any:
        """Call *operate* under the lock that this pipe holds."""
        call = object()
        try:
            try:
                held = hold.begin(call)
                if not held or self._has_lost_lock(connection):
                    self._forget(hold)
                    why = "was lost with the connection" if held else "has expired"
                    raise LockExpiredError(
                        f"{self!r}: the lock {why} before {method}, and others may have used the instrument since: "
                        f"begin again{'' if held else ', with a longer lock_time'}"
                    )
                if doubtful is None:
                    return await operate(*args, timeout=timeout)
                return await self._call_in_doubt(doubtful, operate, timeout, *args)
            finally:
                hold.end(call)
        finally:
            hold.end(call)  # again, in case that an interrupt came in the middle of the line above

    async def _call_in_doubt(
        self, doubtful: Doubtful, operate: Callable[..., Awaitable[Any]], timeout: float | None, *args: Any
    ) -> Any:
        """Call *operate* where a late answer to somebody else may still come; leave a mark if it fails."""
        file = self._lock.file
        if file.mark(doubtful):
            doubtful.distrust()
        try:
            result = await operate(*args, timeout=timeout)
        except ProtocolError:
            if isinstance(doubtful, Stream) and doubtful.connected():
                file.clear_mark()  # a read that met a malformed frame, with which it is over
            raise
        except BaseException:
            file.mark(doubtful)  # another call under the same lock may have ended well meanwhile
            raise
        file.clear_mark()
        return result

    async def _wait_lock(self, ticket: Ticket, runtime: Runtime, timeout: float | None) -> float | None:
        """Queue for the lock and wait until it is ours; return what is left of the timeout."""
        return timeout if self._lock.enter(ticket) else await self._wait_entered(ticket, runtime, timeout)

    async def _wait_entered(self, ticket: Ticket, runtime: Runtime, timeout: float | None) -> float | None:
        if timeout is None:
            await self._lock.wait(ticket, runtime, None)
            return None
        deadline = runtime.clock() + timeout
        await self._lock.wait(ticket, runtime, deadline)
        return max(0.0, deadline - runtime.clock())


class Doubtful(Protocol):
    """What may still say something that others have asked for: they have used the same line, or the same instrument."""

    def distrust(self) -> None:
        """See to it that nothing comes of it, before the next call."""


class Place(NamedTuple):
    """Where a pipe is used.

    Attributes:
        runtime: of the caller.
        home: the event loop, the trio run, or None for blocking calls.
        connection: what calls are made on there.
        doubtful: what late answers may come from after somebody else's call has failed; None if there are none.
    """

    runtime: Any
    home: object
    connection: Any
    doubtful: Doubtful | None


#: Where a pipe is used that has not been used yet.
NOWHERE = Place(None, object(), None, None)


async def open_connection(connection: Any, timeout: float | None) -> None:
    """Connect, unless that has been done."""
    if not connection.connected():
        await connection.open(timeout)


def shared_stream(address: Address, runtime: Runtime, use: str = "a stream", **options: Any) -> Stream:
    """Return the stream to an address, the same one for everybody at home where the caller is.

    Serial ports are opened shared: the resource's lock keeps those who use them apart.

    Args:
        address: of the stream.
        runtime: of the caller.
        use: what those who share it take it for.
        **options: arguments of the stream's class; those of the address come before them.

    Raises:
        ValueError: not the address of a stream, or somebody uses it with other settings.
    """
    options = {"buffer_size": BUFFER_SIZE, **options, **address.options}
    is_serial = isinstance(address, SerialAddress)
    if is_serial:
        options["exclusive"] = False
    is_line = is_serial or (isinstance(address, HostAddress) and address.scheme == "rfc2217")
    defaults = LINE_SETTINGS if is_line else STREAM_SETTINGS
    settings = {"use": use} | {name: options.get(name, default) for name, default in defaults.items()}

    def make() -> Stream:
        classes = SimpleNamespace(
            TCP=bind(tcp.TCP, runtime), Unix=bind(unix.Unix, runtime), Serial=bind(serial_port.Serial, runtime)
        )
        made: Stream = stream_for_url(classes, str(address), **options)
        return made

    return registry.resource(address.resource).connection(runtime, settings, make)
