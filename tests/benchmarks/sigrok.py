"""Logic samples to arrays: how fast and in how much memory, over parsing what sigrok-cli writes as CSV."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

from tests.benchmarks import captures
from tests.benchmarks.estimates import Estimate, estimate
from tests.benchmarks.harness import Comparison, Local, Options, Row, Worker, at_most

ALTERNATIONS = 5
SAMPLES = 10**7

WHAT = "1e7 logic samples of 8 channels to numpy"


def rows(options: Options) -> list[Row]:
    if shutil.which("sigrok-cli") is None:
        return []
    return [*speed(options), *memory(options)]


def speed(options: Options) -> list[Row]:
    contenders = {"CSV": Local(captures.csv()), "sockio": Local(captures.binary())}
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(SAMPLES, 10**4))

    def ratio(name: str) -> Estimate:
        return result.ratio(name, "CSV")

    return [result.row(f"{WHAT}, wall over parsing CSV", ratio, "sockio", [], at_most(0.05))]


def memory(options: Options) -> list[Row]:
    samples = options.amount(SAMPLES, 2 * 10**6)
    with ExitStack() as stack:
        worker = options.worker(stack, "captures", "binary")
        peak = growth(worker, samples)
    return [Row(f"{WHAT}, peak memory in results", "", peak, at_most(2))]


def growth(worker: Worker, samples: int) -> Estimate:
    """How much the resident memory grew at most, in units of the result."""
    worker.measure(1000)
    before = worker.resident()
    worker.measure(samples)
    return estimate([(worker.peak() - before) / (captures.RESULT * samples)])
