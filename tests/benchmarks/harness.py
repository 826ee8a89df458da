"""Contenders that do the same work in turns, and the rows that come of comparing them."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.benchmarks.estimates import Estimate, Target, estimate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

CORES = sorted(os.sched_getaffinity(0))[:2]
CLIENT_CORE = CORES[0]
SERVER_CORE = CORES[-1]

Address = tuple[str, int]

Peers = dict[str, tuple[str, str]]
"""By the name in the report: a script in ``peers/``, and which of its workloads."""


class Sample(NamedTuple):
    """What one turn took, in seconds: on the clock, and of the contender's processor time."""

    wall: float
    cpu: float


class Contender(Protocol):
    """Something that does ``count`` pieces of work and says how long it took."""

    def measure(self, count: int) -> Sample: ...


class Local:
    """A contender in this process."""

    def __init__(self, run: Callable[[int], object]) -> None:
        self.run = run

    def measure(self, count: int) -> Sample:
        gc.collect()
        cpu = time.process_time()
        wall = time.perf_counter()
        self.run(count)
        return Sample(time.perf_counter() - wall, time.process_time() - cpu)


class Worker:
    """A contender in a process of its own, which takes its turn when it is told to over a pipe.

    Arguments:
        command: a program that ends in `tests.benchmarks.peers.workload.serve`
    """

    def __init__(self, *command: object) -> None:
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=pin_to_client_core,
        )
        self._answer()

    def measure(self, count: int) -> Sample:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return Sample(*json.loads(self._answer()))

    def _answer(self) -> str:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args!r} ended with status {self.process.wait()}")
        return answer

    def resident(self) -> int:
        """Bytes of memory that the process has now."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Bytes of memory that the process had when it had most."""
        return self._status("VmHWM")

    def _status(self, key: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(key))
        return int(line.split()[1]) * 1024

    def close(self) -> None:
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()


@dataclass(frozen=True)
class Row:
    """A line of the report.

    Arguments:
        what: what is measured, and over which limit
        unit: that of all the figures; empty for a ratio
        ours: the estimate for sockio
        target: what is wanted of it; None where the figure is only reported
        others: the same figure for the limit or for peers, by name
    """

    what: str
    unit: str
    ours: Estimate
    target: Target | None = None
    others: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How thorough a run is.

    Arguments:
        alternations: how often the contenders take turns; None for what each family wants
        quick: once, on little data: shows that everything works, measures nothing
        interpreters: those of the peers' scripts; a peer without one is left out
    """

    alternations: int | None = None
    quick: bool = False
    interpreters: Mapping[str, Path] = field(default_factory=dict)

    def turns(self, wanted: int) -> int:
        """How often to alternate where the family wants ``wanted`` times."""
        return 1 if self.quick else self.alternations or wanted

    def amount(self, full: int, quick: int) -> int:
        """How much work one turn is."""
        return quick if self.quick else full

    def worker(self, stack: ExitStack, module: str, workload: str, *where: object) -> Worker:
        """Starts a worker for a workload of ``ours``, ``pipes`` or ``limits``; ``stack`` ends it."""
        worker = Worker(sys.executable, "-m", f"tests.benchmarks.{module}", workload, *where)
        stack.callback(worker.close)
        return worker

    def peers(self, stack: ExitStack, peers: Peers, *where: object) -> dict[str, Worker]:
        """Starts a worker for each peer that is installed; ``stack`` ends them."""
        workers = {}
        for name, (script, workload) in peers.items():
            if python := self.interpreters.get(script):
                path = HERE / "peers" / f"{script}.py"
                workers[name] = Worker(python, path, workload, *where)
                stack.callback(workers[name].close)
        return workers


class Comparison:
    """Every contender does ``count`` pieces of work in each alternation, a different one first each time.

    One turn beforehand does not count: it opens connections and warms up. The methods give
    estimates over the alternations; where they compare, they compare within one alternation.
    """

    def __init__(self, contenders: Mapping[str, Contender], alternations: int, count: int) -> None:
        self.count = count
        self.samples: dict[str, list[Sample]] = {name: [] for name in contenders}
        names = list(contenders)
        for contender in contenders.values():
            contender.measure(count)
        for alternation in range(alternations):
            first = alternation % len(names)
            for name in names[first:] + names[:first]:
                self.samples[name].append(contenders[name].measure(count))

    def ratio(self, name: str, limit: str = "limit") -> Estimate:
        """The wall time of ``name`` over that of ``limit``."""
        pairs = zip(self.samples[name], self.samples[limit], strict=True)
        return estimate([each.wall / least.wall for each, least in pairs])

    def speed(self, name: str, limit: str = "limit") -> Estimate:
        """The throughput of ``name`` over that of ``limit``."""
        return self.ratio(limit, name)

    def extra_cpu(self, name: str, limit: str = "limit") -> Estimate:
        """Microseconds of processor time for each piece of work, beyond what ``limit`` takes."""
        pairs = zip(self.samples[name], self.samples[limit], strict=True)
        return estimate([(each.cpu - least.cpu) / self.count * 1e6 for each, least in pairs])

    def microseconds(self, name: str) -> Estimate:
        """The wall time of each piece of work."""
        return estimate([sample.wall / self.count * 1e6 for sample in self.samples[name]])

    def millions(self, name: str) -> Estimate:
        """Millions of pieces of work a second."""
        return estimate([self.count / sample.wall / 1e6 for sample in self.samples[name]])

    def row(
        self,
        what: str,
        figure: Callable[[str], Estimate],
        ours: str,
        others: Iterable[str],
        target: Target | None = None,
        unit: str = "",
    ) -> Row:
        """A row of one figure for us and for those of ``others`` that took part."""
        present = [name for name in others if name in self.samples]
        return Row(what, unit, figure(ours), target, {name: figure(name) for name in present})


def at_most(bound: float) -> Target:
    return Target("<=", bound)


def at_least(bound: float) -> Target:
    return Target(">=", bound)


def pin_to_client_core() -> None:
    os.sched_setaffinity(0, {CLIENT_CORE})


def pin_to_server_core() -> None:
    os.sched_setaffinity(0, {SERVER_CORE})


@contextmanager
def server(*terminals: Path) -> Iterator[Address]:
    """The benchmarks' instrument in a process of its own, on its own core; gives its host and port.

    Arguments:
        terminals: where it answers as well
    """
    command = [sys.executable, "-m", "tests.benchmarks.server", *map(str, terminals)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=pin_to_server_core,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.stdin.close()
