"""One task waiting for its event loop, without a loop round between what it waits for and its going on."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

from ..errors import DeadlineExpired
from .base import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context
    from typing import Any

    from typing_extensions import Self


class Wait:
    """One place where one task at a time waits for the loop, with a deadline.

    Tasks take it for a future, as they do anything with ``_asyncio_future_blocking``; that it belongs to their loop,
    ``_loop`` tells them. A future wakes its task in the loop's next round, after another look at all descriptors; this
    one can let it go on at once, and is used again and again.

    The timer is set anew only when a deadline comes before it; one that fires early looks again. So a loop of
    requests with the same timeout costs one timer in each such time, not one a request.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_deadline",
        "_error",
        "_go_on",
        "_loop",
        "_timer",
        "_timer_deadline",
        "_waiting",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._waiting = False
        self._go_on: Callable[[], object] | None = None
        self._error: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline = 0.0
        self._deadline: float | None = None

    def wait(self, deadline: float | None) -> Self:
        """Return what to await until `wake` or `resume`.

        Raises:
            DeadlineExpired: the deadline has come; also when awaited.
        """
        self._deadline = deadline
        if deadline is not None:
            if deadline <= self._loop.time():
                raise DeadlineExpired
            if self._timer is None:
                self._set_timer(deadline)
            elif self._timer_deadline > deadline:
                self._timer.cancel()
                self._set_timer(deadline)
        self._error = None
        self._waiting = True
        return self

    def wake(self) -> None:
        """Let the waiting task, if any, go on in the loop's next round."""
        self._waiting = False
        if self._go_on is not None:
            go_on, self._go_on = self._go_on, None
            self._loop.call_soon(go_on)

    def resume(self) -> None:
        """Let the waiting task, if any, go on now. Only for callbacks of the loop, where no task is running.

        Where tasks may run the loop inside themselves (by `nest_asyncio`, which leaves a mark), it is in the next
        round: a loop inside the task could not call back what the task is called from.
        """
        if hasattr(self._loop, "_nest_patched"):
            self.wake()
            return
        self._waiting = False
        if self._go_on is not None:
            go_on, self._go_on = self._go_on, None
            try:
                go_on()
            finally:
                del go_on  # the frames that the task's error holds hold this one: no cycles

    def _look_at_clock(self) -> None:
        self._timer = None
        if not self._waiting or self._deadline is None:
            return
        if self._deadline <= self._loop.time():
            self._error = DeadlineExpired()
            self.resume()
        else:
            self._set_timer(self._deadline)

    def _set_timer(self, deadline: float) -> None:
        self._timer = self._loop.call_at(deadline, self._look_at_clock)
        self._timer_deadline = deadline  # uvloop's handle cannot tell, if that is so near that it does without a timer

    def stop(self) -> None:
        """Cancel the timer and wake who waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.wake()

    # What tasks ask of a future

    def __await__(self) -> Generator[Self, None, None]:
        while self._waiting:
            self._asyncio_future_blocking = True
            try:
                yield self
            except BaseException:
                # Cancelled, or dropped where no loop runs any more: there is nobody to be woken.
                self._waiting = False
                self._go_on = None
                raise
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame: no cycles

    def add_done_callback(self, go_on: Callable[[Self], object], *, context: Context | None = None) -> None:
        done = partial(go_on, self)
        self._go_on = done if context is None else partial(context.run, done)

    def result(self) -> None:
        """Do nothing: an error is raised where it is awaited, in no frame that knows the task."""

    def cancel(self, msg: Any = None) -> bool:
        if self._go_on is None:
            return False  # it is about to go on: the task will see to it
        self._error = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self.wake()
        return True


class AsyncioWaiter(Waiter):
    """A task that waits for another one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._set = False
        self._loop = loop
        self._thread = threading.get_ident()
        self._wait = Wait(loop)

    async def wait(self, deadline: float | None) -> None:
        try:
            if not self._set:
                await self._wait.wait(deadline)
        finally:
            self._wait.stop()

    def set(self) -> None:
        self._set = True
        if self._loop.is_closed():
            return  # who waited has been dropped with it
        if threading.get_ident() == self._thread:
            self._wait.wake()
        else:
            self._loop.call_soon_threadsafe(self._wait.wake)
