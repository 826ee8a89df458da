"""The table of results, as Markdown."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from sockio import __version__
from tests.benchmarks.environments import REQUIREMENTS
from tests.benchmarks.harness import CLIENT_CORE, SERVER_CORE, Row

INTRODUCTION = """\
# Benchmarks

Written by `make bench`; not to be edited by hand. All that a row compares ran in one go, in turns: the
hand-written limit, sockio and its peers alternate on the same machine against the same server, a process of
its own. A ratio compares two neighbours in time. Each figure is the median over the turns with its 95 %
interval from order statistics, which assumes nothing about the distribution; a target is met when the
interval reaches it. The scripts, the limits included, are in `tests/benchmarks/`.
"""


def table(rows: Iterable[Row]) -> str:
    """One line for each row: ours against its target, and the same figure for others."""
    lines = ["| what | sockio | wanted | met | others |", "|---|---|---|---|---|"]
    for row in rows:
        unit = f" {row.unit}" if row.unit else ""
        wanted = f"{row.target}{unit}" if row.target else ""
        met = "" if row.target is None else "yes" if row.target.met(row.ours) else "**no**"
        others = "; ".join(f"{name}: {figure}{unit}" for name, figure in row.others.items())
        lines.append(f"| {row.what} | {row.ours}{unit} | {wanted} | {met} | {others} |")
    return "\n".join(lines) + "\n"


def document(rows: Iterable[Row], seconds: float, load: float) -> str:
    """The whole page.

    Arguments:
        rows: in their order
        seconds: how long it took to measure them
        load: the load average before; above a few tenths, others used the machine too
    """
    peers = ", ".join(requirement for each in REQUIREMENTS.values() for requirement in each)
    facts = {
        "sockio": __version__,
        "peers": f"{peers}; asyncio streams are the standard library's",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "pinned": f"client to core {CLIENT_CORE}, server to core {SERVER_CORE}",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{load:.2f}",
        "date": f"{datetime.date.today():%Y-%m-%d}, {seconds / 60:.0f} minutes",
    }
    machine = "\n".join(["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in facts.items())])
    return f"{INTRODUCTION}\n{table(rows)}\n## Taken on\n\n{machine}\n"


def processor() -> str:
    """The processor's own name for itself."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
