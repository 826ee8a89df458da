"""Waiting until something is so that others bring about."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .runtimes.base import Runtime, Waiter


class Condition:
    """Those who wait for a change. They may be of any runtime; whoever makes the change wakes them."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def wake(self) -> None:
        """Let all that wait look again, from any thread."""
        for waiter in list(self._waiters):
            waiter.set()

    async def wait_for(self, runtime: Runtime, holds: Callable[[], object], deadline: float | None) -> None:
        """Return as soon as ``holds()`` is true, at once if it is; it is asked again after each `wake`.

        Raises:
            DeadlineExpired: it was not in time.
        """
        while True:
            waiter = runtime.waiter()
            self._waiters.append(waiter)  # before looking: a change in between wakes the waiter or is seen here
            try:
                if holds():
                    return
                await waiter.wait(deadline)
            finally:
                self._waiters.remove(waiter)
