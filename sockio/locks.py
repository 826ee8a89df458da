"""Whose turn it is to use a resource: among the threads, tasks and event loops of this process, and among processes.

Within a process those who wait are served first come, first served, whatever runtime they are on. The first of them
then takes the lock between processes (`sockio.lock_files`), for which it has to look again and again: the system's
locks cannot be waited for with a time limit.
"""

from __future__ import annotations

import heapq
import logging
import os
import threading
import weakref
from collections import deque
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from time import monotonic

from .deadline import check_timeout
from .errors import DeadlineExpired
from .lock_files import LockFile
from .turns import Ticket, Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .runtimes.base import Runtime

#: How long to wait before looking again whether another process has given a lock back, in seconds: at first, at most.
FIRST_LOOK, LAST_LOOK = 0.0002, 0.01


class ResourceLock:
    """The lock of one resource in this process.

    Being the first in the queue with the file's lock *is* holding it. Like any turn, it is left by whoever has queued.

    Args:
        resource: its name, the same in all processes.
    """

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.queue: deque[Ticket] = deque()
        self.file = LockFile(resource)
        _locks.add(self)

    def enter(self, ticket: Ticket) -> bool:
        """Queue, and take the lock if that can be done at once; otherwise `wait`."""
        queue = self.queue
        queue.append(ticket)
        return queue[0] is ticket and self.file.take()

    async def wait(self, ticket: Ticket, runtime: Runtime, deadline: float | None) -> None:
        """Wait until a ticket that has entered holds the lock.

        Raises:
            ConnectionTimeoutError: it did not come in time; the ticket is still queued.
        """
        try:
            if self.queue[0] is not ticket:
                await Turns(runtime, self.queue).wait(ticket, deadline)
            await self._wait_file(runtime, deadline)
        except DeadlineExpired:
            raise runtime.timeout_error(
                f"{self.resource}: {ticket.method} did not get its turn in time: the resource is in use by "
                f"{self._holder(ticket, runtime)}"
            ) from None

    async def _wait_file(self, runtime: Runtime, deadline: float | None) -> None:
        if self.file.is_wanted():  # who waits in another process goes first
            await self._pause(2 * LAST_LOOK, runtime, deadline)
        pause = FIRST_LOOK
        while not self.file.take(waiting=True):
            await self._pause(pause, runtime, deadline)
            pause = min(2 * pause, LAST_LOOK)

    async def _pause(self, seconds: float, runtime: Runtime, deadline: float | None) -> None:
        if deadline is not None:
            left = deadline - runtime.clock()
            if left <= 0:
                raise DeadlineExpired
            seconds = min(seconds, left)
        await runtime.sleep(seconds)

    def _holder(self, ticket: Ticket, runtime: Runtime) -> str:
        first = self.queue[0]
        if first is ticket:
            return self.file.holder()
        hold = first.hold
        return f"a lock of {hold.name}" if hold is not None else f"{first.method} in this process"

    def leave(self, ticket: Ticket) -> None:
        """Give the lock back, or the place in the queue, and wake whose turn it is now. May be repeated."""
        queue = self.queue
        if queue and queue[0] is ticket:
            self.file.give_back()
            queue.popleft()
        elif ticket in queue:
            queue.remove(ticket)
        if not queue:
            return
        try:
            waiter = queue[0].waiter
        except IndexError:
            return  # other threads have gone through meanwhile
        if waiter is not None:
            waiter.set()

    def _forget_in_child(self) -> None:
        """In a forked child: the file is the parent's, and so are those who wait."""
        self.file.close()
        for ticket in self.queue:
            hold = ticket.hold
            if hold is not None:
                hold.void = True
        self.queue = deque()


def check_lock_time(name: str, seconds: Any) -> float:
    """Return for how many seconds a lock is to be held.

    Raises:
        TypeError: not a number.
        ValueError: not more than zero, or without an end.
    """
    checked = check_timeout(name, seconds)
    if not checked:
        raise ValueError(f"{name} must be more than 0 seconds, and not without an end, for a lock; not {seconds!r}")
    return checked


#: The holds that the present task has taken, and those that it was started under.
_held: ContextVar[tuple[Hold, ...]] = ContextVar("sockio locks held", default=())


