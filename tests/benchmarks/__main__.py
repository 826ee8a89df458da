"""``python -m tests.benchmarks [FAMILY ...]``: runs the benchmarks and prints their table."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from tests.benchmarks import environments, report
from tests.benchmarks.families import FAMILIES, run
from tests.benchmarks.harness import Options


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--alternations", type=int, help="how often the contenders take turns")
    parser.add_argument("--no-peers", action="store_true", help="sockio and the limits alone")
    parser.add_argument("--quick", action="store_true", help="everything once, without peers: measures nothing")
    parser.add_argument("--report", type=Path, help="a Markdown file to write as well")
    arguments = parser.parse_args()
    if unknown := set(arguments.families).difference(FAMILIES):
        parser.error(f"no such family: {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")

    start = time.monotonic()
    load, _, _ = os.getloadavg()
    alone = arguments.no_peers or arguments.quick
    interpreters = {} if alone else environments.interpreters()
    options = Options(arguments.alternations, arguments.quick, interpreters)
    rows = []
    for family in arguments.families or FAMILIES:
        print(f"{family} ...", flush=True)
        rows += run(family, options)
    print(report.table(rows))
    if arguments.report:
        arguments.report.parent.mkdir(exist_ok=True)
        arguments.report.write_text(report.document(rows, time.monotonic() - start, load))


if __name__ == "__main__":
    main()
