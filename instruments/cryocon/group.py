"""Commands that travel together: what is called inside a ``with`` block is sent at its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

from ..link import caller
from . import codec
from .codec import Command
from .errors import CryoConError

T = TypeVar("T")

Send = Callable[[list[Command[Any]]], Awaitable[list[Any]]]

#: The groups that are open here. Tasks started inside a block inherit it, so each group knows who opened it.
_open_groups: ContextVar[tuple[Group, ...]] = ContextVar("open CryoCon groups", default=())


class Queued(Future[T]):
    """What a call that joined a group gives: after the block, ``await`` or ``result()`` gives its value."""

    is_queued = True

    def __init__(self, command: Command[T]) -> None:
        super().__init__()
        self.command = command

    def result(self, timeout: float | None = None) -> T:
        """Return the value.

        Raises:
            RuntimeError: the group has not been sent yet, which happens at the end of its block.
            CryoConError: the command was refused, or its reply makes no sense.
        """
        if not self.done():
            raise RuntimeError(f"{self.command} has joined a group: its value is there after the end of the block")
        return super().result(timeout)

    def __await__(self) -> Generator[Any, None, T]:
        yield from ()
        return self.result()


class Group:
    """The commands of one block, sent on as few lines as possible when it ends.

    A block that raises sends nothing, and neither does an empty one. When it ends, a *setting* that was
    refused is raised, so that it does not pass unseen; a *reading* that failed keeps its error in its place.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._owner = caller()
        self._queued: list[Queued[Any]] = []
        self._sent = False

    def add(self, command: Command[T]) -> Queued[T]:
        """Let *command* join, and return what will give its value."""
        queued = Queued(command)
        self._queued.append(queued)
        return queued

    @property
    def replies(self) -> list[Any]:
        """The values in the order of the calls; None for a command that has no reply.

        Raises:
            CryoConError: some commands failed; the error names them. `results` has the others' values.
            RuntimeError: the group has not been sent.
        """
        results = self.results
        self._check(results)
        return results

    @property
    def results(self) -> list[Any]:
        """The values in the order of the calls, with the error (a `CryoConError`) in place of those that
        failed.

        Raises:
            RuntimeError: the group has not been sent.
        """
        if not self._sent:
            raise RuntimeError("the group has not been sent: that happens at the end of its block")
        return [queued.exception() or queued.result() for queued in self._queued]

    def _check(self, results: list[Any], changes_only: bool = False) -> None:
        """Raise an error that tells all that failed."""
        failures = [
            result
            for queued, result in zip(self._queued, results, strict=True)
            if isinstance(result, Exception) and (queued.command.changes or not changes_only)
        ]
        if failures:
            count = f"{len(failures)} of {len(results)} commands failed: " if len(results) > 1 else ""
            raise CryoConError(count + "; ".join(map(str, failures))) from failures[0]

    async def send(self) -> None:
        """Send what has joined, and give every call its own reply.

        Raises:
            CryoConError: settings were refused.
            OSError: the connection failed; so have the calls that had no reply yet.
        """
        waiting = iter(self._queued)
        try:
            for line in codec.pack(queued.command for queued in self._queued):
                for outcome in await self._send(line):
                    settle(next(waiting), outcome)
        except BaseException as error:
            self.drop(error)
            raise
        self._sent = True
        self._check(self.results, changes_only=True)

    def drop(self, error: BaseException) -> None:
        """Give up what has not been answered."""
        for queued in self._queued:
            if not queued.done():
                failure = CryoConError(f"{queued.command}: not done, as its group ended with {error!r}")
                failure.__cause__ = error
                queued.set_exception(failure)

    def open(self) -> None:
        """From now on calls of this task or thread join."""
        _open_groups.set((*_open_groups.get(), self))

    def close(self) -> None:
        """From now on calls do not join any more."""
        _open_groups.set(tuple(group for group in _open_groups.get() if group is not self))

    def belongs_to(self, send: Send) -> bool:
        """Tell whether this task or thread opened the group, on the controller that *send* sends to."""
        return self._send == send and self._owner == caller()


def open_group(send: Send) -> Group | None:
    """Return the innermost group that this task or thread has open on a controller."""
    for group in reversed(_open_groups.get()):
        if group.belongs_to(send):
            return group
    return None


def settle(queued: Queued[Any], outcome: Any) -> None:
    """Give a call its value or its error."""
    if isinstance(outcome, CryoConError):
        queued.set_exception(outcome)
    else:
        queued.set_result(outcome)
