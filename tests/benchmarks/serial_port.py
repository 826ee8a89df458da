"""Requests and replies over pairs of pseudo terminals that socat joins: a serial line without a baud rate."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks import limits, ours
from tests.benchmarks.harness import (
    Comparison,
    Contender,
    Local,
    Options,
    Row,
    at_most,
    pin_to_server_core,
    server,
)

ALTERNATIONS = 40
REQUESTS = 500

PEERS = {"pyserial": ("pyserial_port", "request_reply")}


def rows(options: Options) -> list[Row]:
    if not shutil.which("socat"):
        print("Left out: serial lines (socat is not installed)")
        return []
    with ExitStack() as stack:
        # Each contender has a line of its own: ours opens its port exclusively.
        here, there = zip(*[stack.enter_context(line()) for _ in range(3)], strict=True)
        stack.enter_context(server(*there))
        contenders: dict[str, Contender] = {
            "limit": Local(limits.serial(str(here[0]))),
            "sockio": Local(ours.serial(str(here[1]))),
            **options.peers(stack, PEERS, here[2]),
        }
        result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(REQUESTS, 10))
    what = "blocking serial request-reply"
    return [
        result.row(f"{what}, wall over raw `os.write` and `os.read`", result.ratio, "sockio", PEERS, at_most(1.3)),
        result.row(f"{what}, wall a call", result.microseconds, "sockio", ["limit", *PEERS], unit="us"),
    ]


@contextmanager
def line() -> Iterator[tuple[Path, Path]]:
    """The two ends of a serial line."""
    with tempfile.TemporaryDirectory() as folder:
        ends = Path(folder, "here"), Path(folder, "there")
        addresses = [f"pty,raw,echo=0,link={end}" for end in ends]
        with subprocess.Popen(["socat", *addresses], preexec_fn=pin_to_server_core) as socat:
            try:
                while not all(end.exists() for end in ends):
                    time.sleep(0.01)
                yield ends
            finally:
                socat.terminate()
