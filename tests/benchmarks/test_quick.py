"""The benchmarks are run once on little data, so that they work when somebody wants to measure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.estimates import Estimate, Target, estimate
from tests.benchmarks.families import FAMILIES
from tests.benchmarks.harness import ROOT


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_is_measured(family: str) -> None:
    command = [sys.executable, "-m", "tests.benchmarks", family, "--quick"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{family} ...\n")
    assert result.stderr == ""


def test_interval_is_the_narrowest_that_holds_the_median_19_times_out_of_20() -> None:
    # Table of the sign test: with 10 values the second and the ninth, with 30 the tenth and the twenty-first.
    assert estimate([float(value) for value in range(1, 11)]) == Estimate(5.5, 2, 9, 10)
    assert estimate([float(value) for value in range(30, 0, -1)]) == Estimate(15.5, 10, 21, 30)


def test_interval_of_few_values_is_their_range() -> None:
    assert estimate([3.0, 1.0, 2.0]) == Estimate(2, 1, 3, 3)
    assert estimate([1.0]) == Estimate(1, 1, 1, 1)


def test_target_is_met_when_the_interval_reaches_it() -> None:
    value = Estimate(1.16, 1.14, 1.2, 30)
    assert Target("<=", 1.15).met(value)
    assert not Target("<=", 1.13).met(value)
    assert Target(">=", 1.19).met(value)
    assert not Target(">=", 1.21).met(value)
