"""Time left over several steps.

A *timeout* is what a user gives: seconds for a whole call, or None for as long as it takes. A *deadline* is the
moment on the runtime's monotonic clock at which that time is over. It is worked out once, at the start of the call,
and passed down, so that no step gets the full time again.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias

    Timeout: TypeAlias = "float | Default | None"

#: A limit of so many seconds (a hundred years) or more is none: infinity has no place in a system call.
LONGEST = 100 * 365 * 86400.0


class Default:
    """Stands for "what the stream was constructed with"."""

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default()


def check_timeout(name: str, timeout: Any, unit: str = "seconds") -> float | None:
    """Return *timeout* if it can be one: seconds (or another unit), zero or more, or None for no limit.

    Raises:
        TypeError: not a number.
        ValueError: negative or not a number of seconds at all (NaN).
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{name} must be a number of {unit} or None, not {timeout!r}")
    if not timeout >= 0:
        raise ValueError(f"{name} must be zero or more {unit}, or None for no limit, not {timeout!r}")
    return timeout if timeout < LONGEST else None


def sooner(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two deadlines, None being never."""
    if one is None:
        return other
    if other is None:
        return one
    return min(one, other)


def seconds_until(deadline: float | None, now: float) -> float | None:
    """Return how many seconds are left at the moment *now*, 0 when the deadline has passed; None, never, for None."""
    return None if deadline is None else max(0.0, deadline - now)
