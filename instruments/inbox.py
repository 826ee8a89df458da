"""Where frames go that come of themselves: to a callback, or into a queue with a limit from which they are taken."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sockio.condition import Condition

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime


class FrameQueue:
    """Frames that nobody has taken yet: put by one, taken by any number of tasks or threads.

    Args:
        maxsize: how many it holds; 0 for any number.
    """

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._frames: deque[bytes] = deque()
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes) -> bool:
        """Append a frame; return False, and leave it out, if the queue is full."""
        if self.maxsize and len(self._frames) >= self.maxsize:
            return False
        self._frames.append(frame)
        self.wake()
        return True

    def wake(self) -> None:
        """Let those who wait look again."""
        self._changed.wake()

    async def take(self, runtime: Runtime, deadline: float | None, may_come: Callable[[], bool]) -> bytes | None:
        """Return the next frame; None when there is none and *may_come* says that none will come.

        Raises:
            DeadlineExpired: there was none in time.
        """
        while True:
            ends = not may_come()  # asked first: there may be a last one
            try:
                return self._frames.popleft()
            except IndexError:
                if ends:
                    return None
            await self._changed.wait_for(runtime, lambda: self._frames or not may_come(), deadline)


class Inbox:
    """What a receiver has delivered, and what it has met.

    Args:
        name: of whom it is for, in the log.
        maxsize: how many frames wait to be taken; 0 for any number.
        on_frame: called with each frame, which then does not wait.
        on_error: called with each frame that makes no sense (ValueError), and each loss of the connection (OSError).
        on_overflow: called with the number of frames lost so far when frames begin to be lost.

    Attributes:
        queue: the frames that wait.
        lost, malformed, connections_lost: how many.
        overflow: frames have been lost; whoever asks sets it back.
    """

    def __init__(
        self,
        name: str,
        maxsize: int,
        on_frame: Callable[[bytes], Any] | None,
        on_error: Callable[[Exception], Any] | None,
        on_overflow: Callable[[int], Any] | None,
    ) -> None:
        self.queue = FrameQueue(maxsize)
        self.on_frame = on_frame
        self.on_error = on_error
        self.on_overflow = on_overflow
        self.lost = 0
        self.malformed = 0
        self.connections_lost = 0
        self.overflow = False
        self._losing = False
        self._runtime: Runtime | None = None
        self._name = name
        self._log = logging.getLogger("sockio.CobsStream")

    def prepare(self, runtime: Runtime) -> None:
        """Have callbacks called by this runtime. Raises TypeError if one of them cannot be."""
        for name in ("on_frame", "on_error", "on_overflow"):
            runtime.check_callback(name, getattr(self, name))
        self._runtime = runtime

    async def frame(self, frame: bytes) -> None:
        """Take a frame; come back when the callback has returned, and what it returned has been awaited."""
        if self.on_frame is not None:
            await self._call(self.on_frame, frame)
        elif self.queue.put(frame):
            self._losing = False
        else:
            self.lost += 1
            self.overflow = True
            if not self._losing:
                self._losing = True
                self._log.warning(
                    "%s: nobody takes the frames: %d wait, those that come are lost", self._name, self.queue.maxsize
                )
                await self._call(self.on_overflow, self.lost)

    async def error(self, error: Exception) -> None:
        """Hear of a frame that makes no sense, or of a connection that was lost."""
        if isinstance(error, OSError):
            self.connections_lost += 1
        else:
            self.malformed += 1
        self._log.warning("%s: %s", self._name, error)
        await self._call(self.on_error, error)

    def end(self, error: Exception | None) -> None:
        """Hear that nothing more will come, and why, if nobody has asked for that."""
        if error is not None:
            self._log.error("%s: receiving has ended", self._name, exc_info=error)
        self.queue.wake()

    async def _call(self, callback: Callable[..., Any] | None, *args: Any) -> None:
        if callback is None or self._runtime is None:
            return
        try:
            awaitable: Awaitable[Any] | None = self._runtime.invoke(callback, *args)
            if awaitable is not None:
                await awaitable
        except Exception:
            self._log.exception("%s: a callback failed", self._name)