class Hold:
    """A lock that somebody holds for longer than a call, until it is released or its time is up.

    It belongs to the task or thread that took it, and to the tasks that this one starts. Once that has ended, it
    belongs to whoever uses the same pipe. Released or expired, it is given back when the calls under it have ended.

    Args:
        lock: of the resource; held by *ticket*.
        ticket: as it queued.
        runtime: of the holder.
        seconds: how long it may be held.
        name: what to call it in errors.
        user: what it is held through, a pipe.

    Attributes:
        id: a number that no other lock has.
        expires: when its time is up, a moment of `time.monotonic`.
        expired: its time was up before it was released.
        void: this is a forked child, and the lock is the parent's.
    """

    void = False

    def __init__(
        self, lock: ResourceLock, ticket: Ticket, runtime: Runtime, seconds: float, name: str, user: object
    ) -> None:
        self.name = name
        self.id = os.urandom(16).hex()
        self.expired = False
        self._released = False
        self._lock: ResourceLock | None = lock
        self._ticket = ticket
        self._runtime = runtime
        self._owner = reference_to(runtime.caller())
        self._user = weakref.ref(user)
        self._on_expiry: Callable[[], object] | None = None
        self.expires = monotonic() + seconds
        self._calls: list[object] = []
        self._release = threading.Lock()
        ticket.hold = self

    def start(self, on_expiry: Callable[[], object] | None) -> None:
        """Let the time count, from when it was made on.

        Args:
            on_expiry: called when the time is up, before the lock is given back, in any thread.
        """
        self._on_expiry = on_expiry
        _held.set((*(hold for hold in _held.get() if hold._user() is not None), self))
        _expiry.add(self)

    def admits(self, runtime: Runtime) -> bool:
        """Tell whether the caller may use what is held."""
        owner = self._owner()
        return owner is None or owner == runtime.caller() or self in _held.get() or not self._runtime.is_running(owner)

    def is_held_through(self, user: object) -> bool:
        return self._user() is user

    def begin(self, call: object) -> bool:
        """Note that a call is running under the lock; return whether the lock is still held."""
        self._calls.append(call)
        return not self.expired and not self._released

    def end(self, call: object) -> None:
        """Note that a call has ended. May be repeated."""
        if call in self._calls:
            self._calls.remove(call)
        if self.expired or self._released:
            self._give_back()

    @property
    def over(self) -> bool:
        """Whether the lock has been given back."""
        return self._lock is None

    def expire(self) -> None:
        """Give the lock back, or have the calls that are running do so when they end; unless it has been released."""
        if not self._released:
            self.expired = True
            self._give_back()

    def release(self) -> None:
        """Give the lock back, or have the calls that are running do so when they end. May be repeated."""
        self._released = True
        try:
            self._give_back()
        finally:
            self._give_back()  # again, in case that an interrupt came in the middle of the line above
        _held.set(tuple(hold for hold in _held.get() if hold is not self))

    def _give_back(self) -> None:
        with self._release:  # the holder and the timer may come at the same time
            lock = self._lock
            if lock is None or self._calls:
                return
            if self.expired:
                on_expiry, self._on_expiry = self._on_expiry, None
                if on_expiry is not None:
                    on_expiry()  # first, so that it does not hit whoever is next
            lock.leave(self._ticket)
            self._ticket.hold = None  # no cycles
            self._lock = None


def late_hold(user: object) -> Hold | None:
    """Return a hold that the caller has had through *user* and that has expired without the caller's knowing."""
    for hold in _held.get():
        if hold.expired and hold.is_held_through(user):
            return hold
    return None


def reference_to(caller: Any) -> Callable[[], Any]:
    """Return what gives the caller as long as it exists, and does not keep it: a task holds its result."""
    return (lambda: caller) if caller is None or isinstance(caller, int) else weakref.ref(caller)


class Expiry:
    """Ends holds whose time is up, in one thread for all of them, started by the first one.

    Whoever takes a lock may be interrupted at any moment, so nobody but that thread changes what it works with.
    """

    def __init__(self) -> None:
        self._holds: SimpleQueue[Hold] = SimpleQueue()
        self._running = False

    def add(self, hold: Hold) -> None:
        """Have *hold* expire when its time is up."""
        self._holds.put(hold)
        if not self._running:  # two threads do no harm, should it come to that
            threading.Thread(target=self._run, name="sockio locks", daemon=True).start()

    def _run(self) -> None:
        self._running = True
        waiting: list[tuple[float, str, Hold]] = []
        most = 100
        while True:
            try:
                hold = self._holds.get(timeout=max(0.0, waiting[0][0] - monotonic()) if waiting else None)
            except Empty:
                self._expire(heapq.heappop(waiting)[2])
                continue
            heapq.heappush(waiting, (hold.expires, hold.id, hold))
            del hold
            if len(waiting) > most:
                waiting = [entry for entry in waiting if not entry[2].over]
                heapq.heapify(waiting)
                most = 2 * len(waiting) + 100

    def _expire(self, hold: Hold) -> None:
        try:
            hold.expire()
        except Exception:
            logging.getLogger("sockio").exception("%s could not be ended in good order", hold.name)


_expiry = Expiry()
_locks: weakref.WeakSet[ResourceLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    global _expiry
    _expiry = Expiry()
    for lock in list(_locks):
        lock._forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
