"""`instruments.pipe` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.pipe`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    class BasePipe:
        """An instrument by its resource string.

        All pipes for one resource share one connection, which is made at the first call that needs it. Every call takes
        the resource's lock, which keeps others out while it runs: other tasks and threads, and other processes on this
        machine. `lock` keeps it for several calls.

        Args:
            address: a resource string, see `sockio.resource`.
            timeout: seconds for a call: waiting for the lock, connecting, and what the call does. None for no limit.
                Without it that of the resource string holds, or else 2 s.

        Attributes:
            lock_time: seconds after which a lock that is not released expires.

        Raises:
            ValueError: the resource string is not understood, or nothing that this kind of pipe can talk to.
        """

        lock_time: float
        timeout: float | None

        @overload
        def __new__(
            cls, address: str | Address, timeout: Timeout = DEFAULT, *, resolve_futures: Literal[True] = True
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls, address: str | Address, timeout: Timeout = DEFAULT, *, resolve_futures: Literal[False]
        ) -> FuturesBasePipe: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def address(self) -> str:
            """The resource string, in its normal form."""
            ...

        @property
        def locked(self) -> bool:
            """Whether this pipe holds the lock at this moment."""
            ...

        @property
        def lock_id(self) -> str | None:
            """What tells the present lock from others; None without one."""
            ...

        def connect(self, timeout: Timeout = DEFAULT) -> Self:
            """Connect now instead of at the first call that needs it; return the pipe."""
            ...

        def drop(self) -> None:
            """Close the connection, which others may share. The next call connects again."""
            ...

        def disconnect(self) -> None:
            """The same as `drop`."""
            ...

        def lock(self, timeout: float | None = None) -> None:
            """Keep everybody else from using the instrument, until `unlock` or until the time is up.

            Others are other pipes, other tasks and threads that use this pipe, and other processes on this machine;
            where the instrument itself can be locked (VXI-11, HiSLIP), other machines too. They wait, each with its own
            timeout. To take the lock may take as long as the pipe's ``timeout``. A task or thread that has the lock
            already gives it back first.

            Args:
                timeout: seconds until the lock expires; None or 0 for the pipe's ``lock_time``. If that happens while a
                    call is running, the lock is released at its end; the next call raises a LockExpiredError.

            Raises:
                ConnectionTimeoutError: somebody else held it all the time.
                ValueError: a time without an end, or none at all: each lock expires.
            """
            ...

        def unlock(self) -> None:
            """Give the lock back. Without a lock, or where another task or thread has it, nothing happens.

            If calls are running under it, that happens when they have ended.
            """
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

    class FuturesBasePipe:
        """A `BasePipe` whose calls give futures."""

        lock_time: float
        timeout: float | None

        def __init__(self, address: str | Address, timeout: Timeout = DEFAULT) -> None: ...

        @property
        def address(self) -> str:
            """The resource string, in its normal form."""
            ...

        @property
        def locked(self) -> bool:
            """Whether this pipe holds the lock at this moment."""
            ...

        @property
        def lock_id(self) -> str | None:
            """What tells the present lock from others; None without one."""
            ...

        def connect(self, timeout: Timeout = DEFAULT) -> Future[Self]:
            """Connect now instead of at the first call that needs it; return the pipe."""
            ...

        def drop(self) -> Future[None]:
            """Close the connection, which others may share. The next call connects again."""
            ...

        def disconnect(self) -> Future[None]:
            """The same as `drop`."""
            ...

        def lock(self, timeout: float | None = None) -> Future[None]:
            """Keep everybody else from using the instrument, until `unlock` or until the time is up.

            Others are other pipes, other tasks and threads that use this pipe, and other processes on this machine;
            where the instrument itself can be locked (VXI-11, HiSLIP), other machines too. They wait, each with its own
            timeout. To take the lock may take as long as the pipe's ``timeout``. A task or thread that has the lock
            already gives it back first.

            Args:
                timeout: seconds until the lock expires; None or 0 for the pipe's ``lock_time``. If that happens while a
                    call is running, the lock is released at its end; the next call raises a LockExpiredError.

            Raises:
                ConnectionTimeoutError: somebody else held it all the time.
                ValueError: a time without an end, or none at all: each lock expires.
            """
            ...

        def unlock(self) -> Future[None]:
            """Give the lock back. Without a lock, or where another task or thread has it, nothing happens.

            If calls are running under it, that happens when they have ended.
            """
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

else:
    from .. import pipe
    from ..base import blocking, futures

    BasePipe = blocking(pipe.BasePipe)
    FuturesBasePipe = futures(pipe.BasePipe)

__all__ = ["BasePipe", "FuturesBasePipe"]
