"""Telling the user's callbacks of connections that are made and lost.

`on_connection_made` runs while the connection is being made, in the middle of somebody's call, and may use the stream
itself: a pass, which is valid for as long as the callback runs, takes its calls past the turns that are held meanwhile.
The others are told outside of all turns, once for each connection.
"""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar

from .errors import DeadlineExpired
from .turns import Ticket, Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from logging import Logger
    from typing import Any

    from .link import Link
    from .runtimes.base import Runtime


class CallbackPass:
    """Lets a callback, and the tasks that it starts, use the link that is being set up, for as long as it runs."""

    __slots__ = ("deadline", "link", "outer", "owner", "turns")

    def __init__(self, callbacks: Callbacks, link: Link, deadline: float | None, outer: CallbackPass | None) -> None:
        self.link = link
        self.deadline = deadline
        self.outer = outer
        self.owner = callbacks.runtime.caller()
        self.turns = Turns(callbacks.runtime)


_callback_pass: ContextVar[CallbackPass | None] = ContextVar("sockio callback pass", default=None)


class Callbacks:
    """The part of a connection that knows its callbacks.

    Attributes:
        resource: what the connection is to, as a URL.
        on_connection_made, on_connection_lost, on_eof_received: the callbacks, or None.
    """

    runtime: Runtime

    def __init__(
        self,
        resource: str,
        on_connection_made: Callable[[], Any] | None,
        on_connection_lost: Callable[[BaseException | None], Any] | None,
        on_eof_received: Callable[[], Any] | None,
    ) -> None:
        self.runtime.check_callback("on_connection_made", on_connection_made)
        self.runtime.check_callback("on_connection_lost", on_connection_lost)
        self.runtime.check_callback("on_eof_received", on_eof_received)
        self.resource = resource
        self.on_connection_made = on_connection_made
        self.on_connection_lost = on_connection_lost
        self.on_eof_received = on_eof_received
        self._callback: CallbackPass | None = None
        self._ended: deque[Link] = deque()

    def __str__(self) -> str:
        return self.resource

    @property
    def log(self) -> Logger:
        """Where the stream logs: a child of the logger "sockio" that is named after the resource."""
        import logging  # slow to import, and seldom used

        scheme, _, location = self.resource.partition("://")
        kind = {"tcp": "TCP", "tls": "TCP", "unix": "Unix"}.get(scheme, "Serial")
        return logging.getLogger(f"sockio.{kind}({location})")

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
