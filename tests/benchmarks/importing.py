"""What ``import sockio.sio`` costs a program that starts, beyond what every socket needs."""

from __future__ import annotations

import compileall
import re
import subprocess
import sys
import time

from tests.benchmarks.estimates import Estimate, estimate
from tests.benchmarks.harness import ROOT, Options, Row, at_most

ALTERNATIONS = 30

BASE = "import socket, select, threading"
OURS = "import sockio.sio"
ASYNCIO = "import asyncio"
WHAT = f"`{OURS}` beyond `{BASE}`"


def rows(options: Options) -> list[Row]:
    if interpreter("import sys, sockio.sio; print('asyncio' in sys.modules)").stdout != "False\n":
        raise AssertionError("import sockio.sio imports asyncio")
    statements = [BASE, OURS, ASYNCIO]
    imports: dict[str, list[float]] = {statement: [] for statement in statements}
    processes: dict[str, list[float]] = {statement: [] for statement in statements}
    # As an installation leaves it, also where the environment forbids the interpreter to write bytecode itself.
    compileall.compile_dir(ROOT / "sockio", quiet=1)
    for statement in statements:
        interpreter(statement)
    for _ in range(options.turns(ALTERNATIONS)):
        for statement in statements:
            imports[statement].append(import_time(statement))
            processes[statement].append(process_time(statement))
    return [
        Row(f"{WHAT}, by `-X importtime`", "ms", beyond(imports, OURS), at_most(15), others(imports)),
        Row(f"{WHAT}, wall of the process", "ms", beyond(processes, OURS), None, others(processes)),
    ]


def others(times: dict[str, list[float]]) -> dict[str, Estimate]:
    return {f"`{ASYNCIO}`": beyond(times, ASYNCIO)}


def beyond(times: dict[str, list[float]], statement: str) -> Estimate:
    """Milliseconds that ``statement`` takes beyond the base."""
    pairs = zip(times[statement], times[BASE], strict=True)
    return estimate([(each - base) * 1e3 for each, base in pairs])


def import_time(statement: str) -> float:
    """Seconds that an interpreter says it spent importing."""
    report = interpreter(statement, "-X", "importtime").stderr
    return sum(int(own) for own in re.findall(r"^import time: +(\d+) \|", report, re.MULTILINE)) / 1e6


def process_time(statement: str) -> float:
    """Seconds that an interpreter takes from its start to its end."""
    start = time.perf_counter()
    interpreter(statement)
    return time.perf_counter() - start


def interpreter(statement: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a statement in a new interpreter.

    Without `site`: the hooks of an editable installation import half the standard library beforehand.
    """
    command = [sys.executable, "-S", *options, "-c", statement]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
