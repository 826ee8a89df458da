"""One resource, and the link to it: made on demand, given up when it fails, never shared beyond where it was made."""

from __future__ import annotations

import os
import weakref

from .callbacks import Callbacks
from .checks import check_count
from .deadline import DEFAULT, check_timeout, sooner
from .errors import DeadlineExpired
from .link import Link
from .retry import check_retry
from .turns import Ticket, Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .deadline import Timeout
    from .retry import Retry
    from .runtimes.base import Transport

_NOWHERE = object()


class Doubt:
    """A call has failed, or somebody else has used the line: an answer that is not for us may still come.

    Attributes:
        silence: for how many seconds the line has been silent since something last came, while somebody listened.
    """

    __slots__ = ("silence",)

    def __init__(self) -> None:
        self.silence = 0.0


class Endpoint(Callbacks):
    """A resource that can be connected to, and the present connection to it.

    Subclasses say what they connect to, by `_open_transport` and the resource's name.
    """

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
        super().__init__(resource, on_connection_made, on_connection_lost, on_eof_received)
        self.auto_reconnect = auto_reconnect
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
        self._doubt: Doubt | None = None
        self._closings = 0
        _endpoints.add(self)

    def __repr__(self) -> str:
        state = "connected" if self.connected() else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} {self.resource}, {state}>"

    def __del__(self) -> None:
        link = getattr(self, "_link", None)
        if link is not None:
            link.transport.close()

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
        self._report_ended()  # before on_connection_made of the next one
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

    @property
    def is_open(self) -> bool:
        """The same as `connected`."""
        return self.connected()

    def _current_link(self) -> Link | None:
        current = None if self._callback is None else self._passes()
        return self._link if current is None else current.link

    # Making a link

    async def _connect(self, deadline: float | None) -> Link:
        """Make a new link. The caller holds the opening turn."""
        closings = self._closings
        old = self._link
        if old is not None:
            self._retire(old, old.error)
        transport = await self._establish(deadline)
        link = Link(transport)
        try:
            await self._resynchronise(transport, deadline)
            if self.on_connection_lost is not None or self.on_eof_received is not None:
                transport.watch(_hang_up_notice(self, link))
            if self.on_connection_made is not None:
                await self._tell_connection_made(link, self.on_connection_made, deadline)
            self._link = link  # before it is asked whether close() was called: that looks for it afterwards
            if closings != self._closings:
                raise ConnectionAbortedError(f"{self}: closed while connecting")
            if link.closed:
                late = deadline is not None and self.runtime.clock() >= deadline
                kind = self.runtime.timeout_error if late else ConnectionAbortedError
                raise kind(f"{self}: lost again while on_connection_made was running")
            self.connection_counter += 1
        except BaseException as error:
            self._callback = None
            self._retire(link, error)
            raise
        return link

    async def _establish(self, deadline: float | None) -> Transport:
        """Connect, trying again as often as ``retry`` allows."""
        attempt = 1
        closings = self._closings
        refusal: OSError | None = None
        try:
            while True:
                try:
                    return await self._open_transport(deadline)
                except OSError as error:
                    if error.errno is not None and error.filename is None:
                        error.filename = self.resource
                    refusal = error
                    if self.retry.attempts is not None and attempt >= self.retry.attempts:
                        raise
                if closings != self._closings:
                    raise ConnectionAbortedError(f"{self}: closed while connecting") from refusal
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
        finally:
            del refusal  # its traceback holds this frame: no cycles

    async def _resynchronise(self, transport: Transport, deadline: float | None) -> None:
        """See to it that what comes from now on is for us."""
        doubt = self._doubt
        while doubt is not None:
            if self.quiet:
                await self._drain(transport, doubt, self.quiet, deadline)
            if self._doubt is doubt:
                self._doubt = None
            doubt = self._doubt  # there may be a new one meanwhile

    async def _drain(self, transport: Transport, doubt: Doubt, quiet: float, deadline: float | None) -> None:
        """Throw away what still comes from before, until nothing has come for *quiet* seconds.

        What one call has heard of the silence counts for the next, so that calls which have less time get there too.
        """
        size = 0
        while True:
            began = self.runtime.clock()
            silent = began + quiet - doubt.silence
            try:
                received = transport.receive(sooner(silent, deadline))
                chunk = received if isinstance(received, bytes) else await received
            except GeneratorExit:
                raise  # dropped, where no clock runs any more
            except BaseException as error:
                # It was silent up to a cancellation as well.
                doubt.silence = 0.0 if transport.arrived() else doubt.silence + self.runtime.clock() - began
                if not isinstance(error, DeadlineExpired):
                    raise
                if doubt.silence and sooner(silent, deadline) == silent:
                    break
            else:
                if not chunk:
                    raise self.runtime.eof_error(f"{self}: closed by the peer during resynchronisation", b"")
                doubt.silence = 0.0
                size += len(chunk)
            if deadline is not None and self.runtime.clock() >= deadline:
                raise self.runtime.timeout_error(
                    f"{self}: no resynchronisation in time: not silent for {quiet} s after a failed call"
                )
        if size:
            self.log.warning("%s: discarded %d late bytes after a failed call", self, size)

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

    # Giving a link up

    @property
    def in_doubt(self) -> bool:
        """Whether something may still come of a call that has failed, which the next one has to wait out."""
        return self._doubt is not None

    def distrust(self) -> None:
        """Have the next call resynchronise: somebody else has used the same line, and left it out of step."""
        self._doubt = Doubt()
        if self._link is not None:
            self._retire(self._link, None)

    def _part_with(self, link: Link) -> None:
        """Let no other call use a link that is out of step. Until then its tickets tell that it is."""
        self._doubt = Doubt()
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
            self._doubt = Doubt()
            link.transport.shut_down()
        else:
            link.transport.close()
        if first and link.error is None and isinstance(error, Exception):
            link.error = error
        self._ended.append(link)

    def _note_hang_up(self, link: Link, error: BaseException | None) -> None:
        """The peer has gone. What it has sent before can still be read."""
        link.ready = False
        if link.error is None and not link.closed:  # closed on this side, it was not the peer
            end = self._end_of_stream(b"", "the peer closed the connection") if error is None else error
            link.error = end.with_traceback(None)  # which may hold the link: no cycles

    def _end_of_stream(self, partial: bytes, message: str) -> EOFError:
        return self.runtime.eof_error(f"{self}: {message}", partial)

    def _deadline(self, timeout: Timeout) -> float | None:
        seconds = check_timeout("timeout", timeout)
        return None if seconds is None else self.runtime.clock() + seconds

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


def _hang_up_notice(endpoint: Endpoint, link: Link) -> Callable[[BaseException | None], None]:
    """Return what a transport calls when the peer goes; it does not keep the endpoint alive."""
    endpoint_reference = weakref.ref(endpoint)
    link_reference = weakref.ref(link)

    def hung_up(error: BaseException | None) -> None:
        endpoint = endpoint_reference()
        link = link_reference()
        if endpoint is not None and link is not None and not link.closed:
            endpoint._note_hang_up(link, error)
            endpoint._report(link)

    return hung_up


_endpoints: weakref.WeakSet[Endpoint] = weakref.WeakSet()


def _forget_in_child() -> None:
    for endpoint in list(_endpoints):
        endpoint._forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
