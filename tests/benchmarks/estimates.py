"""Medians with an interval that assumes nothing about the distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Estimate(NamedTuple):
    """The median of ``turns`` measurements and its 95 % interval."""

    median: float
    low: float
    high: float
    turns: int

    def __str__(self) -> str:
        if self.low == self.high:
            return _digits(self.median)
        return f"{_digits(self.median)} [{_digits(self.low)}, {_digits(self.high)}]"


class Target(NamedTuple):
    """What an estimate should reach: at most (``<=``) or at least (``>=``) ``bound``."""

    relation: str
    bound: float

    def met(self, estimate: Estimate) -> bool:
        """Whether the interval reaches the bound."""
        return estimate.low <= self.bound if self.relation == "<=" else estimate.high >= self.bound

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:g}"


def estimate(values: Sequence[float]) -> Estimate:
    """The median and the narrowest pair of order statistics that hold it with 95 % probability.

    Each value lies below the median with probability 1/2, so how many do is binomial. Fewer than
    six values cannot give 95 %: their interval is their range.
    """
    ordered = sorted(values)
    count = len(ordered)
    middle = count // 2
    median = ordered[middle] if count % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    below = 0.0
    outside = 0
    for rank in range(count // 2):
        below += math.comb(count, rank) / 2**count
        if below > 0.025:
            break
        outside = rank
    return Estimate(median, ordered[outside], ordered[count - 1 - outside], count)


def _digits(value: float) -> str:
    magnitude = abs(value)
    if magnitude >= 100:
        return f"{value:.0f}"
    if magnitude >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"
