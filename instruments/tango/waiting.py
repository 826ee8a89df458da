"""Clients that wait for the instrument, and how they are made to give up where a driver would wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .framework import Util

#: Seconds between two looks at whether the server is shutting down.
SHUTDOWN_PERIOD = 0.5


class Waiting:
    """The tasks in which a device waits for its instrument on behalf of clients."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def until_given_up(self) -> Iterator[None]:
        """Wait in the running task until the device gives up at the latest.

        Raises:
            ConnectionAbortedError: it has given up.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._tasks:
                raise  # it was cancelled by somebody else
            message = "the device was initialised or ended before the instrument had answered"
            raise ConnectionAbortedError(message) from None
        finally:
            self._tasks.discard(task)

    def give_up(self) -> None:
        """End all waiting."""
        while self._tasks:
            self._tasks.pop().cancel()

    async def give_up_at_shutdown(self) -> None:
        """Give up when the server shuts down, which it does not as long as clients wait; until cancelled."""
        while True:
            await asyncio.sleep(SHUTDOWN_PERIOD)
            if is_shutting_down():
                self.give_up()


def is_shutting_down() -> bool:
    """Tell whether the server has been told to end."""
    found: bool = Util.instance().is_svr_shutting_down()
    return found


__all__ = ["Waiting", "is_shutting_down"]
