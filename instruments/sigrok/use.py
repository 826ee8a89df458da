"""A device in use: by one capture at a time, each with its time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sockio.deadline import DEFAULT, check_timeout
from sockio.turns import Ticket

if TYPE_CHECKING:
    from sockio.deadline import Timeout
    from sockio.locks import ResourceLock
    from sockio.runtimes.base import Runtime

#: Called with the number of samples received so far, and how many there will be (None: as many as are wanted).
Progress = Callable[[int, "int | None"], Any]


class Use:
    """Has a device to itself for the length of an ``async with`` block.

    Args:
        runtime: of the caller.
        lock: of the device.
        method: what is being called.
        timeout: seconds for it.
        usual: the same if that is DEFAULT.

    Attributes:
        runtime: of the caller.
        deadline: when the call has to be done.
    """

    def __init__(
        self, runtime: Runtime, lock: ResourceLock, method: str, timeout: Timeout, usual: float | None
    ) -> None:
        self.runtime = runtime
        self._limit = usual if timeout is DEFAULT else check_timeout("timeout", timeout)
        self._lock = lock
        self._ticket = Ticket(method)
        self.deadline: float | None = None
        self.renew(0)

    def renew(self, seconds: float) -> None:
        """Have the time begin now, with so many seconds on top."""
        self.deadline = None if self._limit is None else self.runtime.clock() + self._limit + seconds

    def extend(self, seconds: float) -> None:
        """Give it so many seconds more."""
        if self.deadline is not None:
            self.deadline += seconds

    async def __aenter__(self) -> Use:
        try:
            if not self._lock.enter(self._ticket):
                await self._lock.wait(self._ticket, self.runtime, self.deadline)
        except BaseException:
            self._lock.leave(self._ticket)
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._lock.leave(self._ticket)


async def tell(runtime: Runtime, progress: Progress, received: int, total: int | None) -> None:
    """Call the user's function."""
    pending = runtime.invoke(progress, received, total)
    if pending is not None:
        await pending
