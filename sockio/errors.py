"""What can go wrong on a connection.

Every error is also its kin of the standard library, so that ``except TimeoutError`` or ``except ValueError``
catches it without importing anything from here::

    OSError
    ├── ConnectionError
    │   ├── ConnectionTimeoutError      the time was up             (also a TimeoutError)
    │   └── ConnectionEOFError          the peer ended the stream   (also an EOFError)   .partial
    └── TimeoutError
        └── LockExpiredError            a lock's time was up, and others may have come between
    ValueError
    ├── LimitError                      more came than is allowed   .limit .partial
    └── ProtocolError                   what came makes no sense    .data

What the operating system reports itself (``ConnectionRefusedError``, ``ConnectionResetError``...) is passed
on as it is; most of it is a ``ConnectionError`` too.
"""

from __future__ import annotations


def ungroup(error: BaseException) -> BaseException:
    """Return the only error of a group that has one, such as a nursery's; what is no such group as it is."""
    while len(getattr(error, "exceptions", ())) == 1:
        error = error.exceptions[0]  # type: ignore[attr-defined]
    return error


class ConnectionTimeoutError(ConnectionError, TimeoutError):
    """The time was up before the connection, the write or the reply was complete."""


class ConnectionEOFError(ConnectionError, EOFError):
    """The peer ended the stream before what was asked for was complete.

    Attributes:
        partial: the bytes of it that had been received.
    """

    partial: bytes

    def __init__(self, message: str, partial: bytes = b"") -> None:
        super().__init__(message)
        self.partial = partial


class LimitError(ValueError):
    """A line, block or frame is longer than is allowed; perhaps it never ends.

    Attributes:
        limit: the largest size allowed, in bytes.
        partial: the bytes of it that had been received (at most about ``limit``).
    """

    limit: int
    partial: bytes

    def __init__(self, message: str, limit: int = 0, partial: bytes = b"") -> None:
        super().__init__(message)
        self.limit = limit
        self.partial = partial

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.limit, self.partial)


class ProtocolError(ValueError):
    """What was received is not what the protocol allows.

    Attributes:
        data: the offending bytes.
    """

    data: bytes

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class LockExpiredError(TimeoutError):
    """A lock was held for longer than it was taken for: it has been given to others, who may have come between."""


class DeadlineExpired(Exception):
    """The deadline given to a runtime's primitive has passed.

    Users never see it: the stream, which knows its name and what it was doing, raises a
    `ConnectionTimeoutError` instead.
    """
