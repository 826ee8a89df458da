"""The core: one connection at a time to one resource, kept in step with its peer.

Every call goes through `Connection._call`: it waits for its turn, sees to it that there is a usable link, does its
I/O and gives the turn back. The state that matters is written down *before* it can go wrong: a call puts its ticket
on the link before it touches the link, and takes it off only when its reply is complete. A call that was torn away
in the middle, at whatever point, leaves its ticket there, and the next one knows that the link is out of step.

A plain read takes the reading turn, a plain write the writing turn, an exchange both, reading first: while it waits
for somebody's read, plain writes go on.
"""

from __future__ import annotations

from .deadline import DEFAULT, sooner
from .endpoint import Endpoint
from .errors import DeadlineExpired, ProtocolError
from .turns import Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    from .checks import Data
    from .deadline import Timeout
    from .link import Link

    Result = TypeVar("Result")


class Connection(Endpoint):
    """An endpoint whose link is used by one call at a time: a reader and a writer, or an exchange."""

    #: Whether a plain write goes to a peer that has closed its side: to nobody else than one who may be listening yet.
    _looks_before_writing = True

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
        if runtime.suspends:
            if runtime.home() is not self._home:
                self._settle()
            if runtime.asks_for_cancellation:
                await runtime.check_cancellation()
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
                queue = turns.queue
                queue.append(ticket)  # `turns.enter`, spelled out: every function called here is felt
                if len(queue) > 1 and not turns.admits(ticket):
                    await self._wait_turn(turns, ticket, deadline)
                    if current is None and turns is not self._turns:
                        raise ConnectionAbortedError(
                            f"{self}: moved to another event loop while {method} waited for its turn"
                        )
                link = self._link if current is None else current.link
                if (
                    link is None
                    or (only is not None and link is not only)
                    or (not ticket.reads and self._looks_before_writing)
                    or link.reader is not None
                    or link.writer is not None
                    or link.buffer.used
                    or (receive is not None and (data is not None or self.auto_reconnect) and link.transport.arrived())
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
                return reply  # type: ignore[no-any-return]
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
            used, ticket.link = ticket.link, None  # a link that is out of step holds the ticket: no cycles
            if used is not None and used.closed:
                self._retire(used, None)  # closed by another thread meanwhile: the last one out gives it back
            # An interrupt may have come in the middle of the lines above, so those who wait are woken again.
            if turns.queue:
                turns.leave(ticket)
            if self._ended:
                self._report_ended()

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
            ended = link is not None or self._ended
            if ended and self.auto_reconnect and (self.on_connection_lost or self.on_eof_received):
                # Told before on_connection_made of the next one; not while holding a turn, which callbacks may want.
                if link is not None:
                    self._retire(link, link.error)
                self._turns.leave(ticket)
                ticket.owner = self.runtime.caller()
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

    def _meet_end(self, link: Link, end: BaseException) -> None:
        """A plain read has met the end of the stream: the link is of no use any more."""
        link.reader = None
        self._retire(link, end)

    def _fail(self, ticket: Ticket, timeout: Timeout, error: BaseException) -> BaseException:
        """Give up the link of a call that failed, and return the error that its caller is to see."""
        link: Link | None = ticket.link
        if link is None:
            return error
        sending = link.writer is ticket
        failure = error
        if isinstance(error, ProtocolError):
            failure = ProtocolError(f"{self}: {error}", error.data)
            if not ticket.writes:
                link.reader = None
                return failure
        received = b"" if sending else link.buffer.peek(64)
        if isinstance(error, DeadlineExpired):
            doing = "sending" if sending else f"receiving; so far came {received!r}" if received else "receiving"
            when = "with the call that connects" if timeout is None else f"after {timeout} s"
            failure = self.runtime.timeout_error(f"{self}: {ticket.method} timed out {when} {doing}")
        elif link.closed and isinstance(error, (OSError, EOFError)):
            failure = ConnectionAbortedError(f"{self}: was closed while {ticket.method} was running")
        elif isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = self.resource  # the system does not know which one it was
        self._part_with(link)
        if sending:
            link.writer = None
        if link.reader is ticket:
            link.reader = None
        self._retire(link, failure)
        return failure
