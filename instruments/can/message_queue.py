"""What a receiver has been given and has not taken yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sockio.condition import Condition

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime


class Failure:
    """Stands in a queue for a message that could not be made."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class MessageQueue:
    """Messages in the order in which they have come: put by one, taken by any number of tasks or threads.

    Args:
        convert: makes of a message of python-can what is put, None for nothing.
        maxsize: how many it holds; 0 for any number.

    Attributes:
        convert: as above.
        lost: messages that came while there was no room.
        open: whether more may come.
    """

    def __init__(self, convert: Callable[[Any], Any], maxsize: int) -> None:
        self.maxsize = maxsize
        self.lost = 0
        self.open = True
        self.convert: Any = convert
        self._items: deque[Any] = deque()
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._items)

    def qsize(self) -> int:
        """Return how many messages wait."""
        return len(self._items)

    def put_all(self, messages: Iterable[Any]) -> None:
        """Put messages of python-can, of which there may be many, and wake those who wait."""
        convert, items, room = self.convert, self._items, self.maxsize or float("inf")
        for message in messages:
            try:
                item = convert(message)
            except Exception as error:
                item = Failure(error)
            if item is None:
                continue
            if len(items) < room:
                items.append(item)
            else:
                self.lost += 1
        if items:
            self.wake()

    def wake(self) -> None:
        """Let those who wait look again."""
        self._changed.wake()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self.open = False
        self.wake()

    def take_now(self) -> Any:
        """Return the next message, None if there is none. Raises what went wrong when it was made."""
        try:
            item = self._items.popleft()
        except IndexError:
            return None
        if type(item) is Failure:
            raise item.error
        return item

    async def take(self, runtime: Runtime, deadline: float | None) -> Any:
        """Return the next message, waiting for it if need be; None when there is none, and the queue is closed.

        Raises:
            DeadlineExpired: there was none in time.
        """
        while True:
            ends = not self.open  # asked first: there may be a last one
            item = self.take_now()
            if item is not None or ends:
                return item
            await self._changed.wait_for(runtime, lambda: self._items or not self.open, deadline)

    def take_all(self) -> list[Any]:
        """Return all messages that wait; those that could not be made are left out."""
        taken = [self._items.popleft() for _ in range(len(self._items))]
        return [item for item in taken if type(item) is not Failure]

    def clear(self) -> None:
        """Forget the messages that wait."""
        self._items.clear()
