"""How often, and how soon, connecting is tried again."""

from __future__ import annotations

from .checks import check_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Retry:
    """Connection attempts, and the delays between them.

    The delay grows from one attempt to the next up to a ceiling, and is spread at random, so that many programs that
    lost the same instrument do not come back at the same moment. Only connecting is ever tried again, never a request.

    Args:
        attempts: how many in all, 1 or more; None to go on for as long as the time limit allows.
        delay: seconds between the first attempt and the second.
        growth: factor from one delay to the next, 1 or more.
        ceiling: the longest delay, in seconds.
        jitter: every delay is made longer or shorter by up to this fraction of it, 0 to 1.
    """

    __slots__ = ("attempts", "ceiling", "delay", "growth", "jitter")

    def __init__(
        self,
        attempts: int | None = 1,
        delay: float = 0.1,
        growth: float = 2.0,
        ceiling: float = 10.0,
        jitter: float = 0.1,
    ) -> None:
        self.attempts = None if attempts is None else check_count("attempts", attempts, 1)
        self.delay = _check("delay", delay, 0, None)
        self.growth = _check("growth", growth, 1, None)
        self.ceiling = _check("ceiling", ceiling, 0, None)
        self.jitter = _check("jitter", jitter, 0, 1)

    def delay_after(self, attempt: int) -> float:
        """Return how many seconds to wait after a failed attempt; the first is number 1."""
        import random

        try:
            delay = min(self.delay * self.growth ** (attempt - 1), self.ceiling)
        except OverflowError:
            delay = self.ceiling
        return delay * (1 + self.jitter * random.uniform(-1, 1))

    def __repr__(self) -> str:
        return (
            f"Retry(attempts={self.attempts!r}, delay={self.delay!r}, growth={self.growth!r}, "
            f"ceiling={self.ceiling!r}, jitter={self.jitter!r})"
        )


def check_retry(retry: Any) -> Retry:
    """Return *retry* if it is one; for None the one that tries once."""
    if retry is None:
        return Retry()
    if not isinstance(retry, Retry):
        raise TypeError(f"retry must be a sockio.Retry or None, not {retry!r}")
    return retry


def _check(name: str, value: Any, lowest: float, highest: float | None) -> float:
    allowed = f"{lowest} or more" if highest is None else f"from {lowest} to {highest}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number {allowed}, not {value!r}")
    if not value >= lowest or (highest is not None and value > highest):
        raise ValueError(f"{name} must be {allowed}, not {value!r}")
    return value
