"""What a driver takes as its connection, as type checkers see it: sockio's own, or an object that does as much."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class BlockingConnection(Protocol):
    """What blocks until a call is done: a stream of `sockio.sio`, or an object of your own."""

    def write_readline(self, data: bytes, /) -> bytes:
        """Send *data* and return the line that comes back."""
        ...

    def write(self, data: bytes, /) -> object:
        """Send *data*, to which no answer comes. What is returned does not matter."""
        ...


class CoroutineConnection(Protocol):
    """What is awaited: a stream of `sockio.aio` or `sockio.trio`, or an object of your own with coroutine functions."""

    def write_readline(self, data: bytes, /) -> Awaitable[bytes]:
        """Send *data* and return the line that comes back."""
        ...

    def write(self, data: bytes, /) -> Awaitable[object]:
        """Send *data*, to which no answer comes. What is returned does not matter."""
        ...


__all__ = ["BlockingConnection", "CoroutineConnection"]
