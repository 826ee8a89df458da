"""What every worker does: wait to be told how much, do it, say how long it took.

Works without the rest of the package, in an environment that holds a peer and nothing else.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping

REQUEST = b"*IDN?\n"
REPLY = b"sockio,benchmark,0001,1.0\n"
LINE = b"+1.23456E+00,-9.87654E-01\n"

Workload = Callable[..., Callable[[int], object]]


def serve(workloads: Mapping[str, Workload]) -> None:
    """Takes turns until standard input ends.

    The command line has the name of the workload and the arguments to prepare it with; then it prints
    "ready". Each line of standard input is an amount of work, answered by a JSON list of seconds: wall,
    processor time.
    """
    name, *where = sys.argv[1:]
    run = workloads[name](*where)
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line)
        gc.collect()
        cpu = time.process_time()
        wall = time.perf_counter()
        run(count)
        print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]), flush=True)
