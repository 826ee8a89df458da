"""The core: one connection at a time to one resource, kept in step with its peer.

Every call goes through `Connection._call`: it waits for its turn, sees to it that there is a usable link, does its
I/O and gives the turn back. The state that matters is written down *before* it can go wrong: a call puts its ticket
on the link before it touches the link, and takes it off only when its reply is complete. A call that was torn away
in the middle, at whatever point, leaves its ticket there, and the next one knows that the link is out of step.

A plain read takes the reading turn, a plain write the writing turn, an exchange both, reading first: while it waits
for somebody's read, plain writes go on.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from contextvars import ContextVar

from .buffer import Buffer
from .checks import check_count
from .deadline import DEFAULT, check_timeout, sooner
from .errors import DeadlineExpired, ProtocolError
from .retry import check_retry
from .turns import Ticket, Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from logging import Logger
    from typing import Any, TypeVar

    from .checks import Data
    from .deadline import Timeout
    from .retry import Retry
    from .runtimes.base import Runtime, Transport

    Result = TypeVar("Result")

_NOWHERE = object()


class Link:
    """One established connection: its transport, and what it has received that nobody has asked for yet.

    Attributes:
        ready: requests may be made; false once the peer has gone, though what it left can still be read.
        closed: given up on this side.
        reader, writer: the tickets of the calls that are receiving and sending.
        error: why it ended, if not in good order.
    """

    __slots__ = (
        "__weakref__",
        "_news",
        "buffer",
        "closed",
        "error",
        "reader",
        "ready",
        "transport",
        "writer",
    )

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.buffer = Buffer()
        self.ready = True
        self.closed = False
        self.reader: Ticket | None = None
        self.writer: Ticket | None = None
        self.error: BaseException | None = None
        self._news = [True]

    def take_news(self) -> bool:
        """Return True the first time, so that the end of a link is reported once whoever notices it."""
        try:
            return self._news.pop()
        except IndexError:
            return False


class CallbackPass:
    """Lets a callback, and the tasks that it starts, use the link that is being set up, for as long as it runs."""

    __slots__ = ("connection", "deadline", "link", "outer", "owner", "turns")

    def __init__(self, connection: Connection, link: Link, deadline: float | None, outer: CallbackPass | None) -> None:
        self.connection = connection
        self.link = link
        self.deadline = deadline
        self.outer = outer
        self.owner = connection.runtime.caller()
        self.turns = Turns(connection.runtime)


_callback_pass: ContextVar[CallbackPass | None] = ContextVar("sockio callback pass", default=None)


class Connection:
    """What every stream has: a link that is made on demand, calls in turn, callbacks, time limits.

    Subclasses say what they connect to, by `_open_transport` and the resource's name.
    """

    runtime: Runtime

    def __init__(
        self,
        resource: str,
        auto_reconnect: bool,
        on_connection_made: Callable[[], Any] | None,
        on_connection_lost: Callable[[BaseException | None], Any] | None,
        on_eof_received: Callable[[], Any] | None,
        buffer_size: int,
        connection_timeout: float | None,
        timeout: float | None,
        quiet: float | None,
        retry: Retry | None,
    ) -> None:
        self.runtime.check_callback("on_connection_made", on_connection_made)
        self.runtime.check_callback("on_connection_lost", on_connection_lost)
        self.runtime.check_callback("on_eof_received", on_eof_received)
        self.resource = resource
        self.auto_reconnect = auto_reconnect
        self.on_connection_made = on_connection_made
        self.on_connection_lost = on_connection_lost
        self.on_eof_received = on_eof_received
        self.buffer_size = check_count("buffer_size", buffer_size, 1)
        self.connection_timeout = check_timeout("connection_timeout", connection_timeout)
        self.timeout = check_timeout("timeout", timeout)
        self.quiet = check_timeout("quiet", quiet)
        self.retry = check_retry(retry)
        self.connection_counter = 0
        self._home: object = _NOWHERE
        self._turns = Turns(self.runtime)
        self._opening = Turns(self.runtime)
        self._link: Link | None = None
        self._callback: CallbackPass | None = None
        self._out_of_step = False
        self._closings = 0
        self._ended: deque[Link] = deque()
        _connections.add(self)

    def __str__(self) -> str:
        return self.resource

    def __repr__(self) -> str:
        state = "connected" if self.connected() else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} {self.resource}, {state}>"

    def __del__(self) -> None:
        link = getattr(self, "_link", None)
        if link is not None:
            link.transport.close()

    @property
    def log(self) -> Logger:
        """Where the stream logs: a child of the logger "sockio" that is named after the resource."""
        import logging  # slow to import, and seldom used

        scheme, _, location = self.resource.partition("://")
        kind = {"tcp": "TCP", "tls": "TCP", "unix": "Unix"}.get(scheme, "Serial")
        return logging.getLogger(f"sockio.{kind}({location})")

    async def _open_transport(self, deadline: float | None) -> Transport:
        """Make a connection, once. Raises DeadlineExpired and the system's OSErrors."""
        raise NotImplementedError

    async def open(self, timeout: Timeout = DEFAULT) -> None:
        """Connect now, instead of at the first call that needs it.

        Args:
            timeout: seconds; instead of the stream's ``connection_timeout`` (or ``timeout``, where that is not given).

        Raises:
            ConnectionError: it is open already.
            ConnectionTimeoutError: there was no connection in time.
            OSError: the connection was refused, the host is unreachable, the port does not exist, ...
        """
        if timeout is DEFAULT:
            timeout = self.timeout if self.connection_timeout is None else self.connection_timeout
        self._settle()
        if self._callback is not None and self._passes() is not None:
            raise self._open_already()  # its turn would not come before this callback has returned
        ticket = Ticket("open", self.runtime.caller())
        opening = self._opening
        try:
            try:
                deadline = self._deadline(timeout)
                if not opening.enter(ticket):
                    await self._wait_turn(opening, ticket, deadline)
                if self.connected():
                    raise self._open_already()
                await self._connect(deadline)
            finally:
                opening.leave(ticket)
        finally:
            opening.leave(ticket)
            self._report_ended()

    def _open_already(self) -> ConnectionError:
        return ConnectionError(f"{self}: is open already; close it first to connect anew")

    async def close(self) -> None:
        """Close the connection, if there is one. A call that is using it ends with a ConnectionAbortedError.

        Nothing is waited for: neither for a turn, nor for a peer that does not take what was written.
        """
        self._closings += 1
        link = self._link
        self._link = None
        if link is not None:
            self._retire(link, None)
        if self._callback is not None:
            self._retire(self._callback.link, None)
        self._report_ended()

    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there. Does no I/O and takes no turn."""
        link = self._current_link()
        return link is not None and not link.closed and link.ready and not link.transport.hung_up()

    def _current_link(self) -> Link | None:
        current = None if self._callback is None else self._passes()
        return self._link if current is None else current.link

    @property
    def is_open(self) -> bool:
        """The same as `connected`."""
        return self.connected()

    # One call

    async def _call(
        self,
        method: str,
        timeout: Timeout,
        data: Data | None,
        receive: Callable[..., bytes | Awaitable[Result]] | None,
        only: Link | None,
        *args: Any,
    ) -> Result:
        """Do one call: wait for its turn, make sure of the link, send and receive.

        Args:
            method: the name of the public method, for errors.
            timeout: seconds, None or DEFAULT.
            data: what to send; None for a plain read.
            receive: ``receive(link, deadline, *args)`` receives the reply, and returns it if it is bytes and came
                without waiting, otherwise what is to be awaited for it; None for a plain write.
            only: if given, use no other link than this.

        Raises:
            ConnectionTimeoutError: time was up; while waiting for its turn, that leaves the link alone.
            ConnectionEOFError, LimitError, ProtocolError, OSError: and the link has been given up, except when a
                plain read has met a malformed frame.
        """
        runtime = self.runtime
        if runtime.suspends and runtime.home() is not self._home:
            self._settle()
        ticket = Ticket(method, runtime.caller())
        if receive is None:
            ticket.reads = False
        if data is None:
            ticket.writes = False
        turns = self._turns
        current = None if self._callback is None else self._passes()
        if current is not None:
            turns = current.turns
        try:
            try:
                if timeout is DEFAULT:
                    timeout = self.timeout
                deadline = None if timeout is None else self._deadline(timeout)
                if current is not None:
                    deadline = sooner(deadline, current.deadline)
                if not turns.enter(ticket):
                    await self._wait_turn(turns, ticket, deadline)
                link = self._link if current is None else current.link
                if (
                    link is None
                    or only is not None
                    or not ticket.reads
                    or link.reader is not None
                    or link.writer is not None
                    or link.transport.arrived()
                    or link.buffer
                ):
                    link, deadline = await self._see_to(link, ticket, only, current is None, deadline)
                ticket.link = link
                if receive is not None:
                    link.reader = ticket
                if data is not None:
                    link.writer = ticket
                if link.closed:
                    raise ConnectionAbortedError("closed")
                if data is not None:
                    unsent = link.transport.send(data, deadline)
                    if unsent is not None:
                        await unsent
                    link.writer = None
                if receive is None:
                    return None  # type: ignore[return-value]
                reply: Any = receive(link, deadline, *args)
                if not isinstance(reply, bytes):
                    reply = await reply
                link.reader = None
                return reply
            except BaseException as error:
                failure = self._fail(ticket, timeout, error)
                try:
                    if failure is error:
                        raise
                    raise failure from None
                finally:
                    # Its traceback holds this frame: a cycle would keep a dropped connection open.
                    del failure
            finally:
                turns.leave(ticket)
        finally:
            ticket.link = None  # a link that is out of step holds the ticket: no cycles
            # An interrupt may have come in the middle of the lines above, so those who wait are woken again.
            if turns.queue:
                turns.leave(ticket)
            if self._ended:
                self._report_ended()

    def _deadline(self, timeout: Timeout) -> float | None:
        seconds = check_timeout("timeout", timeout)
        return None if seconds is None else self.runtime.clock() + seconds

    def _settle(self) -> None:
        """Move in where the caller is: another event loop or trio run cannot use what belonged to the last one."""
        home = self.runtime.home()
        if home is self._home:
            return
        if self._home is _NOWHERE:
            self._home = home
            return
        link = self._link
        self._link = None
        self._home = home
        self._turns = Turns(self.runtime)
        self._opening = Turns(self.runtime)
        self._callback = None
        if link is not None:
            self._retire(link, None)

    async def _wait_turn(self, turns: Turns, ticket: Ticket, deadline: float | None) -> None:
        try:
            await turns.wait(ticket, deadline)
        except DeadlineExpired:
            holder = turns.holder(ticket)
            whose = "nobody any more"
            if holder is not None:
                whose = f"{holder.method} of {self.runtime.describe(holder.owner)}"
            raise self.runtime.timeout_error(
                f"{self}: {ticket.method} timed out waiting for its turn, which is held by {whose}; "
                "the connection was left alone"
            ) from None

    # The link

    async def _see_to(
        self, link: Link | None, ticket: Ticket, only: Link | None, renewable: bool, deadline: float | None
    ) -> tuple[Link, float | None]:
        """Return a link that the call can use, which may be a new one, and the call's deadline from then on."""
        if link is not None and self._look_at(link, ticket):
            if only is None or link is only:
                return link, deadline
            ticket.link = None
        elif only is None and renewable:
            ticket.link = None
            if link is not None and self.auto_reconnect and (self.on_connection_lost or self.on_eof_received):
                # Told before on_connection_made of the next one; not while holding a turn, which callbacks may want.
                self._retire(link, link.error)
                self._turns.leave(ticket)
                self._report_ended()
                if not self._turns.enter(ticket):
                    await self._wait_turn(self._turns, ticket, deadline)
                return await self._see_to(self._link, ticket, only, renewable, deadline)
            link, deadline = await self._renew(link, ticket, deadline)
            # Something may have come unasked while on_connection_made was running, or the peer may have gone again.
            if self._look_at(link, ticket):
                return link, deadline
            self._retire(link, link.error)
        ticket.link = None
        raise self._gone(link if only is None else only, ticket.method)

    def _look_at(self, link: Link, ticket: Ticket) -> bool:
        """Look before using a link: is it in step, has nothing come that is in the way, is the peer still there?

        A request throws away what has come unasked; a plain read keeps it, and may have what a peer left behind.
        """
        if (link.reader is not None and ticket.reads) or (link.writer is not None and ticket.writes):
            # The call that left its ticket there was torn away in the middle.
            self._part_with(link)
            link.reader = None if ticket.reads else link.reader
            link.writer = None if ticket.writes else link.writer
            return False
        if link.closed:
            return False
        try:
            if not ticket.reads:
                return link.ready and not link.transport.hung_up()
            if not ticket.writes and link.buffer:
                return True
            ticket.link = link  # what is taken from it now must not get lost
            chunk = link.transport.receive_now()
            if chunk is None and not link.buffer:
                return link.ready
            if chunk == b"":
                self._note_hang_up(link, None)
                return False
            link.buffer.append(chunk or b"")
            return self._discard(link, ticket) if ticket.writes else True
        except OSError as error:
            self._note_hang_up(link, error)
            return False

    def _discard(self, link: Link, ticket: Ticket) -> bool:
        """Throw away what has come before a request; return whether the peer is still there."""
        unread = link.buffer
        chunk: bytes | None = None
        while len(unread) <= self.buffer_size:
            chunk = link.transport.receive_now()
            if not chunk:
                break
            unread.append(chunk)
        else:
            ticket.link = link
            raise self.runtime.limit_error(
                f"{self}: more than {self.buffer_size} bytes came unasked before {ticket.method}",
                self.buffer_size,
                unread.take_all(),
            )
        start = unread.peek(64)
        size = unread.clear()
        self.log.warning("%s: discarded %d unread bytes before %s: %r", self, size, ticket.method, start)
        return link.ready and chunk is None

    async def _renew(self, link: Link | None, ticket: Ticket, deadline: float | None) -> tuple[Link, float | None]:
        """Connect, or take the connection that another call has just made; return it with the new deadline."""
        if link is not None:
            self._retire(link, link.error)
        if not self.auto_reconnect:
            raise self._gone(link, ticket.method)
        started = self.runtime.clock()
        limit = deadline if self.connection_timeout is None else started + self.connection_timeout
        opening = self._opening
        place = Ticket(ticket.method, ticket.owner)
        try:
            try:
                if not opening.enter(place):
                    await self._wait_turn(opening, place, limit)
                fresh = self._link
                if fresh is None or fresh is link or not fresh.ready:
                    fresh = await self._connect(limit)
            finally:
                opening.leave(place)
        finally:
            opening.leave(place)
        if deadline is not None and self.connection_timeout is not None:
            deadline += self.runtime.clock() - started
        return fresh, deadline

    def _gone(self, link: Link | None, method: str) -> Exception:
        """Return the error of a call that has no connection and may not make one."""
        if link is None:
            return ConnectionError(f"{self}: {method} needs a connection, and there is none: call open() first")
        if link.error is None or isinstance(link.error, EOFError):
            return self._end_of_stream(b"", f"{method} has no connection any more: it was closed")
        return ConnectionError(f"{self}: {method} has no connection any more: {link.error}")

    async def _connect(self, deadline: float | None) -> Link:
        """Make a new link. The caller holds the opening turn."""
        closings = self._closings
        old = self._link
        if old is not None:
            self._retire(old, old.error)
        transport = await self._establish(deadline)
        link = Link(transport)
        try:
            if self._out_of_step and self.quiet:
                await self._drain(transport, self.quiet, deadline)
            self._out_of_step = False
            if self.on_connection_lost is not None or self.on_eof_received is not None:
                transport.watch(_hang_up_notice(self, link))
            if self.on_connection_made is not None:
                await self._tell_connection_made(link, self.on_connection_made, deadline)
            if closings != self._closings:
                raise ConnectionAbortedError(f"{self}: closed while connecting")
            if link.closed:
                late = deadline is not None and self.runtime.clock() >= deadline
                kind = self.runtime.timeout_error if late else ConnectionAbortedError
                raise kind(f"{self}: lost again while on_connection_made was running")
            self.connection_counter += 1
            self._link = link
        except BaseException as error:
            self._callback = None
            self._retire(link, error)
            raise
        return link

    async def _establish(self, deadline: float | None) -> Transport:
        """Connect, trying again as often as ``retry`` allows."""
        attempt = 1
        refusal: OSError | None = None
        try:
            while True:
                try:
                    return await self._open_transport(deadline)
                except OSError as error:
                    if error.filename is None:
                        error.filename = self.resource
                    refusal = error
                    if self.retry.attempts is not None and attempt >= self.retry.attempts:
                        raise
                delay = self.retry.delay_after(attempt)
                self.log.info("%s: attempt %d failed (%s), next in %.3g s", self, attempt, refusal, delay)
                if deadline is not None and self.runtime.clock() + delay >= deadline:
                    raise DeadlineExpired
                await self.runtime.sleep(delay)
                attempt += 1
        except DeadlineExpired:
            last = "no answer" if refusal is None else refusal.strerror or str(refusal)
            raise self.runtime.timeout_error(
                f"{self}: no connection in time: {attempt} attempt(s), the last one: {last}"
            ) from refusal

    async def _drain(self, transport: Transport, quiet: float, deadline: float | None) -> None:
        """Throw away what still comes from before, until nothing has come for *quiet* seconds."""
        size = 0
        while True:
            silent = self.runtime.clock() + quiet
            if deadline is not None and deadline < silent:
                silent = deadline
            try:
                received = transport.receive(silent)
                chunk = received if isinstance(received, bytes) else await received
            except DeadlineExpired:
                if deadline is not None and silent == deadline:
                    raise self.runtime.timeout_error(
                        f"{self}: no resynchronisation in time: not silent for {quiet} s after a failed call"
                    ) from None
                break
            if not chunk:
                raise self.runtime.eof_error(f"{self}: closed by the peer during resynchronisation", b"")
            size += len(chunk)
        if size:
            self.log.warning("%s: discarded %d late bytes after a failed call", self, size)

    # The end of a link

    def _fail(self, ticket: Ticket, timeout: Timeout, error: BaseException) -> BaseException:
        """Give up the link of a call that failed, and return the error that its caller is to see."""
        link: Link | None = ticket.link
        if link is None:
            return error
        sending = link.writer is ticket
        if not ticket.writes and isinstance(error, ProtocolError):
            link.reader = None
            return error
        failure = error
        received = b"" if sending else link.buffer.peek(64)
        if isinstance(error, DeadlineExpired):
            doing = "sending" if sending else f"receiving; so far came {received!r}" if received else "receiving"
            when = "with the call that connects" if timeout is None else f"after {timeout} s"
            failure = self.runtime.timeout_error(f"{self}: {ticket.method} timed out {when} {doing}")
        elif link.closed and isinstance(error, (OSError, EOFError)):
            failure = ConnectionAbortedError(f"{self}: was closed while {ticket.method} was running")
        self._part_with(link)
        if sending:
            link.writer = None
        if link.reader is ticket:
            link.reader = None
        self._retire(link, failure)
        return failure

    def _part_with(self, link: Link) -> None:
        """Let no other call use a link that is out of step. Until then its tickets tell that it is."""
        self._out_of_step = True
        if self._link is link:
            self._link = None

    def _retire(self, link: Link, error: BaseException | None) -> None:
        """Give a link up. Its descriptor is closed now, or by the call that is still inside it."""
        if self._link is link:
            self._link = None
        first = not link.closed
        link.ready = False
        link.closed = True
        if link.reader is not None or link.writer is not None:
            self._out_of_step = True
            link.transport.shut_down()
        else:
            link.transport.close()
        if first and link.error is None and isinstance(error, Exception):
            link.error = error
        self._ended.append(link)

    def _note_hang_up(self, link: Link, error: BaseException | None) -> None:
        """The peer has gone. What it has sent before can still be read."""
        link.ready = False
        if link.error is None:
            end = self._end_of_stream(b"", "the peer closed the connection") if error is None else error
            link.error = end.with_traceback(None)  # which may hold the link: no cycles

    def _end_of_stream(self, partial: bytes, message: str) -> EOFError:
        return self.runtime.eof_error(f"{self}: {message}", partial)

    # Callbacks

    def _passes(self) -> CallbackPass | None:
        """Return the pass of the callback from which the stream is being used, None anywhere else."""
        current = _callback_pass.get()
        while current is not None:
            if current is self._callback and self.runtime.may_pass(current.owner):
                return current
            current = current.outer
        return None

    async def _tell_connection_made(self, link: Link, callback: Callable[[], Any], deadline: float | None) -> None:
        current = CallbackPass(self, link, deadline, _callback_pass.get())
        before = _callback_pass.set(current)
        self._callback = current
        try:
            awaitable = self.runtime.invoke(callback)
            if awaitable is not None:
                await awaitable
        except Exception:
            self.log.exception("%s: on_connection_made failed", self)
        finally:
            self._callback = None
            _callback_pass.reset(before)
        if current.turns.queue:
            # Tasks that the callback has started are in the middle of their calls.
            ticket = Ticket("on_connection_made", current.owner)
            try:
                if not current.turns.enter(ticket):
                    await self._wait_turn(current.turns, ticket, deadline)
            finally:
                current.turns.leave(ticket)

    def _report_ended(self) -> None:
        """Tell the callbacks of links that have ended, each once."""
        while self._ended:
            try:
                link = self._ended.popleft()
            except IndexError:
                return
            self._report(link)

    def _report(self, link: Link) -> None:
        if not link.take_news():
            return
        if isinstance(link.error, EOFError):
            if self.on_eof_received is not None:
                self._tell(self.on_eof_received)
            error = None
        else:
            error = link.error
        # Its traceback holds the call that failed, and so the connection: no cycles.
        link.error = None if error is None else ConnectionError(str(error))
        if self.on_connection_lost is not None:
            self._tell(self.on_connection_lost, error)

    def _tell(self, callback: Callable[..., Any], *args: Any) -> None:
        """Call back. What the callback leaves to be awaited goes on by itself."""
        try:
            awaitable = self.runtime.invoke(callback, *args)
            if awaitable is not None:
                self.runtime.spawn(self._finish(callback, awaitable))
        except Exception:
            self.log.exception("%s: callback %r failed", self, callback)

    async def _finish(self, callback: Callable[..., Any], awaitable: Awaitable[Any]) -> None:
        try:
            await awaitable
        except Exception:
            self.log.exception("%s: callback %r failed", self, callback)

    def _forget_in_child(self) -> None:
        """In a forked child: the connection is the parent's, and so are its turns."""
        link = self._link
        self._link = None
        self._home = _NOWHERE
        self._turns = Turns(self.runtime)
        self._opening = Turns(self.runtime)
        self._callback = None
        self._ended.clear()
        if link is not None:
            link.transport.forget()


def _hang_up_notice(connection: Connection, link: Link) -> Callable[[BaseException | None], None]:
    """Return what a transport calls when the peer goes; it does not keep the connection alive."""
    connection_reference = weakref.ref(connection)
    link_reference = weakref.ref(link)

    def hung_up(error: BaseException | None) -> None:
        connection = connection_reference()
        link = link_reference()
        if connection is not None and link is not None and not link.closed:
            connection._note_hang_up(link, error)
            connection._report(link)

    return hung_up


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _forget_in_child() -> None:
    for connection in list(_connections):
        connection._forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
