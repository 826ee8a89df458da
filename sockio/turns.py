"""Whose turn it is: first come, first served.

Every call queues with a `Ticket` of its own, and the place in the queue decides. A link can be read by one call and
written by another at the same time; an exchange needs both. It takes reading first: one that waits for somebody else's
read does not hold up plain writes, and one that has got it goes before later writes.

Being in the queue *is* holding the turn: there is no moment in between at which an interrupt could leave a lock that
nobody owns. Leaving is idempotent, so it may be repeated by an outer ``finally`` when the inner one was interrupted.
"""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Any, TypeVar

    from .runtimes.base import Runtime, Waiter

    Result = TypeVar("Result")


class Ticket:
    """One call in the queue; by default an exchange, which needs both turns.

    Args:
        method: what is being called, for messages.
        owner: who calls it, as `Runtime.caller` says; None if nobody will ask.
    """

    #: Whether it needs the reading turn, and the writing turn.
    reads = True
    writes = True
    waiter: Waiter | None = None
    link: Any = None
    hold: Any = None

    def __init__(self, method: str, owner: Any = None) -> None:
        self.method = method
        self.owner = owner


class Turns:
    """The queue for one link, or for anything else that calls have to share.

    Args:
        runtime: provides the means to wait.
        queue: that of other turns, which are then the same ones for callers of another runtime.
    """

    __slots__ = ("_runtime", "queue")

    def __init__(self, runtime: Runtime, queue: deque[Ticket] | None = None) -> None:
        self._runtime = runtime
        self.queue: deque[Ticket] = deque() if queue is None else queue

    def enter(self, ticket: Ticket) -> bool:
        """Queue, and return True if it is this ticket's turn already; otherwise `wait`."""
        self.queue.append(ticket)
        return self.admits(ticket)

    def admits(self, ticket: Ticket) -> bool:
        """Tell whether it is the turn of a ticket that has entered."""
        return ticket in self._whose()

    async def wait(self, ticket: Ticket, deadline: float | None) -> None:
        """Wait until it is the turn of a ticket that has entered.

        Raises:
            DeadlineExpired: the turn did not come in time; the ticket is still queued.
        """
        while True:
            waiter = ticket.waiter = self._runtime.waiter()
            # Asked only after the waiter is in place: who leaves in between wakes the waiter or is seen here.
            if ticket in self._whose():
                return
            await waiter.wait(deadline)

    def leave(self, ticket: Ticket) -> None:
        """Give up the turn, or the place in the queue, and wake those whose turn it is now."""
        queue = self.queue
        try:
            queue.remove(ticket)
        except ValueError:
            pass  # has left before
        ticket.owner = None  # a task holds its error, whose traceback holds the ticket: no cycles
        if queue:
            for other in self._whose():
                if other.waiter is not None:
                    other.waiter.set()

    def _whose(self) -> list[Ticket]:
        """Return the tickets whose turn it is."""
        turns = []
        reading = writing = False
        for ticket in list(self.queue):
            if ticket.reads:
                if reading:
                    continue
                reading = True
            if ticket.writes:
                if writing:
                    continue
                writing = True
            turns.append(ticket)
            if reading and writing:
                break
        return turns

    def holder(self, ticket: Ticket) -> Ticket | None:
        """Return whom a waiting ticket waits for; None if nobody is in its way any more."""
        for other in self._whose():
            if other is not ticket and ((other.reads and ticket.reads) or (other.writes and ticket.writes)):
                return other
        return None

    async def run(
        self, method: str, deadline: float | None, operate: Callable[..., Awaitable[Result]], *args: Any
    ) -> Result:
        """Return ``await operate(*args)``, which is called when it is its turn.

        Raises:
            DeadlineExpired: the turn did not come in time.
        """
        ticket = Ticket(method, self._runtime.caller())
        try:
            try:
                if not self.enter(ticket):
                    await self.wait(ticket, deadline)
                return await operate(*args)
            finally:
                self.leave(ticket)
        finally:
            self.leave(ticket)  # again, in case that an interrupt came in the middle of the line above

    def turn(self, method: str, deadline: float | None = None) -> Turn:
        """Return a context manager that holds the whole turn: ``async with turns.turn("name"): …``."""
        return Turn(self, Ticket(method, self._runtime.caller()), deadline)


class Turn:
    """Holds a turn for the length of an ``async with`` block.

    An interrupt may come before the block's end is noticed: then the turn is left when this object goes, with the
    traceback at the latest. `Turns.run` leaves it at once.
    """

    __slots__ = ("_deadline", "_ticket", "_turns")

    def __init__(self, turns: Turns, ticket: Ticket, deadline: float | None) -> None:
        self._turns = turns
        self._ticket = ticket
        self._deadline = deadline

    async def __aenter__(self) -> None:
        try:
            if not self._turns.enter(self._ticket):
                await self._turns.wait(self._ticket, self._deadline)
        except BaseException:
            self._turns.leave(self._ticket)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turns.leave(self._ticket)

    def __del__(self) -> None:
        if self._ticket in self._turns.queue:
            self._turns.leave(self._ticket)
